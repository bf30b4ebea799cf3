package outbox

// What an operator may see of the outbox, and do to it.

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"latchkey/internal/address"
	"latchkey/internal/audit"
	"latchkey/internal/ids"
	"latchkey/internal/store"
)

// ErrNoMail tells an operator that what was named is not in the outbox, or has ended.
var ErrNoMail = errors.New("no such mail is in the outbox (ended ones are forgotten after 30 days; a refused one can be tried again until it expires)")

// ErrUnderWay tells an operator that a mail may be on its way this very moment.
var ErrUnderWay = errors.New("this mail is being sent now, or will be tried within two minutes: see `latchkey mail show`")

// ErrNoAddress tells an operator that a Query's Email is none.
var ErrNoAddress = errors.New("email: enter an email address like name@example.com")

// Mail is an outbox row as the operator may see it. To is the address while it is still needed; UserID whose
// account it is about, once that was found out.
type Mail struct {
	ID        string
	Kind      string
	To        string
	CreatedAt time.Time
	NextTryAt time.Time
	ExpiresAt time.Time
	Tries     int64
	EndedAt   time.Time
	Outcome   string // sent, no_account, superseded, capped, refused, expired; empty while it waits
	LastError string
	Answer    string // the mail server's last
	MessageID string // by which the mail is found in the mail server's log; empty: never tried
	UserID    string
}

// Query says which part of the outbox to list.
type Query struct {
	Email   string // to this address, also when it has ended; empty: to anybody
	Waiting bool   // only what is still to be sent
	Limit   int
}

// List lists outbox rows, newest first: ErrNoAddress.
func (b *Outbox) List(ctx context.Context, q Query) ([]Mail, error) {
	var macs [][]byte
	if q.Email != "" {
		email, ok := address.ParseEmail(q.Email)
		if !ok {
			return nil, ErrNoAddress
		}
		var err error
		if macs, err = b.addressMACs(email); err != nil {
			return nil, err
		}
	}
	var rows []store.Mail
	err := b.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		if rows = nil; len(macs) == 0 {
			rows, err = tx.Mails(q.Waiting, int64(q.Limit))
			return err
		}
		for _, mac := range macs {
			to, err := tx.MailsTo(mac, q.Waiting, int64(q.Limit))
			if err != nil {
				return err
			}
			rows = append(rows, to...)
		}
		return nil
	})
	slices.SortFunc(rows, func(a, b store.Mail) int { return strings.Compare(b.ID, a.ID) })
	rows = rows[:min(len(rows), q.Limit)]
	list := make([]Mail, len(rows))
	for i, row := range rows {
		list[i] = b.describe(row)
	}
	return list, err
}

// ByID finds an outbox row: ErrNoMail.
func (b *Outbox) ByID(ctx context.Context, id string) (Mail, error) {
	id, ok := ids.Parse(id)
	if !ok {
		return Mail{}, ErrNoMail
	}
	var row store.Mail
	err := b.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.MailByID(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return Mail{}, ErrNoMail
	}
	return b.describe(row), err
}

// Retry makes a waiting or a refused mail due now: ErrNoMail when it is neither, or has expired. A row that is to be tried
// within the length of a lease may be leased, and would be sent twice: ErrUnderWay. The audit log names the mail as the
// request, which it is for a mailed link.
func (b *Outbox) Retry(ctx context.Context, id string) error {
	id, ok := ids.Parse(id)
	if !ok {
		return ErrNoMail
	}
	now, by := b.o.Now(), audit.Operator
	by.RequestID = id
	return b.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := makeDue(tx, id, now); err != nil {
			return err
		}
		audit.Write(tx, now, audit.Event{Kind: audit.MailRetried}, by)
		return nil
	})
}

func makeDue(tx *store.Tx, id string, now time.Time) error {
	row, err := tx.MailByID(id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrNoMail
	case err != nil:
		return err
	case !row.EndedAt.IsZero():
		return revive(tx, id, now)
	case row.NextTryAt.After(now) && !row.NextTryAt.After(now.Add(lease)):
		return ErrUnderWay
	}
	err = tx.PostponeMail(row, now, row.LastError)
	if errors.Is(err, store.ErrNotFound) { // claimed since it was read
		return ErrUnderWay
	}
	return err
}

// revive has a refused mail tried again, which is what it remembered its request for.
func revive(tx *store.Tx, id string, now time.Time) error {
	err := tx.ReviveMail(id, now)
	if errors.Is(err, store.ErrNotFound) {
		return ErrNoMail
	}
	return err
}

// describe shows the address while it is still needed, and never a token.
func (b *Outbox) describe(row store.Mail) Mail {
	m := Mail{
		ID: row.ID, Kind: row.Kind, CreatedAt: row.CreatedAt, NextTryAt: row.NextTryAt, ExpiresAt: row.ExpiresAt,
		Tries: row.Tries, EndedAt: row.EndedAt, Outcome: row.Outcome, LastError: row.LastError,
		Answer: row.Answer, MessageID: row.MessageID, UserID: row.UserID,
	}
	if row.Payload != nil {
		if r, err := b.unseal(row); err == nil {
			m.To, m.UserID = r.To, cmp.Or(m.UserID, r.User)
		}
	}
	return m
}
