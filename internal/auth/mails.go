package auth

// What an operator may see of the outbox, and do to it.

import (
	"context"
	"errors"

	"latchkey/internal/mail"
	"latchkey/internal/store"
)

// ErrNoMail tells an operator that what was named is not in the outbox, or has ended.
var ErrNoMail = errors.New("no such mail is in the outbox (ended ones are forgotten after 30 days)")

// ErrMailUnderWay tells an operator that a mail may be on its way this very moment.
var ErrMailUnderWay = errors.New("this mail is being sent now, or will be tried within two minutes: see `latchkey mail show`")

// Mails lists outbox rows, newest first; only those that wait, if asked.
func (s *Service) Mails(ctx context.Context, waiting bool, limit int) ([]Mail, error) {
	var rows []store.Mail
	err := s.read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.Mails(waiting, int64(limit))
		return err
	})
	list := make([]Mail, len(rows))
	for i, row := range rows {
		list[i] = s.describeMail(row)
	}
	return list, err
}

// MailByID finds an outbox row: ErrNoMail.
func (s *Service) MailByID(ctx context.Context, id string) (Mail, error) {
	var row store.Mail
	err := s.read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.MailByID(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return Mail{}, ErrNoMail
	}
	return s.describeMail(row), err
}

// RetryMail makes a waiting mail due now: ErrNoMail when it is not waiting. A row that is to be tried
// within the length of a lease may be leased, and would be sent twice: ErrMailUnderWay. The audit log
// names the mail as the request, which it is for a mailed link.
func (s *Service) RetryMail(ctx context.Context, id string) error {
	now, by := s.now(), operator
	by.RequestID = id
	return s.write(ctx, func(tx *store.Tx) error {
		row, err := tx.MailByID(id)
		switch {
		case errors.Is(err, store.ErrNotFound), err == nil && !row.EndedAt.IsZero():
			return ErrNoMail
		case err != nil:
			return err
		case row.NextTryAt.After(now) && !row.NextTryAt.After(now.Add(mailLease)):
			return ErrMailUnderWay
		}
		if err = tx.PostponeMail(row, now, row.LastError); errors.Is(err, store.ErrNotFound) {
			return ErrMailUnderWay // claimed since it was read
		}
		if err != nil {
			return err
		}
		return s.audit(tx, now, event{Kind: eventMailRetried}, by)
	})
}

// TestMail sends one mail now and returns what the server answered.
func (s *Service) TestMail(ctx context.Context, to string) (answer string, err error) {
	var f form
	address := f.email("to", to)
	if err := f.err(); err != nil {
		return "", err
	}
	message, err := s.o.Letters.Render(mail.Test, newID(), mail.Data{To: address, From: s.o.MailFrom, At: s.now()})
	if err != nil {
		return "", err
	}
	return s.o.Sender.Send(ctx, message)
}

// describeMail shows the address while it is still needed, and never a token.
func (s *Service) describeMail(row store.Mail) Mail {
	m := Mail{
		ID: row.ID, Kind: row.Kind, CreatedAt: row.CreatedAt, NextTryAt: row.NextTryAt, ExpiresAt: row.ExpiresAt,
		Tries: row.Tries, EndedAt: row.EndedAt, Outcome: row.Outcome, LastError: row.LastError,
	}
	if row.Payload != nil {
		if l, err := s.unseal(row); err == nil {
			m.To = l.To
		}
	}
	return m
}
