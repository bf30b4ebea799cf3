package auth

// Registration: a proven mailbox becomes an account with a password.

import (
	"bytes"
	"context"
	"errors"
	"time"

	"latchkey/internal/locale"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// withoutCodeFor is how long after `verify` a client registered with signup_without_code may sign
// somebody up from the same network.
const withoutCodeFor = time.Hour

// VerifyEmail marks an address verified. It is idempotent while the code lives, so that a mail
// scanner's visit harms nothing. CodeInvalidVerificationCode otherwise.
func (s *Service) VerifyEmail(ctx context.Context, email, code string, peer Peer) error {
	var f form
	address := f.email("email", email)
	f.required("verificationCode", code, "Use the link as it was mailed to you.")
	if err := f.err(); err != nil {
		return err
	}
	hash, ok := token.OneTimeHash(purposeVerify, code)
	if !ok {
		return s.wrongToken(ctx, peer, CodeInvalidVerificationCode)
	}
	proof, err := s.oneTime(ctx, purposeVerify, address) // so that a wrong code costs the writer nothing
	if err != nil {
		return err
	}
	now := s.now()
	if !bytes.Equal(hash, proof.Hash) || !now.Before(proof.ExpiresAt) {
		return s.wrongToken(ctx, peer, CodeInvalidVerificationCode)
	}
	err = s.write(ctx, func(tx *store.Tx) error {
		user, err := tx.HoldUserByEmail(address)
		known := err == nil
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := tx.NoteVerified(purposeVerify, address, hash, networkOf(peer.Addr), now); err != nil {
			return err
		}
		if !known || !user.VerifiedAt.IsZero() {
			return nil
		}
		if err := tx.MarkVerified(user.ID, now); err != nil {
			return err
		}
		return s.audit(tx, now, event{Kind: eventEmailVerified, UserID: user.ID}, peer)
	})
	if errors.Is(err, store.ErrNotFound) { // replaced or dropped since it was read
		return s.wrongToken(ctx, peer, CodeInvalidVerificationCode)
	}
	return err
}

// SignupOpen says whether people may make accounts for themselves.
func (s *Service) SignupOpen() bool { return s.o.SignupOpen }

// SignUp makes an account for a proven address, or gives one without a password its first. The checks
// go in the order of spec 2.2, so that a stranger learns nothing about the address.
func (s *Service) SignUp(ctx context.Context, in SignUp, peer Peer) (userID string, err error) {
	if !s.o.SignupOpen {
		return "", refuse(CodeSignupClosed)
	}
	var f form
	email, pw := f.email("email", in.Email), s.password(&f, "password", in.Password)
	f.personName("firstName", in.FirstName)
	f.personName("lastName", in.LastName)
	if err := f.err(); err != nil {
		return "", err
	}
	if _, err := s.client(in.ClientAlias); err != nil {
		return "", err
	}
	proof, err := s.provenMailbox(ctx, email, in.VerificationCode, peer)
	if err != nil {
		return "", err
	}
	user, err := s.findUser(ctx, email)
	if err != nil {
		return "", err
	}
	if !proof.UsedAt.IsZero() || user.PasswordHash != "" {
		return "", refuse(CodeAlreadyRegistered)
	}
	user.Email, user.FirstName, user.LastName = email, in.FirstName, in.LastName
	if locale.Known(peer.Language) {
		user.Language = peer.Language
	}
	phc, err := s.newPassword(ctx, email, "password", pw, s.aboutUser(user))
	if err != nil {
		return "", err
	}
	return s.register(ctx, user, phc, proof, peer)
}

// provenMailbox returns the verification token that proves the caller reads the address's mail, spent
// or not. CodeEmailNotVerified for everything else, whatever the address.
func (s *Service) provenMailbox(ctx context.Context, email, code string, peer Peer) (store.OneTimeToken, error) {
	proof, err := s.oneTime(ctx, purposeVerify, email)
	if err != nil {
		return store.OneTimeToken{}, err
	}
	now := s.now()
	proven := false
	if code != "" {
		hash, ok := token.OneTimeHash(purposeVerify, code)
		proven = ok && bytes.Equal(hash, proof.Hash)
	} else {
		proven = s.mayOmitCode(proof, peer, now)
	}
	if !proven || !now.Before(proof.ExpiresAt) {
		return store.OneTimeToken{}, s.wrongToken(ctx, peer, CodeEmailNotVerified)
	}
	return proof, nil
}

// mayOmitCode: existing clients of this API sign up without the code. A client registered for that
// may, soon after the code's own `verify` and from the same network.
func (s *Service) mayOmitCode(proof store.OneTimeToken, peer Peer, now time.Time) bool {
	client, err := s.client(proof.Client)
	return err == nil && client.SignupWithoutCode &&
		!proof.VerifiedAt.IsZero() && now.Sub(proof.VerifiedAt) <= withoutCodeFor &&
		peer.Addr.IsValid() && proof.VerifiedFrom == networkOf(peer.Addr)
}

// oneTime reads a token's row; the zero OneTimeToken where there is none.
func (s *Service) oneTime(ctx context.Context, purpose, email string) (t store.OneTimeToken, err error) {
	err = s.lookup(ctx, func(tx *store.Tx) error {
		t, err = tx.OneTime(purpose, email)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return store.OneTimeToken{}, nil
	}
	return t, err
}

// register spends the proof and makes or completes the account, all or nothing (I4, I12). An account
// that had no password may have been mailed a reset link: it ends, as at every change of a password. The
// proof stays, spent, and tells who shows it again that there is an account. Of several sign-ups at once
// one wins; the others find the account there.
func (s *Service) register(ctx context.Context, user store.User, phc string, proof store.OneTimeToken, peer Peer) (string, error) {
	now := s.now()
	id := user.ID
	err := s.write(ctx, func(tx *store.Tx) error {
		if id = user.ID; id == "" {
			id = newID()
		}
		if err := s.makeOrComplete(tx, id, user, phc, now); err != nil {
			return err
		}
		if err := tx.SpendOneTime(purposeVerify, user.Email, proof.Hash, now); err != nil {
			return err
		}
		if err := s.clearBudget(tx, purposeVerify, user.Email); err != nil {
			return err
		}
		if err := s.dropLink(tx, purposeReset, user.Email); err != nil {
			return err
		}
		return s.audit(tx, now, event{Kind: eventSignUp, UserID: id}, peer)
	})
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return "", refuse(CodeAlreadyRegistered)
	}
	if err != nil {
		return "", err
	}
	return id, nil
}

func (s *Service) makeOrComplete(tx *store.Tx, id string, user store.User, phc string, now time.Time) error {
	if user.ID == "" {
		return tx.InsertUser(store.User{
			ID: id, Email: user.Email, FirstName: user.FirstName, LastName: user.LastName,
			PasswordHash: phc, Epoch: 1, ChangedAt: now, CreatedAt: now, VerifiedAt: now, Language: user.Language,
		})
	}
	if _, err := tx.TakeUser(user.ID, user.Epoch); err != nil {
		return err
	}
	if err := tx.SetPassword(user.ID, phc, now); err != nil {
		return err
	}
	if err := tx.SetNames(user.ID, user.FirstName, user.LastName); err != nil {
		return err
	}
	if err := tx.SetLanguage(user.ID, user.Language); err != nil {
		return err
	}
	return tx.MarkVerified(user.ID, now)
}
