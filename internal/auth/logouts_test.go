package auth_test

// Apps hear of the ends of their sessions, whichever rule ends them: internal/logouts has what is sent, internal/store that
// a row is written in the transaction of the end.

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/logouts"
	"latchkey/internal/peer"
)

// Each way in which a session of shop ends leaves one row for shop, and none for others; the auditor, which counts them,
// finds nothing amiss.
func TestEveryEndOfAnAppIsToBeTold(t *testing.T) {
	ctx := context.Background()
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		for name, end := range map[string]func(r *authtest.Rig, page auth.PageSession, app auth.Tokens, code, email string) error{
			"the app signs out": func(r *authtest.Rig, _ auth.PageSession, app auth.Tokens, _, _ string) error {
				return r.Service.Revoke(ctx, "shop", app.RefreshToken, peer.Peer{})
			},
			"its user signs out": func(r *authtest.Rig, page auth.PageSession, _ auth.Tokens, _, _ string) error {
				return r.Service.SignOutPage(ctx, page.Token, peer.Peer{})
			},
			"its user ends it": func(r *authtest.Rig, page auth.PageSession, app auth.Tokens, _, _ string) error {
				return r.Service.EndSession(ctx, page.Caller, app.SessionID, peer.Peer{})
			},
			"at an app's request": func(r *authtest.Rig, page auth.PageSession, app auth.Tokens, _, _ string) error {
				_, err := r.Service.Logout(ctx, auth.LogoutRequest{Hint: app.IDToken, PageToken: page.Token}, peer.Peer{})
				return err
			},
			"others, from elsewhere": func(r *authtest.Rig, _ auth.PageSession, _ auth.Tokens, _, email string) error {
				return r.Service.SignOut(ctx, inPageOf(r, email), auth.SignOut{Others: true}, peer.Peer{})
			},
			"its refresh token was used again": func(r *authtest.Rig, _ auth.PageSession, app auth.Tokens, _, _ string) error {
				for raw := app.RefreshToken; ; r.Clock.Advance(time.Minute) {
					next, err := refreshApp(r, "shop", raw)
					if err != nil {
						return err
					}
					if raw = next.RefreshToken; rowOf(t, r, app.SessionID).Generation == 4 {
						break
					}
				}
				_, err := refreshApp(r, "shop", app.RefreshToken)
				agreeCode(t, "reuse", err, auth.CodeInvalidRefreshToken)
				return nil
			},
			"its code was used again": func(r *authtest.Rig, _ auth.PageSession, _ auth.Tokens, code, _ string) error {
				r.Clock.Advance(11 * time.Second)
				_, err := r.Service.Exchange(ctx, exchangeOf(r, "shop", code), peer.Peer{})
				agreeCode(t, "the code", err, auth.CodeInvalidGrant)
				return nil
			},
			"too many of the app": func(r *authtest.Rig, page auth.PageSession, _ auth.Tokens, _, _ string) error {
				for range 10 {
					r.Clock.Advance(time.Second)
					exchange(t, r, "shop", codeFor(t, r, page, "shop"))
				}
				return nil
			},
			"too many browsers": func(r *authtest.Rig, _ auth.PageSession, _ auth.Tokens, _, email string) error {
				for range r.Options.SessionsPerUser {
					inPageOf(r, email)
				}
				return nil
			},
			"another user signs in": func(r *authtest.Rig, page auth.PageSession, _ auth.Tokens, _, email string) error {
				_, err := r.Service.SignInPage(ctx, auth.SignIn{Email: "bob." + email, Password: auth.Password{Value: authtest.Password}, Replaces: page.Token}, peer.Peer{})
				return err
			},
			"the operator ends it": func(r *authtest.Rig, _ auth.PageSession, app auth.Tokens, _, _ string) error {
				return r.Service.RevokeSession(ctx, app.SessionID)
			},
			"the operator ends its browser": func(r *authtest.Rig, page auth.PageSession, _ auth.Tokens, _, _ string) error {
				return r.Service.RevokeSession(ctx, page.Caller.SessionID)
			},
			"the operator ends all": func(r *authtest.Rig, _ auth.PageSession, _ auth.Tokens, _, email string) error {
				_, err := r.Service.EndMany(ctx, auth.EndSelection{Email: email})
				return err
			},
			"disabled": func(r *authtest.Rig, _ auth.PageSession, _ auth.Tokens, _, email string) error {
				return r.Service.DisableUser(ctx, email)
			},
			"deleted": func(r *authtest.Rig, _ auth.PageSession, _ auth.Tokens, _, email string) error {
				return r.Service.DeleteUser(ctx, email)
			},
			"another password": func(r *authtest.Rig, _ auth.PageSession, _ auth.Tokens, _, email string) error {
				return r.Service.SetPassword(ctx, email, "another fine passphrase")
			},
			"another address": func(r *authtest.Rig, _ auth.PageSession, _ auth.Tokens, _, email string) error {
				return r.Service.SetEmail(ctx, email, "new."+email)
			},
		} {
			t.Run(name, func(t *testing.T) {
				r, email := authtest.New(t, db, withApps, func(o *auth.Options) { o.SessionsPerUser = 3 }), mailboxOf(name)
				r.Clock.Stop()
				r.AddUser(t, email)
				r.AddUser(t, "bob."+email)
				page := inPage(t, r, email)
				code := codeFor(t, r, page, "shop")
				app := exchange(t, r, "shop", code)
				before := r.Tally(t)
				if err := end(r, page, app, code, email); err != nil {
					t.Fatal(err)
				}
				if got := r.Tally(t)["logouts: shop "] - before["logouts: shop "]; got != 1 {
					t.Errorf("%d rows are written", got)
				}
				if got, err := r.Service.Logouts().ByID(ctx, app.SessionID); err != nil || got.Client != "shop" || got.Outcome != "" {
					t.Errorf("its row: %+v, %v", got, err)
				}
				wantSound(t, r)
			})
		}
	})
}

