package server_test

// What attackers try on the way of an app's sign-in, each tried for real, on both engines.

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/authtest"
)

// A confidential client proves its secret in every grant; a wrong, missing or double one is told apart, and none spends
// or ends anything.
func TestTokenEndpointAsksForTheSecret(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.user()
		b.signsIn(email)
		code := b.open(appRequest("third", "scope", "openid offline_access")).is(200, "/consent").submit("/consent").goesOn().
			answer("https://third.example/cb").Get("code")
		form := url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"https://third.example/cb"}, "code_verifier": {verifier},
		}
		with := func(pairs ...string) url.Values {
			all := url.Values{}
			for name, values := range form {
				all[name] = values
			}
			for i := 0; i < len(pairs); i += 2 {
				all.Set(pairs[i], pairs[i+1])
			}
			return all
		}
		basic := func(alias, secret string) func(*http.Request) {
			return func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(alias), url.QueryEscape(secret)) }
		}
		none := func(*http.Request) {}
		for _, tt := range []struct {
			name      string
			form      url.Values
			by        func(*http.Request)
			status    int
			says      string
			challenge bool
		}{
			{"no client", form, none, 400, "invalid_request", false},
			{"no secret", with("client_id", "third"), none, 401, "invalid_client", false},
			{"a wrong secret", with("client_id", "third", "client_secret", "wrong"), none, 401, "invalid_client", false},
			{"a wrong secret by Basic", form, basic("third", "wrong"), 401, "invalid_client", true},
			{"two ways", with("client_id", "third", "client_secret", secret), basic("third", secret), 400, "invalid_request", false},
			{"another client_id", with("client_id", "shop"), basic("third", secret), 400, "invalid_request", false},
			{"another client", with("client_id", "shop"), none, 400, "invalid_grant", false},
			{"a client nobody registered", with("client_id", "nobody"), none, 401, "invalid_client", false},
			{"no grant", with("client_id", "third", "client_secret", secret, "grant_type", "password"), none, 400, "unsupported_grant_type", false},
			{"a parameter twice", url.Values{"grant_type": {"authorization_code", "refresh_token"}, "client_id": {"shop"}}, none, 400, "invalid_request", false},
			{"right", form, basic("third", secret), 200, "refresh_token", false},
		} {
			r, err := http.NewRequest(http.MethodPost, n.base+"/oauth/token", strings.NewReader(tt.form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			tt.by(r)
			status, header, body := b.send(r)
			if status != tt.status || !strings.Contains(string(body), `"`+tt.says+`"`) || (header.Get("WWW-Authenticate") != "") != tt.challenge {
				t.Errorf("%s: %d %v %s", tt.name, status, header["Www-Authenticate"], body)
			}
			if header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: Cache-Control %q", tt.name, header.Get("Cache-Control"))
			}
		}
	})
}

// An app is told what its scope allows: at userinfo, and in its tokens.
func TestClaimsByScope(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.user()
		b.signsIn(email)
		for scope, want := range map[string]api.UserInfo{
			"openid":       {},
			"openid email": {Email: email, EmailVerified: true},
		} {
			tokens := b.exchange(b.open(appRequest("shop", "scope", scope)).answer(shopBack).Get("code"))
			got, err := a.UserInfo(t.Context(), tokens.AccessToken)
			want.Subject = got.Subject
			if err != nil || got != want || got.Subject == "" {
				t.Errorf("%s: %+v, %v", scope, got, err)
			}
			for _, raw := range []string{tokens.AccessToken, tokens.IDToken} {
				claims := payload(t, raw)
				if _, has := claims["email"]; has != (want.Email != "") || claims["name"] != nil || claims["given_name"] != nil {
					t.Errorf("%s: a token says %v", scope, claims)
				}
			}
		}
		tokens := b.exchange(b.open(appRequest("shop", "scope", "email")).answer(shopBack).Get("code"))
		if tokens.IDToken != "" {
			t.Error("an ID token without openid")
		}
		if _, err := a.Sessions(t.Context(), tokens.AccessToken, payload(t, tokens.AccessToken)["sub"].(string)); err == nil || !strings.Contains(err.Error(), "insufficient_scope") {
			t.Errorf("an app's token lists sessions: %v", err)
		}
	})
}

// A browser whose cookies an attacker chose is given others by the sign-in: no flow of the attacker's goes on there.
func TestSessionFixedBeforeSignIn(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		attacker, victim, email := a.browser().staying(), a.browser().staying(), a.user()
		flow := attacker.open(appRequest("shop")).is(200, "/signin").at.Query().Get("flow")
		base, err := url.Parse(n.base)
		if err != nil {
			t.Fatal(err)
		}
		victim.jar.SetCookies(base, attacker.jar.Cookies(base))
		victim.signsIn(email)
		if attacker.cookie("latchkey-browser") == victim.cookie("latchkey-browser") {
			t.Fatal("the sign-in left the browser's name as it was")
		}
		if got := attacker.open("/oauth/authorize?flow=" + url.QueryEscape(flow)); got.at.Path != "/signin" {
			t.Errorf("the attacker is at %s with %d, %s", got.at.Path, got.status, got.header.Get("Location"))
		}
	})
}

