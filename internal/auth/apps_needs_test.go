package auth_test

// What a page session is enough for, what apps' tokens open, and signing out at an app's request, on both engines.

import (
	"context"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/oidc"
	"latchkey/internal/peer"
)

// A third party asks once for each scope, and what was allowed can be taken back.
func TestConsent(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		page := inPage(t, r, "ada@example.com")
		needs := func(want auth.Need, more ...string) {
			t.Helper()
			if got := authorize(t, r, page, asks(t, r, "third", more...)); got.Need != want || (want == "") != (got.Code != "") {
				t.Errorf("%v: needs %q, want %q", more, got.Need, want)
			}
		}
		needs(auth.NeedConsent)
		if got := authorize(t, r, page, asks(t, r, "third", "prompt", "none")); got.Refusal != "consent_required" {
			t.Errorf("prompt=none: %+v", got)
		}
		if err := r.Service.Consent(ctx, page.Caller, asks(t, r, "third"), peer.Peer{}); err != nil {
			t.Fatal(err)
		}
		needs("")
		needs("", "scope", "openid")                              // a subset
		needs(auth.NeedConsent, "scope", "openid offline_access") // a new one
		needs(auth.NeedConsent, "prompt", "consent")              // asked for again
		app := exchange(t, r, "third", codeFor(t, r, page, "third"))
		if app.RefreshToken != "" {
			t.Error("a third party has a refresh token without offline_access")
		}
		late := codeFor(t, r, page, "third")
		if err := r.Service.RevokeConsent(ctx, page.Caller, "third", peer.Peer{}); err != nil {
			t.Fatal(err)
		}
		if got := rowOf(t, r, app.SessionID).EndReason; got != auth.ReasonConsentRevoked {
			t.Errorf("its session ended for %q", got)
		}
		_, err := r.Service.Exchange(ctx, exchangeOf(r, "third", late), peer.Peer{})
		agreeCode(t, "a code of before", err, auth.CodeInvalidGrant)
		needs(auth.NeedConsent)
	})
}

// What a page session is enough for.
func TestAuthorizeNeeds(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		r.AddUser(t, "bob@example.com")
		page, bob := inPage(t, r, "ada@example.com"), inPage(t, r, "bob@example.com")
		r.Clock.Advance(time.Minute)
		hint := exchange(t, r, "shop", codeFor(t, r, bob, "shop")).IDToken
		own := exchange(t, r, "shop", codeFor(t, r, page, "shop")).IDToken
		for _, tt := range []struct {
			name  string
			alias string
			more  []string
			flow  oidc.Flow
			token string
			need  auth.Need
			none  string // with prompt=none instead
		}{
			{"nobody is signed in", "shop", nil, oidc.Flow{}, "", auth.NeedSignIn, "login_required"},
			{"signed in", "shop", nil, oidc.Flow{}, page.Token, "", ""},
			{"the same user", "shop", []string{"id_token_hint", own}, oidc.Flow{}, page.Token, "", ""},
			{"another user", "shop", []string{"id_token_hint", hint}, oidc.Flow{}, page.Token, auth.NeedContinue, "login_required"},
			{"old enough", "shop", []string{"max_age", "3600"}, oidc.Flow{}, page.Token, "", ""},
			{"too old", "shop", []string{"max_age", "59"}, oidc.Flow{}, page.Token, auth.NeedSignIn, "login_required"},
			{"too old, proved for it", "shop", []string{"max_age", "0"}, oidc.Flow{Proved: page.Caller.SessionID}, page.Token, "", ""},
			{"proved by another", "shop", []string{"prompt", "login"}, oidc.Flow{Proved: bob.Caller.SessionID}, page.Token, auth.NeedSignIn, ""},
			{"login", "shop", []string{"prompt", "login"}, oidc.Flow{Continued: page.Caller.SessionID}, page.Token, auth.NeedSignIn, ""},
			{"select account", "shop", []string{"prompt", "select_account"}, oidc.Flow{}, page.Token, auth.NeedContinue, ""},
			{"select account, pressed", "shop", []string{"prompt", "select_account"}, oidc.Flow{Continued: page.Caller.SessionID}, page.Token, "", ""},
			{"consent of a first party", "shop", []string{"prompt", "consent"}, oidc.Flow{}, page.Token, auth.NeedContinue, ""},
			{"create", "shop", []string{"prompt", "create"}, oidc.Flow{}, page.Token, auth.NeedSignUp, ""},
			{"a local program", "desk", nil, oidc.Flow{}, page.Token, auth.NeedContinue, "interaction_required"},
			{"a local program, pressed", "desk", nil, oidc.Flow{Continued: page.Caller.SessionID}, page.Token, "", ""},
			{"a local program, pressed by another", "desk", nil, oidc.Flow{Continued: bob.Caller.SessionID}, page.Token, auth.NeedContinue, "interaction_required"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				ask := func(more ...string) auth.Authorized {
					request := asks(t, r, tt.alias, more...)
					tt.flow.Query, tt.flow.At = request.Query(), r.Clock.Now()
					got, err := r.Service.Authorize(ctx, request, tt.flow, tt.token, peer.Peer{})
					if err != nil {
						t.Fatal(err)
					}
					return got
				}
				if got := ask(tt.more...); got.Need != tt.need || got.Refusal != "" || (got.Code != "") != (tt.need == "") {
					t.Errorf("got %+v, want need %q", got, tt.need)
				}
				if tt.none != "" {
					if got := ask(append(tt.more, "prompt", "none")...); got.Refusal != tt.none || got.Code != "" {
						t.Errorf("prompt=none: %+v, want %q", got, tt.none)
					}
				}
			})
		}
	})
}

