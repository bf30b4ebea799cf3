package auth_test

// The throttle through the whole server, on both engines (I8).

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

// from is a peer of the test's choosing.
func from(addr string, devices ...string) auth.Peer {
	return auth.Peer{Addr: netip.MustParseAddr(addr), Devices: devices}
}

func guess(r *authtest.Rig, email, password string, peer auth.Peer) (auth.Tokens, error) {
	return r.Service.SignIn(context.Background(), auth.SignIn{Email: email, Password: auth.Password{Value: password}}, peer)
}

func wantCode(t *testing.T, err error, want auth.Code) {
	t.Helper()
	if got := auth.CodeOf(err); err == nil || got != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// Five wrong passwords are free; each further one sets a wait that doubles; the right one works after
// it, and only after it.
func TestThrottleWaits(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		r.AddUser(t, "ada@example.com")
		peer := from("203.0.113.1")
		for range 6 {
			_, err := guess(r, "ada@example.com", "wrong password", peer)
			wantCode(t, err, auth.CodeInvalidCredentials)
		}
		for i, wait := range []time.Duration{1, 2, 4, 8, 16} {
			_, err := guess(r, "ada@example.com", authtest.Password, peer)
			wantCode(t, err, auth.CodeTooManyRequests)
			if got := retryAfter(err); got != wait*time.Second {
				t.Errorf("failure %d: Retry-After is %v, want %v", i+6, got, wait*time.Second)
			}
			r.Clock.Advance(wait * time.Second)
			if i == 4 {
				break
			}
			_, err = guess(r, "ada@example.com", "wrong password", peer)
			wantCode(t, err, auth.CodeInvalidCredentials)
		}
		if _, err := guess(r, "ada@example.com", authtest.Password, peer); err != nil {
			t.Fatalf("the right password after the wait: %v", err)
		}
		if _, err := guess(r, "ada@example.com", "wrong password", peer); auth.CodeOf(err) != auth.CodeInvalidCredentials {
			t.Errorf("the first failure after a success: got %v", err)
		}
	})
}

// I8: 40 wrong guesses at once from 40 addresses: no more than limit + permits are evaluated, and a
// second node on the same database knows.
func TestThrottleCountsParallelGuesses(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		then := time.Now() // and no wait is over before the last guess has come
		r := authtest.New(t, db, func(o *auth.Options) { o.Now = func() time.Time { return then } })
		r.AddUser(t, "ada@example.com")
		var mu sync.Mutex
		evaluated := 0
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				_, err := guess(r, "ada@example.com", "wrong password", from(fmt.Sprintf("203.0.113.%d", i+1)))
				mu.Lock()
				defer mu.Unlock()
				if auth.CodeOf(err) == auth.CodeInvalidCredentials {
					evaluated++
				}
			})
		}
		wg.Wait()
		const limit, permits = 5, 2 // the sixth failure sets the first wait
		if evaluated <= limit || evaluated > limit+permits {
			t.Errorf("%d passwords were evaluated, want %d to %d", evaluated, limit+1, limit+permits)
		}
		other := authtest.New(t, db)
		_, err := guess(other, "ada@example.com", authtest.Password, from("198.51.100.9"))
		wantCode(t, err, auth.CodeTooManyRequests)
	})
}

// A stranger can neither lock a user out who shows a device token, nor close the way to a reset; and a
// device token names the budget of its own user only.
func TestThrottleKnownDevice(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		r.AddUser(t, "ada@example.com")
		r.AddUser(t, "eve@example.com")
		ada, err := guess(r, "ada@example.com", authtest.Password, from("203.0.113.1"))
		if err != nil {
			t.Fatal(err)
		}
		eve, err := guess(r, "eve@example.com", authtest.Password, from("203.0.113.2"))
		if err != nil {
			t.Fatal(err)
		}
		for range 7 {
			_, _ = guess(r, "ada@example.com", "wrong password", from("198.51.100.1"))
		}
		_, err = guess(r, "ada@example.com", authtest.Password, from("198.51.100.1"))
		wantCode(t, err, auth.CodeTooManyRequests)
		_, err = guess(r, "ada@example.com", authtest.Password, from("198.51.100.1", eve.Device))
		wantCode(t, err, auth.CodeTooManyRequests)
		again, err := guess(r, "ada@example.com", authtest.Password, from("198.51.100.1", "garbage", ada.Device))
		if err != nil {
			t.Fatalf("from a known device: %v", err)
		}
		for range 6 {
			_, err = guess(r, "ada@example.com", "wrong password", from("198.51.100.1", again.Device))
			wantCode(t, err, auth.CodeInvalidCredentials)
		}
		_, err = guess(r, "ada@example.com", authtest.Password, from("198.51.100.1", again.Device))
		wantCode(t, err, auth.CodeTooManyRequests)

		code := r.ForgotCode(t, "ada@example.com")
		_, err = r.Service.ResetPassword(context.Background(), auth.ResetPassword{
			Email: "ada@example.com", Token: code, Password: auth.Password{Value: "another fine passphrase"},
		}, from("198.51.100.1"))
		if err != nil {
			t.Fatalf("a reset while the account is throttled: %v", err)
		}
		r.Clock.Advance(2 * time.Second) // the local memory of a refusal lives a second
		if _, err := guess(r, "ada@example.com", "another fine passphrase", from("198.51.100.1")); err != nil {
			t.Errorf("after the reset: %v", err)
		}
		for range 6 {
			_, _ = guess(r, "ada@example.com", "wrong password", from("198.51.100.1"))
		}
		_, err = guess(r, "ada@example.com", "another fine passphrase", from("198.51.100.1", ada.Device))
		wantCode(t, err, auth.CodeTooManyRequests) // its epoch is over
	})
}

