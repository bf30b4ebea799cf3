package auth

// Where passwords are evaluated and hashed, always under a permit of the pool. A caller who hangs up
// frees nothing early: what has begun runs to its end.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/clients"
	"latchkey/internal/fields"
	"latchkey/internal/password"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/throttle"
)

// permitTimeout bounds the wait for a permit. Counting a wrong password holds one while the database
// makes it wait: whoever comes behind must be answered before the listener gives the connection up.
const permitTimeout = 10 * time.Second

// callerOf is how an attempt waits for a permit. A stranger shares its turns with who else tries the account, whether
// there is one or not (I9), and with who else comes from its address.
func callerOf(a throttle.Attempt) password.Caller {
	if a.Known() {
		return ownerAsCaller(a.Account)
	}
	return password.Caller{Keys: []string{string(a.Account)}, Networks: a.Networks()}
}

// ownerAsCaller is how those wait who have shown more of an account than its email. All of one account
// share turns: nobody gains by making many devices known.
func ownerAsCaller(account []byte) password.Caller {
	return password.Caller{Known: true, Keys: []string{string(account)}}
}

// withPermit runs fn when a permit is free; a full queue is CodeUnavailable, and so is a slow one.
func (s *Service) withPermit(ctx context.Context, caller password.Caller, fn func() error) error {
	ctx, cancel := context.WithTimeout(ctx, permitTimeout)
	defer cancel()
	var inner error
	if err := s.o.Pool.Do(ctx, caller, func() { inner = fn() }); err != nil {
		return &Error{Code: CodeUnavailable, RetryAfter: unavailableFor, Cause: err}
	}
	return inner
}

// evaluate compares a password with the account's, in a time that tells nothing of the account (I9). Call it under a
// permit.
func (s *Service) evaluate(u store.User, pw plaintext) (right bool) {
	right, err := s.costs.Matches(u.PasswordHash, pw.text)
	if err != nil {
		s.o.Log.Error("a stored password hash cannot be used; the account must reset its password", "user", u.ID, "cause", err)
	}
	return right && pw.valid
}

// verifyPassword evaluates a password within the throttle's limits, all under one permit: the check, the hash,
// and the commit of the failure, which is audited as the kind given. A right password of an account that is disabled
// counts as wrong. The outcome of a wrong one is CodeInvalidCredentials, the same for every account (I9). Once a
// password is right, and as long as the permit is held, right does what hashing is left to do. What becomes of a
// right password is written within throttle.WithinRight.
func (s *Service) verifyPassword(ctx context.Context, kind string, a throttle.Attempt, user store.User, pw plaintext, peer peer.Peer, right func() error) error {
	return s.withPermit(ctx, callerOf(a), func() error {
		if err := s.throttle.Check(ctx, a); err != nil {
			return err
		}
		if !s.evaluate(user, pw) || !user.DisabledAt.IsZero() {
			return s.rejectPassword(ctx, kind, a, user, peer)
		}
		return right()
	})
}

func (s *Service) rejectPassword(ctx context.Context, kind string, a throttle.Attempt, user store.User, peer peer.Peer) error {
	now := s.now()
	err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := s.throttle.CountFailure(tx, a, now); err != nil {
			return err
		}
		audit.Write(tx, now, audit.Event{Kind: kind, Outcome: audit.Refused, UserID: user.ID}, peer)
		return nil
	})
	if err != nil {
		return err
	}
	return refuse(CodeInvalidCredentials)
}

// rehashIfOutdated returns a stronger hash of an account's right password, where the stored one is outdated.
func (s *Service) rehashIfOutdated(u store.User, pw plaintext) (rehash string, err error) {
	if !s.o.Hash.Outdated(u.PasswordHash) {
		return "", nil
	}
	return s.o.Hash.Hash(pw.text)
}

// newPassword checks a password against the policy and hashes it under a permit, for someone who has
// proved that the account is theirs. A password that did not decrypt is refused like one that is too
// common: it is none.
func (s *Service) newPassword(ctx context.Context, email, field string, pw plaintext, about []string) (phc string, err error) {
	return s.newPasswordUnless(ctx, email, field, pw, about, func() error { return nil })
}

// newPasswordUnless is newPassword for callers who may have become too late while they waited: decided is asked
// under the permit, and what it refuses costs no hash.
func (s *Service) newPasswordUnless(ctx context.Context, email, field string, pw plaintext, about []string, decided func() error) (phc string, err error) {
	if err := s.checkPolicy(field, pw, about); err != nil {
		return "", err
	}
	err = s.withPermit(ctx, ownerAsCaller(s.throttle.AccountCounter(email)), func() (err error) {
		if err = decided(); err == nil {
			phc, err = s.o.Hash.Hash(pw.text)
		}
		return err
	})
	return phc, err
}

// PasswordMin is the least number of characters of a new password.
func (s *Service) PasswordMin() int { return s.o.Policy.Least() }

// checkPolicy is CodePasswordNotAccepted on the named field where the policy refuses a password.
func (s *Service) checkPolicy(field string, pw plaintext, about []string) error {
	if !pw.valid {
		return &Error{Code: CodePasswordNotAccepted, Fields: []fields.Problem{{Name: field, Code: "invalid_format", Message: "The password could not be read; send it again."}}}
	}
	err := s.o.Policy.Check(pw.text, about)
	if refusal, ok := errors.AsType[*password.Refusal](err); ok {
		return &Error{Code: CodePasswordNotAccepted, Fields: []fields.Problem{{Name: field, Code: refusal.Code, Message: refusal.Message}}}
	}
	return err
}

// aboutUser lists the words a password must not be, where a request finds these clients.
func aboutUser(clients *clients.Set, u store.User) []string {
	words := []string{u.Email, u.FirstName, u.LastName, "Latchkey"}
	for _, c := range clients.List() {
		words = append(words, c.Name)
	}
	return words
}

// findUser reads an account by canonical email; the zero User where there is none.
func (s *Service) findUser(ctx context.Context, email string) (u store.User, err error) {
	u, err = s.o.Store.UserByEmail(ctx, email)
	if errors.Is(err, store.ErrNotFound) {
		return store.User{}, nil
	}
	return u, err
}

// changePassword gives a held user a new password and ends what the old one had made: every session
// but keep, every mailed link and its budget. The caller adds the notice and the audit event.
func (s *Service) changePassword(tx *store.Tx, u store.User, phc, keep, reason string, now time.Time) error {
	if err := tx.SetPassword(u.ID, phc, now); err != nil {
		return err
	}
	if _, err := tx.EndSessions(u.ID, keep, reason, now); err != nil {
		return err
	}
	return s.links.Drop(tx, u.Email)
}