// An app whose session its user has ended signs nobody in from that browser again without a press.
func TestEndedAppNeedsAPress(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		page := inPage(t, r, "ada@example.com")
		app := exchange(t, r, "shop", codeFor(t, r, page, "shop"))
		pending := codeFor(t, r, page, "shop")
		if err := r.Service.EndSession(ctx, page.Caller, app.SessionID, peer.Peer{}); err != nil {
			t.Fatal(err)
		}
		_, err := r.Service.Exchange(ctx, exchangeOf(r, "shop", pending), peer.Peer{})
		agreeCode(t, "a code of before", err, auth.CodeInvalidGrant)
		request := asks(t, r, "shop")
		ask := func(flow oidc.Flow, request oidc.Request) auth.Authorized {
			flow.Query, flow.At = request.Query(), r.Clock.Now()
			got, err := r.Service.Authorize(ctx, request, flow, page.Token, peer.Peer{})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		pressedBefore := oidc.Flow{Continued: page.Caller.SessionID}
		if got := ask(pressedBefore, request); got.Need != auth.NeedContinue {
			t.Errorf("a press of before: %+v", got)
		}
		if got := ask(oidc.Flow{}, asks(t, r, "shop", "prompt", "none")); got.Refusal != "interaction_required" {
			t.Errorf("prompt=none: %+v", got)
		}
		if err := r.Service.Press(ctx, page.Caller, request.Client); err != nil {
			t.Fatal(err)
		}
		if got := ask(pressedBefore, request); got.Code == "" {
			t.Errorf("after the press: %+v", got)
		}
		left := exchange(t, r, "shop", codeFor(t, r, page, "shop"))
		if err := r.Service.Revoke(ctx, "shop", left.RefreshToken, peer.Peer{}); err != nil { // the app's own sign-out
			t.Fatal(err)
		}
		if got := ask(oidc.Flow{}, request); got.Code == "" {
			t.Errorf("after the app's own sign-out: %+v", got)
		}
	})
}