// A flow that has run out leads to where the app is, and answers nothing.
func TestFlowRunsOut(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.user()
		flow := b.open(appRequest("shop")).is(200, "/signin").at.Query().Get("flow")
		a.Clock.Advance(time.Hour)
		defer a.Clock.Advance(-time.Hour)
		got := b.open("/oauth/authorize?flow=" + url.QueryEscape(flow))
		if got.status != http.StatusBadRequest || got.header.Get("Location") != "" {
			t.Errorf("%d to %q", got.status, got.header.Get("Location"))
		}
		got.has(shopURL)
		_ = email
	})
}

// Signing out in another tab lets a request that is pending begin anew, with its parameters.
func TestPendingFlowOutlivesASignOut(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.user()
		b.signsIn(email)
		pending := b.open(appRequest("shop", "redirect_uri", "http://127.0.0.1:4711/callback")).is(200, "/continue")
		b.open("/account").submit("/signout").is(200, "/signed-out")
		if got := pending.submit("/continue"); got.at.Path != "/signin" {
			t.Fatalf("at %s with %d", got.at.Path, got.status)
		} else if back := got.submit("/signin", "email", email, "password", authtest.Password).goesOn().answer("http://127.0.0.1:4711/callback"); back.Get("code") == "" || back.Get("state") != "s t" {
			t.Errorf("came back with %v", back)
		}
	})
}

// A sign-out that another page asks for asks back, and then goes nowhere that is not registered.
func TestLogoutAsksAndGoesNowhereElse(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.user()
		b.signsIn(email)
		evil := "/oauth/logout?" + url.Values{"client_id": {"shop"}, "post_logout_redirect_uri": {"https://evil.example"}}.Encode()
		page := b.open(evil).is(200, "/oauth/logout")
		b.open("/account").is(200, "/account")
		page.submit("/oauth/logout").is(200, "/signed-out")
		b.open("/account").is(200, "/signin")
		b.signsIn(email)
		good := "/oauth/logout?" + url.Values{"client_id": {"shop"}, "post_logout_redirect_uri": {shopURL + "/bye"}, "state": {"1"}}.Encode()
		b.open(good).is(200, "/oauth/logout").submit("/oauth/logout").has(shopURL + "/bye?state=1")
		b.open(good).answer(shopURL + "/bye?state=1") // nobody is signed in: nothing to ask
	})
}

// An answer by form goes to the registered URI, with a policy that lets it, and everywhere else forms stay here.
func TestFormPost(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.user()
		b.signsIn(email)
		got := b.open(appRequest("shop", "response_mode", "form_post")).is(200, "/oauth/authorize").
			has(`action="`+shopBack+`"`, `name="code"`, `name="state" value="s t"`, `name="iss"`)
		if policy := got.header.Get("Content-Security-Policy"); strings.Contains(policy, "form-action") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("its policy is %q", policy)
		}
		page := b.open(appRequest("third")).is(200, "/consent")
		if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self';") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("the policy of consent is %q", policy)
		}
		if got := page.header.Get("Referrer-Policy"); got != "strict-origin" {
			t.Errorf("its referrer policy is %q", got)
		}
	})
}

// Another site's form starts a request and finishes none: it goes on as a request of the browser's own.
func TestAuthorizeByPost(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.user()
		b.signsIn(email)
		_, query, _ := strings.Cut(appRequest("shop"), "?")
		r, err := http.NewRequest(http.MethodPost, n.base+"/oauth/authorize", strings.NewReader(query))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", shopURL)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		status, header, _ := b.send(r)
		next := header.Get("Location")
		if status != http.StatusSeeOther || !strings.HasPrefix(next, "/oauth/authorize?flow=") || header.Get("Set-Cookie") != "" {
			t.Fatalf("%d to %q, cookie %q", status, next, header.Get("Set-Cookie"))
		}
		if got := b.open(next).answer(shopBack); got.Get("code") == "" {
			t.Errorf("came back with %v", got)
		}
	})
}

// A state of 100 kB is refused without being carried anywhere.
func TestHugeState(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		b := n.enter(t).browser().staying()
		if got := b.open(appRequest("shop", "state", strings.Repeat("s", 3000))).answer(shopBack); got.Get("error") != "invalid_request" || got.Has("state") {
			t.Errorf("3 kB: %v", got)
		}
		r, err := http.NewRequest(http.MethodPost, n.base+"/oauth/authorize", strings.NewReader("state="+strings.Repeat("s", 100<<10)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if status, header, _ := b.send(r); status != http.StatusRequestEntityTooLarge || header.Get("Location") != "" {
			t.Errorf("100 kB: %d to %q", status, header.Get("Location"))
		}
	})
}

// Another site's form at the sign-out endpoint ends nothing: it goes on as a request of the browser's own, which asks.
func TestLogoutByPost(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.user()
		b.signsIn(email)
		form := url.Values{"client_id": {"shop"}, "confirmed": {"yes"}, "post_logout_redirect_uri": {shopURL + "/bye"}}
		r, err := http.NewRequest(http.MethodPost, n.base+"/oauth/logout", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		for _, c := range b.jar.Cookies(r.URL) { // as a browser would that knows no SameSite
			r.AddCookie(c)
		}
		status, header, _ := b.send(r)
		if status != http.StatusSeeOther || strings.Contains(header.Get("Location"), "confirmed") {
			t.Fatalf("%d to %q", status, header.Get("Location"))
		}
		b.open(header.Get("Location")).is(200, "/oauth/logout")
		b.open("/account").is(200, "/account")
	})
}
