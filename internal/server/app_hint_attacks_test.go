package server_test

// Hints that are none, at sign-out and at sign-in, and requests whose client changes or goes while they are under way.

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"latchkey/api"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
)

// resigned are the claims of a token of ours under another header, with another signature.
func resigned(t *testing.T, raw string, header map[string]any, key []byte) string {
	t.Helper()
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	signed := base64.RawURLEncoding.EncodeToString(text) + "." + strings.Split(raw, ".")[1]
	if key == nil {
		return signed + "."
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// A hint counts only if it is an ID token that we signed for an app in this very browser. Every other asks, ends nothing by
// itself, and at sign-in is nobody's.
func TestForgedHints(t *testing.T) {
	onBothEngines(t, besideApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.person()
		tokens := b.tokensFor("shop")
		other := a.browser().staying()
		other.signsIn(email)
		elsewhere := other.tokensFor("shop")
		keys := a.get("/.well-known/jwks.json").is("200").body
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal(keys, &set); err != nil {
			t.Fatal(err)
		}
		kid := set.Keys[0]["kid"]
		public, err := json.Marshal(set.Keys[0])
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(tokens.IDToken, ".")
		own := decode[api.AppTokens](a.grant("job", jobForm()).is("200"))
		feed := string(a.get("/oauth/revocations", basicAuth("resource", secret)).is("200").body)
		for name, hint := range map[string]string{
			"alg none":                    resigned(t, tokens.IDToken, map[string]any{"alg": "none", "typ": "JWT"}, nil),
			"alg None, with a key":        resigned(t, tokens.IDToken, map[string]any{"alg": "None", "kid": kid}, nil),
			"HS256 by the public key set": resigned(t, tokens.IDToken, map[string]any{"alg": "HS256", "kid": kid}, keys),
			"HS256 by the public key":     resigned(t, tokens.IDToken, map[string]any{"alg": "HS256", "typ": "JWT", "kid": kid}, public),
			"HS256 by the client secret":  resigned(t, tokens.IDToken, map[string]any{"alg": "HS256"}, []byte(secret)),
			"HS256 by nothing":            resigned(t, tokens.IDToken, map[string]any{"alg": "HS256", "kid": kid}, []byte{}),
			"a key of its own":            resigned(t, tokens.IDToken, map[string]any{"alg": "ES256", "kid": kid, "jwk": set.Keys[0], "jku": "https://evil.example/jwks"}, public),
			"no signature":                parts[0] + "." + parts[1] + ".",
			"another's signature":         parts[0] + "." + parts[1] + "." + strings.Split(elsewhere.IDToken, ".")[2],
			"an access token":             tokens.AccessToken,
			"a refresh token":             tokens.RefreshToken,
			"a client's own token":        own.AccessToken,
			"revocations":                 feed,
			"a page session":              b.cookie("latchkey-session"),
			"another browser's":           elsewhere.IDToken,
			"five parts":                  tokens.IDToken + ".x.y",
			"a space behind":              tokens.IDToken + " ",
			"nothing":                     "",
			"of 40 kB":                    tokens.IDToken + strings.Repeat("A", 40_000),
		} {
			query := url.Values{"id_token_hint": {hint}, "client_id": {"shop"}, "post_logout_redirect_uri": {shopURL + "/bye"}}
			b.open("/oauth/logout?"+query.Encode()).is(200, "/oauth/logout")
			b.open("/account").is(200, "/account")
			if name == "another browser's" || name == "nothing" || len(hint) > 4000 { // it is the same user's, or none at all
				continue
			}
			if back := b.open(appRequest("shop", "prompt", "none", "id_token_hint", hint)).answer(shopBack); back.Get("error") != "login_required" {
				t.Errorf("%s at sign-in: %v", name, back)
			}
			b.open(appRequest("shop", "id_token_hint", hint)).is(200, "/continue")
		}
		// one that counts, by what is no person's click
		right := url.Values{"id_token_hint": {tokens.IDToken}, "client_id": {"shop"}}
		cookies := "Cookie: latchkey-session=" + b.cookie("latchkey-session")
		for _, prefetch := range []string{"Sec-Purpose: prefetch", "Sec-Purpose: prefetch;prerender", "Purpose: prefetch", "X-Moz: prefetch"} {
			if x := b.raw("GET", "/oauth/logout?"+right.Encode(), "", cookies, prefetch); x.status != http.StatusServiceUnavailable {
				t.Errorf("%s: %d", prefetch, x.status)
			}
		}
		b.raw("GET", "/oauth/logout?confirmed=yes", "", cookies)
		b.raw("POST", "/oauth/logout", "confirmed=yes", formEncoded, cookies, "Origin: null")
		b.open("/account").is(200, "/account")
		b.open("/oauth/logout?"+right.Encode()).is(200, "/signed-out")
		b.open("/account").is(200, "/signin")
		other.open("/account").is(200, "/account")
	})
}

// What the clients file takes away holds for requests and codes that are under way: the client, its redirect URI, its
// audience, the whole account, its secret, and that it need not ask.
func TestClientsFileChangesMeanwhile(t *testing.T) {
	onBothEngines(t, besideApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		before := n.rig.Options.Clients
		reload := func(alias string, edit func(*clients.Client)) {
			t.Helper()
			var list []clients.Client
			for _, c := range before.List() {
				if c.Alias != alias {
					list = append(list, c)
				} else if edit != nil {
					edit(&c)
					list = append(list, c)
				}
			}
			set, err := clients.New(list)
			if err == nil {
				err = a.Service.SetClients(set)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		back := func() {
			t.Helper()
			if err := a.Service.SetClients(before); err != nil {
				t.Fatal(err)
			}
		}
		b, _ := a.person()
		pending := a.browser().staying().open(appRequest("third")).is(200, "/signin")
		consent := b.open(appRequest("third")).is(200, "/consent")
		tokens, code := b.tokensFor("portal", "scope", "openid account"), b.codeFor("portal", "scope", "openid account")
		shop, target := b.codeFor("shop"), b.codeFor("shop", "resource", shopAPI)

		reload("third", nil)
		pending.submit("/signin", "email", "x@example.com", "password", "x").hasNot("third.example")
		consent.submit("/consent").is(400, "/consent").hasNot("third.example", "http-equiv=\"refresh\"")
		reload("portal", nil)
		a.grant("portal", codeForm("portal", code)).is("401 invalid_client")
		a.grant("portal", refreshForm(tokens.RefreshToken)).is("401 invalid_client")
		reload("portal", func(c *clients.Client) { c.Secret, c.Secrets = "another secret of thirty-two characters or more", nil })
		a.grant("portal", codeForm("portal", code)).is("401 invalid_client")
		reload("portal", func(c *clients.Client) { c.RedirectURIs = []string{portalBack + "/new"} })
		a.grant("portal", codeForm("portal", code)).is("400 invalid_grant")
		reload("portal", func(c *clients.Client) { c.Account, c.Consent = false, true })
		a.grant("portal", codeForm("portal", code)).is("400 invalid_grant")
		reload("shop", func(c *clients.Client) { c.Audiences = nil })
		a.grant("shop", codeForm("shop", target)).is("400 invalid_grant")

		reload("portal", func(c *clients.Client) { c.Account = false })
		for name, less := range map[string]answer{"a code": a.grant("portal", codeForm("portal", code)), "a refresh": a.grant("portal", refreshForm(tokens.RefreshToken))} {
			got := decode[api.AppTokens](less.is("200"))
			if id := payload(t, got.AccessToken)["sub"].(string); got.Scope != "openid" || a.get("/auth/"+id+"/sessions", bearer(got.AccessToken)).status != http.StatusForbidden {
				t.Errorf("%s of before still gives the whole account: %q", name, got.Scope)
			}
		}
		back()
		a.grant("shop", codeForm("shop", shop)).is("200")
	})
}

// A host that is one's own by a cookie which somebody else has set there is nobody's: values that no server gave are none.
func TestCookiesOfAttackers(t *testing.T) {
	n := newNode(t, authtest.SQLite(t), withApps) // HTTP alone: no engine is asked
	a := n.enter(t)
	victim, _ := a.person()
	attacker := a.browser().staying()
	flow := attacker.open(appRequest("shop")).is(200, "/signin").at.Query().Get("flow")
	stolen := attacker.cookie("latchkey-browser")
	secretOf, _, _ := strings.Cut(stolen, ".")
	own := victim.cookie("latchkey-session")
	for _, cookie := range []string{
		"", "x", ".", "." + secretOf, secretOf[1:] + secretOf[:1] + "." + secretOf, strings.Repeat("A", 43) + "." + strings.Repeat("B", 43), strings.ToUpper(stolen),
	} {
		x := victim.raw("GET", "/oauth/authorize?flow="+url.QueryEscape(flow), "", "Cookie: latchkey-session="+own+"; latchkey-browser="+cookie)
		if x.status != http.StatusBadRequest || x.header.Get("Location") != "" {
			t.Errorf("%q: %d to %q", cookie, x.status, x.header.Get("Location"))
		}
	}
}