// An app's token opens nothing under /auth without the scope account, and says nothing beyond its scope.
func TestAppTokensOpenTheirOwn(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		page := inPage(t, r, "ada@example.com")
		for _, tt := range []struct {
			name, alias, scope, resource string
			api, claims                  auth.Code
		}{
			{"account", "desk", "openid account", "", "", ""},
			{"no account", "desk", "openid email", "", auth.CodeInsufficientScope, ""},
			{"not its to have", "shop", "openid account", "", auth.CodeInsufficientScope, ""},
			{"no openid", "desk", "email", "", auth.CodeInsufficientScope, auth.CodeInsufficientScope},
			{"account, of another resource", "desk", "openid account", "https://api.desk.example", auth.CodeInsufficientScope, ""},
			{"another resource", "shop", "openid", "https://api.shop.example", auth.CodeInsufficientScope, ""},
		} {
			more := []string{"scope", tt.scope}
			if tt.resource != "" {
				more = append(more, "resource", tt.resource)
			}
			app := exchange(t, r, tt.alias, codeFor(t, r, page, tt.alias, more...))
			_, err := r.Service.Authenticate(ctx, app.AccessToken)
			agreeCode(t, tt.name+": under /auth", err, tt.api)
			_, err = r.Service.AuthenticateForClaims(ctx, app.AccessToken)
			agreeCode(t, tt.name+": userinfo", err, tt.claims)
			_, err = r.Service.Authenticate(ctx, app.IDToken)
			agreeCode(t, tt.name+": its ID token", err, auth.CodeInvalidToken)
		}
		job, _ := r.Service.ClientsNow().Lookup("job")
		own, err := r.Service.ClientCredentials(job, nil, "")
		agreeCode(t, "client credentials", err, "")
		_, err = r.Service.Authenticate(ctx, own.AccessToken)
		agreeCode(t, "a client's own token", err, auth.CodeInvalidToken)
		_, err = r.Service.AuthenticateForClaims(ctx, own.AccessToken)
		agreeCode(t, "a client's own token at userinfo", err, auth.CodeInvalidToken)
	})
}

// A hint ends the page session that its own session came from, and nothing else does so without being asked.
func TestLogout(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		page, elsewhere := inPage(t, r, "ada@example.com"), inPage(t, r, "ada@example.com")
		app, other := exchange(t, r, "shop", codeFor(t, r, page, "shop")), exchange(t, r, "shop", codeFor(t, r, elsewhere, "shop"))
		for _, tt := range []struct {
			name string
			in   auth.LogoutRequest
			want auth.LogoutAnswer
		}{
			{"nothing", auth.LogoutRequest{PageToken: page.Token}, auth.LogoutAnswer{Ask: true}},
			{"another browser's", auth.LogoutRequest{Hint: other.IDToken, PageToken: page.Token}, auth.LogoutAnswer{Client: "shop", Ask: true}},
			{"another client", auth.LogoutRequest{Hint: app.IDToken, Client: "desk", PageToken: page.Token}, auth.LogoutAnswer{Client: "desk", Ask: true}},
			{"an access token", auth.LogoutRequest{Hint: app.AccessToken, Client: "shop", PageToken: page.Token}, auth.LogoutAnswer{Client: "shop", Ask: true}},
			{"nobody is signed in", auth.LogoutRequest{Hint: app.IDToken}, auth.LogoutAnswer{Client: "shop"}},
			{"right", auth.LogoutRequest{Hint: app.IDToken, PageToken: page.Token}, auth.LogoutAnswer{Client: "shop", Ended: true}},
		} {
			got, err := r.Service.Logout(ctx, tt.in, peer.Peer{})
			if err != nil || got != tt.want {
				t.Errorf("%s: %+v, %v, want %+v", tt.name, got, err, tt.want)
			}
			over := rowOf(t, r, page.Caller.SessionID).EndReason != ""
			if over != tt.want.Ended {
				t.Errorf("%s: the page session has ended: %t", tt.name, over)
			}
		}
		if got := rowOf(t, r, app.SessionID).EndReason; got != auth.ReasonSignedOutElsewhere {
			t.Errorf("the app's session ended for %q", got)
		}
		if got := rowOf(t, r, elsewhere.Caller.SessionID).EndReason; got != "" {
			t.Errorf("another browser's ended for %q", got)
		}
	})
}