// One address may be wrong 100 times in ten minutes, over all accounts; IPv6 counts by /64.
func TestThrottleAddress(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		r.AddUser(t, "ada@example.com")
		for i := range 100 {
			_, err := guess(r, fmt.Sprintf("user%d@example.com", i), "wrong password", from(fmt.Sprintf("2001:db8::%x", i+1)))
			wantCode(t, err, auth.CodeInvalidCredentials)
		}
		_, err := guess(r, "ada@example.com", authtest.Password, from("2001:db8::ffff"))
		wantCode(t, err, auth.CodeTooManyRequests)
		if _, err := guess(r, "ada@example.com", authtest.Password, from("2001:db8:0:1::1")); err != nil {
			t.Errorf("from the next network: %v", err)
		}
		r.Clock.Advance(7 * time.Second)
		if _, err := guess(r, "ada@example.com", authtest.Password, from("2001:db8::ffff")); err != nil {
			t.Errorf("when one failure has aged: %v", err)
		}
	})
}

// At 100 failures in a row unknown devices are refused until a reset, however long they wait; failures
// that do not reach it decay after a day.
func TestThrottleStop(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		r.AddUser(t, "ada@example.com")
		fail := func(times int) {
			for i := range times {
				r.Clock.Advance(time.Hour)
				_, err := guess(r, "ada@example.com", "wrong password", from(fmt.Sprintf("203.0.113.%d", i%250)))
				wantCode(t, err, auth.CodeInvalidCredentials)
			}
		}
		fail(10)
		r.Clock.Advance(25 * time.Hour)
		fail(100)
		r.Clock.Advance(30 * 24 * time.Hour)
		_, err := guess(r, "ada@example.com", authtest.Password, from("203.0.113.9"))
		wantCode(t, err, auth.CodeTooManyRequests)
		if got := retryAfter(err); got != time.Hour {
			t.Errorf("Retry-After is %v, want an hour", got)
		}
		if err := r.Service.SetPassword(context.Background(), "ada@example.com", "another fine passphrase"); err != nil {
			t.Fatal(err)
		}
		r.Clock.Advance(2 * time.Second)
		if _, err := guess(r, "ada@example.com", "another fine passphrase", from("203.0.113.9")); err != nil {
			t.Errorf("after the operator set a password: %v", err)
		}
	})
}

// I9: a throttled answer is the same for an account that does not exist.
func TestThrottleUnknownAccount(t *testing.T) {
	r := authtest.New(t, authtest.SQLite(t))
	r.AddUser(t, "ada@example.com")
	for _, email := range []string{"ada@example.com", "nobody@example.com"} {
		for range 6 {
			_, err := guess(r, email, "wrong password", from("203.0.113.1"))
			wantCode(t, err, auth.CodeInvalidCredentials)
		}
		_, err := guess(r, email, "wrong password", from("203.0.113.1"))
		wantCode(t, err, auth.CodeTooManyRequests)
		if got := retryAfter(err); got != time.Second {
			t.Errorf("%s: Retry-After is %v, want 1 s", email, got)
		}
	}
}

// A known device has the same waits and is never closed for good: no stop at 100, forgotten after a day.
func TestThrottleKnownDeviceHasNoStop(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, func(o *auth.Options) { o.Store = o.Store.Rigged(store.Rig{Clock: o.Now}) })
		r.AddUser(t, "ada@example.com")
		ada, err := guess(r, "ada@example.com", authtest.Password, from("203.0.113.1"))
		if err != nil {
			t.Fatal(err)
		}
		device := from("203.0.113.1", ada.Device)
		fail := func(times int) {
			t.Helper()
			for range times {
				r.Clock.Advance(time.Hour)
				_, err := guess(r, "ada@example.com", "wrong password", device)
				wantCode(t, err, auth.CodeInvalidCredentials)
			}
		}
		fail(120)
		_, err = guess(r, "ada@example.com", authtest.Password, device)
		wantCode(t, err, auth.CodeTooManyRequests)
		if got := retryAfter(err); got != time.Hour {
			t.Errorf("after 120 failures Retry-After is %v, want an hour", got)
		}
		r.Clock.Advance(25 * time.Hour)
		fail(1)
		if _, err := guess(r, "ada@example.com", authtest.Password, device); err != nil {
			t.Errorf("a day later, after one more failure: %v", err)
		}
		fail(120)
		r.Clock.Advance(25 * time.Hour)
		restarted, err := auth.New(context.Background(), r.Options) // a running one does not trust such a clock
		if err != nil {
			t.Fatal(err)
		}
		if _, err := restarted.Sweep(context.Background()); err != nil {
			t.Fatal(err)
		}
		if left := tally(t, r)["wrong passwords"]; left != 0 {
			t.Errorf("%d failures are left after a day and a sweep", left)
		}
	})
}

func tally(t *testing.T, r *authtest.Rig) (counts map[string]int64) {
	t.Helper()
	err := r.Store.Read(context.Background(), func(tx *store.Tx) (err error) {
		counts, err = tx.Tally()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return counts
}
