package server_test

// Apps sign people in: the whole way in a browser without script, on both engines.

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/oidc"
)

const (
	shopURL  = "https://shop.example"
	shopBack = shopURL + "/callback?keep=1"
	verifier = "a-verifier-of-forty-three-characters-or-more"
)

func withApps(o *auth.Options) {
	set, err := clients.New([]clients.Client{
		{
			Alias: "shop", Name: "Shop", URL: shopURL, RedirectURIs: []string{shopBack, "http://127.0.0.1/callback"},
			PostLogoutRedirectURIs: []string{shopURL + "/bye"}, Audiences: []string{"https://api.shop.example"},
		},
		{Alias: "third", Name: "Third", URL: "https://third.example", RedirectURIs: []string{"https://third.example/cb"}, Secret: secret, Consent: true},
	})
	if err != nil {
		panic(err) // the list above is wrong
	}
	o.Clients = set
}

// staying makes a browser follow redirects within Latchkey alone.
func (b *browser) staying() *browser {
	own := strings.TrimPrefix(b.node.base, "http://")
	b.http.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != own {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return b
}

// appRequest is an authorization request of an app; more is in pairs.
func appRequest(alias string, more ...string) string {
	query := url.Values{
		"response_type": {"code"}, "client_id": {alias}, "scope": {"openid email profile"}, "state": {"s t"}, "nonce": {"n"},
		"redirect_uri":   {map[string]string{"shop": shopBack, "third": "https://third.example/cb"}[alias]},
		"code_challenge": {oidc.ChallengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	return "/oauth/authorize?" + query.Encode()
}

var refreshes = regexp.MustCompile(`http-equiv="refresh" content="0;url=([^"]+)"`)

// goesOn follows the page that ends a form.
func (s screen) goesOn() screen {
	s.t.Helper()
	found := refreshes.FindStringSubmatch(s.text)
	if found == nil {
		s.t.Fatalf("%s leads nowhere:\n%s", s.at.Path, s.text)
	}
	return s.b.open(strings.ReplaceAll(found[1], "&amp;", "&"))
}

// answer is what the app is told.
func (s screen) answer(back string) url.Values {
	s.t.Helper()
	location := s.header.Get("Location")
	if s.status != http.StatusSeeOther || !strings.HasPrefix(location, back) {
		s.t.Fatalf("%d to %q, want %s:\n%s", s.status, location, back, s.text)
	}
	u, err := url.Parse(location)
	if err != nil {
		s.t.Fatal(err)
	}
	return u.Query()
}

// token posts to the token endpoint.
func (b *browser) token(form url.Values) (status int, header http.Header, body []byte) {
	b.Helper()
	res, err := http.PostForm(b.node.base+"/oauth/token", form)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err = io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	return res.StatusCode, res.Header, body
}

func (b *browser) exchange(code string) (tokens api.AppTokens) {
	b.Helper()
	status, _, body := b.token(url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"shop"}, "redirect_uri": {shopBack}, "code": {code}, "code_verifier": {verifier},
	})
	if status != http.StatusOK || json.Unmarshal(body, &tokens) != nil {
		b.Fatalf("exchange: %d %s", status, body)
	}
	return tokens
}

func TestAnAppSignsSomebodyIn(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.user()
		back := b.open(appRequest("shop")).is(200, "/signin").has("Shop").
			submit("/signin", "email", email, "password", "wrong").is(401, "/signin").
			submit("/signin", "password", authtest.Password).is(200, "/signin").goesOn().answer(shopBack)
		if diff := cmp.Diff([]string{"1", "s t", n.rig.Options.Issuer}, []string{back.Get("keep"), back.Get("state"), back.Get("iss")}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		tokens := b.exchange(back.Get("code"))
		if tokens.IDToken == "" || tokens.RefreshToken == "" || tokens.Scope != "openid email profile" || tokens.TokenType != "Bearer" {
			t.Errorf("the tokens: %+v", tokens)
		}
		again := b.open(appRequest("shop", "prompt", "none")).answer(shopBack) // signed in once, for every app
		if b.exchange(again.Get("code")).AccessToken == "" {
			t.Errorf("the second time: %v", again)
		}
		status, _, body := b.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {"shop"}, "refresh_token": {tokens.RefreshToken}})
		var next api.AppTokens
		if status != http.StatusOK || json.Unmarshal(body, &next) != nil || next.RefreshToken == tokens.RefreshToken || next.IDToken == "" {
			t.Errorf("refresh: %d %s", status, body)
		}
		b.open("/oauth/logout?" + url.Values{
			"id_token_hint": {tokens.IDToken}, "post_logout_redirect_uri": {shopURL + "/bye"}, "state": {"x"},
		}.Encode()).answer(shopURL + "/bye?state=x")
		status, _, body = b.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {"shop"}, "refresh_token": {next.RefreshToken}})
		if status != http.StatusBadRequest || !strings.Contains(string(body), `"invalid_grant"`) {
			t.Errorf("refresh after the sign-out: %d %s", status, body)
		}
		if got := b.open(appRequest("shop", "prompt", "none")).answer(shopBack).Get("error"); got != "login_required" {
			t.Errorf("after the sign-out: %q", got)
		}
	})
}

