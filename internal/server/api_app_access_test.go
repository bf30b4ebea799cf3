package server_test

// What the tokens of apps open and what they do not: claims about whoever signed in, the API under /auth, and the consents by
// which people allow apps anything.

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/api"
)

// challenged ends the test unless the answer says that the token was given for something else (RFC 6750 §3.1).
func challenged(x answer) {
	x.t.Helper()
	x.is("403 insufficient_scope")
	if got := x.header.Get("WWW-Authenticate"); got != `Bearer realm="latchkey", error="insufficient_scope"` {
		x.t.Errorf("challenge %q", got)
	}
}

func TestAppUserInfo(t *testing.T) {
	prove(t, "GET /oauth/userinfo", besideApps, []proof{
		{"200: what the scope allows", func(a *app) {
			b, email := a.person()
			whole := a.In(a.T, email)
			all := api.UserInfo{Subject: a.userID(whole), Email: email, EmailVerified: true, Name: "Ada Lovelace", GivenName: "Ada", FamilyName: "Lovelace"}
			for token, want := range map[string]api.UserInfo{
				whole.AccessToken: all, // of /auth/signin
				b.tokensFor("shop", "scope", "openid").AccessToken:                      {Subject: all.Subject},
				b.tokensFor("shop", "scope", "openid email").AccessToken:                {Subject: all.Subject, Email: all.Email, EmailVerified: true},
				b.tokensFor("third", "scope", "openid profile").AccessToken:             {Subject: all.Subject, Name: all.Name, GivenName: all.GivenName, FamilyName: all.FamilyName},
				b.tokensFor("portal", "scope", "openid account").AccessToken:            {Subject: all.Subject},
				b.tokensFor("shop", "scope", "openid", "resource", shopAPI).AccessToken: {Subject: all.Subject}, // whatever its audience
			} {
				if diff := cmp.Diff(want, decode[api.UserInfo](a.get("/oauth/userinfo", bearer(token)).is("200"))); diff != "" {
					a.Errorf("%v (-want +got):\n%s", jwt(a.T, token).claims["scope"], diff)
				}
			}
		}},
		{"401 invalid_token", func(a *app) {
			refusesBadBearers(a, "GET", "/oauth/userinfo")
			b, _ := a.person()
			tokens := b.tokensFor("shop")
			own := decode[api.AppTokens](a.grant("job", jobForm()).is("200"))
			for _, token := range []string{tokens.IDToken, tokens.RefreshToken, own.AccessToken} {
				a.get("/oauth/userinfo", bearer(token)).is("401 invalid_token")
			}
			b.open("/account").submit("/signout")
			a.get("/oauth/userinfo", bearer(tokens.AccessToken)).is("401 invalid_token")
		}},
		{"403 insufficient_scope", func(a *app) {
			b, _ := a.person()
			challenged(a.get("/oauth/userinfo", bearer(b.tokensFor("shop", "scope", "email profile").AccessToken)))
		}},
	})
}

func TestPostAppUserInfo(t *testing.T) {
	prove(t, "POST /oauth/userinfo", besideApps, []proof{
		{"200", func(a *app) {
			b, _ := a.person()
			token := b.tokensFor("shop").AccessToken
			want := decode[api.UserInfo](a.get("/oauth/userinfo", bearer(token)).is("200"))
			if diff := cmp.Diff(want, decode[api.UserInfo](a.post("/oauth/userinfo", url.Values{"x": {"y"}}, bearer(token)).is("200"))); diff != "" {
				a.Errorf("claims (-GET +POST):\n%s", diff)
			}
			a.post("/oauth/userinfo", url.Values{"access_token": {token}}).is("401 invalid_token") // RFC 6750 §2.2 is not taken
		}},
		{"401 invalid_token", func(a *app) { refusesBadBearers(a, "POST", "/oauth/userinfo") }},
		{"403 insufficient_scope", func(a *app) {
			b, _ := a.person()
			challenged(a.post("/oauth/userinfo", nil, bearer(b.tokensFor("shop", "scope", "email").AccessToken)))
		}},
	})
}

