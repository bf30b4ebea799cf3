package server_test

// What apps ask the token endpoint for, and what each grant answers. The apps' way through a browser is in app_flow_test.go.

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
)

const (
	portalBack = "https://portal.example/cb"
	shopAPI    = "https://api.shop.example"
)

// answeredAt is where the apps of these tests are answered.
var answeredAt = map[string]string{"shop": shopBack, "third": "https://third.example/cb", "portal": portalBack}

// besideApps adds apps to the clients that every node has: those of withApps, one that may be given the whole account, and
// one that asks in its own name.
func besideApps(o *auth.Options) {
	list := o.Clients.List()
	withApps(o)
	list = append(append(list, o.Clients.List()...),
		clients.Client{Alias: "portal", Name: "Portal", URL: "https://portal.example", RedirectURIs: []string{portalBack}, Secret: secret, Account: true},
		clients.Client{Alias: "job", Name: "Job", URL: "https://job.example", Secret: secret, Scopes: []string{"read", "write"}, Audiences: []string{shopAPI}})
	set, err := clients.New(list)
	if err != nil {
		panic(err) // the list above is wrong
	}
	o.Clients = set
}

// person is a browser whose user has signed in on a page.
func (a *app) person() (b *browser, email string) {
	a.Helper()
	b, email = a.browser().staying(), a.user()
	b.signsIn(email)
	return b, email
}

// codeFor is what an app is sent through that browser, once the user has consented where it asks; more is in pairs.
func (b *browser) codeFor(alias string, more ...string) string {
	b.Helper()
	s := b.open(appRequest(alias, append([]string{"redirect_uri", answeredAt[alias]}, more...)...))
	if s.at.Path == "/consent" {
		s = s.submit("/consent").goesOn()
	}
	code := s.answer(answeredAt[alias]).Get("code")
	if code == "" {
		b.Fatalf("%s is sent no code: %s", alias, s.header.Get("Location"))
	}
	return code
}

// grant asks the token endpoint for an app: one with a secret proves it.
func (a *app) grant(alias string, form url.Values) answer {
	a.Helper()
	if alias == "shop" {
		form.Set("client_id", alias)
		return a.post("/oauth/token", form)
	}
	return a.post("/oauth/token", form, basicAuth(alias, secret))
}

func codeForm(alias, code string, more ...string) url.Values {
	return with(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {answeredAt[alias]}, "code_verifier": {verifier},
	}, more...)
}

func refreshForm(refreshToken string, more ...string) url.Values {
	return with(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}, more...)
}

func jobForm(more ...string) url.Values {
	return with(url.Values{"grant_type": {"client_credentials"}}, more...)
}

