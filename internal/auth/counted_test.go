package auth_test

// What metrics are told of: every outcome is one of those listed, so that its series was there before.

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/mail"
	"latchkey/internal/outbox"
)

// brokenPost takes no mail.
type brokenPost struct{}

func (brokenPost) Send(context.Context, mail.Message) (string, error) {
	return "", errors.New("connection refused")
}

func TestOutcomesAreCounted(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		var mu sync.Mutex
		told := map[string][]string{}
		count := func(what string) func(string) {
			return func(outcome string) {
				mu.Lock()
				defer mu.Unlock()
				told[what] = append(told[what], outcome)
			}
		}
		broken := false
		r := authtest.New(t, db, func(o *auth.Options) {
			o.OnRefresh, o.OnSignIn, o.OnMail = count("refresh"), count("sign-in"), count("mail")
			inbox := o.Sender
			o.Sender = senderFunc(func(ctx context.Context, m mail.Message) (string, error) {
				if broken {
					return brokenPost{}.Send(ctx, m)
				}
				return inbox.Send(ctx, m)
			})
		})
		r.AddUser(t, "ada@example.com")
		tokens := r.In(t, "ada@example.com")
		for range 7 {
			_, _ = attempt(r, "ada@example.com", "wrong password", from("203.0.113.1"))
		}
		_, _ = attempt(r, "no address", "wrong password", from("203.0.113.1"))
		_, _ = r.Refresh(ctx, tokens.RefreshToken)
		_, _ = r.Refresh(ctx, "nonsense")
		r.Clock.Advance(time.Millisecond)
		for _, email := range []string{"ada@example.com", "nobody@example.com"} {
			if _, err := r.ForgotPassword(ctx, api.ForgotPasswordRequest{Email: email}); err != nil {
				t.Fatal(err)
			}
		}
		r.Deliver(t)
		broken = true
		if err := r.RequestVerification(ctx, api.VerificationMailRequest{Email: "eve@example.com"}); err != nil {
			t.Fatal(err)
		}
		r.Deliver(t)
		for what, want := range map[string]struct{ listed, seen []string }{
			"refresh": {auth.RefreshOutcomes(), []string{"malformed", "rotated"}},
			"sign-in": {auth.SignInOutcomes(), []string{"success", "invalid_credentials", "too_many_requests", "other"}},
			"mail":    {outbox.Outcomes(), []string{"sent", "no_account", "postponed"}},
		} {
			for _, outcome := range told[what] {
				if !slices.Contains(want.listed, outcome) {
					t.Errorf("%s: %q is told and not listed", what, outcome)
				}
			}
			for _, outcome := range want.seen {
				if !slices.Contains(told[what], outcome) {
					t.Errorf("%s: %q is not told, but %q", what, outcome, told[what])
				}
			}
		}
		if err := r.Service.Upkeep().CountSessions(ctx); err != nil {
			t.Fatal(err)
		}
		if live := r.Service.Upkeep().LiveSessions(); live != 1 {
			t.Errorf("%d live sessions, want 1", live)
		}
		if _, most := r.Service.DatabaseLoad(); most < 4 {
			t.Errorf("%d connections at most", most)
		}
		r.Clock.Advance(time.Hour)
		if age, ok := r.Service.Keys().ActiveAge(); !ok || age < time.Hour {
			t.Errorf("the signing key's age is %v (%t), want an hour", age, ok)
		}
	})
}

type senderFunc func(context.Context, mail.Message) (string, error)

func (f senderFunc) Send(ctx context.Context, m mail.Message) (string, error) { return f(ctx, m) }
