package server_test

// I9: to a caller without the right password, every kind of account and none at all look the same.

import (
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
)

// seen is an answer without what is new in every answer: request id, date, a made-up id.
type seen struct {
	Status int
	Header http.Header
	Body   string
}

var fresh = regexp.MustCompile(`"(requestId|id)":"[0-9a-f-]+"`)

func masked(x answer) seen {
	header := x.header.Clone()
	for _, name := range []string{"Date", "X-Request-Id"} {
		if len(header[name]) != 1 {
			x.t.Errorf("%s is there %d times", name, len(header[name]))
		}
		header.Del(name)
	}
	return seen{x.status, header, fresh.ReplaceAllString(string(x.body), `"$1":"..."`)}
}

// strangers are one address of each kind, all of one length, as somebody meets them who knows no
// password. The first is unknown.
func strangers(a *app) (kinds, emails []string) {
	a.Helper()
	pw := authtest.Password
	unknown, disabled := "stranger.00@example.com", "stranger.03@example.com"
	a.add(auth.NewUser{Email: "stranger.01@example.com", Password: &pw})
	a.add(auth.NewUser{Email: "stranger.02@example.com", Password: &pw, Unverified: true})
	a.add(auth.NewUser{Email: disabled, Password: &pw})
	if err := a.Service.DisableUser(a.Context(), disabled); err != nil {
		a.Fatal(err)
	}
	a.add(auth.NewUser{Email: "stranger.04@example.com"})
	a.add(auth.NewUser{Email: "stranger.05@example.com", Unverified: true})
	return []string{"unknown", "known", "unverified", "disabled", "without a password", "unverified without a password"},
		[]string{unknown, "stranger.01@example.com", "stranger.02@example.com", disabled, "stranger.04@example.com", "stranger.05@example.com"}
}

func TestStrangersLookAlike(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		kinds, emails := strangers(n.enter(t))
		for _, tt := range []struct {
			name string
			ask  func(a *app, email string) answer
		}{
			{"sign-in", func(a *app, email string) answer {
				return a.signIn(email, "not "+authtest.Password).is("401 invalid_credentials")
			}},
			{"changing a password", func(a *app, email string) answer {
				return a.change(email, "not "+authtest.Password, "another "+authtest.Password).is("401 invalid_credentials")
			}},
			{"forgot-password", func(a *app, email string) answer {
				return a.post("/auth/forgot-password", members{"email": email}).is("200")
			}},
			{"forgot-password again", func(a *app, email string) answer {
				return a.post("/auth/forgot-password", members{"email": email}).is("200")
			}},
			{"resetting with a made-up token", func(a *app, email string) answer {
				return a.reset(email, madeUp, "x").is("400 invalid_reset_token")
			}},
			{"verification-mail", func(a *app, email string) answer {
				return a.post("/auth/verification-mail", members{"email": email}).is("201")
			}},
			{"verifying with a made-up code", func(a *app, email string) answer {
				return a.verify(email, madeUp).is("400 invalid_verification_code")
			}},
			{"signing up with a made-up code", func(a *app, email string) answer {
				return a.signUp(email, madeUp, "x").is("400 email_not_verified")
			}},
			{"signing up without a code", func(a *app, email string) answer {
				return a.signUp(email, "", "x").is("400 email_not_verified")
			}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				var first seen
				for i, email := range emails {
					got := masked(tt.ask(n.enter(t), email))
					got.Body = regexp.MustCompile(`stranger\.\d\d`).ReplaceAllString(got.Body, "stranger")
					if i == 0 {
						first = got
					}
					if diff := cmp.Diff(first, got); diff != "" {
						t.Errorf("%s (-) and %s (+) can be told apart:\n%s", kinds[0], kinds[i], diff)
					}
				}
			})
		}
	})
}

// Throttled answers are alike to the last header, the seconds to wait among them: here the clock stands.
func TestThrottledStrangersLookAlike(t *testing.T) {
	at := time.Now()
	onBothEngines(t, func(o *auth.Options) { o.Now = func() time.Time { return at } }, func(t *testing.T, n *node) {
		kinds, emails := strangers(n.enter(t))
		var first []seen
		for i, email := range emails {
			a := n.enter(t)
			for range 6 { // the sixth sets the first wait
				a.signIn(email, "wrong").is("401 invalid_credentials")
			}
			got := []seen{
				masked(a.signIn(email, "wrong").is("429 too_many_requests")),
				masked(a.signIn(email, authtest.Password).is("429 too_many_requests")),
				masked(a.change(email, "wrong", newPassword).is("429 too_many_requests")),
			}
			if i == 0 {
				first = got
			}
			if diff := cmp.Diff(first, got); diff != "" {
				t.Errorf("%s (-) and %s (+) can be told apart:\n%s", kinds[0], kinds[i], diff)
			}
		}
		for _, name := range []string{"Retry-After", "Ratelimit", "Ratelimit-Policy"} {
			if len(first[0].Header[name]) != 1 {
				t.Errorf("%s is not there: %v", name, first[0].Header)
			}
		}
	})
}
