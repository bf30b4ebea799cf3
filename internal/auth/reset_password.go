package auth

// Resetting a forgotten password with a mailed token, once.

import (
	"context"
	"errors"

	"latchkey/internal/audit"
	"latchkey/internal/fields"
	"latchkey/internal/mail"
	"latchkey/internal/peer"
	"latchkey/internal/store"
)

// ResetPassword spends a reset token and sets the password: token first (so that a policy answer is
// never given to a stranger), then policy, then the hash, then one transaction. It ends every session,
// drops every other link, verifies the address, and signs nobody in; the device that did it is known
// from then on. CodeInvalidResetToken is one
// answer for unknown, used, expired and another account's.
func (s *Service) ResetPassword(ctx context.Context, in ResetPassword, peer peer.Peer) (device string, err error) {
	var f fields.Validator
	email, pw := f.Email("email", in.Email), s.password(&f, "password", in.Password)
	f.Required("token", in.Token, "Use the link as it was mailed to you.")
	if err := f.Err(); err != nil {
		return "", err
	}
	link, err := s.links.FindAlive(ctx, mail.Reset, email, in.Token)
	if err != nil {
		return "", s.refuseLink(ctx, err, CodeInvalidResetToken, peer)
	}
	user, err := s.findUser(ctx, email)
	if err != nil {
		return "", err
	}
	phc, err := s.newPassword(ctx, email, "password", pw, aboutUser(s.clientsOf(peer), user))
	if err != nil {
		return "", err
	}
	now, known := s.now(), ""
	err = s.o.Store.Write(ctx, func(tx *store.Tx) error {
		user, err = tx.HoldUserByEmail(email)
		if err != nil {
			return err
		}
		if !user.DisabledAt.IsZero() {
			return store.ErrNotFound
		}
		if err := tx.SpendOneTime(string(mail.Reset), email, link.Hash, "", now); err != nil {
			return err
		}
		if err := s.changePassword(tx, user, phc, "", ReasonPasswordReset, now); err != nil {
			return err
		}
		s.throttle.Reset(tx, email)
		tx.MarkVerified(user.ID, now)
		audit.Write(tx, now, audit.Event{Kind: audit.PasswordReset, UserID: user.ID}, peer)
		if known, err = s.throttle.KeepDevice(tx, user.ID, "", peer.Describe(), now); err != nil {
			return err
		}
		return s.notifyPasswordChanged(tx, user, peer, now)
	})
	if errors.Is(err, store.ErrNotFound) { // spent, replaced or dropped since it was checked
		return "", refuse(CodeInvalidResetToken)
	}
	if err != nil {
		return "", err
	}
	s.throttle.RecheckAccounts(email)
	return s.throttle.SignDevice(user.ID, known, user.Epoch+1, now)
}
