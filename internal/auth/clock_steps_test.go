package auth_test

// A clock that was ahead by hours and is put right: nobody and nothing is put off for that long.

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
)

const wrongBy = 6 * time.Hour

// steppedBack is a rig on whose clock, six hours ahead, something was done; then it is put right.
func steppedBack(t *testing.T, db authtest.Database, log *bytes.Buffer, ahead func(r *authtest.Rig), tweak ...func(*auth.Options)) *authtest.Rig {
	t.Helper()
	r := authtest.New(t, db, append(tweak, func(o *auth.Options) {
		o.Store = authtest.Faults{Clock: o.Now}.On(o.Store)
		o.Log = slog.New(slog.NewTextHandler(log, nil))
	})...)
	r.Clock.Stop()
	r.AddUser(t, "ada@example.com")
	r.AddUser(t, "bob@example.com")
	r.Clock.Advance(wrongBy)
	ahead(r)
	r.Clock.Advance(-wrongBy)
	return r
}

func settle(t *testing.T, r *authtest.Rig) {
	t.Helper()
	if err := r.Service.Upkeep().SettleClock(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.Clock.Advance(2 * time.Second) // a "no" may be repeated from memory for one
}

func TestClockStepAndWrongPasswords(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		var log bytes.Buffer
		r := steppedBack(t, db, &log, func(r *authtest.Rig) {
			_, err := attempt(r, "ada@example.com", "wrong password", from("203.0.113.1"))
			wantCode(t, err, auth.CodeInvalidCredentials)
			for range 6 {
				_, _ = attempt(r, "bob@example.com", "wrong password", from("203.0.113.2"))
			}
		})
		_, err := attempt(r, "ada@example.com", authtest.Password, from("198.51.100.1"))
		wantCode(t, err, auth.CodeTooManyRequests) // the fault that is set right
		settle(t, r)
		if _, err := attempt(r, "ada@example.com", authtest.Password, from("198.51.100.1")); err != nil {
			t.Errorf("after one wrong password, and the clock put right: %v", err)
		}
		if _, err := attempt(r, "bob@example.com", authtest.Password, from("198.51.100.1")); err != nil {
			t.Errorf("after six wrong passwords and the wait of one second: %v", err)
		}
		_, err = attempt(r, "eve@example.com", "wrong password", from("203.0.113.1"))
		if wait := retryAfter(err); wait > 11*time.Minute {
			t.Errorf("the address of one wrong password waits for %v, longer than any may", wait)
		}
		if got := strings.Count(log.String(), "a clock was ahead"); got != 2 {
			t.Errorf("%d lines, want one each of waits and rates:\n%s", got, &log)
		}
		log.Reset()
		settle(t, r)
		if log.Len() > 0 {
			t.Errorf("a second time there was something to set right: %s", &log)
		}
	})
}

// What a right clock put off stays put off.
func TestClockSettledTakesNothingBack(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		var log bytes.Buffer
		r := authtest.New(t, db, func(o *auth.Options) {
			o.Store = authtest.Faults{Clock: o.Now}.On(o.Store)
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
		})
		r.Clock.Stop()
		r.AddUser(t, "ada@example.com")
		for range 12 {
			_, _ = attempt(r, "ada@example.com", "wrong password", from("203.0.113.1"))
			r.Clock.Advance(time.Hour)
		}
		_, _ = attempt(r, "ada@example.com", "wrong password", from("203.0.113.1"))
		if _, err := r.Service.Keys().Rotate(context.Background()); err != nil {
			t.Fatal(err)
		}
		before := authtest.KeyStates(t, r.Service)
		settle(t, r)
		_, err := attempt(r, "ada@example.com", authtest.Password, from("203.0.113.2"))
		wantCode(t, err, auth.CodeTooManyRequests)
		if after := authtest.KeyStates(t, r.Service); !slices.Equal(after, before) {
			t.Errorf("keys are %v, want %v", after, before)
		}
		if log.Len() > 0 {
			t.Errorf("a right clock was set right: %s", &log)
		}
	})
}

func TestClockStepAndMail(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		var log bytes.Buffer
		ask := func(r *authtest.Rig) {
			t.Helper()
			if _, err := r.ForgotPassword(context.Background(), api.ForgotPasswordRequest{Email: "ada@example.com"}); err != nil {
				t.Fatal(err)
			}
		}
		r := steppedBack(t, db, &log, ask)
		settle(t, r)
		r.Clock.Advance(2 * time.Minute) // the gap between two mails
		ask(r)
		r.Clock.Advance(20 * time.Minute) // the longest that a mail is put off
		r.Deliver(t)
		if got := len(r.Mailbox.Messages()); got != 2 {
			t.Errorf("%d mails, want that of the wrong time and the one asked for after it:\n%s", got, &log)
		}
	})
}
