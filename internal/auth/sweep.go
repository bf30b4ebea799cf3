package auth

// Forgetting what nobody needs any more, in small bites.

import (
	"context"
	"sync"
	"time"

	"latchkey/internal/store"
)

const (
	keepEnded   = 30 * 24 * time.Hour // ended sessions and mails: "why was I signed out?" has an answer
	expiryGrace = time.Hour           // a session is marked expired only so long after
	bite        = 500                 // rows a transaction
	maxSkip     = time.Minute         // wall clock ahead of monotonic time: no sweep
)

// sweepMark remembers where and when the last sweep was.
type sweepMark struct {
	mu      sync.Mutex
	session string    // the last session walked
	at      time.Time // with its monotonic reading
	wall    time.Time // the same moment, as the wall clock had it
}

// Sweep forgets a bite of everything that is old enough: more reports that there is more. It does
// nothing when the wall clock has run more than a minute ahead of the time that really passed since the
// last sweep: a clock set forward must not end anything for good.
func (s *Service) Sweep(ctx context.Context) (more bool, err error) {
	s.swept.mu.Lock()
	defer s.swept.mu.Unlock()
	now := s.now()
	if !s.clockIsSteady(now) {
		return false, nil
	}
	for _, sweep := range []func(*store.Tx) (int64, error){
		func(tx *store.Tx) (int64, error) { return tx.SweepMail(now.Add(-keepEnded), bite) },
		func(tx *store.Tx) (int64, error) { return tx.SweepOneTime(now.Add(-mailWindow), bite) },
		func(tx *store.Tx) (int64, error) { return tx.SweepMailBudgets(now.Add(-mailWindow), bite) },
		func(tx *store.Tx) (int64, error) {
			return tx.SweepAudit(now.AddDate(0, 0, -s.o.AuditDays), bite)
		},
		func(tx *store.Tx) (int64, error) { return tx.SweepAttempts(now.Add(-failuresDecay), stopAt, bite) },
		func(tx *store.Tx) (int64, error) { return tx.SweepRates(now, bite) },
		func(tx *store.Tx) (int64, error) { return tx.DropSigningKeys(now) },
	} {
		var n int64
		err := s.write(ctx, func(tx *store.Tx) (err error) {
			n, err = sweep(tx)
			return err
		})
		if err != nil {
			return false, err
		}
		more = more || n == bite
	}
	last := ""
	err = s.write(ctx, func(tx *store.Tx) (err error) {
		last, err = tx.SweepSessions(s.swept.session, bite, now.Add(-expiryGrace), now.Add(-keepEnded))
		return err
	})
	if err != nil {
		return false, err
	}
	s.swept.session = last
	return more || last != "", nil
}

// clockIsSteady compares how far the wall clock and the monotonic clock have come since the last
// sweep, and logs a step of more than a minute (I16).
func (s *Service) clockIsSteady(now time.Time) bool {
	at, wall := s.swept.at, s.swept.wall
	s.swept.at, s.swept.wall = time.Now(), now
	if at.IsZero() {
		return true
	}
	skip := now.Sub(wall) - time.Since(at)
	if skip.Abs() > maxSkip {
		s.o.Log.Warn("the clock was set", "by", skip)
	}
	return skip <= maxSkip
}
