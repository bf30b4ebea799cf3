package auth

// Delivering the outbox: claim a row, find out what it means now, send, note the end. At least once:
// a repeat happens only when the server's acceptance was not seen or not noted, always with the same
// Message-ID. Every row ends as sent, no_account, superseded, refused or expired (I13).

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"latchkey/internal/mail"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// How an outbox row ends.
const (
	mailSent       = "sent"
	mailNoAccount  = "no_account"
	mailSuperseded = "superseded"
	mailRefused    = "refused"
	mailExpired    = "expired"
)

const (
	mailLease   = 2 * time.Minute // longer than a whole SMTP dialogue may take
	sendTimeout = 45 * time.Second

	firstBackoff = 5 * time.Second
	maxBackoff   = 15 * time.Minute
)

// DeliverNext claims the mail that has been due longest and delivers it; false when none is due. An
// error is the store's; an SMTP server's trouble postpones the row.
func (s *Service) DeliverNext(ctx context.Context) (bool, error) {
	now := s.now()
	var row store.Mail
	err := s.single(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.ClaimMail(now, now.Add(mailLease))
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, s.deliver(ctx, row)
}

func (s *Service) deliver(ctx context.Context, row store.Mail) error {
	if !s.now().Before(row.ExpiresAt) {
		return s.endMail(ctx, row, mailExpired, row.LastError)
	}
	message, outcome, err := s.compose(ctx, row)
	switch {
	case CodeOf(err) == CodeUnavailable:
		return s.postpone(ctx, row, err)
	case err != nil: // no later try can do better
		s.o.Log.Error("a mail cannot be written", "mail", row.ID, "kind", row.Kind, "cause", err)
		return s.endMail(ctx, row, mailRefused, err.Error())
	case outcome != "":
		return s.endMail(ctx, row, outcome, "")
	}
	sendCtx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	_, err = s.o.Sender.Send(sendCtx, message)
	switch {
	case err == nil:
		return s.endMail(ctx, row, mailSent, "")
	case mail.Permanent(err):
		s.o.Log.Warn("a mail was refused for good", "mail", row.ID, "kind", row.Kind, "cause", err)
		return s.endMail(ctx, row, mailRefused, err.Error())
	}
	return s.postpone(ctx, row, err)
}

// endMail notes the end, unless the lease was lost: then the row is another worker's.
func (s *Service) endMail(ctx context.Context, row store.Mail, outcome, lastError string) error {
	return s.leased(ctx, func(tx *store.Tx) error { return tx.EndMail(row, outcome, lastError, s.now()) })
}

// postpone gives the row back: at once when the process is stopping, else after a while that grows.
func (s *Service) postpone(ctx context.Context, row store.Mail, cause error) error {
	wait := backoff(row.Tries)
	if ctx.Err() != nil {
		wait = 0
	}
	s.o.Log.Warn("a mail could not be delivered and will be tried again", "mail", row.ID, "kind", row.Kind, "in", wait.String(), "cause", cause)
	return s.leased(ctx, func(tx *store.Tx) error { return tx.PostponeMail(row, s.now().Add(wait), cause.Error()) })
}

func (s *Service) leased(ctx context.Context, fn func(*store.Tx) error) error {
	err := s.single(ctx, fn)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// backoff doubles from 5 s to 15 min, and varies by a quarter so that mails do not return in step.
func backoff(tries int64) time.Duration {
	wait := maxBackoff
	if tries < 10 {
		wait = min(maxBackoff, firstBackoff<<max(0, tries-1))
	}
	return wait*3/4 + rand.N(wait/2)
}

// mailing is what a row has come to mean by the time it is delivered.
type mailing struct {
	kind    mail.Kind
	link    string
	reads   string // the language that the account's owner has set; empty: none, or no account
	outcome string // how the row ends unsent; empty: it is sent
}

// compose writes the mail of a row, or says how the row ends unsent.
func (s *Service) compose(ctx context.Context, row store.Mail) (m mail.Message, outcome string, err error) {
	l, err := s.unseal(row)
	if errors.Is(err, token.ErrUnknownMasterKey) {
		return mail.Message{}, "", unavailable(err)
	}
	if err != nil {
		return mail.Message{}, "", err
	}
	var found mailing
	switch mail.Kind(row.Kind) {
	case mail.Reset:
		found, err = s.resetMail(ctx, row, l)
	case mail.Verify:
		found, err = s.verifyMail(ctx, row, l)
	default:
		found, err = s.noticeMail(ctx, row, l)
	}
	if err != nil || found.outcome != "" {
		return mail.Message{}, found.outcome, err
	}
	m, err = s.render(found, row, l)
	return m, "", err
}

func (s *Service) render(found mailing, row store.Mail, l letter) (mail.Message, error) {
	client, err := s.client(l.Client)
	if err != nil { // not registered any more, or Latchkey itself
		client, err = s.client("")
	}
	if err != nil {
		return mail.Message{}, err
	}
	d := mail.Letterhead(client.Brand, cmp.Or(found.reads, l.Lang))
	d.To, d.From = l.To, cmp.Or(client.From, s.o.MailFrom)
	d.Platform = cmp.Or(l.Platform, client.Name)
	d.LogoURL = cmp.Or(l.Logo, d.LogoURL)
	d.Link, d.NewEmail, d.At = found.link, l.NewEmail, row.CreatedAt
	d.Browser, d.OS, d.Addr = l.Browser, l.OS, l.Addr
	if found.kind == mail.Reset || found.kind == mail.Verify {
		d.ExpiresAt = row.ExpiresAt
	}
	return s.o.Letters.Render(found.kind, row.ID, d)
}

// resetMail makes the reset token of a request, if it is still the newest and the account can use it.
func (s *Service) resetMail(ctx context.Context, row store.Mail, l letter) (m mailing, err error) {
	err = s.write(ctx, func(tx *store.Tx) error {
		m = mailing{kind: mail.Reset}
		user, err := tx.HoldUserByEmail(l.To)
		switch {
		case errors.Is(err, store.ErrNotFound):
			m.outcome = mailNoAccount
			return nil
		case err != nil:
			return err
		case !user.DisabledAt.IsZero():
			m.outcome = mailNoAccount
			return nil
		case !row.CreatedAt.After(user.ChangedAt):
			m.outcome = mailSuperseded
			return nil
		}
		m.reads = user.Language
		m.link, m.outcome, err = s.putLink(tx, row, l, "/reset-password")
		return err
	})
	return m, err
}

// verifyMail makes the verification code of a request. The owner of a verified account with a
// password is told that there is one instead. With sign-up closed only an existing unverified
// account gets a link.
func (s *Service) verifyMail(ctx context.Context, row store.Mail, l letter) (m mailing, err error) {
	err = s.write(ctx, func(tx *store.Tx) error {
		m = mailing{kind: mail.Verify}
		user, err := tx.HoldUserByEmail(l.To)
		known := err == nil
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		m.reads = user.Language
		switch {
		case !known && !s.o.SignupOpen, known && !user.DisabledAt.IsZero():
			m.outcome = mailNoAccount
			return nil
		case known && !row.CreatedAt.After(user.ChangedAt):
			m.outcome = mailSuperseded
			return nil
		case known && !user.VerifiedAt.IsZero() && user.PasswordHash != "":
			m.kind, m.link = mail.AlreadyRegistered, signInLink(l)
			return nil
		case known && !user.VerifiedAt.IsZero() && !s.o.SignupOpen:
			m.outcome = mailNoAccount
			return nil
		}
		m.link, m.outcome, err = s.putLink(tx, row, l, "/verify-email-success")
		return err
	})
	return m, err
}

// signInLink leads to where one signs in: to our own page where that was asked for, else to the application, or
// nowhere where there is none.
func signInLink(l letter) string {
	link := strings.TrimSuffix(l.Base, "/")
	if !l.Hosted {
		return link
	}
	link += "/signin"
	if l.Alias != "" {
		link += "?clientAlias=" + url.QueryEscape(l.Alias)
	}
	return link
}

// noticeMail looks up what the account's owner reads: who did what a notice tells may be a stranger, and
// has no say in it.
func (s *Service) noticeMail(ctx context.Context, row store.Mail, l letter) (m mailing, err error) {
	m.kind = mail.Kind(row.Kind)
	if m.link, err = s.endLink(row, l); err != nil {
		return m, err
	}
	err = s.read(ctx, func(tx *store.Tx) error {
		user, err := tx.UserByID(l.User)
		m.reads = user.Language
		if errors.Is(err, store.ErrNotFound) { // deleted since: what happened is told all the same
			return nil
		}
		return err
	})
	return m, err
}

// putLink commits the token's hash before the mail goes out; a newer request supersedes this one.
func (s *Service) putLink(tx *store.Tx, row store.Mail, l letter, page string) (link, outcome string, err error) {
	raw, err := s.o.Master.OneTime(row.KeyID, row.Kind, row.ID)
	if err != nil {
		return "", "", unavailable(err)
	}
	hash, ok := token.OneTimeHash(row.Kind, raw)
	if !ok {
		return "", "", fmt.Errorf("hash one-time token of mail %s", row.ID)
	}
	err = tx.PutOneTime(store.OneTimeToken{
		Purpose:     row.Kind,
		Email:       l.To,
		Hash:        hash,
		RequestID:   row.ID,
		RequestedAt: row.CreatedAt,
		ExpiresAt:   row.ExpiresAt,
		Client:      l.Client,
	})
	if errors.Is(err, store.ErrNotFound) {
		return "", mailSuperseded, nil
	}
	link = strings.TrimSuffix(l.Base, "/") + page + "?verificationCode=" + raw + "&email=" + url.QueryEscape(l.To)
	if l.Alias != "" && (row.Kind == purposeReset || l.Hosted) {
		link += "&clientAlias=" + url.QueryEscape(l.Alias)
	}
	return link, "", err
}
