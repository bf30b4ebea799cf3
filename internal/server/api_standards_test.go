package server_test

// What other people's standards fix: OpenID Connect, RFC 7517, RFC 7662, RFC 7009 and their kin.

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

// basicAuth is HTTP Basic as RFC 6749 §2.3.1 has it: both halves form-encoded.
func basicAuth(alias, secret string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(alias)+":"+url.QueryEscape(secret)))
}

func (a *app) introspect(token string) api.Introspection {
	a.Helper()
	return decode[api.Introspection](a.post("/oauth/introspect", url.Values{"token": {token}}, basicAuth("resource", secret)).is("200"))
}

func (a *app) revoke(token string, headers ...string) answer {
	a.Helper()
	return a.post("/oauth/revoke", url.Values{"token": {token}}, headers...)
}

// badClients is every Authorization header that proves no client.
func badClients(a *app) map[string][]string {
	a.Helper()
	_, tokens := a.in()
	return map[string][]string{
		"wrong secret":   {basicAuth("resource", "wrong")},
		"unknown client": {basicAuth("nobody", secret)},
		"another's":      {basicAuth("web", secret)},
		"a Bearer":       {bearer(tokens.AccessToken)},
		"twice":          {basicAuth("resource", secret), basicAuth("resource", secret)},
		"not encoded":    {"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("resource:%zz"))},
		"no base64":      {"Authorization: Basic resource:secret"},
		"empty":          {"Authorization: "},
	}
}

func refusesBadClients(a *app, path string) {
	a.Helper()
	_, tokens := a.in()
	for name, headers := range badClients(a) {
		x := a.post(path, url.Values{"token": {tokens.RefreshToken}}, headers...)
		if what(x.status, x.header, x.body) != "401 invalid_client" || x.header.Get("WWW-Authenticate") != `Basic realm="latchkey", charset="UTF-8"` {
			a.Errorf("%s: %d %s, challenge %q", name, x.status, x.body, x.header.Get("WWW-Authenticate"))
		}
	}
	a.alive(tokens)
}

func refusesBadForms(a *app, path string, headers ...string) {
	a.Helper()
	for _, form := range []url.Values{{}, {"token": {""}}, {"Token": {"x"}}, {"token": {"x", "y"}}, {"token": {"x"}, "token_type_hint": {"a", "b"}}} {
		a.post(path, form, headers...).is("400 invalid_request")
	}
	a.post(path, "token=%zz", append(headers, "Content-Type: application/x-www-form-urlencoded")...).is("400 invalid_request")
	a.post(path+"?token=x", nil, headers...).is("400 invalid_request") // never from the query
}

// limitsSecrets: after 30 wrong secrets of a client from an address not even the right one is looked
// at there; another client, another address and sign-in go on.
func limitsSecrets(a *app, path string) {
	a.Helper()
	email, _ := a.in()
	token := url.Values{"token": {"x"}}
	for range 30 {
		a.post(path, token, basicAuth("resource", "wrong")).is("401 invalid_client")
	}
	x := a.post(path, token, basicAuth("resource", secret)).is("429 temporarily_unavailable")
	if got := x.header.Get("RateLimit-Policy"); got != `"client";q=30;w=600` {
		a.Errorf("RateLimit-Policy %q", got)
	}
	a.post(path, token, basicAuth("resource", secret), from(a.node.address())).is("200")
	a.post(path, token, basicAuth("nobody", secret)).is("401 invalid_client")
	for range 80 { // far more than an address may sign in wrongly
		a.post(path, token, basicAuth("resource", "wrong")).is("429 temporarily_unavailable")
	}
	a.signIn(email, authtest.Password).is("200")
	a.Clock.Advance(21 * time.Second)
	a.post(path, token, basicAuth("resource", secret)).is("200")
}

func TestIntrospect(t *testing.T) {
	prove(t, "POST /oauth/introspect", nil, []proof{
		{"200", func(a *app) {
			email, tokens := a.in()
			claims := jwt(a.T, tokens.AccessToken)
			want := api.Introspection{
				Active: true, TokenType: "Bearer", Scope: "email profile", ClientID: "web", Username: email, Subject: a.userID(tokens),
				Audience: a.Options.Audience, Issuer: a.Options.Issuer, SessionID: tokens.SessionID, TokenID: claims.claims["jti"].(string),
				IssuedAt: claims.number("iat"), ExpiresAt: claims.number("exp"), NotBefore: claims.number("nbf"),
			}
			for _, hint := range []string{"", "access_token", "refresh_token", "saml2"} {
				got := decode[api.Introspection](a.post("/oauth/introspect", url.Values{"token": {tokens.AccessToken}, "token_type_hint": {hint}}, basicAuth("resource", secret)).is("200"))
				if diff := cmp.Diff(want, got); diff != "" {
					a.Errorf("hint %q (-want +got):\n%s", hint, diff)
				}
			}
		}},
		{"200: a refresh token, which is not spent by it", func(a *app) {
			_, first := a.in()
			second := a.next(first)
			for _, tokens := range []api.Tokens{second, first} { // the predecessor would still be given its successor
				got := a.introspect(tokens.RefreshToken)
				if !got.Active || got.TokenType != "refresh_token" || got.SessionID != first.SessionID || got.ClientID != "web" || got.ExpiresAt != jwt(a.T, second.RefreshToken).number("exp") {
					a.Errorf("introspection %+v", got)
				}
			}
			if again := a.next(first); again.RefreshToken != second.RefreshToken {
				a.Error("introspection rotated the session")
			}
		}},
		{"200: of a dead token nothing but that", func(a *app) {
			_, ended := a.in()
			a.post("/auth/signout", nil, bearer(ended.AccessToken)).is("200")
			_, old := a.in()
			a.Clock.Advance(a.Options.AccessTTL + time.Second)
			for name, token := range map[string]string{
				"ended": ended.AccessToken, "ended, refresh": ended.RefreshToken, "expired": old.AccessToken, "garbage": "x", "changed": old.RefreshToken + "A",
			} {
				if x := a.post("/oauth/introspect", url.Values{"token": {token}}, basicAuth("resource", secret)).is("200"); string(x.body) != `{"active":false}` {
					a.Errorf("%s: %s", name, x.body)
				}
			}
		}},
		{"200: a stolen token that would end the session does not by being looked at", func(a *app) {
			_, first := a.in()
			current := first
			for range 3 {
				a.Clock.Advance(2 * time.Minute)
				current = a.next(current)
			}
			if a.introspect(first.RefreshToken).Active {
				a.Error("a reused token is active")
			}
			a.alive(current)
		}},
		{"400 invalid_request", func(a *app) { refusesBadForms(a, "/oauth/introspect", basicAuth("resource", secret)) }},
		{"401 invalid_client", func(a *app) {
			refusesBadClients(a, "/oauth/introspect")
			a.post("/oauth/introspect", url.Values{"token": {"x"}}).is("401 invalid_client")
			a.post("/oauth/introspect", url.Values{"token": {"x"}}, basicAuth("web", "")).is("401 invalid_client")
		}},
		{"429 temporarily_unavailable", func(a *app) { limitsSecrets(a, "/oauth/introspect") }},
	})
}

func TestRevoke(t *testing.T) {
	prove(t, "POST /oauth/revoke", nil, []proof{
		{"200: any generation ends the session", func(a *app) {
			for generation := range 4 {
				_, first := a.in()
				list := []api.Tokens{first}
				for range 3 {
					a.Clock.Advance(2 * time.Minute)
					list = append(list, a.next(list[len(list)-1]))
				}
				if x := a.revoke(list[generation].RefreshToken).is("200"); string(x.body) != `{}` {
					a.Errorf("body %s", x.body)
				}
				a.dead(list[3])
				a.revoke(list[generation].RefreshToken).is("200") // again
			}
		}},
		{"200: an access token", func(a *app) {
			email, tokens := a.in()
			other := a.In(a.T, email)
			a.revoke(tokens.AccessToken, basicAuth("resource", secret)).is("200")
			a.dead(tokens)
			a.alive(other)
		}},
		{"200: garbage", func(a *app) { // RFC 7009 §2.2
			_, tokens := a.in()
			parts := strings.Split(tokens.RefreshToken, ".")
			for _, bad := range []string{"x", tokens.RefreshToken + "A", parts[0] + "." + parts[1] + "." + strings.Repeat("A", 43), strings.Repeat("x", 9000), tokens.AccessToken + "A"} {
				a.revoke(bad).is("200")
			}
			a.alive(tokens)
		}},
		{"200: why it ended can be told", func(a *app) {
			_, tokens := a.in()
			a.revoke(tokens.RefreshToken).is("200")
			if e, err := a.Service.ExplainSession(a.Context(), tokens.SessionID); err != nil || e.Alive || e.Reason == "" {
				a.Errorf("explanation %+v: %v", e, err)
			}
		}},
		{"400 invalid_request", func(a *app) { refusesBadForms(a, "/oauth/revoke") }},
		{"401 invalid_client: who says he is a client must be one", func(a *app) { refusesBadClients(a, "/oauth/revoke") }},
		{"429 temporarily_unavailable", func(a *app) { limitsSecrets(a, "/oauth/revoke") }},
	})
}

func TestUserInfo(t *testing.T) {
	prove(t, "GET /auth/userinfo", nil, []proof{
		{"200", func(a *app) {
			email, tokens := a.in()
			want := api.UserInfo{Subject: a.userID(tokens), Email: email, EmailVerified: true, Name: "Ada Lovelace", GivenName: "Ada", FamilyName: "Lovelace"}
			if diff := cmp.Diff(want, decode[api.UserInfo](a.get("/auth/userinfo", bearer(tokens.AccessToken)).is("200"))); diff != "" {
				a.Errorf("claims (-want +got):\n%s", diff)
			}
			a.get("/auth/userinfo", "Authorization: bearer  "+tokens.AccessToken).is("200") // RFC 9110 §11.1: in any case
		}},
		{"401 invalid_token", func(a *app) { refusesBadBearers(a, "GET", "/auth/userinfo") }},
		{"401 invalid_token: a disabled and a deleted account, at once", func(a *app) { // I1
			disabled, first := a.in()
			deleted, second := a.in()
			if err := a.Service.DisableUser(a.Context(), disabled); err != nil {
				a.Fatal(err)
			}
			if err := a.Service.DeleteUser(a.Context(), deleted); err != nil {
				a.Fatal(err)
			}
			a.dead(first)
			a.dead(second)
			if err := a.Service.EnableUser(a.Context(), disabled); err != nil {
				a.Fatal(err)
			}
			a.dead(first)
		}},
	})
}

func TestPostUserInfo(t *testing.T) {
	prove(t, "POST /auth/userinfo", nil, []proof{
		{"200", func(a *app) { // OpenID Connect Core §5.3.1
			_, tokens := a.in()
			want := decode[api.UserInfo](a.get("/auth/userinfo", bearer(tokens.AccessToken)).is("200"))
			for _, body := range []any{nil, url.Values{"x": {"y"}}, `{`} {
				if diff := cmp.Diff(want, decode[api.UserInfo](a.post("/auth/userinfo", body, bearer(tokens.AccessToken)).is("200"))); diff != "" {
					a.Errorf("claims (-GET +POST):\n%s", diff)
				}
			}
			a.post("/auth/userinfo", url.Values{"access_token": {tokens.AccessToken}}).is("401 invalid_token") // RFC 6750 §2.2 is not taken
		}},
		{"401 invalid_token", func(a *app) { refusesBadBearers(a, "POST", "/auth/userinfo") }},
	})
}

func TestJWKSEndpoint(t *testing.T) {
	prove(t, "GET /.well-known/jwks.json", nil, []proof{
		{"200", func(a *app) {
			_, tokens := a.in()
			x := a.get("/.well-known/jwks.json").is("200")
			if got := x.header.Get("Cache-Control"); got != "public, max-age=300" {
				a.Errorf("Cache-Control %q", got)
			}
			set := decode[struct{ Keys []map[string]any }](x)
			var ids []any
			for _, key := range set.Keys {
				ids = append(ids, key["kid"])
				if key["use"] != "sig" || key["alg"] != "ES256" || key["kty"] != "EC" || key["d"] != nil || len(key) != 7 {
					a.Errorf("key %v", key)
				}
			}
			if kid := jwt(a.T, tokens.AccessToken).header["kid"]; !slices.Contains(ids, kid) {
				a.Errorf("the token's key %v is not among %v", kid, ids)
			}
		}},
		{"503 unavailable: no key is good now", func(a *app) { // a verifier would keep an empty set
			var keys []store.SigningKey
			put := func(change func(*store.SigningKey)) {
				err := a.Store.Write(a.Context(), func(tx *store.Tx) (err error) {
					if keys == nil {
						if keys, err = tx.SigningKeys(); err != nil {
							return err
						}
					}
					for _, key := range keys {
						change(&key)
						if err := tx.PutSigningKey(key); err != nil {
							return err
						}
					}
					return nil
				})
				if err == nil {
					err = a.Service.Keys().Reload(a.Context())
				}
				if err != nil {
					a.Fatal(err)
				}
			}
			put(func(key *store.SigningKey) { key.RetireAt = a.Clock.Now().Add(-time.Second) })
			defer put(func(*store.SigningKey) {})
			a.get("/.well-known/jwks.json").is("503 unavailable")
		}},
	})
}

func TestDiscoveryEndpoint(t *testing.T) {
	prove(t, "GET /.well-known/openid-configuration", nil, []proof{
		{"200", func(a *app) {
			x := a.get("/.well-known/openid-configuration", "Host: evil.example", "X-Forwarded-Host: evil.example").is("200")
			got := decode[api.Discovery](x)
			issuer := a.Options.Issuer
			if got.Issuer != issuer || got.JWKSURI != issuer+"/.well-known/jwks.json" || got.UserinfoEndpoint != issuer+"/oauth/userinfo" ||
				got.IntrospectionEndpoint != issuer+"/oauth/introspect" || got.RevocationEndpoint != issuer+"/oauth/revoke" {
				a.Errorf("discovery %+v", got)
			}
			if !slices.Equal(got.AccessTokenSigningAlgs, []string{"ES256"}) || x.header.Get("Cache-Control") != "public, max-age=300" {
				a.Errorf("algorithms %v, Cache-Control %q", got.AccessTokenSigningAlgs, x.header.Get("Cache-Control"))
			}
			var raw map[string]any
			if err := json.Unmarshal(x.body, &raw); err != nil {
				a.Fatal(err)
			}
			saysNothingEmpty(a, raw)
			for name, path := range raw { // every endpoint is there
				if address, is := path.(string); is && strings.HasSuffix(name, "_endpoint") {
					path := strings.TrimPrefix(address, issuer)
					if got := a.browser().staying().open(path); got.status == 404 || path == address {
						a.Errorf("%s: %s answers %d", name, address, got.status)
					}
				}
			}
		}},
	})
}

// saysNothingEmpty: OpenID Connect Discovery §4.2, RFC 8414 §3.2.
func saysNothingEmpty(a *app, document map[string]any) {
	a.Helper()
	for name, value := range document {
		if list, isList := value.([]any); value == nil || value == "" || isList && len(list) == 0 {
			a.Errorf("%s is %v", name, value)
		}
	}
}

func TestAuthorizationServerEndpoint(t *testing.T) {
	prove(t, "GET /.well-known/oauth-authorization-server", nil, []proof{
		{"200", func(a *app) {
			x := a.get("/.well-known/oauth-authorization-server", "Host: evil.example").is("200")
			got, all := decode[api.AuthorizationServer](x), decode[api.Discovery](a.get("/.well-known/openid-configuration").is("200"))
			if diff := cmp.Diff(all.AuthorizationServer, got); diff != "" || got.Issuer != a.Options.Issuer {
				a.Errorf("the two documents differ:\n%s", diff)
			}
			saysNothingEmpty(a, decode[map[string]any](x))
		}},
	})
}

// The documents that anybody may read can be read by any page, too; a registered origin goes on being named.
func TestPublishedDocuments(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		for _, path := range []string{"/.well-known/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/v1/.well-known/jwks.json"} {
			for _, origin := range []string{"https://elsewhere.example", "null", "capacitor://localhost", ""} {
				var headers []string
				if origin != "" {
					headers = append(headers, "Origin: "+origin)
				}
				h := a.get(path, headers...).is("200").header
				if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" || !slices.Contains(h["Vary"], "Origin") {
					t.Errorf("%s for %q: %v", path, origin, h)
				}
			}
			asked := a.send("OPTIONS", path, nil, "Origin: https://elsewhere.example", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x-trace").is("204").header
			if asked.Get("Access-Control-Allow-Origin") != "*" || asked.Get("Access-Control-Allow-Headers") != "x-trace" {
				t.Errorf("preflight of %s: %v", path, asked)
			}
			if h := a.get(path, "Origin: "+webURL).header; h.Get("Access-Control-Allow-Origin") != webURL || h.Get("Access-Control-Allow-Credentials") != "true" {
				t.Errorf("%s for a registered origin: %v", path, h)
			}
		}
		for _, path := range []string{"/.well-known/", "/auth/clientAliases", "/v1/v1/.well-known/jwks.json"} {
			if h := a.get(path, "Origin: https://elsewhere.example").header; h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %v", path, h)
			}
		}
	})
}

