package throttle_test

// The local deny cache: how long a refusal is repeated without the database, and that each repeat is audited.

import (
	"context"
	"errors"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

// For a second a refusal is repeated without asking the database; a committed reset is seen at once by the server that
// made it, and a clock that was put back repeats nothing of before. Each repeat is in the audit row of the refusal.
func TestDenialsAreRepeatedForASecond(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		calls, failing := 0, false
		r := newRig(t, authtest.Faults{Fail: func(m authtest.Moment) error {
			if m.At == authtest.Calling {
				calls++
			}
			if failing {
				return store.ErrUnavailable
			}
			return nil
		}}.On(db.Open(t)))
		ctx, by := context.Background(), from("203.0.113.1")
		start := r.now
		refused := func(cheap bool) {
			t.Helper()
			calls = 0
			wantRefusal(t, r.attempt(ada, true, by), "account", (start.Add(64*time.Second).Sub(r.now) + time.Second - 1).Truncate(time.Second))
			if (calls == 0) != cheap {
				t.Errorf("%v later the refusal took %d calls, cheap is %t", r.now.Sub(start), calls, cheap)
			}
		}
		for i := range 12 {
			r.write(func(tx *store.Tx) error {
				_, err := tx.CountFailure(r.AccountCounter(ada), start, 100, 100, start)
				if err == nil && i == 11 {
					err = tx.DelayAttempts(r.AccountCounter(ada), start.Add(64*time.Second))
				}
				return err
			})
		}
		refused(false)
		refused(true)
		r.advance(time.Second - time.Microsecond)
		refused(true)
		r.advance(time.Microsecond)
		refused(false)
		r.advance(-5 * time.Second)
		refused(false)
		r.advance(4 * time.Second)
		failing = true
		if err := r.Flush(ctx); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("flushed into a database that fails: %v", err)
		}
		failing = false
		for range 2 { // what was told is not told again
			if err := r.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
		var events []store.AuditEvent
		r.write(func(tx *store.Tx) (err error) {
			events, err = tx.AuditEvents(start.Add(-time.Hour), "", 10)
			return err
		})
		times := int64(0)
		for _, e := range events {
			times += e.Times
		}
		if times != 5 {
			t.Errorf("%d of 5 refusals are in the audit log: %+v", times, events)
		}
		r.write(func(tx *store.Tx) error { r.Reset(tx, ada); return nil })
		r.RecheckAccounts(ada)
		if err := r.attempt(ada, true, by); err != nil {
			t.Errorf("right after a reset: %v", err)
		}
	})
}
