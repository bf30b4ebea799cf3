package store

// Statements that stand alone and are asked for often. Each knows its own way to the database, so that no caller has
// to: what changes one row by its key shares a commit with others like it (joint), what is one statement is one round
// trip (single), and what looks a few rows up by their keys shares a round trip (lookup). On SQLite, single and joint
// are Write, and lookup is Read. Whatever takes several statements goes through Read or Write.

import (
	"context"
	"crypto/rand"
	"time"
)

// ask runs fn by one of the ways above and returns what it found. fn may run more than once.
func ask[T any](ctx context.Context, s *Store, way runner, fn func(*Tx) (T, error)) (found T, err error) {
	err = s.run(ctx, way, func(tx *Tx) (err error) {
		found, err = fn(tx)
		return err
	})
	return found, err
}

// lookup is Read for fn that finds a few rows by their keys.
func lookup[T any](ctx context.Context, s *Store, fn func(*Tx) (T, error)) (T, error) {
	return ask(ctx, s, s.engine.lookup, fn)
}

// single is Write for fn of exactly one statement.
func (s *Store) single(ctx context.Context, fn func(*Tx) error) error {
	return s.wrote(s.run(ctx, s.engine.single, fn))
}

// joint is single for a statement that changes at most the one row its first argument names. fn may run more than once.
func (s *Store) joint(ctx context.Context, fn func(*Tx) error) error {
	return s.wrote(s.run(ctx, s.engine.joint, fn))
}

// UserByEmail is [Tx.UserByEmail] by itself.
func (s *Store) UserByEmail(ctx context.Context, email string) (User, error) {
	return lookup(ctx, s, func(tx *Tx) (User, error) { return tx.UserByEmail(email) })
}

// UserByID is [Tx.UserByID] by itself.
func (s *Store) UserByID(ctx context.Context, id string) (User, error) {
	return lookup(ctx, s, func(tx *Tx) (User, error) { return tx.UserByID(id) })
}

// SetLanguage is [Tx.SetLanguage] by itself.
func (s *Store) SetLanguage(ctx context.Context, id, tag string) error {
	return s.single(ctx, func(tx *Tx) error { return tx.SetLanguage(id, tag) })
}

// SessionByID is [Tx.SessionByID] by itself.
func (s *Store) SessionByID(ctx context.Context, id string) (Session, error) {
	return lookup(ctx, s, func(tx *Tx) (Session, error) { return tx.SessionByID(id) })
}

// RefreshStateByID is [Tx.RefreshStateByID] by itself.
func (s *Store) RefreshStateByID(ctx context.Context, id string) (RefreshState, error) {
	return lookup(ctx, s, func(tx *Tx) (RefreshState, error) { return tx.RefreshStateByID(id) })
}

// LiveSessions is [Tx.LiveSessions] by itself.
func (s *Store) LiveSessions(ctx context.Context, userID string, now time.Time) ([]Session, error) {
	return lookup(ctx, s, func(tx *Tx) ([]Session, error) { return tx.LiveSessions(userID, now) })
}

// Rotate is [Tx.Rotate] by itself.
func (s *Store) Rotate(ctx context.Context, p RotateParams, now time.Time) (rotated RefreshState, err error) {
	err = s.joint(ctx, func(tx *Tx) (err error) {
		rotated, err = tx.Rotate(p, now)
		return err
	})
	return rotated, err
}

// FlowByHash is [Tx.FlowByHash] by itself.
func (s *Store) FlowByHash(ctx context.Context, hash []byte) (KeptFlow, error) {
	return lookup(ctx, s, func(tx *Tx) (KeptFlow, error) { return tx.FlowByHash(hash) })
}

// CodeByHash is [Tx.CodeByHash] by itself.
func (s *Store) CodeByHash(ctx context.Context, hash []byte) (Code, error) {
	return lookup(ctx, s, func(tx *Tx) (Code, error) { return tx.CodeByHash(hash) })
}

// SetKind is [Tx.SetKind] by itself.
func (s *Store) SetKind(ctx context.Context, id, from, to string) error {
	return s.joint(ctx, func(tx *Tx) error { return tx.SetKind(id, from, to) })
}

