package auth_test

// What the operator ends at once, where apps' sessions came from page sessions; on both engines.

import (
	"context"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/peer"
)

// goOn lets hours pass in which nothing but an app's session is used.
func goOn(t *testing.T, r *authtest.Rig, app auth.Tokens) {
	t.Helper()
	for range 4 {
		r.Clock.Advance(time.Hour)
		next, err := refreshApp(r, "shop", app.RefreshToken)
		agreeCode(t, "refresh", err, "")
		app = next
	}
}

// untilRunOut are the states of a page session whose inactivity limit is two hours, and how it comes to each.
var untilRunOut = map[string]func(t *testing.T, r *authtest.Rig, app auth.Tokens){
	"alive":       func(*testing.T, *authtest.Rig, auth.Tokens) {},
	"has run out": goOn,
	"is marked so": func(t *testing.T, r *authtest.Rig, app auth.Tokens) {
		goOn(t, r, app)
		sweepAnew(t, r)
	},
}

// What came from a page session goes with it, whether it lives, has run out, or is marked so; an app's end is its own.
func TestEndManyWithApps(t *testing.T) {
	const half = 30 * time.Second // of a step of the clock: PostgreSQL's own may be some way off it
	ctx := context.Background()
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps, func(o *auth.Options) { o.RefreshIdle = 2 * time.Hour })
		for state, pass := range untilRunOut {
			for name, tt := range map[string]struct {
				which auth.EndSelection
				app   string // why its session ends
				page  string // why that which it came from ends, where it is not marked
			}{
				"all":                        {auth.EndSelection{}, "admin", "admin"},
				"the page session's client":  {auth.EndSelection{Client: "desk"}, "admin", "admin"},
				"the app's client":           {auth.EndSelection{Client: "shop"}, "admin", ""},
				"another client":             {auth.EndSelection{Client: "third"}, "", ""},
				"by the page session's time": {auth.EndSelection{Before: time.Unix(1, 0)}, "admin", "admin"},
			} {
				for _, whose := range []string{"anybody's", "an account's"} {
					email := mailboxOf(whose[:3] + " " + state + " " + name)
					r.AddUser(t, email)
					page, err := r.Service.SignInPage(ctx, auth.SignIn{Email: email, Password: auth.Password{Value: authtest.Password}, ClientAlias: "desk"}, peer.Peer{})
					if err != nil {
						t.Fatal(err)
					}
					between := r.Clock.Now().Add(half)
					r.Clock.Advance(time.Minute)
					app := exchange(t, r, "shop", codeFor(t, r, page, "shop"))
					pass(t, r, app)

					which, want := tt.which, rowOf(t, r, page.Caller.SessionID).EndReason
					if !which.Before.IsZero() {
						which.Before = between
					}
					if whose == "an account's" {
						which.Email = email
					}
					if want == "" {
						want = tt.page
					}
					if _, err := r.Service.EndMany(ctx, which); err != nil {
						t.Fatal(err)
					}
					if got := rowOf(t, r, app.SessionID).EndReason; got != tt.app {
						t.Errorf("%s, %s, %s: the app's session ended for %q, want %q", state, name, whose, got, tt.app)
					}
					if got := rowOf(t, r, page.Caller.SessionID).EndReason; got != want {
						t.Errorf("%s, %s, %s: the page session ended for %q, want %q", state, name, whose, got, want)
					}
					if n, err := r.Service.EndMany(ctx, which); n != 0 || err != nil {
						t.Errorf("%s, %s, %s, again: %d, %v", state, name, whose, n, err)
					}
				}
			}
		}
	})
}