// A third party's token must not list or end anybody's sessions, so without the scope account an app's opens nothing here.
func TestAppTokensOpenNothingUnderAuth(t *testing.T) {
	operations := [...]string{
		"POST /auth/signout", "GET /auth/{id}/sessions", "DELETE /auth/{id}/sessions", "POST /auth/reset-password",
		"GET /auth/userinfo", "POST /auth/userinfo", "GET /auth/consents", "DELETE /auth/consents/{client}",
	}
	onBothEngines(t, besideApps, func(t *testing.T, n *node) {
		for _, operation := range operations {
			t.Run("403 insufficient_scope/"+operation, func(t *testing.T) {
				a := n.enter(t)
				b, _ := a.person()
				tokens := b.tokensFor("shop", "scope", "email account") // the second is not its to have
				claims := jwt(t, tokens.AccessToken).claims
				method, path, _ := strings.Cut(operation, " ")
				id := claims["sub"].(string)
				if method == "DELETE" {
					id = claims["sid"].(string)
				}
				path = strings.NewReplacer("{id}", id, "{client}", "shop").Replace(path)
				challenged(a.send(method, path, nil, bearer(tokens.AccessToken)))
				if !a.door.saw(operation, "403 insufficient_scope") {
					t.Errorf("%s %s is another operation", method, path)
				}
				a.grant("shop", refreshForm(tokens.RefreshToken)).is("200") // nothing has ended
			})
		}
	})
}

// An app with the scope account may do what a sign-in of the API may: see the browser that it came from, and end it.
func TestAppWithTheWholeAccount(t *testing.T) {
	onBothEngines(t, besideApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, _ := a.person()
		b.tokensFor("shop")
		tokens := b.tokensFor("portal", "scope", "account")
		claims := jwt(t, tokens.AccessToken).claims
		list := dataOf[[]api.Session](a.get("/auth/"+claims["sub"].(string)+"/sessions", bearer(tokens.AccessToken)).is("200"))
		var seen []string
		page := ""
		for _, s := range list { // newest first
			seen = append(seen, s.ClientAlias+" "+s.Via)
			if s.Via == "page" {
				page = s.ID
			}
			if s.Current != (s.ID == claims["sid"]) {
				t.Errorf("current: %+v", s)
			}
		}
		if diff := cmp.Diff([]string{"portal oauth", "shop oauth", "web page"}, seen); diff != "" {
			t.Errorf("sessions (-want +got):\n%s", diff)
		}
		a.send("DELETE", "/auth/"+page+"/sessions", nil, bearer(tokens.AccessToken)).is("200")
		a.grant("portal", refreshForm(tokens.RefreshToken)).is("400 invalid_grant") // it has ended with its browser
	})
}

func TestConsents(t *testing.T) {
	prove(t, "GET /auth/consents", besideApps, []proof{
		{"200", func(a *app) {
			b, email := a.person()
			mine := bearer(a.In(a.T, email).AccessToken)
			if x := a.get("/auth/consents", mine).is("200"); !strings.Contains(string(x.body), `"data":[]`) {
				a.Errorf("before: %s", x.body)
			}
			before := a.Clock.Now()
			b.tokensFor("shop") // which is a first party's
			b.tokensFor("third", "scope", "openid")
			b.tokensFor("third", "scope", "email openid offline_access")
			got := dataOf[[]api.Consent](a.get("/auth/consents", mine).is("200"))
			if len(got) != 1 || got[0].GrantedAt.Before(before.Truncate(time.Millisecond)) {
				a.Fatalf("consents %+v", got)
			}
			want := []api.Consent{{ClientAlias: "third", Scopes: []string{"openid", "email", "offline_access"}, GrantedAt: got[0].GrantedAt}}
			if diff := cmp.Diff(want, got); diff != "" {
				a.Errorf("(-want +got):\n%s", diff)
			}
			_, theirs := a.in()
			if list := dataOf[[]api.Consent](a.get("/auth/consents", bearer(theirs.AccessToken)).is("200")); len(list) != 0 {
				a.Errorf("another user's: %+v", list)
			}
		}},
		{"401 invalid_token", func(a *app) { refusesBadBearers(a, "GET", "/auth/consents") }},
	})
}