// OneTime is [Tx.OneTime] by itself.
func (s *Store) OneTime(ctx context.Context, purpose, email string, hash []byte) (OneTimeToken, error) {
	return lookup(ctx, s, func(tx *Tx) (OneTimeToken, error) { return tx.OneTime(purpose, email, hash) })
}

// ShownOneTimes is [Tx.ShownOneTimes] by itself.
func (s *Store) ShownOneTimes(ctx context.Context, purpose, email string) ([]OneTimeToken, error) {
	return lookup(ctx, s, func(tx *Tx) ([]OneTimeToken, error) { return tx.ShownOneTimes(purpose, email) })
}

// Counters are what stands against an attempt: the failures in a row of one counter, and the theoretical arrival time of
// each rate.
type Counters struct {
	Attempts Attempts
	Arrivals map[string]time.Time
}

// Counters reads [Tx.Attempts] of a counter, and [Tx.Rates] where any are named.
func (s *Store) Counters(ctx context.Context, key []byte, rates ...Rate) (Counters, error) {
	return lookup(ctx, s, func(tx *Tx) (c Counters, err error) {
		if c.Attempts, err = tx.Attempts(key); err == nil && len(rates) > 0 {
			c.Arrivals, err = tx.Rates(rates...)
		}
		return c, err
	})
}

// CountAudit is [Tx.CountAudit] by itself.
func (s *Store) CountAudit(ctx context.Context, e AuditEvent) error {
	return s.single(ctx, func(tx *Tx) error { tx.CountAudit(e); return nil })
}

// ClaimMail is [Tx.ClaimMail] by itself.
func (s *Store) ClaimMail(ctx context.Context, due DueMail, leaseEnd time.Time) (claimed Mail, err error) {
	err = s.single(ctx, func(tx *Tx) (err error) {
		claimed, err = tx.ClaimMail(due, leaseEnd)
		return err
	})
	return claimed, err
}

// EndMail is [Tx.EndMail] by itself.
func (s *Store) EndMail(ctx context.Context, m Mail, outcome, lastError string, now time.Time) error {
	return s.single(ctx, func(tx *Tx) error { return tx.EndMail(m, outcome, lastError, now) })
}

// RefuseMail is [Tx.RefuseMail] by itself.
func (s *Store) RefuseMail(ctx context.Context, m Mail, outcome, lastError string, now time.Time) error {
	return s.single(ctx, func(tx *Tx) error { return tx.RefuseMail(m, outcome, lastError, now) })
}

// PostponeMail is [Tx.PostponeMail] by itself.
func (s *Store) PostponeMail(ctx context.Context, m Mail, next time.Time, lastError string) error {
	return s.single(ctx, func(tx *Tx) error { return tx.PostponeMail(m, next, lastError) })
}

// ClaimLogout is [Tx.ClaimLogout] by itself.
func (s *Store) ClaimLogout(ctx context.Context, client string, now, leaseEnd time.Time) (claimed Logout, err error) {
	err = s.single(ctx, func(tx *Tx) (err error) {
		claimed, err = tx.ClaimLogout(client, now, leaseEnd)
		return err
	})
	return claimed, err
}

// EndLogout is [Tx.EndLogout] by itself.
func (s *Store) EndLogout(ctx context.Context, l Logout, outcome, lastError string, now time.Time) error {
	return s.single(ctx, func(tx *Tx) error { return tx.EndLogout(l, outcome, lastError, now) })
}

// PostponeLogout is [Tx.PostponeLogout] by itself.
func (s *Store) PostponeLogout(ctx context.Context, l Logout, next time.Time, lastError string) error {
	return s.single(ctx, func(tx *Tx) error { return tx.PostponeLogout(l, next, lastError) })
}

// DropNode is [Tx.DropNode] by itself.
func (s *Store) DropNode(ctx context.Context, id string) error {
	return s.single(ctx, func(tx *Tx) error { return tx.DropNode(id) })
}

// ProbeNode writes something to a server's own row, to find out whether that works.
func (s *Store) ProbeNode(ctx context.Context, id string, now time.Time) error {
	something := make([]byte, probeSize)
	_, _ = rand.Read(something) // never fails; and nothing that a database could make small
	return s.single(ctx, func(tx *Tx) error { return tx.ProbeNode(id, something, now) })
}
