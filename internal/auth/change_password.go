package auth

// Changing a known password for a new one.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/mail"
	"latchkey/internal/store"
)

// ChangePassword replaces the password of who knows the old one. It ends every session but the one
// whose Bearer was sent (caller is nil without one), drops the mailed links, and tells the owner.
func (s *Service) ChangePassword(ctx context.Context, caller *Caller, in ChangePassword, peer Peer) (device string, err error) {
	var f form
	email := f.email("email", in.Email)
	old, fresh := s.password(&f, "oldPassword", in.OldPassword), s.password(&f, "newPassword", in.NewPassword)
	if err := f.err(); err != nil {
		return "", err
	}
	if err := s.checkOwnEmail(ctx, caller, email); err != nil {
		return "", err
	}
	if old.valid && fresh.valid && old.text == fresh.text {
		return "", &Error{Code: CodePasswordUnchanged, Fields: []Field{{"newPassword", "unchanged", "Choose a password other than the current one."}}}
	}
	user, g, deviceID, err := s.guesser(ctx, caller, email, peer)
	if err != nil {
		return "", err
	}
	g.kind = eventPasswordChanged
	if _, err := s.try(ctx, g, user, old, peer); err != nil {
		return "", err
	}
	phc, err := s.newPassword(ctx, email, "newPassword", fresh, s.aboutUser(user))
	if err != nil {
		return "", err
	}
	keep := ""
	if caller != nil {
		keep = caller.SessionID
	}
	now := s.now()
	err = s.write(ctx, func(tx *store.Tx) error {
		if _, err := tx.TakeUser(user.ID, user.Epoch); err != nil {
			return err
		}
		if err := tx.ClearAttempts(g.counter()); err != nil {
			return err
		}
		if err := s.changePassword(tx, user, phc, keep, reasonPasswordChanged, now); err != nil {
			return err
		}
		if err := s.audit(tx, now, event{Kind: eventPasswordChanged, UserID: user.ID, SessionID: keep}, peer); err != nil {
			return err
		}
		return s.notifyPasswordChanged(tx, user, peer, now)
	})
	if errors.Is(err, store.ErrNotFound) { // the password changed meanwhile: what was evaluated is the old one (I6)
		return "", refuse(CodeInvalidCredentials)
	}
	if err != nil {
		return "", err
	}
	return s.deviceToken(user.ID, deviceID, user.Epoch+1, now)
}

// checkOwnEmail is CodeForbidden when a Bearer of another user came along.
func (s *Service) checkOwnEmail(ctx context.Context, caller *Caller, email string) error {
	if caller == nil {
		return nil
	}
	var own store.User
	err := s.read(ctx, func(tx *store.Tx) (err error) {
		own, err = tx.UserByID(caller.UserID)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && own.Email != email {
		return refuse(CodeForbidden)
	}
	return err
}

func (s *Service) notifyPasswordChanged(tx *store.Tx, user store.User, peer Peer, now time.Time) error {
	d := describeDevice(peer)
	return s.notify(tx, mail.PasswordChanged, letter{To: user.Email, User: user.ID, Browser: d.Browser, OS: d.OS, Addr: d.Addr}, now)
}
