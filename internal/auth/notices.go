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
)

const (
	labelEndLink = "end sessions v1"
	labelEndOnly = "end sessions, no reset v1" // of the notice that may lie in a mailbox which is the account's no more

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
	e := endStatement{user: l.User, session: l.Session, made: row.CreatedAt, only: row.Kind == string(mail.EmailChanged)}
	raw, err := s.signEndLink(row.KeyID, e)
	if err != nil {
		return "", unavailable(err)
	}
	return strings.TrimSuffix(s.o.Issuer, "/") + "/end-session?token=" + url.QueryEscape(raw), nil
}

// endStatement says which sessions a link ends: one, or all that a user had made by then; and whether it does
// that only, and asks for no reset mail.
type endStatement struct {
	user, session string
	made          time.Time
	only          bool
}

func (s *Service) signEndLink(kid string, e endStatement) (string, error) {
	label := labelEndLink
	if e.only {
		label = labelEndOnly
	}
	return s.signStatement(kid, label, e.user, e.session, strconv.FormatInt(e.made.UnixMicro(), 36))
}

// parseEndLink reads a link's token in its one spelling: CodeInvalidVerificationCode.
func (s *Service) parseEndLink(ctx context.Context, raw string) (endStatement, error) {
	fields, kid, err := s.readStatement(labelEndLink, raw, 3)
	only := errors.Is(err, errNoStatement)
	if only {
		fields, kid, err = s.readStatement(labelEndOnly, raw, 3)
	}
	if err != nil {
		if err := s.lackedKey(ctx, kid, err); err != nil {
			return endStatement{}, err
		}
		return endStatement{}, refuse(CodeInvalidVerificationCode)
	}
	made, err := strconv.ParseInt(fields[2], 36, 64)
	if err != nil || s.now().After(time.UnixMicro(made).Add(endLinkTTL)) {
		return endStatement{}, refuse(CodeInvalidVerificationCode)
	}
	return endStatement{user: fields[0], session: fields[1], made: time.UnixMicro(made), only: only}, nil
}

// EndByLink carries out a notice's link: it ends the session the notice told of, or every session made
// until then, and asks for a reset mail to the account's own address, within the budget of anybody's
// requests: resetAsked says that one is, or was lately, on its way. A notice of a changed address asks for
// none. CodeInvalidVerificationCode when the link is malformed or a week old.
func (s *Service) EndByLink(ctx context.Context, raw string, peer Peer) (resetAsked bool, err error) {
	e, err := s.parseEndLink(ctx, raw)
	if err != nil {
		return false, err
	}
	now := s.now()
	err = s.write(ctx, func(tx *store.Tx) error {
		resetAsked = false
		user, err := tx.HoldUser(e.user)
		if errors.Is(err, store.ErrNotFound) {
			return nil // the account is gone, and its sessions with it
		}
		if err != nil {
			return err
		}
		if err := s.endNamed(tx, e, peer, now); err != nil || e.only || !user.DisabledAt.IsZero() {
			return err
		}
		resetAsked = true
		return s.askReset(tx, user, now)
	})
	if err != nil {
		return false, err
	}
	if resetAsked {
		s.wake()
	}
	return resetAsked, nil
}

// endNamed ends the sessions that a link names; those that have ended already stay as they are.
func (s *Service) endNamed(tx *store.Tx, e endStatement, peer Peer, now time.Time) (err error) {
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
}

// askReset asks for a reset mail to a held user, with a link to our own pages.
func (s *Service) askReset(tx *store.Tx, user store.User, now time.Time) error {
	client, err := s.client("")
	if err != nil {
		return err
	}
	key, err := s.budgetKey(purposeReset, user.Email)
	if err != nil {
		return err
	}
	l := letter{To: user.Email, Client: client.Alias}
	l.host(s.o.Issuer)
	row, err := s.seal(mail.Reset, l, now, now.Add(s.o.ResetTTL))
	if err != nil {
		return err
	}
	return insertAsked(tx, key, row)
}