func with(form url.Values, more ...string) url.Values {
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

// tokensFor are those of a new session of an app.
func (b *browser) tokensFor(alias string, more ...string) api.AppTokens {
	b.Helper()
	return decode[api.AppTokens](b.grant(alias, codeForm(alias, b.codeFor(alias, more...))).is("200"))
}

func TestTokenOfACode(t *testing.T) {
	prove(t, "POST /oauth/token", besideApps, []proof{
		{"200", func(a *app) {
			b, email := a.person()
			got := b.tokensFor("shop")
			if got.TokenType != "Bearer" || got.ExpiresIn < 1 || got.RefreshToken == "" || got.RefreshExpiresIn < 1 || got.Scope != "openid email profile" {
				a.Errorf("tokens %+v", got)
			}
			access, id := jwt(a.T, got.AccessToken), jwt(a.T, got.IDToken)
			for _, changing := range []string{"exp", "iat", "auth_time", "at_hash", "updated_at"} {
				if id.claims[changing] == nil {
					a.Errorf("the ID token does not say %s: %v", changing, id.claims)
				}
				delete(id.claims, changing)
			}
			if diff := cmp.Diff(map[string]any{
				"iss": a.Options.Issuer, "aud": "shop", "azp": "shop", "sub": access.claims["sub"], "sid": access.claims["sid"], "nonce": "n",
				"acr": "aal1", "amr": []any{"pwd"}, "email": email, "email_verified": true,
				"name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace",
			}, id.claims); diff != "" {
				a.Errorf("ID token (-want +got):\n%s", diff)
			}
			if access.claims["aud"] != a.Options.Audience || access.claims["client_id"] != "shop" || access.claims["scope"] != got.Scope {
				a.Errorf("access token %v", access.claims)
			}
		}},
		{"200: for an API of the app's", func(a *app) {
			b, _ := a.person()
			code := b.codeFor("shop", "resource", shopAPI)
			got := decode[api.AppTokens](a.grant("shop", codeForm("shop", code, "resource", shopAPI)).is("200"))
			if aud := jwt(a.T, got.AccessToken).claims["aud"]; aud != shopAPI {
				a.Errorf("aud %v", aud)
			}
		}},
		{"200: it says no more than its scope", func(a *app) {
			b, _ := a.person()
			for scope, said := range map[string]struct{ access, id []string }{
				"":               {},
				"email":          {access: []string{"email"}},
				"openid":         {id: []string{"sub"}},
				"openid profile": {access: []string{"name"}, id: []string{"name"}},
			} {
				got := b.tokensFor("shop", "scope", scope)
				if got.Scope != scope || (got.IDToken != "") != (said.id != nil) {
					a.Errorf("scope %q: %+v", scope, got)
				}
				saysOnly(a, scope+": access token", got.AccessToken, said.access)
				if got.IDToken != "" {
					saysOnly(a, scope+": ID token", got.IDToken, said.id)
				}
			}
		}},
		{"200: a third party has a refresh token with offline_access alone", func(a *app) {
			b, _ := a.person()
			if got := b.tokensFor("third"); got.RefreshToken != "" || got.RefreshExpiresIn != 0 {
				a.Errorf("without: %+v", got)
			}
			if got := b.tokensFor("third", "scope", "openid offline_access"); got.RefreshToken == "" {
				a.Errorf("with: %+v", got)
			}
		}},
	})
}

// saysOnly holds a token to the claims about a person that are given, and to no others.
func saysOnly(a *app, name, token string, claims []string) {
	a.Helper()
	said := jwt(a.T, token).claims
	for claim, tells := range map[string]string{"email": "email", "email_verified": "email", "name": "name", "given_name": "name", "family_name": "name"} {
		if _, there := said[claim]; there != strings.Contains(strings.Join(claims, " "), tells) {
			a.Errorf("%s: %v", name, said)
		}
	}
}

func TestTokenRefusesACode(t *testing.T) {
	prove(t, "POST /oauth/token", besideApps, []proof{
		{"400 invalid_request", func(a *app) {
			b, _ := a.person()
			code := b.codeFor("shop")
			for _, missing := range []string{"grant_type", "client_id", "code", "redirect_uri", "code_verifier"} {
				form := codeForm("shop", code, "client_id", "shop")
				form.Del(missing)
				if got := decode[api.OAuthError](a.post("/oauth/token", form).is("400 invalid_request")); got.ErrorDescription != missing+" is missing." {
					a.Errorf("without %s: %+v", missing, got)
				}
			}
			for name, twice := range codeForm("shop", code, "client_id", "shop") {
				form := codeForm("shop", code, "client_id", "shop")
				form[name] = append(twice, twice...)
				a.post("/oauth/token", form).is("400 invalid_request")
			}
			form := codeForm("shop", code)
			a.post("/oauth/token?client_id=shop", form).is("400 invalid_request") // never from the query
			a.post("/oauth/token", with(form, "client_id", "web"), basicAuth("portal", secret)).is("400 invalid_request")
			a.post("/oauth/token", with(form, "client_id", "portal", "client_secret", secret), basicAuth("portal", secret)).is("400 invalid_request")
			a.grant("shop", codeForm("shop", code)).is("200") // nothing was spent
		}},
		{"400 invalid_grant", func(a *app) {
			b, _ := a.person()
			code := b.codeFor("shop")
			for name, form := range map[string]url.Values{
				"another code":         codeForm("shop", strings.ToUpper(code)),
				"another redirect URI": codeForm("shop", code, "redirect_uri", shopBack+"/"),
				"another verifier":     codeForm("shop", code, "code_verifier", strings.ToUpper(verifier)),
				"no verifier at all":   codeForm("shop", code, "code_verifier", "x"),
			} {
				if x := a.grant("shop", form); what(x.status, x.header, x.body) != "400 invalid_grant" {
					a.Errorf("%s: %d %s", name, x.status, x.body)
				}
			}
			a.grant("portal", codeForm("shop", code)).is("400 invalid_grant") // another client's
			a.grant("shop", codeForm("shop", code)).is("200")                 // nothing was spent until now
			a.grant("shop", codeForm("shop", code)).is("400 invalid_grant")
			late := b.codeFor("shop")
			a.Clock.Advance(time.Minute)
			a.grant("shop", codeForm("shop", late)).is("400 invalid_grant")
		}},
		{"400 invalid_target", func(a *app) {
			b, _ := a.person()
			code := b.codeFor("shop")
			a.grant("shop", codeForm("shop", code, "resource", shopAPI)).is("400 invalid_target")
			a.grant("shop", codeForm("shop", code)).is("200")
		}},
		{"429 slow_down: an app that asks in a loop", func(a *app) {
			b, email := a.person()
			refused, tries := answer{}, 0
			for ; refused.status != 429 && tries < 400; tries++ {
				refused = a.grant("shop", codeForm("shop", b.codeFor("shop")))
			}
			if got := refused.is("429 slow_down").header.Get("RateLimit-Policy"); tries <= 120 || got != `"code";q=120;w=600` {
				a.Errorf("refused after %d, RateLimit-Policy %q", tries, got)
			}
			other := a.browser().staying()
			other.signsIn(email)
			other.tokensFor("shop")
		}},
	})
}

func TestTokenRefreshed(t *testing.T) {
	next := func(a *app, tokens api.AppTokens, more ...string) api.AppTokens {
		a.Helper()
		return decode[api.AppTokens](a.grant("shop", refreshForm(tokens.RefreshToken, more...)).is("200"))
	}
	prove(t, "POST /oauth/token", besideApps, []proof{
		{"200", func(a *app) {
			b, _ := a.person()
			first := b.tokensFor("shop")
			a.Clock.Advance(time.Minute)
			second := next(a, first)
			before, after := jwt(a.T, first.IDToken), jwt(a.T, second.IDToken)
			if second.RefreshToken == first.RefreshToken || second.Scope != first.Scope || before.claims["sid"] != after.claims["sid"] {
				a.Errorf("first %+v, second %+v", first, second)
			}
			if after.number("auth_time") != before.number("auth_time") || after.claims["nonce"] != nil {
				a.Errorf("ID token %v", after.claims)
			}
			if again := next(a, first); again.RefreshToken != second.RefreshToken { // a lost answer
				a.Error("the successor is another one")
			}
		}},
		{"200: a narrower scope, and what was not granted is ignored", func(a *app) {
			b, _ := a.person()
			narrow := next(a, b.tokensFor("shop", "scope", "openid email"), "scope", "email account profile")
			if narrow.Scope != "email" || narrow.IDToken != "" {
				a.Errorf("%+v", narrow)
			}
			if wide := next(a, narrow); wide.Scope != "openid email" { // all that was granted
				a.Errorf("%+v", wide)
			}
		}},
		{"400 invalid_request", func(a *app) {
			a.grant("shop", refreshForm("")).is("400 invalid_request")
		}},
		{"400 invalid_grant", func(a *app) {
			b, email := a.person()
			tokens, ours := b.tokensFor("shop"), a.In(a.T, email)
			a.grant("portal", refreshForm(tokens.RefreshToken)).is("400 invalid_grant") // another client's
			a.grant("shop", refreshForm(ours.RefreshToken)).is("400 invalid_grant")     // for the other endpoint
			a.refresh(tokens.RefreshToken).is("401 invalid_refresh_token")
			a.grant("shop", refreshForm(tokens.AccessToken)).is("400 invalid_grant")
			a.alive(ours)
			tokens = next(a, tokens)
			b.open("/account").submit("/signout")
			a.grant("shop", refreshForm(tokens.RefreshToken)).is("400 invalid_grant")
		}},
		{"400 invalid_target", func(a *app) {
			b, _ := a.person()
			tokens := b.tokensFor("shop", "resource", shopAPI)
			a.grant("shop", refreshForm(tokens.RefreshToken, "resource", "https://other.example")).is("400 invalid_target")
			if aud := jwt(a.T, next(a, tokens, "resource", shopAPI).AccessToken).claims["aud"]; aud != shopAPI {
				a.Errorf("aud %v", aud)
			}
		}},
		{"503 refresh_superseded: no libraries may take it for tokens or for the end", func(a *app) {
			b, _ := a.person()
			first := b.tokensFor("shop")
			current := next(a, next(a, first))
			x := a.grant("shop", refreshForm(first.RefreshToken)).is("503 refresh_superseded")
			if h := x.header; h.Get("Content-Type") != "text/plain; charset=utf-8" || h.Get("Retry-After") != "" || strings.Contains(string(x.body), "{") {
				a.Errorf("%v %s", h, x.body)
			}
			next(a, current) // nothing has ended
		}},
	})
}

func TestTokenOfAClient(t *testing.T) {
	prove(t, "POST /oauth/token", besideApps, []proof{
		{"200", func(a *app) {
			for _, tt := range []struct {
				form       url.Values
				scope, aud string
			}{
				{jobForm(), "read write", a.Options.Audience},
				{jobForm("scope", "write", "resource", shopAPI), "write", shopAPI},
			} {
				got := decode[api.AppTokens](a.grant("job", tt.form).is("200"))
				if got.RefreshToken != "" || got.IDToken != "" || got.Scope != tt.scope || got.ExpiresIn < 299 || got.ExpiresIn > 300 {
					a.Errorf("tokens %+v", got)
				}
				claims := jwt(a.T, got.AccessToken).claims
				if claims["sub"] != "job" || claims["client_id"] != "job" || claims["sid"] != nil || claims["aud"] != tt.aud {
					a.Errorf("claims %v", claims)
				}
				if seen := a.introspect(got.AccessToken); !seen.Active || seen.Subject != "job" || seen.SessionID != "" {
					a.Errorf("introspection %+v", seen)
				}
			}
		}},
		{"400 unauthorized_client: no scopes in the clients file, or no secret", func(a *app) {
			a.grant("portal", jobForm()).is("400 unauthorized_client")
			a.grant("shop", jobForm()).is("400 unauthorized_client")
		}},
		{"400 unsupported_grant_type", func(a *app) {
			for _, grant := range []string{"password", "implicit", "Authorization_Code", "urn:ietf:params:oauth:grant-type:device_code"} {
				a.grant("job", jobForm("grant_type", grant)).is("400 unsupported_grant_type")
			}
		}},
		{"400 invalid_scope", func(a *app) {
			for _, scope := range []string{"admin", "read admin", "openid", "READ"} {
				a.grant("job", jobForm("scope", scope)).is("400 invalid_scope")
			}
		}},
		{"400 invalid_target", func(a *app) {
			a.grant("job", jobForm("resource", "https://other.example")).is("400 invalid_target")
		}},
		{"401 invalid_client", func(a *app) {
			refusesBadClients(a, "/oauth/token")
			for name, form := range map[string]url.Values{
				"unknown":               jobForm("client_id", "nobody"),
				"without its secret":    jobForm("client_id", "job"),
				"a wrong secret":        jobForm("client_id", "job", "client_secret", "wrong"),
				"a public one's secret": jobForm("client_id", "shop", "client_secret", secret),
				"an assertion":          jobForm("client_id", "job", "client_assertion", "x"),
			} {
				x := a.post("/oauth/token", form)
				if what(x.status, x.header, x.body) != "401 invalid_client" || x.header.Get("WWW-Authenticate") != "" { // RFC 6749 §5.2: Basic was not used
					a.Errorf("%s: %d %s, challenge %q", name, x.status, x.body, x.header.Get("WWW-Authenticate"))
				}
			}
			a.post("/oauth/token", jobForm("client_id", "job", "client_secret", secret)).is("200")
		}},
		{"429 slow_down: wrong secrets", func(a *app) {
			for range 30 {
				a.post("/oauth/token", jobForm(), basicAuth("job", "wrong")).is("401 invalid_client")
			}
			x := a.grant("job", jobForm()).is("429 slow_down")
			if got := x.header.Get("RateLimit-Policy"); got != `"client";q=30;w=600` {
				a.Errorf("RateLimit-Policy %q", got)
			}
			a.post("/oauth/token", jobForm(), basicAuth("job", secret), from(a.node.address())).is("200")
		}},
	})
}

// Discovery names nothing that is not there, and of no address where browsers keep no cookie that people sign in at it.
func TestDiscoveryNamesWhatIsThere(t *testing.T) {
	n := newNode(t, authtest.SQLite(t), besideApps) // HTTP alone: no engine is asked
	a := n.enter(t)
	says := decode[api.Discovery](a.get("/.well-known/openid-configuration").is("200"))
	for _, endpoint := range []string{says.AuthorizationEndpoint, says.TokenEndpoint, says.UserinfoEndpoint, says.EndSessionEndpoint, says.JWKSURI, says.IntrospectionEndpoint, says.RevocationEndpoint} {
		path, ours := strings.CutPrefix(endpoint, a.Options.Issuer)
		if got := a.browser().staying().open(path); !ours || got.status == 404 {
			t.Errorf("%s: %d", endpoint, got.status)
		}
	}
	for _, grant := range says.Grants {
		if x := a.post("/oauth/token", url.Values{"grant_type": {grant}, "client_id": {"shop"}}); what(x.status, x.header, x.body) == "400 unsupported_grant_type" {
			t.Errorf("%s: %s", grant, x.body)
		}
	}
	if says.RequestObjects || says.RequestURIs || !says.IssuerInAnswers {
		t.Errorf("%+v", says)
	}
	n = newNode(t, authtest.SQLite(t), func(o *auth.Options) { o.Issuer = "http://id.example.com" })
	without := decode[api.Discovery](n.enter(t).get("/.well-known/openid-configuration").is("200"))
	if diff := cmp.Diff([]string{"refresh_token", "client_credentials"}, without.Grants); diff != "" || without.AuthorizationEndpoint != "" || without.ResponseTypes != nil {
		t.Errorf("without cookies: %+v", without.AuthorizationServer)
	}
}
