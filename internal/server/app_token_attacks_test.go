package server_test

// What attackers send to the token endpoint, and to what other pages' scripts reach.

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"latchkey/api"
	"latchkey/internal/authtest"
)

// raw sends one request with these headers and follows nothing.
func (b *browser) raw(method, path, body string, headers ...string) answer {
	b.Helper()
	r, err := http.NewRequest(method, b.node.base+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	status, header, text := b.send(r)
	return answer{b.T, status, header, text}
}

// Of all these none spends the code or says anything of it, and then its own client still has it.
func TestCodesSentInOtherWays(t *testing.T) {
	onBothEngines(t, besideApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, _ := a.person()
		code := b.codeFor("portal")
		form := codeForm("portal", code)
		proof, other := plainBasic("portal", secret), plainBasic("third", secret)
		members := fmt.Sprintf(`{"grant_type":"authorization_code","client_id":"portal","client_secret":%q,"code":%q,"redirect_uri":%q,"code_verifier":%q}`, secret, code, portalBack, verifier)
		cookies := "Cookie: latchkey-session=" + b.cookie("latchkey-session") + "; latchkey-browser=" + b.cookie("latchkey-browser")
		for _, tt := range []struct {
			name         string
			method, path string
			body         string
			headers      []string
			status       int
		}{
			{"by GET", "GET", "/oauth/token?" + form.Encode(), "", []string{proof}, 405},
			{"by HEAD", "HEAD", "/oauth/token?" + form.Encode(), "", []string{proof}, 405},
			{"by PUT", "PUT", "/oauth/token", form.Encode(), []string{formEncoded, proof}, 405},
			{"in the query of a POST", "POST", "/oauth/token?" + form.Encode(), "", []string{formEncoded, proof}, 400},
			{"in the query, the grant in the form", "POST", "/oauth/token?code=" + url.QueryEscape(code), with(codeForm("portal", ""), "grant_type", "authorization_code").Encode(), []string{formEncoded, proof}, 400},
			{"as JSON", "POST", "/oauth/token", members, []string{"Content-Type: application/json"}, 415},
			{"as JSON, with Basic", "POST", "/oauth/token", members, []string{"Content-Type: application/json", proof}, 415},
			{"as JSON that says it is a form", "POST", "/oauth/token", members, []string{formEncoded, proof}, 400},
			{"as multipart", "POST", "/oauth/token", form.Encode(), []string{"Content-Type: multipart/form-data; boundary=x", proof}, 415},
			{"as text", "POST", "/oauth/token", form.Encode(), []string{"Content-Type: text/plain", proof}, 415},
			{"packed", "POST", "/oauth/token", form.Encode(), []string{formEncoded, "Content-Encoding: gzip", proof}, 415},
			{"Authorization twice", "POST", "/oauth/token", form.Encode(), []string{formEncoded, proof, proof}, 401},
			{"Authorization twice, another first", "POST", "/oauth/token", form.Encode(), []string{formEncoded, other, proof}, 401},
			{"two in one Authorization", "POST", "/oauth/token", form.Encode(), []string{formEncoded, proof + ", " + strings.TrimPrefix(other, "Authorization: ")}, 401},
			{"a huge secret", "POST", "/oauth/token", form.Encode(), []string{formEncoded, plainBasic("portal", secret+strings.Repeat("s", 30_000))}, 401},
			{"a huge name", "POST", "/oauth/token", form.Encode(), []string{formEncoded, plainBasic(strings.Repeat("portal", 5_000), secret)}, 401},
			{"a name of other bytes", "POST", "/oauth/token", form.Encode(), []string{formEncoded, plainBasic("portal\x00\xff", secret)}, 401},
			{"Basic without a colon", "POST", "/oauth/token", form.Encode(), []string{formEncoded, "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("portal"))}, 401},
			{"a Bearer", "POST", "/oauth/token", form.Encode(), []string{formEncoded, "Authorization: Bearer " + secret[:6]}, 401},
			{"cookies alone", "POST", "/oauth/token", form.Encode(), []string{formEncoded, cookies}, 400},
			{"cookies and the name", "POST", "/oauth/token", with(codeForm("portal", code), "client_id", "portal").Encode(), []string{formEncoded, cookies}, 401},
			{"a page session as the secret", "POST", "/oauth/token", form.Encode(), []string{formEncoded, plainBasic("portal", b.cookie("latchkey-session"))}, 401},
			{"by another client, with its own secret", "POST", "/oauth/token", form.Encode(), []string{formEncoded, other}, 400},
			{"by another client, in the owner's name", "POST", "/oauth/token", with(codeForm("portal", code), "client_id", "portal").Encode(), []string{formEncoded, other}, 400},
			{"in the owner's name, with another's secret in the form", "POST", "/oauth/token", with(codeForm("portal", code), "client_id", "portal", "client_secret", "x"+secret).Encode(), []string{formEncoded}, 401},
			{"as a refresh token", "POST", "/oauth/token", refreshForm(code).Encode(), []string{formEncoded, proof}, 400},
		} {
			x := b.raw(tt.method, tt.path, tt.body, append(tt.headers, from(n.address()))...)
			if x.status != tt.status || strings.Contains(string(x.body), "token\":") || strings.Contains(string(x.body), code) || x.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d %v %s", tt.name, x.status, x.header, x.body)
			}
		}
		a.grant("portal", codeForm("portal", code)).is("200")
	})
}

// A scope of thousands of words makes no token of thousands, in no grant.
func TestScopesOfManyWords(t *testing.T) {
	onBothEngines(t, besideApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, _ := a.person()
		many := strings.Repeat("openid x ", 400)
		back := b.open(appRequest("shop", "scope", strings.Repeat("openid ", 10_000))).answer(shopBack)
		if back.Get("error") != "invalid_request" || back.Has("code") {
			t.Errorf("10,000 words: %v", back)
		}
		tokens := b.tokensFor("shop", "scope", many+"email")
		if tokens.Scope != "openid email" {
			t.Errorf("800 words: %q", tokens.Scope)
		}
		next := decode[api.AppTokens](a.grant("shop", refreshForm(tokens.RefreshToken, "scope", many)).is("200"))
		if next.Scope != "openid" {
			t.Errorf("at a refresh: %q", next.Scope)
		}
		own := decode[api.AppTokens](a.grant("job", jobForm("scope", strings.Repeat("read write ", 1000))).is("200"))
		if said := jwt(t, own.AccessToken).claims["scope"]; own.Scope != "read write" || said != own.Scope {
			t.Errorf("of the client itself: %d bytes of scope", len(own.Scope))
		}
		a.grant("job", jobForm("scope", strings.Repeat("read ", 10_000))).is("413 invalid_request")
	})
}

