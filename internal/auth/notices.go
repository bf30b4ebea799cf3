package auth

// Notices: telling the owner of an account what happened to it, with a link that undoes the worst of
// it in one step. The link is a signed statement, good for one purpose, so nothing is stored for it;
// using it twice ends nothing that its first use would not have ended.

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/mail"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

const (
	labelEndLink = "end sessions v1"

	endLinkTTL      = 7 * 24 * time.Hour
	newDeviceNotice = time.Hour // at most one notice of a new device in so long
)

// noticeNewDevice tells the owner of a sign-in from a browser and system and a network that are all new
// to the account. Not for the first sign-in, nor for who shows a device token.
func (s *Service) noticeNewDevice(tx *store.Tx, user store.User, session store.Session, knownDevice bool, now time.Time) error {
	if err := tx.NoteSignIn(user.ID, now); err != nil {
		return err
	}
	if knownDevice || user.SignedInAt.IsZero() || session.Addr == "" {
		return nil
	}
	seen, err := tx.SeenDevices(user.ID, session.ID)
	if err != nil || slices.ContainsFunc(seen, func(old store.Seen) bool { return isFamiliar(old, session) }) {
		return err
	}
	due, err := tx.NoteNotified(user.ID, now.Add(-newDeviceNotice), now)
	if err != nil || !due {
		return err
	}
	return s.notify(tx, mail.NewDevice, letter{
		To: user.Email, User: user.ID, Session: session.ID, Client: session.Client,
		Browser: session.Browser, OS: session.OS, Addr: session.Addr,
	}, now)
}

// isFamiliar: the same browser and system, or the same network, was seen before.
func isFamiliar(old store.Seen, session store.Session) bool {
	return old.Browser == session.Browser && old.OS == session.OS || neighbourhood(old.Addr) == neighbourhood(session.Addr)
}

// neighbourhood is the /24 or /48 of an address: what a provider gives one household or office.
func neighbourhood(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return addr
	}
	bits := 48
	if a = a.Unmap(); a.Is4() {
		bits = 24
	}
	prefix, err := a.Prefix(bits)
	if err != nil {
		return addr
	}
	return prefix.String()
}

// endLink is the link of a notice; none for kinds whose row names no user.
func (s *Service) endLink(row store.Mail, l letter) (string, error) {
	if l.User == "" {
		return "", nil
	}
	raw, err := s.signEndLink(row.KeyID, endStatement{user: l.User, session: l.Session, made: row.CreatedAt})
	if err != nil {
		return "", unavailable(err)
	}
	return strings.TrimSuffix(s.o.Issuer, "/") + "/end-session?token=" + url.QueryEscape(raw), nil
}

// endStatement says which sessions a link ends: one, or all that a user had made by then.
type endStatement struct {
	user, session string
	made          time.Time
}

func (s *Service) signEndLink(kid string, e endStatement) (string, error) {
	return s.signStatement(kid, labelEndLink, e.user, e.session, strconv.FormatInt(e.made.UnixMicro(), 36))
}

// parseEndLink reads a link's token in its one spelling: CodeInvalidVerificationCode.
func (s *Service) parseEndLink(raw string) (endStatement, error) {
	fields, kid, err := s.readStatement(labelEndLink, raw, 3)
	if errors.Is(err, token.ErrUnknownMasterKey) && slices.Contains(*s.keys.masters.Load(), kid) {
		return endStatement{}, unavailable(err)
	}
	if err != nil {
		return endStatement{}, refuse(CodeInvalidVerificationCode)
	}
	made, err := strconv.ParseInt(fields[2], 36, 64)
	if err != nil || s.now().After(time.UnixMicro(made).Add(endLinkTTL)) {
		return endStatement{}, refuse(CodeInvalidVerificationCode)
	}
	return endStatement{user: fields[0], session: fields[1], made: time.UnixMicro(made)}, nil
}

// EndByLink carries out a notice's link: it ends the session the notice told of, or every session made
// until then. CodeInvalidVerificationCode when the link is malformed or a week old.
func (s *Service) EndByLink(ctx context.Context, raw string, peer Peer) error {
	e, err := s.parseEndLink(raw)
	if err != nil {
		return err
	}
	now := s.now()
	return s.write(ctx, func(tx *store.Tx) error {
		if _, err := tx.HoldUser(e.user); errors.Is(err, store.ErrNotFound) {
			return nil // the account is gone, and its sessions with it
		} else if err != nil {
			return err
		}
		ids := []string{e.session}
		if e.session == "" {
			ids, err = tx.EndSessionsBefore(e.user, e.made, reasonRevoked, now)
		} else if err = tx.EndSession(e.session, e.user, reasonRevoked, now); errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.auditEnded(tx, now, ids, event{Outcome: reasonRevoked, UserID: e.user}, peer)
	})
}