// RFC 6749 §5.2: whoever speaks OAuth reads OAuth's errors, whatever is wrong with the request.
func TestOAuthErrorsOffTheRoutes(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		for _, x := range []struct{ method, path, want, allow string }{
			{"GET", "/oauth/introspect", "405 invalid_request", "POST, OPTIONS"},
			{"PUT", "/v1/oauth/revoke", "405 invalid_request", "POST, OPTIONS"},
			{"GET", "/oauth/token", "405 invalid_request", "POST, OPTIONS"},
			{"PUT", "/oauth/userinfo", "405 invalid_request", "GET, HEAD, POST, OPTIONS"},
			{"GET", "/v1/oauth/authorize", "404 invalid_request", ""},
			{"POST", "/oauth/register", "404 invalid_request", ""},
			{"GET", "/oauth", "404 invalid_request", ""},
			{"GET", "/oauth/", "404 invalid_request", ""},
			{"POST", "/oauth/revoke/", "404 invalid_request", ""},
			{"POST", "/oauth//revoke", "404 invalid_request", ""},
		} {
			got := a.send(x.method, x.path, nil, "Accept: text/html, */*").is(x.want)
			if got.header.Get("Allow") != x.allow || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s %s: %v", x.method, x.path, got.header)
			}
			if e := decode[api.OAuthError](got); e.ErrorDescription == "" {
				t.Errorf("%s %s: %s", x.method, x.path, got.body)
			}
		}
	})
}