// A session that has run out is told of when the sweep marks it, and once.
func TestAnEndByItselfIsToBeTold(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		r.AddUser(t, "ada@example.com")
		app := exchange(t, r, "shop", codeFor(t, r, inPage(t, r, "ada@example.com"), "shop"))
		r.Clock.Advance(15 * 24 * time.Hour)
		for _, want := range []int64{0, 1, 1} {
			if got := r.Tally(t)["logouts: shop "]; got != want {
				t.Errorf("%d rows are written, want %d", got, want)
			}
			sweepAnew(t, r)
			r.Clock.Advance(2 * time.Hour)
		}
		if got := rowOf(t, r, app.SessionID).EndReason; got != auth.ReasonExpiredIdle {
			t.Errorf("it ended for %q", got)
		}
		wantSound(t, r)
	})
}

// sweepAnew sweeps after a step of the clock, which a running server does not trust at first.
func sweepAnew(t *testing.T, r *authtest.Rig) {
	t.Helper()
	sweepAll(t, r.Service) // which does nothing after a step of the clock but to notice it
	sweepAll(t, r.Service)
}

// What a clock that was ahead has put off is not waited for until that time comes.
func TestClockStepAndLogouts(t *testing.T) {
	ctx := context.Background()
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		var log bytes.Buffer
		r := steppedBack(t, db, &log, func(r *authtest.Rig) {
			page := inPage(t, r, "ada@example.com")
			exchange(t, r, "shop", codeFor(t, r, page, "shop"))
			if err := r.Service.SignOutPage(ctx, page.Token, peer.Peer{}); err != nil {
				t.Fatal(err)
			}
		}, withApps)
		due := func(want bool, when string) {
			t.Helper()
			if more, err := r.Service.Logouts().DeliverNext(ctx); more != want || err != nil {
				t.Errorf("%s: something is due %t, %v, want %t", when, more, err, want)
			}
		}
		due(false, "the fault that is set right")
		settle(t, r)
		r.Clock.Advance(logouts.LongestWait)
		due(true, "settled")
		if !strings.Contains(log.String(), "what=logouts") {
			t.Errorf("the log does not tell of it:\n%s", &log)
		}
	})
}

// From a sign-out on a page to the app, with the parts as a server has them. A month later nothing is left, and the app
// is not told again.
func TestSignOutReachesTheApp(t *testing.T) {
	ctx := context.Background()
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		told := make(chan string, 10)
		app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.PostFormValue("logout_token") }))
		t.Cleanup(app.Close)
		var outcomes []string
		r := authtest.New(t, db, func(o *auth.Options) {
			set, err := clients.New([]clients.Client{
				{Alias: "shop", Name: "Shop", URL: "https://shop.example", RedirectURIs: []string{shopURI}, BackchannelLogoutURI: app.URL},
			})
			if err != nil {
				t.Fatal(err)
			}
			o.Clients, o.OnLogout = set, func(outcome string) { outcomes = append(outcomes, outcome) }
		})
		r.AddUser(t, "ada@example.com")
		page := inPage(t, r, "ada@example.com")
		session := exchange(t, r, "shop", codeFor(t, r, page, "shop"))
		deliver := func(want int) {
			t.Helper()
			for more, err := true, error(nil); more; {
				if more, err = r.Service.Logouts().DeliverNext(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if len(told) != want || len(outcomes) != want {
				t.Fatalf("the app was told %d times, counted %v, want %d", len(told), outcomes, want)
			}
		}
		deliver(0)
		if err := r.Service.SignOutPage(ctx, page.Token, peer.Peer{}); err != nil {
			t.Fatal(err)
		}
		deliver(1)
		raw := <-told
		_, err := r.Service.Authenticate(ctx, raw)
		agreeCode(t, "the logout token as a Bearer", err, auth.CodeInvalidToken)
		if hinted, err := r.Service.Logout(ctx, auth.LogoutRequest{Hint: raw}, peer.Peer{}); err != nil || hinted.Client != "" {
			t.Errorf("the logout token as a hint: %+v, %v", hinted, err)
		}
		if seen, err := r.Service.Introspect(ctx, clients.Client{Alias: "shop"}, raw, peer.Peer{}); err != nil || seen.Active {
			t.Errorf("introspected: %+v, %v", seen, err)
		}
		outcomes = nil
		for range 2 { // what it is about goes first, then this
			r.Clock.Advance(31 * 24 * time.Hour)
			sweepAnew(t, r)
			deliver(0)
		}
		if _, err := r.Service.Logouts().ByID(ctx, session.SessionID); err == nil {
			t.Error("it is remembered for ever")
		}
	})
}