// No page of an app's reads what browsers are sent to, and none reads the feed; what pages call says so to their origins alone.
func TestNoPageReadsWhereBrowsersAreSent(t *testing.T) {
	n := newNode(t, authtest.SQLite(t), besideApps) // HTTP alone: no engine is asked
	a := n.enter(t)
	b, _ := a.person()
	_, query, _ := strings.Cut(appRequest("shop", "prompt", "none"), "?")
	allowed := func(x answer) (names []string) {
		for name := range x.header {
			if strings.HasPrefix(name, "Access-Control-") {
				names = append(names, name)
			}
		}
		return names
	}
	for _, origin := range []string{shopURL, "https://third.example", webURL, n.base, "null", "https://evil.example"} {
		for _, path := range []string{
			"/oauth/authorize", "/oauth/authorize/", "/oauth/%61uthorize", "/oauth/logout", "/oauth/logout/", "/oauth/revocations", "/v1/oauth/revocations", "/continue", "/consent", "/cancel", "/signin", "/account",
		} {
			for _, x := range []answer{
				b.raw("GET", path+"?"+query, "", "Origin: "+origin, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"),
				b.raw("POST", path, query, formEncoded, "Origin: "+origin, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"),
				b.raw("OPTIONS", path, "", "Origin: "+origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization, content-type"),
				b.raw("OPTIONS", path, "", "Origin: "+origin, "Access-Control-Request-Method: GET"),
			} {
				if names := allowed(x); names != nil || strings.Contains(x.header.Get("Location"), "code=") {
					t.Errorf("%s from %s: %d %v, Location %q", path, origin, x.status, names, x.header.Get("Location"))
				}
			}
		}
	}
	for origin, may := range map[string]bool{shopURL: true, "https://third.example": true, "https://evil.example": false, "null": false, shopURL + ".evil.example": false, "http://127.0.0.1:4711": false} {
		x := b.raw("OPTIONS", "/oauth/token", "", "Origin: "+origin, "Access-Control-Request-Method: POST")
		if got := x.header.Get("Access-Control-Allow-Origin"); (got == origin) != may || !may && got != "" {
			t.Errorf("the token endpoint from %s: %q", origin, got)
		}
	}
}
