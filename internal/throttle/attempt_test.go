package throttle_test

// Attempts at passwords, on both engines (I8, I9).

import (
	"context"
	"fmt"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/throttle"
)

// Five wrong passwords are free; each further one sets a wait that doubles up to an hour; a password is looked at
// after it, and only after it. A success begins anew.
func TestThrottleWaits(t *testing.T) {
	engines(t, func(t *testing.T, r *rig) {
		r.addUser(ada)
		by := from("203.0.113.1")
		r.fail(ada, 5, by)
		for i := range 15 {
			wait := min(time.Second<<i, time.Hour)
			r.fail(ada, 1, by)
			wantRefusal(t, r.attempt(ada, true, by), "account", wait)
			r.advance(wait - time.Millisecond)
			wantRefusal(t, r.attempt(ada, true, by), "account", time.Second)
			r.advance(time.Millisecond)
		}
		if err := r.attempt(ada, true, by); err != nil {
			t.Fatalf("the right password after the wait: %v", err)
		}
		r.fail(ada, 6, by)
		wantRefusal(t, r.attempt(ada, true, by), "account", time.Second)
	})
}

// One address may be wrong 100 times in ten minutes, over all accounts; IPv6 counts by /64.
func TestThrottleAddress(t *testing.T) {
	engines(t, func(t *testing.T, r *rig) {
		for i := range 100 {
			r.fail(fmt.Sprintf("user%d@example.com", i), 1, from(fmt.Sprintf("2001:db8::%x", i+1)))
		}
		wantRefusal(t, r.attempt(ada, true, from("2001:db8::ffff")), "address", 6*time.Second)
		if err := r.attempt(ada, true, from("2001:db8:0:1::1")); err != nil {
			t.Errorf("from the next network: %v", err)
		}
		r.advance(6 * time.Second)
		if err := r.attempt(ada, true, from("2001:db8::ffff")); err != nil {
			t.Errorf("when one failure has aged: %v", err)
		}
	})
}

// At 100 failures in a row unknown devices are refused until a reset, however long they wait; failures
// that do not reach it decay after a day.
func TestThrottleStop(t *testing.T) {
	engines(t, func(t *testing.T, r *rig) {
		fail := func(times int) {
			t.Helper()
			for i := range times {
				r.advance(time.Hour)
				r.fail(ada, 1, from(fmt.Sprintf("203.0.113.%d", i%250)))
			}
		}
		fail(10)
		r.advance(25 * time.Hour)
		if s, err := r.Standing(context.Background(), ada); err != nil || s != (throttle.Standing{}) {
			t.Errorf("after a day: %+v, %v", s, err)
		}
		fail(100)
		r.advance(30 * 24 * time.Hour)
		wantRefusal(t, r.attempt(ada, true, from("203.0.113.9")), "account", time.Hour)
		if s, err := r.Standing(context.Background(), ada); err != nil || s.Failures != 100 || !s.Closed {
			t.Errorf("closed: %+v, %v", s, err)
		}
		r.write(func(tx *store.Tx) error { r.Reset(tx, ada); return nil })
		r.RecheckAccounts(ada)
		if err := r.attempt(ada, true, from("203.0.113.9")); err != nil {
			t.Errorf("after a reset: %v", err)
		}
	})
}

// A known device has the same waits and is never closed for good: no stop at 100, forgotten after a day. A stranger's
// failures are not its own, and its own are not the account's.
func TestThrottleKnownDeviceHasNoStop(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := newRig(t, db.Open(t))
		u := r.addUser(ada)
		device := from("203.0.113.1", "garbage", r.known(u, peer.Device{Addr: "203.0.113.1"}))
		fail := func(times int) {
			t.Helper()
			for range times {
				r.advance(time.Hour)
				r.fail(ada, 1, device)
			}
		}
		r.fail(ada, 6, from("198.51.100.1"))
		fail(120)
		wantRefusal(t, r.attempt(ada, true, device), "account", time.Hour)
		if s, err := r.Standing(context.Background(), ada); err != nil || s.Failures != 0 {
			t.Errorf("days after six failures of a stranger's: %+v, %v", s, err)
		}
		r.advance(25 * time.Hour)
		fail(1)
		if err := r.attempt(ada, true, device); err != nil {
			t.Errorf("a day later, after one more failure: %v", err)
		}
		fail(120)
		r.advance(25 * time.Hour)
		r.write(func(tx *store.Tx) error {
			_, err := throttle.SweepAttempts(tx, r.now, 100)
			return err
		})
		if n := db.Tally(t)["wrong passwords"]; n != 0 {
			t.Errorf("%d failures are left after a day and a sweep", n)
		}
	})
}

