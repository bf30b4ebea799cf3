package auth

// Where passwords are evaluated and hashed, always under a permit of the pool. A caller who hangs up
// frees nothing early: what has begun runs to its end.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/password"
	"latchkey/internal/store"
)

// evaluation is what hashing found out.
type evaluation struct {
	right  bool
	rehash string // a stronger hash of the same password, when the stored one is outdated
}

// permitPatience bounds the wait for a permit. Counting a wrong password holds one while the database
// makes it wait: whoever comes behind must be answered before the listener gives the connection up.
const permitPatience = 10 * time.Second

// turn is how a guess waits for a permit. A stranger shares its turns with who else tries the account,
// whether there is one or not (I9), and with who else comes from its address.
func (g guess) turn() password.Turn {
	if g.own != nil {
		return ownersTurn(g.account)
	}
	keys := []string{string(g.account)}
	if g.address != nil {
		keys = append(keys, string(g.address))
	}
	return password.Turn{Keys: keys}
}

// ownersTurn is how those wait who have shown more of an account than its e-mail. All of one account
// share turns: nobody gains by making many devices known.
func ownersTurn(account []byte) password.Turn {
	return password.Turn{Known: true, Keys: []string{string(account)}}
}

// withPermit runs fn when a permit is free; a full queue is CodeUnavailable, and so is a slow one.
func (s *Service) withPermit(ctx context.Context, turn password.Turn, fn func() error) error {
	ctx, cancel := context.WithTimeout(ctx, permitPatience)
	defer cancel()
	var inner error
	if err := s.o.Pool.Do(ctx, turn, func() { inner = fn() }); err != nil {
		return &Error{Code: CodeUnavailable, RetryAfter: unavailableFor, Cause: err}
	}
	return inner
}

// evaluate compares a password with the account's. It does the same work for an account that does
// not exist or has no password (I9). Call it under a permit.
func (s *Service) evaluate(u store.User, pw secret) evaluation {
	phc, comparable := u.PasswordHash, pw.valid
	if phc == "" {
		phc, comparable = s.decoy, false
	}
	right, err := password.Verify(phc, pw.text)
	if err != nil {
		s.o.Log.Error("a stored password hash cannot be used; the account must reset its password", "user", u.ID, "cause", err)
		_, _ = password.Verify(s.decoy, pw.text)
		return evaluation{}
	}
	return evaluation{right: right && comparable}
}

// try evaluates a password within the throttle's limits, all under one permit: the check, the hash,
// and the commit of the failure. A right password of an account that is disabled counts as wrong.
// The outcome of a wrong one is CodeInvalidCredentials, the same for every account (I9).
func (s *Service) try(ctx context.Context, g guess, user store.User, pw secret, peer Peer) (e evaluation, err error) {
	err = s.withPermit(ctx, g.turn(), func() error {
		if err := s.checkGuess(ctx, g); err != nil {
			return err
		}
		e = s.evaluate(user, pw)
		if !e.right || !user.DisabledAt.IsZero() {
			return s.refuseTry(ctx, g, user, peer)
		}
		return s.strengthen(&e, user, pw)
	})
	return e, err
}

func (s *Service) refuseTry(ctx context.Context, g guess, user store.User, peer Peer) error {
	now := s.now()
	err := s.write(ctx, func(tx *store.Tx) error {
		if err := s.countFailure(tx, g, now); err != nil {
			return err
		}
		return s.audit(tx, now, event{Kind: g.kind, Outcome: outcomeRefused, UserID: user.ID}, peer)
	})
	if err != nil {
		return err
	}
	return refuse(CodeInvalidCredentials)
}

// strengthen adds a rehash where the stored hash is outdated.
func (s *Service) strengthen(e *evaluation, u store.User, pw secret) (err error) {
	if s.o.Hash.Outdated(u.PasswordHash) {
		e.rehash, err = s.o.Hash.Hash(pw.text)
	}
	return err
}

// newPassword checks a password against the policy and hashes it under a permit, for someone who has
// proved that the account is theirs. A password that did not decrypt is refused like one that is too
// common: it is none.
func (s *Service) newPassword(ctx context.Context, email, field string, pw secret, about []string) (phc string, err error) {
	if err := s.accept(field, pw, about); err != nil {
		return "", err
	}
	err = s.withPermit(ctx, ownersTurn(accountKey(email)), func() (err error) {
		phc, err = s.o.Hash.Hash(pw.text)
		return err
	})
	return phc, err
}

// PasswordMin is the least number of characters of a new password.
func (s *Service) PasswordMin() int { return s.o.Policy.Least() }

// accept asks the policy.
func (s *Service) accept(field string, pw secret, about []string) error {
	if !pw.valid {
		return &Error{Code: CodePasswordNotAccepted, Fields: []Field{{field, "invalid_format", "The password could not be read; send it again."}}}
	}
	if err := s.o.Policy.Check(pw.text, about); err != nil {
		return policyFault(field, err)
	}
	return nil
}

// aboutUser lists the words a password must not be.
func (s *Service) aboutUser(u store.User) []string {
	words := []string{u.Email, u.FirstName, u.LastName, "Latchkey"}
	for _, c := range s.o.Clients.List() {
		words = append(words, c.Name)
	}
	return words
}

// findUser reads an account by canonical e-mail; the zero User where there is none.
func (s *Service) findUser(ctx context.Context, email string) (u store.User, err error) {
	err = s.lookup(ctx, func(tx *store.Tx) error {
		u, err = tx.UserByEmail(email)
		return err
	})
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
	return s.dropLinks(tx, u.Email)
}

// dropLinks forgets every outstanding mailed link of an address, and how many were asked for.
func (s *Service) dropLinks(tx *store.Tx, email string) error {
	for _, purpose := range purposes {
		if err := s.dropLink(tx, purpose, email); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) dropLink(tx *store.Tx, purpose, email string) error {
	if err := tx.DropOneTime(purpose, email); err != nil {
		return err
	}
	return s.clearBudget(tx, purpose, email)
}

// clearBudget forgets how many mails of a purpose were asked for.
func (s *Service) clearBudget(tx *store.Tx, purpose, email string) error {
	key, err := s.budgetKey(purpose, email)
	if err != nil {
		return err
	}
	return tx.ClearMailBudget(key)
}
