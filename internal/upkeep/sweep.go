package upkeep

// Forgetting what nobody needs any more, in small bites.

import (
	"context"
	"sync"
	"time"

	"latchkey/internal/keyring"
	"latchkey/internal/node"
	"latchkey/internal/outbox"
	"latchkey/internal/store"
	"latchkey/internal/throttle"
)

const (
	// KeepEnded is how long ended sessions and mails are kept: "why was I signed out?" has an answer.
	KeepEnded = 30 * 24 * time.Hour

	keepExpired = time.Hour // mailed links, and flows that they lead back to
	keepCodes   = time.Hour // authorization codes: one that is shown again tells of a copy
	keepAppEnds = 60 * 24 * time.Hour
	keepLogouts = KeepEnded + 24*time.Hour // longer than the row of its session: else that would be told of again
	expiryGrace = time.Hour                // a session is marked expired only so long after

	keepWhole = 200 // ended sessions of a user whose whole row is kept

	// TrimAfter is how long an ended session stays whole beyond the life of its access tokens. For so long internal/events
	// tells of it.
	TrimAfter = 5 * time.Minute

	walkEvery = time.Hour // how often the walk over all sessions begins anew

	// TrimAtSignIn is how many ended sessions of its user a sign-in shrinks: it ends at most one by itself, so that ten
	// keep up, and hold nobody up.
	TrimAtSignIn = 10
)

// sweepMark remembers where and when the last sweep was.
type sweepMark struct {
	mu      sync.Mutex
	chore   int       // the one that goes on
	session walk      // over all sessions
	user    walk      // over the ended ones, by user
	crowded []string  // users found with more ended sessions than are kept whole
	at      time.Time // with its monotonic reading
	wall    time.Time // the same moment, as the wall clock had it
}

// walk is where a walk over a table stands.
type walk struct {
	at   string    // the last key seen
	next time.Time // when the next walk may begin
}

// begin is false where the last walk is over and the next is not due. One that is due later than any is of a clock
// that was put back since.
func (w *walk) begin(now time.Time) bool {
	if w.at != "" {
		return true
	}
	if wait := w.next.Sub(now); wait > 0 && wait <= walkEvery {
		return false
	}
	w.next = now.Add(walkEvery)
	return true
}

// Sweep forgets a bite of everything that is old enough: more reports that there is more. It does
// nothing when the wall clock has run more than a minute ahead of the time that really passed since the
// last sweep: a clock set forward must not end anything for good.
func (u *Upkeep) Sweep(ctx context.Context) (more bool, err error) {
	u.swept.mu.Lock()
	defer u.swept.mu.Unlock()
	now := u.o.Node.Now()
	if !u.clockIsSteady(now) {
		return false, nil
	}
	chores := u.chores(now)
	for ; u.swept.chore < len(chores); u.swept.chore++ {
		if again, err := chores[u.swept.chore](ctx); err != nil || again {
			return again, err
		}
	}
	u.swept.chore = 0
	return false, nil
}