func TestRevokeConsent(t *testing.T) {
	revoke := func(a *app, alias string, tokens api.Tokens) answer {
		a.Helper()
		return a.send("DELETE", "/auth/consents/"+alias, nil, bearer(tokens.AccessToken))
	}
	prove(t, "DELETE /auth/consents/{client}", besideApps, []proof{
		{"200", func(a *app) {
			b, email := a.person()
			mine := a.In(a.T, email)
			other, _ := a.person()
			third, shop := b.tokensFor("third", "scope", "openid offline_access"), b.tokensFor("shop")
			theirs := other.tokensFor("third", "scope", "openid offline_access")
			revoke(a, "third", mine).is("200")
			a.grant("third", refreshForm(third.RefreshToken)).is("400 invalid_grant")
			a.get("/oauth/userinfo", bearer(third.AccessToken)).is("401 invalid_token")
			a.grant("third", refreshForm(theirs.RefreshToken)).is("200")
			a.grant("shop", refreshForm(shop.RefreshToken)).is("200")
			if list := dataOf[[]api.Consent](a.get("/auth/consents", bearer(mine.AccessToken)).is("200")); len(list) != 0 {
				a.Errorf("left: %+v", list)
			}
			revoke(a, "third", mine).is("200") // again
			b.open(appRequest("third")).is(200, "/consent")
		}},
		{"200: an app that was never allowed, or is not registered", func(a *app) {
			b, email := a.person()
			mine := a.In(a.T, email)
			shop := b.tokensFor("shop")
			for _, alias := range []string{"shop", "nobody", "sessions"} {
				revoke(a, alias, mine).is("200")
			}
			a.alive(mine)
			a.grant("shop", refreshForm(shop.RefreshToken)).is("200") // no consent, no end
		}},
		{"401 invalid_token", func(a *app) { refusesBadBearers(a, "DELETE", "/auth/consents/third") }},
	})
}

// RFC 7009 §2.1: the token of an app is revoked by that app, which proves its secret where it has one, and by nobody else.
func TestAppsRevokeTheirOwn(t *testing.T) {
	onBothEngines(t, besideApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, _ := a.person()
		ask := func(token string, form url.Values, headers ...string) {
			t.Helper()
			form.Set("token", token)
			a.post("/oauth/revoke", form, headers...).is("200")
		}
		shop, portal := b.tokensFor("shop"), b.tokensFor("portal")
		for _, token := range []string{shop.RefreshToken, shop.AccessToken, portal.RefreshToken} {
			ask(token, url.Values{})
			ask(token, url.Values{}, basicAuth("resource", secret))
			ask(token, url.Values{"client_id": {"web"}})
		}
		ask(portal.RefreshToken, url.Values{"client_id": {"portal"}}) // without its secret
		shop = decode[api.AppTokens](a.grant("shop", refreshForm(shop.RefreshToken)).is("200"))
		portal = decode[api.AppTokens](a.grant("portal", refreshForm(portal.RefreshToken)).is("200"))
		ask(shop.AccessToken, url.Values{"client_id": {"shop"}})
		a.grant("shop", refreshForm(shop.RefreshToken)).is("400 invalid_grant")
		ask(portal.RefreshToken, url.Values{}, basicAuth("portal", secret))
		a.grant("portal", refreshForm(portal.RefreshToken)).is("400 invalid_grant")
		b.open("/account").is(200, "/account") // the page session lives on
	})
}

// A third party learns nothing of others' tokens by asking about them.
func TestThirdPartiesIntrospectTheirOwn(t *testing.T) {
	onBothEngines(t, besideApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.person()
		own, shop, ours := b.tokensFor("third", "scope", "openid offline_access"), b.tokensFor("shop"), a.In(t, email)
		for _, tt := range []struct {
			token  string
			active bool // for the third party
		}{
			{own.AccessToken, true}, {own.RefreshToken, true},
			{shop.AccessToken, false}, {shop.RefreshToken, false}, {ours.AccessToken, false}, {ours.RefreshToken, false},
		} {
			x := a.post("/oauth/introspect", url.Values{"token": {tt.token}}, basicAuth("third", secret)).is("200")
			if got := decode[api.Introspection](x); got.Active != tt.active || !got.Active && string(x.body) != `{"active":false}` {
				t.Errorf("%v: %s", jwt(t, tt.token).claims, x.body)
			}
			if !a.introspect(tt.token).Active {
				t.Errorf("not active for a client of our own: %v", jwt(t, tt.token).claims)
			}
		}
	})
}
