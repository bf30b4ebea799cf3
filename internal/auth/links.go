package auth

// Mailed links: whether one is alive, how one is made, and where it leads.

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"latchkey/internal/address"
	"latchkey/internal/clients"
	"latchkey/internal/mail"
	"latchkey/internal/outbox"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// LinkAlive looks at a reset or verification link, spends nothing and marks nothing, so that a page can
// tell of a dead link before anybody fills a form in. What is wrong, used up, expired or cut off counts
// against the address, and is CodeInvalidResetToken or CodeInvalidVerificationCode. needsPassword is said of
// a live verification link alone: it can be signed up with, since the address has no password yet.
func (s *Service) LinkAlive(ctx context.Context, kind mail.Kind, email, code string, peer peer.Peer) (needsPassword bool, err error) {
	address, _ := address.ParseEmail(email)
	dead := CodeInvalidResetToken
	if kind == mail.Verify {
		dead = CodeInvalidVerificationCode
	}
	if _, err := s.liveLink(ctx, kind, address, code, dead, peer); err != nil {
		return false, err
	}
	if kind != mail.Verify || !s.o.SignupOpen {
		return false, nil
	}
	user, err := s.findUser(ctx, address)
	return err == nil && user.PasswordHash == "", err
}

// liveLink returns the hash of a mailed token that can still be spent; any other counts against the address
// and is the code given.
func (s *Service) liveLink(ctx context.Context, kind mail.Kind, email, raw string, dead Code, peer peer.Peer) (hash []byte, err error) {
	row, err := s.shownLink(ctx, kind, email, raw)
	if err != nil {
		return nil, err
	}
	if row.Hash == nil || !row.UsedAt.IsZero() {
		return nil, s.refuseLink(ctx, peer, dead)
	}
	if kind == mail.Reset { // one from before the account's last change is dead, whoever forgot to drop it
		user, err := s.findUser(ctx, email)
		if err != nil {
			return nil, err
		}
		if !row.RequestedAt.After(user.ChangedAt) {
			return nil, s.refuseLink(ctx, peer, dead)
		}
	}
	return row.Hash, nil
}

// refuseLink counts a wrong mailed token against the address, and is the code given.
func (s *Service) refuseLink(ctx context.Context, peer peer.Peer, code Code) error {
	if err := s.throttle.CountDeadLink(ctx, peer); err != nil {
		return err
	}
	return refuse(code)
}

// shownLink finds the row of a mailed token that has not expired, spent or not; the zero OneTimeToken where
// there is none.
func (s *Service) shownLink(ctx context.Context, kind mail.Kind, email, raw string) (row store.OneTimeToken, err error) {
	hash, wellFormed := token.OneTimeHash(string(kind), raw)
	if !wellFormed {
		return store.OneTimeToken{}, nil
	}
	row, err = s.o.Store.OneTime(ctx, string(kind), email, hash)
	if errors.Is(err, store.ErrNotFound) || err == nil && !s.now().Before(row.ExpiresAt) {
		return store.OneTimeToken{}, nil
	}
	return row, err
}

// putLink commits the hash of a request's token before the mail goes out, as one more live link of its
// address: links mailed before stay as good as they were (I4). hosted is the same link to our own pages, empty
// where link leads there anyway: a client's page may be gone, and the person must get on all the same.
func (s *Service) putLink(tx *store.Tx, row store.Mail, r outbox.Request, clients *clients.Set) (link, hosted string, err error) {
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
		Email:       r.To,
		Hash:        hash,
		RequestID:   row.ID,
		RequestedAt: row.CreatedAt,
		ExpiresAt:   row.ExpiresAt,
		Client:      r.Client,
	})
	base := s.leadsTo(r, clients)
	kind := mail.Kind(row.Kind)
	link = linkTo(base, kind, raw, r, r.Hosted || kind == mail.Reset)
	if base != s.home() {
		hosted = linkTo(s.home(), kind, raw, r, true)
	}
	return link, hosted, err
}

// linkTo is the link of a token to the page of its kind under base. Our own pages are told which client
// the link was asked for; of others those that always were.
func linkTo(base string, kind mail.Kind, raw string, r outbox.Request, tellClient bool) string {
	page := "/verify-email-success"
	if kind == mail.Reset {
		page = "/reset-password"
	}
	link := base + page + "?verificationCode=" + raw + "&email=" + url.QueryEscape(r.To)
	if tellClient && r.Alias != "" {
		link += "&clientAlias=" + url.QueryEscape(r.Alias)
	}
	return link
}

// home is the address of our own pages.
func (s *Service) home() string { return strings.TrimSuffix(s.o.Issuer, "/") }

// leadsTo is what a mail's link is appended to: the address of our own pages or a registered URL as the
// clients file has it now, whatever the row was written with (I13).
func (s *Service) leadsTo(r outbox.Request, clients *clients.Set) string {
	if r.Hosted {
		return s.home()
	}
	if base, ok := clients.Endpoint(r.Alias, r.Base); ok {
		return base
	}
	if client, ok := clients.Lookup(r.Client); ok {
		return client.URL
	}
	return s.home()
}

// signInLink leads to where one signs in: to our own page where that was asked for, else to the application, or
// to our own address where there is none.
func (s *Service) signInLink(r outbox.Request, clients *clients.Set) string {
	link := s.leadsTo(r, clients)
	if !r.Hosted {
		return link
	}
	link += "/signin"
	if r.Alias != "" {
		link += "?clientAlias=" + url.QueryEscape(r.Alias)
	}
	return link
}