// chores are what there is to forget. Each takes one bite, and says whether there is more.
func (u *Upkeep) chores(now time.Time) []func(context.Context) (again bool, err error) {
	forget := func(rows func(*store.Tx) (int64, error)) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			var n int64
			err := u.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
				n, err = rows(tx)
				return err
			})
			return n >= store.Bite, err // more: rows that go along by ON DELETE CASCADE are counted on SQLite
		}
	}
	return []func(context.Context) (bool, error){
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepMail(now.Add(-KeepEnded), store.Bite) }),
		forget(func(tx *store.Tx) (int64, error) { return tx.WipeMail(now, store.Bite) }),
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepOneTime(now.Add(-keepExpired), store.Bite) }),
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepCodes(now.Add(-keepCodes), store.Bite) }),
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepFlows(now.Add(-keepExpired), store.Bite) }),
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepAppEnds(now.Add(-keepAppEnds), store.Bite) }),
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepLogouts(now.Add(-keepLogouts), store.Bite) }),
		forget(func(tx *store.Tx) (int64, error) {
			return tx.SweepMailBudgets(now.Add(-outbox.BudgetWindow), store.Bite)
		}),
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepAudit(now.AddDate(0, 0, -u.o.AuditDays), store.Bite) }),
		forget(func(tx *store.Tx) (int64, error) { return throttle.SweepAttempts(tx, now, store.Bite) }),
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepRates(now, store.Bite) }),
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepNodes(now.Add(-node.ForgetAfter), store.Bite) }),
		forget(func(tx *store.Tx) (int64, error) { return keyring.SweepRetired(tx, now, u.o.KeepKeys) }),
		forget(func(tx *store.Tx) (int64, error) { return tx.SweepEnded(now.Add(-KeepEnded), store.Bite) }),
		func(ctx context.Context) (bool, error) { return u.walkSessions(ctx, now) },
		func(ctx context.Context) (bool, error) { return u.o.Costs.Count(ctx, now) },
		func(ctx context.Context) (bool, error) { return u.shrinkEnded(ctx, now) },
	}
}

// TrimEnded shrinks at most so many of what a user has more of than the newest ended sessions. Those that ended while an access
// token of theirs may be about stay whole.
func (u *Upkeep) TrimEnded(tx *store.Tx, userID string, most int64, now time.Time) (int64, error) {
	return tx.TrimEnded(userID, keepWhole, most, now.Add(-u.o.AccessTTL-TrimAfter))
}

// walkSessions takes a step through all sessions, in the order of their ids: no index holds what a
// refresh changes. It looks without keeping writers waiting, and writes only where there is something.
func (u *Upkeep) walkSessions(ctx context.Context, now time.Time) (again bool, err error) {
	if !u.swept.session.begin(now) {
		return false, nil
	}
	old := store.Age{Expired: now.Add(-expiryGrace), Ended: now.Add(-KeepEnded), Now: now}
	var last string
	var stale []string
	err = u.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		last, stale, err = tx.WalkSessions(u.swept.session.at, store.Stride, store.Bite, old)
		return err
	})
	if err != nil {
		return false, err
	}
	if n := len(stale); n > 0 {
		err := u.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.SweepSessions(stale[0], stale[n-1], old) })
		if err != nil {
			return false, err
		}
		if n == store.Bite {
			last = stale[n-1] // the rest of the store.Stride comes next
		}
	}
	u.swept.session.at = last
	return last != "", nil
}

// shrinkEnded takes a step through the ended sessions of all users, in the order of the users, and shrinks what
// their sign-ins have not. It looks without keeping writers waiting.
func (u *Upkeep) shrinkEnded(ctx context.Context, now time.Time) (again bool, err error) {
	if n := len(u.swept.crowded); n > 0 {
		var moved int64
		err := u.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
			moved, err = u.TrimEnded(tx, u.swept.crowded[n-1], store.Bite, now)
			return err
		})
		if err == nil && moved < store.Bite {
			u.swept.crowded = u.swept.crowded[:n-1]
		}
		return true, err
	}
	if !u.swept.user.begin(now) {
		return false, nil
	}
	var last string
	var crowded []string
	err = u.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		last, crowded, err = tx.WalkEnded(u.swept.user.at, store.Stride, keepWhole)
		return err
	})
	if err != nil {
		return false, err
	}
	u.swept.user.at, u.swept.crowded = last, crowded
	return last != "" || len(crowded) > 0, nil
}

// clockIsSteady compares how far the wall clock and the monotonic clock have come since the last
// sweep, and logs a step of more than a minute (I16).
func (u *Upkeep) clockIsSteady(now time.Time) bool {
	at, wall := u.swept.at, u.swept.wall
	u.swept.at, u.swept.wall = time.Now(), now
	if at.IsZero() {
		return true
	}
	skip := now.Sub(wall) - time.Since(at)
	if skip.Abs() > node.ClockSlack {
		u.o.Log.Warn("the clock was set", "by", skip)
	}
	return skip <= node.ClockSlack
}
