package links

// Composing a mail when it is delivered: what its request means by then, and what it says.

import (
	"cmp"
	"context"
	"errors"

	"latchkey/internal/clients"
	"latchkey/internal/mail"
	"latchkey/internal/outbox"
	"latchkey/internal/store"
)

// mailing is what a row has come to mean by the time it is delivered.
type mailing struct {
	kind    mail.Kind
	user    string // whose account it is about; empty: there is none
	link    string
	hosted  string // the same link to our own pages, where link leads to a client's
	reads   string // the language that the account's owner has set; empty: none, or no account
	outcome string // how the row ends unsent; empty: it is sent
}

// Compose writes the mail of a row, or says how the row ends unsent: see outbox.Options.
func (l *Links) Compose(ctx context.Context, row store.Mail, r outbox.Request) (c outbox.Composed, err error) {
	var found mailing
	clients := l.o.Clients() // once: link, sender and look of one mail fit each other
	switch mail.Kind(row.Kind) {
	case mail.Reset:
		found, err = l.resetMail(ctx, row, r, clients)
	case mail.Verify:
		found, err = l.verifyMail(ctx, row, r, clients)
	default:
		found, err = l.noticeMail(ctx, row, r)
	}
	c.UserID, c.Outcome = found.user, found.outcome
	if err == nil && c.Outcome == "" {
		c.Message, err = l.render(found, row, r, clients)
	}
	return c, err
}

func (l *Links) render(found mailing, row store.Mail, r outbox.Request, clients *clients.Set) (mail.Message, error) {
	client, ok := clients.Lookup(r.Client)
	if !ok { // not registered any more, or Latchkey itself
		client = clients.DefaultOr(l.o.Issuer)
	}
	d := mail.DataFor(client.Brand, cmp.Or(found.reads, r.Lang))
	d.To, d.From = r.To, cmp.Or(client.From, l.o.MailFrom)
	d.Platform = cmp.Or(clients.Platform(r.Platform), client.Name)
	d.LogoURL = cmp.Or(r.Logo, d.LogoURL)
	d.Link, d.Hosted, d.NewEmail, d.At = found.link, found.hosted, r.NewEmail, row.CreatedAt
	d.Browser, d.OS, d.Addr = r.Browser, r.OS, r.Addr
	if found.kind == mail.Reset || found.kind == mail.Verify {
		d.ExpiresAt = row.ExpiresAt
	}
	return l.o.Templates.Render(found.kind, row.ID, d)
}

// resetMail makes the reset token of a request, if the account can use it and has not changed since.
func (l *Links) resetMail(ctx context.Context, row store.Mail, r outbox.Request, clients *clients.Set) (m mailing, err error) {
	err = l.o.Store.Write(ctx, func(tx *store.Tx) error {
		m = mailing{kind: mail.Reset}
		user, err := tx.HoldUserByEmail(r.To)
		m.user = user.ID
		switch {
		case errors.Is(err, store.ErrNotFound):
			m.outcome = outbox.NoAccount
			return nil
		case err != nil:
			return err
		case !user.DisabledAt.IsZero():
			m.outcome = outbox.NoAccount
			return nil
		case !row.CreatedAt.After(user.ChangedAt):
			m.outcome = outbox.Superseded
			return nil
		}
		m.reads = user.Language
		m.link, m.hosted, err = l.put(tx, row, r, clients)
		return err
	})
	return m, err
}

// verifyMail makes the verification code of a request. The owner of a verified account with a
// password is told that there is one instead. With sign-up closed only an existing unverified
// account gets a link.
func (l *Links) verifyMail(ctx context.Context, row store.Mail, r outbox.Request, clients *clients.Set) (m mailing, err error) {
	err = l.o.Store.Write(ctx, func(tx *store.Tx) error {
		m = mailing{kind: mail.Verify}
		user, err := tx.HoldUserByEmail(r.To)
		m.user = user.ID
		known := err == nil
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		m.reads = user.Language
		switch {
		case !known && !l.o.SignupOpen, known && !user.DisabledAt.IsZero():
			m.outcome = outbox.NoAccount
			return nil
		case known && !row.CreatedAt.After(user.ChangedAt):
			m.outcome = outbox.Superseded
			return nil
		case known && !user.VerifiedAt.IsZero() && user.PasswordHash != "":
			m.kind, m.link = mail.AlreadyRegistered, l.signInLink(r, clients)
		case known && !user.VerifiedAt.IsZero() && !l.o.SignupOpen:
			m.outcome = outbox.NoAccount
			return nil
		}
		capped, err := l.o.Outbox.CapTagged(tx, row, r)
		if capped {
			m.outcome = outbox.Capped
		}
		if err != nil || capped || m.kind != mail.Verify {
			return err
		}
		m.link, m.hosted, err = l.put(tx, row, r, clients)
		return err
	})
	if err == nil && m.outcome == outbox.Capped {
		l.o.Log.Warn("a mailbox is asked for verification mails under many names with a +; this one is not sent", "mail", row.ID)
	}
	return m, err
}

// noticeMail looks up what the account's owner reads: who did what a notice tells may be a stranger, and
// has no say in it.
func (l *Links) noticeMail(ctx context.Context, row store.Mail, r outbox.Request) (m mailing, err error) {
	m.kind, m.user = mail.Kind(row.Kind), r.User
	if m.link, err = l.endLink(row, r); err != nil {
		return m, err
	}
	err = l.o.Store.Read(ctx, func(tx *store.Tx) error {
		user, err := tx.UserByID(r.User)
		m.reads = user.Language
		if errors.Is(err, store.ErrNotFound) { // deleted since: what happened is told all the same
			return nil
		}
		return err
	})
	return m, err
}