// Somebody who mistypes now and then is never closed out: their own successes take back what they added, from any address of
// their network. What strangers added stays, and closes the account at 100.
func TestASuccessTakesBackItsOwn(t *testing.T) {
	engines(t, func(t *testing.T, r *rig) {
		r.addUser(ada)
		day := func(i int) {
			t.Helper()
			r.fail(ada, 1, from(fmt.Sprintf("203.0.113.%d", i%200)))
			r.advance(time.Hour)
			if err := r.attempt(ada, true, from(fmt.Sprintf("203.0.113.%d", 255-i%50))); err != nil {
				t.Fatalf("day %d: %v", i, err)
			}
			r.advance(time.Hour)
		}
		stands := func(want throttle.Standing) {
			t.Helper()
			if s, err := r.Standing(context.Background(), ada); err != nil || s != want {
				t.Errorf("stands at %+v, %v; want %+v", s, err, want)
			}
		}
		for i := range 110 {
			day(i)
		}
		stands(throttle.Standing{})
		for i := range 99 {
			r.fail(ada, 1, from(fmt.Sprintf("198.51.%d.1", i)))
			r.advance(time.Hour)
			if i%10 == 0 {
				day(i)
			}
		}
		stands(throttle.Standing{Failures: 99})
		r.fail(ada, 1, from("198.51.200.1"))
		r.advance(2 * time.Hour)
		wantRefusal(t, r.attempt(ada, true, from("203.0.113.1")), "account", time.Hour)
		stands(throttle.Standing{Failures: 100, Closed: true})
	})
}

// A success lets its network in at once, although an attempt beside it was refused a moment before.
func TestASuccessIsSeenAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, r *rig) {
		r.addUser(ada)
		by := from("203.0.113.1")
		_, a, err := r.FindAttempt(t.Context(), "", ada, by)
		if err == nil {
			err = r.Check(t.Context(), a) // from here on its password is evaluated
		}
		if err != nil {
			t.Fatal(err)
		}
		r.fail(ada, 6, by)
		wantRefusal(t, r.attempt(ada, true, by), "account", time.Second)
		r.write(func(tx *store.Tx) error { r.TakeBack(tx, a); return nil })
		r.Recheck(a)
		if err := r.attempt(ada, true, by); err != nil {
			t.Errorf("right after a success: %v", err)
		}
	})
}

// A look at the counters that has to be repeated asks about the account again, and not about what it saw the first time.
func TestThrottleLooksTwice(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		other := newRig(t, db.Open(t))
		armed, looks := false, 0
		r := newRig(t, authtest.Faults{
			Twice: func() bool { return armed },
			Fail: func(m authtest.Moment) error {
				if looks++; armed && looks == 2 { // it has looked once: its second look begins
					other.fail(ada, 6, from("203.0.113.9"))
				}
				return nil
			},
		}.On(db.Open(t)))
		_, a, err := r.FindAttempt(t.Context(), "", ada, from("203.0.113.1"))
		if err != nil {
			t.Fatal(err)
		}
		armed, looks = true, 0
		err = r.Check(t.Context(), a)
		armed = false
		wantRefusal(t, err, "account", time.Second)
	})
}

// With the throttle off nothing is counted and nobody is refused.
func TestThrottleOff(t *testing.T) {
	db := authtest.SQLite(t)
	r := newRig(t, db.Open(t))
	o := r.options()
	o.On = false
	r.Throttle = throttle.New(o)
	r.addUser(ada)
	by := from("203.0.113.1")
	r.fail(ada, 200, by)
	for range 150 {
		if err := r.attempt(ada, true, by); err != nil {
			t.Fatal(err)
		}
		if err := r.CountDeadLink(t.Context(), by); err != nil {
			t.Fatal(err)
		}
		if right, err := r.TrySecret(t.Context(), "shop", "wrong", by, func() bool { return false }); right || err != nil {
			t.Fatal(right, err)
		}
	}
	if names := db.Counters(t); len(names) > 0 {
		t.Errorf("%d counters were made", len(names))
	}
}
