package auth_test

// The throttle through the whole server, on both engines (I8).

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/peer"
)

// from is a peer of the test's choosing.
func from(addr string, devices ...string) peer.Peer {
	return peer.Peer{Addr: netip.MustParseAddr(addr), Devices: devices}
}

// attempt signs in with a password that may be wrong.
func attempt(r *authtest.Rig, email, password string, peer peer.Peer) (auth.Tokens, error) {
	return r.Service.SignIn(context.Background(), auth.SignIn{Email: email, Password: auth.Password{Value: password}}, peer)
}

func wantCode(t *testing.T, err error, want auth.Code) {
	t.Helper()
	if got := auth.CodeOf(err); err == nil || got != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func retryAfter(err error) time.Duration {
	return auth.AsError(err).RetryAfter
}

// Five wrong passwords are free; each further one sets a wait that doubles; the right one works after
// it, and only after it.
func TestSignInWaits(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		r.Clock.Stop()
		r.AddUser(t, "ada@example.com")
		peer := from("203.0.113.1")
		for range 6 {
			_, err := attempt(r, "ada@example.com", "wrong password", peer)
			wantCode(t, err, auth.CodeInvalidCredentials)
		}
		for i, wait := range []time.Duration{1, 2, 4, 8, 16} {
			_, err := attempt(r, "ada@example.com", authtest.Password, peer)
			wantCode(t, err, auth.CodeTooManyRequests)
			if got := retryAfter(err); got != wait*time.Second {
				t.Errorf("failure %d: Retry-After is %v, want %v", i+6, got, wait*time.Second)
			}
			r.Clock.Advance(wait * time.Second)
			if i == 4 {
				break
			}
			_, err = attempt(r, "ada@example.com", "wrong password", peer)
			wantCode(t, err, auth.CodeInvalidCredentials)
		}
		if _, err := attempt(r, "ada@example.com", authtest.Password, peer); err != nil {
			t.Fatalf("the right password after the wait: %v", err)
		}
		if _, err := attempt(r, "ada@example.com", "wrong password", peer); auth.CodeOf(err) != auth.CodeInvalidCredentials {
			t.Errorf("the first failure after a success: got %v", err)
		}
	})
}

// I8: 40 wrong guesses at once from 40 addresses: no more than limit + permits are evaluated, and a
// second node on the same database knows.
func TestThrottleCountsParallelGuesses(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		then := time.Now() // and no wait is over before the last guess has come
		stopped := func(o *auth.Options) {
			o.Now = func() time.Time { return then }
			o.Store = authtest.Faults{Clock: o.Now}.On(o.Store) // or a server that starts later would go by the database's clock
		}
		r := authtest.New(t, db, stopped)
		r.AddUser(t, "ada@example.com")
		var mu sync.Mutex
		evaluated := 0
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				_, err := attempt(r, "ada@example.com", "wrong password", from(fmt.Sprintf("203.0.113.%d", i+1)))
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
		other := authtest.New(t, db, stopped)
		_, err := attempt(other, "ada@example.com", authtest.Password, from("198.51.100.9"))
		wantCode(t, err, auth.CodeTooManyRequests)
	})
}

// A stranger can neither lock a user out who shows a device token, nor close the way to a reset; and a
// device token names the budget of its own user only.
func TestThrottleKnownDevice(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		r.Clock.Stop()
		r.AddUser(t, "ada@example.com")
		r.AddUser(t, "eve@example.com")
		ada, err := attempt(r, "ada@example.com", authtest.Password, from("203.0.113.1"))
		if err != nil {
			t.Fatal(err)
		}
		eve, err := attempt(r, "eve@example.com", authtest.Password, from("203.0.113.2"))
		if err != nil {
			t.Fatal(err)
		}
		for range 7 {
			_, _ = attempt(r, "ada@example.com", "wrong password", from("198.51.100.1"))
		}
		_, err = attempt(r, "ada@example.com", authtest.Password, from("198.51.100.1"))
		wantCode(t, err, auth.CodeTooManyRequests)
		_, err = attempt(r, "ada@example.com", authtest.Password, from("198.51.100.1", eve.Device))
		wantCode(t, err, auth.CodeTooManyRequests)
		again, err := attempt(r, "ada@example.com", authtest.Password, from("198.51.100.1", "garbage", ada.Device))
		if err != nil {
			t.Fatalf("from a known device: %v", err)
		}
		for range 6 {
			_, err = attempt(r, "ada@example.com", "wrong password", from("198.51.100.1", again.Device))
			wantCode(t, err, auth.CodeInvalidCredentials)
		}
		_, err = attempt(r, "ada@example.com", authtest.Password, from("198.51.100.1", again.Device))
		wantCode(t, err, auth.CodeTooManyRequests)

		r.Clock.Advance(time.Millisecond) // a link asked for in the moment of the last change is older than it
		code := r.ForgotCode(t, "ada@example.com")
		_, err = r.Service.ResetPassword(context.Background(), auth.ResetPassword{
			Email: "ada@example.com", Token: code, Password: auth.Password{Value: "another fine passphrase"},
		}, from("198.51.100.1"))
		if err != nil {
			t.Fatalf("a reset while the account is throttled: %v", err)
		}
		r.Clock.Advance(2 * time.Second) // the local memory of a refusal lives a second
		if _, err := attempt(r, "ada@example.com", "another fine passphrase", from("198.51.100.1")); err != nil {
			t.Errorf("after the reset: %v", err)
		}
		for range 6 {
			_, _ = attempt(r, "ada@example.com", "wrong password", from("198.51.100.1"))
		}
		_, err = attempt(r, "ada@example.com", "another fine passphrase", from("198.51.100.1", ada.Device))
		wantCode(t, err, auth.CodeTooManyRequests) // its epoch is over
	})
}

// I9: a throttled answer is the same for an account that does not exist.
func TestThrottleUnknownAccount(t *testing.T) {
	r := authtest.New(t, authtest.SQLite(t))
	r.Clock.Stop()
	r.AddUser(t, "ada@example.com")
	for _, email := range []string{"ada@example.com", "nobody@example.com"} {
		for range 6 {
			_, err := attempt(r, email, "wrong password", from("203.0.113.1"))
			wantCode(t, err, auth.CodeInvalidCredentials)
		}
		_, err := attempt(r, email, "wrong password", from("203.0.113.1"))
		wantCode(t, err, auth.CodeTooManyRequests)
		if got := retryAfter(err); got != time.Second {
			t.Errorf("%s: Retry-After is %v, want 1 s", email, got)
		}
	}
}