// A flow goes on in the browser where it began: another's seal finishes nothing there (login CSRF).
func TestFlowOfAnotherBrowser(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		victim, attacker, email := a.browser().staying(), a.browser().staying(), a.user()
		victim.signsIn(email)
		flow := attacker.open(appRequest("shop")).is(200, "/signin").at.Query().Get("flow")
		got := victim.open("/oauth/authorize?flow=" + url.QueryEscape(flow))
		if got.status != http.StatusBadRequest || got.header.Get("Location") != "" {
			t.Errorf("%d to %q", got.status, got.header.Get("Location"))
		}
		altered := []byte(flow)
		altered[len(altered)/2] ^= 1
		if got := attacker.open("/oauth/authorize?flow=" + url.QueryEscape(string(altered))); got.status != http.StatusBadRequest {
			t.Errorf("an altered flow: %d", got.status)
		}
	})
}

// An unknown client or redirect URI is told on a page, and nothing is redirected.
func TestUnknownAppIsToldOnAPage(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		b := n.enter(t).browser().staying()
		for _, path := range []string{
			appRequest("nobody"), appRequest("shop", "redirect_uri", "https://evil.example"), appRequest("shop", "redirect_uri", shopBack+"/"),
			appRequest("shop", "redirect_uri", ""), appRequest("shop", "redirect_uri", "http://127.0.0.1:80@evil.example/callback"),
		} {
			if got := b.open(path); got.status != http.StatusBadRequest || got.header.Get("Location") != "" {
				t.Errorf("%s: %d to %q", path, got.status, got.header.Get("Location"))
			}
		}
		for code, path := range map[string]string{
			"invalid_request":           appRequest("shop", "code_challenge_method", "plain"),
			"unsupported_response_type": appRequest("shop", "response_type", "token"),
			"invalid_target":            appRequest("shop", "resource", "https://other.example"),
		} {
			if got := b.open(path).answer(shopBack); got.Get("error") != code || got.Get("state") != "s t" || got.Get("iss") == "" {
				t.Errorf("%s: %v", path, got)
			}
		}
	})
}

// Cancelling goes back to the app; a native app's request asks "continue as" even of who is signed in.
func TestContinueAndCancel(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.user()
		b.signsIn(email)
		native := appRequest("shop", "redirect_uri", "http://127.0.0.1:4711/callback")
		page := b.open(native).is(200, "/continue").has(email)
		if got := page.submit("/continue").goesOn().answer("http://127.0.0.1:4711/callback"); got.Get("code") == "" {
			t.Errorf("continued: %v", got)
		}
		cancel := b.open(native).is(200, "/continue")
		got := b.open("/cancel?flow=" + url.QueryEscape(cancel.at.Query().Get("flow"))).answer("http://127.0.0.1:4711/callback")
		if got.Get("error") != "access_denied" || got.Get("state") != "s t" {
			t.Errorf("cancelled: %v", got)
		}
		if got := b.open(native + "&prompt=none").answer("http://127.0.0.1:4711/callback"); got.Get("error") != "interaction_required" {
			t.Errorf("prompt=none: %v", got)
		}
	})
}