// RFC 6749 §5.1: a client that counts expires_in from when it got the token never holds a dead one.
func TestExpNeverBeforeExpiresIn(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		email := a.user()
		for range 20 {
			a.Clock.Advance(137 * time.Millisecond)
			now := a.Clock.Now()
			tokens := a.In(t, email)
			exp := time.Unix(jwt(t, tokens.AccessToken).number("exp"), 0)
			if left := exp.Sub(now); left < time.Duration(tokens.ExpiresIn)*time.Second || left > a.Options.AccessTTL {
				t.Errorf("at %s expires_in is %d, and exp %s away", now, tokens.ExpiresIn, left)
			}
		}
	})
}

// While keys of two algorithms are published, verifiers are told of both, by every node.
func TestDiscoveryListsEveryAlgorithm(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		old := authtest.New(t, db)
		changed := authtest.New(t, db, func(o *auth.Options) { o.SigningAlg = "EdDSA" })
		if err := old.Service.Keys().Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		for node, want := range map[*authtest.Rig][]string{old: {"ES256", "EdDSA"}, changed: {"EdDSA", "ES256"}} {
			got, err := node.Discovery(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.AccessTokenSigningAlgs, want) || !slices.Equal(got.IDTokenSigningAlgs, want) {
				t.Errorf("with %s configured it lists %v and %v, want %v", want[0], got.AccessTokenSigningAlgs, got.IDTokenSigningAlgs, want)
			}
		}
	})
}

func TestHealthz(t *testing.T) {
	prove(t, "GET /healthz", nil, []proof{{"200", func(a *app) { a.get("/healthz").is("200") }}})
}

func TestReadyz(t *testing.T) {
	prove(t, "GET /readyz", nil, []proof{{"200", func(a *app) { a.get("/readyz").is("200") }}})
}
