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
	maxSkip     = time.Minute         // wall clock ahead of monotonic time: no sweep

	bite      = 100       // rows changed in one transaction: callers wait for no longer than that takes
	stride    = 2000      // sessions looked at in one step of the walk
	walkEvery = time.Hour // how often the walk over all sessions begins anew
)

// sweepMark remembers where and when the last sweep was.
type sweepMark struct {
	mu      sync.Mutex
	chore   int       // the one that goes on
	session string    // the last session walked
	walkAt  time.Time // when the next walk may begin
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
	chores := s.chores(now)
	for ; s.swept.chore < len(chores); s.swept.chore++ {
		if again, err := chores[s.swept.chore](ctx); err != nil || again {
			return again, err
		}
	}
	s.swept.chore = 0
	return false, nil
}

// chores are what there is to forget. Each takes one bite, and says whether there is more.
func (s *Service) chores(now time.Time) []func(context.Context) (again bool, err error) {
	forget := func(rows func(*store.Tx) (int64, error)) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			var n int64
			err := s.write(ctx, func(tx *store.Tx) (err error) {
				n, err = rows(tx)
				return err
			})
			return n == bite, err
		}
	}
	return []func(context.Context) (bool, error){
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepMail(now.Add(-keepEnded), bite) }),
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepOneTime(now.Add(-mailWindow), bite) }),
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepMailBudgets(now.Add(-mailWindow), bite) }),
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepAudit(now.AddDate(0, 0, -s.o.AuditDays), bite) }),
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepAttempts(now.Add(-failuresDecay), stopAt, bite) }),
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepRates(now, bite) }),
		forget(func(tx *store.Tx) (int64, error) { return tx.DropSigningKeys(now) }),
		func(ctx context.Context) (bool, error) { return s.walkSessions(ctx, now) },
	}
}

// walkSessions takes a step through all sessions, in the order of their ids: no index holds what a
// refresh changes. It looks without keeping writers waiting, and writes only where there is something.
func (s *Service) walkSessions(ctx context.Context, now time.Time) (again bool, err error) {
	if s.swept.session == "" {
		if now.Before(s.swept.walkAt) {
			return false, nil
		}
		s.swept.walkAt = now.Add(walkEvery)
	}
	old := store.Age{Expired: now.Add(-expiryGrace), Ended: now.Add(-keepEnded)}
	var last string
	var stale []string
	err = s.read(ctx, func(tx *store.Tx) (err error) {
		last, stale, err = tx.WalkSessions(s.swept.session, stride, bite, old)
		return err
	})
	if err != nil {
		return false, err
	}
	if n := len(stale); n > 0 {
		err := s.write(ctx, func(tx *store.Tx) error { return tx.SweepSessions(stale[0], stale[n-1], old) })
		if err != nil {
			return false, err
		}
		if n == bite {
			last = stale[n-1] // the rest of the stride comes next
		}
	}
	s.swept.session = last
	return last != "", nil
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