// Whoever signs up for an app is signed in at once in the browser that asked for the mail, and comes back to the app.
func TestSignUpForAnApp(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.email()
		b.open(appRequest("shop", "prompt", "create")).is(200, "/signup").submit("/signup", "email", email).is(200, "/check-mail")
		link := a.mailTo(email)[0]
		if got := b.follow(link).is(200, "/verify-email-success").
			submit("/complete-signup", "firstName", "Ada", "lastName", "Lovelace", "password", authtest.Password).
			is(200, "/complete-signup").goesOn().answer(shopBack); got.Get("code") == "" {
			t.Errorf("came back with %v", got)
		}
		other, email := a.browser().staying(), a.email()
		b.open("/signup").submit("/signup", "email", email).is(200, "/check-mail")
		other.follow(a.mailTo(email)[0]).
			submit("/complete-signup", "firstName", "Bob", "lastName", "Babbage", "password", authtest.Password).is(200, "/done")
		other.open("/account").is(200, "/signin")
	})
}

// A mail that is asked for on the way to an app has the app's name, as the page has on which it was asked for.
func TestMailsOfAFlowNameItsApp(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b := a.browser().staying()
		query := "?flow=" + url.QueryEscape(b.open(appRequest("third")).at.Query().Get("flow"))
		for page, somebody := range map[string]func() string{"/signup": a.email, "/forgot-password": a.user} {
			for _, query := range []string{query, ""} {
				email := somebody()
				b.open(page+query).is(200, page).submit(page, "email", email).is(200, "/check-mail")
				if m := a.mailTo(email)[0]; strings.Contains(m.Text, "Third") != (query != "") {
					t.Errorf("asked for at %s%s: %s", page, query, m.Text)
				}
			}
		}
	})
}

// What no page of another site may do: show ours in a frame, or get a code there.
func TestFramed(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.user()
		b.signsIn(email)
		ask := func(path, site string) *http.Response {
			r, err := http.NewRequest(http.MethodGet, n.base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Sec-Fetch-Dest", "iframe")
			r.Header.Set("Sec-Fetch-Site", site)
			for _, c := range b.jar.Cookies(r.URL) {
				r.AddCookie(c)
			}
			res, err := b.http.Transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			return res
		}
		if res := ask(appRequest("shop", "prompt", "none"), "cross-site"); !strings.Contains(res.Header.Get("Location"), "error=login_required") {
			t.Errorf("framed by another site: %d %s", res.StatusCode, res.Header.Get("Location"))
		}
		if res := ask(appRequest("shop", "prompt", "login"), "same-site"); !strings.Contains(res.Header.Get("Location"), "error=login_required") {
			t.Errorf("a page in a frame: %d %s", res.StatusCode, res.Header.Get("Location"))
		}
		if res := ask(appRequest("nobody"), "cross-site"); res.StatusCode != http.StatusForbidden || res.ContentLength > 0 {
			t.Errorf("an unknown client: %d, %d bytes", res.StatusCode, res.ContentLength)
		}
		r, _ := http.NewRequest(http.MethodGet, n.base+appRequest("shop"), nil)
		r.Header.Set("Sec-Purpose", "prefetch")
		res, err := b.http.Transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if _ = res.Body.Close(); res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("prefetched: %d", res.StatusCode)
		}
	})
}

// send sends one request as it is and follows nothing.
func (b *browser) send(r *http.Request) (status int, header http.Header, body []byte) {
	b.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, err = io.ReadAll(res.Body); err != nil {
		b.Fatal(err)
	}
	return res.StatusCode, res.Header, body
}

// payload reads what a token says, without checking it.
func payload(t *testing.T, raw string) (claims map[string]any) {
	t.Helper()
	part, _, _ := strings.Cut(raw[strings.Index(raw, ".")+1:], ".")
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil || json.Unmarshal(text, &claims) != nil {
		t.Fatalf("a token cannot be read: %v", err)
	}
	return claims
}
