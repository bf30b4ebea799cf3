package auth

// Notices: telling the owner of an account what happened to it, with a link that undoes the worst of it in one step.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/links"
	"latchkey/internal/mail"
	"latchkey/internal/node"
	"latchkey/internal/outbox"
	"latchkey/internal/peer"
	"latchkey/internal/store"
)

const newDeviceNotice = time.Hour // at most one notice of a new device in so long

// noticeNewDevice tells the owner of a sign-in from a browser and system and a network that are all new
// to the account. Not for the first sign-in, nor for a caller with a device token. It is asked before this sign-in's
// own device is noted.
func (s *Service) noticeNewDevice(tx *store.Tx, user store.User, session store.Session, knownDevice bool, now time.Time) error {
	if err := tx.NoteSignIn(user.ID, now); err != nil {
		return err
	}
	return s.noticeStranger(tx, user, session, knownDevice, now)
}

// noticeStranger tells the owner that the right password came from where the account was never used. session says
// from where; it has no id where nothing was made, and the mail's link then ends all there are.
func (s *Service) noticeStranger(tx *store.Tx, user store.User, session store.Session, knownDevice bool, now time.Time) error {
	if knownDevice || user.SignedInAt.IsZero() || session.Addr == "" {
		return nil
	}
	known, err := s.throttle.Familiar(tx, user.ID, describeSession(session).Device)
	if err != nil || known {
		return err
	}
	due, err := tx.NoteNotified(user.ID, newDeviceNotice, node.ClockSlack, now)
	if err != nil || !due {
		return err
	}
	return s.outbox.Notify(tx, mail.NewDevice, outbox.Request{
		To: user.Email, User: user.ID, Session: session.ID, Client: session.Client,
		Browser: session.Browser, OS: session.OS, Addr: session.Addr,
	}, now)
}

// EndByLink carries out a notice's link: it ends the session the notice told of, or every session made
// until then, and asks for a reset mail to the account's own address, within the budget of anybody's
// requests: resetAsked says that one is, or was lately, on its way. A notice of a changed address asks for
// none. CodeInvalidVerificationCode when the link is malformed or a week old.
func (s *Service) EndByLink(ctx context.Context, raw string, peer peer.Peer) (resetAsked bool, err error) {
	e, keyID, err := s.links.ParseEnd(raw)
	if err != nil {
		return false, s.refuseUnread(ctx, keyID, err, CodeInvalidVerificationCode)
	}
	now := s.now()
	err = s.o.Store.Write(ctx, func(tx *store.Tx) error {
		resetAsked = false
		user, err := tx.HoldUser(e.UserID)
		if errors.Is(err, store.ErrNotFound) {
			return nil // the account is gone, and its sessions with it
		}
		if err != nil {
			return err
		}
		if err := s.endNamed(tx, e, peer, now); err != nil || e.Only || !user.DisabledAt.IsZero() {
			return err
		}
		resetAsked = true
		return s.askReset(tx, user, peer, now)
	})
	if err != nil {
		return false, err
	}
	if resetAsked {
		s.outbox.Wake()
	}
	return resetAsked, nil
}

// endNamed ends the sessions that a link names, and what came from them; those that have ended already stay as they are.
func (s *Service) endNamed(tx *store.Tx, e links.End, peer peer.Peer, now time.Time) error {
	if e.SessionID != "" {
		return s.endNow(tx, e.UserID, e.SessionID, ReasonRevoked, peer, now)
	}
	ids, err := tx.EndSessionsBefore(e.UserID, "", e.Made, ReasonRevoked, node.ClockSlack, now)
	if err != nil {
		return err
	}
	audit.WriteEnded(tx, now, ids, audit.Event{Outcome: ReasonRevoked, UserID: e.UserID}, peer)
	return nil
}

// askReset asks for a reset mail to a held user, with a link to our own pages.
func (s *Service) askReset(tx *store.Tx, user store.User, peer peer.Peer, now time.Time) error {
	r := outbox.Request{To: user.Email, Client: s.clientsOf(peer).DefaultOr(s.o.Issuer).Alias, Base: s.o.Issuer, Hosted: true}
	return s.outbox.Ask(tx, mail.Reset, r, s.o.ResetTTL, now)
}
