package auth

// Changing a known password for a new one.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/fields"
	"latchkey/internal/mail"
	"latchkey/internal/outbox"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/throttle"
)

// ChangePassword replaces the password of a caller who knows the old one. It ends every session but the one
// whose Bearer was sent (caller is nil without one), drops the mailed links, and tells the owner.
func (s *Service) ChangePassword(ctx context.Context, caller *Caller, in ChangePassword, peer peer.Peer) (device string, err error) {
	var f fields.Validator
	email := f.Email("email", in.Email)
	old, fresh := s.password(&f, "oldPassword", in.OldPassword), s.password(&f, "newPassword", in.NewPassword)
	if err := f.Err(); err != nil {
		return "", err
	}
	if err := s.checkOwnEmail(ctx, caller, email); err != nil {
		return "", err
	}
	// What needs no account is checked before the old password is evaluated: a refusal says nothing of the account then.
	// What was encrypted for transport is left until the old one was found right, since a stranger may have seen it on its
	// way.
	if !old.wrapped && !fresh.wrapped {
		if err := s.checkFresh(old, fresh, store.User{Email: email}, peer); err != nil {
			return "", err
		}
	}
	sessionID := ""
	if caller != nil {
		sessionID = caller.SessionID
	}
	user, attempt, err := s.throttle.FindAttempt(ctx, sessionID, email, peer)
	if err != nil {
		return "", err
	}
	var phc string
	var refused error
	err = s.verifyPassword(ctx, audit.PasswordChanged, attempt, user, old, peer, func() error {
		if refused = s.checkFresh(old, fresh, user, peer); refused != nil {
			return nil
		}
		phc, err = s.o.Hash.Hash(fresh.text)
		return err
	})
	if err != nil {
		return "", err
	}
	if refused != nil {
		return "", s.refuseNew(ctx, attempt, user, refused, peer)
	}
	now, known := s.now(), ""
	err = s.throttle.WithinRight(ctx, attempt, now, func(tx *store.Tx) error {
		if _, err := tx.TakeUser(user.ID, user.Epoch); err != nil {
			return err
		}
		s.throttle.TakeBack(tx, attempt)
		if err := s.changePassword(tx, user, phc, sessionID, ReasonPasswordChanged, now); err != nil {
			return err
		}
		audit.Write(tx, now, audit.Event{Kind: audit.PasswordChanged, UserID: user.ID, SessionID: sessionID}, peer)
		if known, err = s.throttle.KeepDevice(tx, user.ID, attempt.Device, peer.Describe(), now); err != nil {
			return err
		}
		return s.notifyPasswordChanged(tx, user, peer, now)
	})
	if errors.Is(err, store.ErrNotFound) { // the password changed meanwhile: what was evaluated is the old one (I6)
		return "", s.rejectPassword(ctx, audit.PasswordChanged, attempt, user, peer)
	}
	if err != nil {
		return "", err
	}
	s.throttle.Recheck(attempt)
	return s.throttle.SignDevice(user.ID, known, user.Epoch+1, now)
}

// checkFresh checks a new password against the old one, the policy, and what is known of the user.
func (s *Service) checkFresh(old, fresh plaintext, user store.User, peer peer.Peer) error {
	if err := checkChanged(old, fresh); err != nil {
		return err
	}
	return s.checkPolicy("newPassword", fresh, aboutUser(s.clientsOf(peer), user))
}

// refuseNew refuses a new password to whoever gave the right old one. The answer tells that it was right: so it
// counts, is audited, and is told to the owner like any right password.
func (s *Service) refuseNew(ctx context.Context, attempt throttle.Attempt, user store.User, cause error, peer peer.Peer) error {
	now := s.now()
	err := s.throttle.WithinRight(ctx, attempt, now, func(tx *store.Tx) error {
		d := peer.Describe()
		from := store.Session{UserID: user.ID, Browser: d.Browser, OS: d.OS, Addr: d.Addr}
		if err := s.noticeStranger(tx, user, from, attempt.Known(), now); err != nil {
			return err
		}
		audit.Write(tx, now, audit.Event{Kind: audit.PasswordChanged, Outcome: audit.NotAccepted, UserID: user.ID}, peer)
		return nil
	})
	if err != nil {
		return err
	}
	return cause
}

// checkChanged is CodePasswordUnchanged for a new password that is the old one.
func checkChanged(old, fresh plaintext) error {
	if !old.valid || !fresh.valid || old.text != fresh.text {
		return nil
	}
	return &Error{Code: CodePasswordUnchanged, Fields: []fields.Problem{{Name: "newPassword", Code: "unchanged", Message: "Choose a password other than the current one."}}}
}

// checkOwnEmail is CodeForbidden when a Bearer of another user came along.
func (s *Service) checkOwnEmail(ctx context.Context, caller *Caller, email string) error {
	if caller == nil {
		return nil
	}
	var own store.User
	err := s.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		own, err = tx.UserByID(caller.UserID)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && own.Email != email {
		return refuse(CodeForbidden)
	}
	return err
}

func (s *Service) notifyPasswordChanged(tx *store.Tx, user store.User, peer peer.Peer, now time.Time) error {
	d := peer.Describe()
	return s.outbox.Notify(tx, mail.PasswordChanged, outbox.Request{To: user.Email, User: user.ID, Browser: d.Browser, OS: d.OS, Addr: d.Addr}, now)
}
