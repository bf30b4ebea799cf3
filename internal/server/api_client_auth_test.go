package server_test

// How clients prove who they are under /oauth: RFC 6749 §2.3.1, RFC 7009 §2.1.

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/clients"
)

// awkward are secrets whose form-encoding differs from themselves, or whose own text looks encoded.
var awkward = []string{
	"VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIDE+/w==", // what openssl rand -base64 32 may well print
	"++++++++++++++++++++++++++++++++",
	"100%25 sure, 50% off & a=b; %zz %",
	"a colon: and an ü and a \" and a space",
	"%2B%2F%3D0123456789abcdef01234567",
}

func withSecrets(o *auth.Options) {
	list := o.Clients.List()
	for i, secret := range awkward {
		list = append(list, clients.Client{Alias: fmt.Sprintf("awkward%d", i), URL: "https://api.example.com", Secret: secret})
	}
	clients, err := clients.New(list)
	if err != nil {
		panic(err) // the list above is wrong
	}
	o.Clients = clients
}

func plainBasic(alias, secret string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(alias+":"+secret))
}

const formEncoded = "Content-Type: application/x-www-form-urlencoded"

func TestClientSecretsRawOrEncoded(t *testing.T) {
	onBothEngines(t, withSecrets, func(t *testing.T, n *node) {
		a := n.enter(t)
		_, tokens := a.in()
		token := url.Values{"token": {tokens.AccessToken}}
		for i, secret := range awkward {
			alias := fmt.Sprintf("awkward%d", i)
			inBody := func(secret string) string {
				return token.Encode() + "&client_id=" + alias + "&client_secret=" + secret
			}
			for name, x := range map[string]answer{
				"Basic, raw":                 a.post("/oauth/introspect", token, plainBasic(alias, secret)),
				"Basic, form-encoded":        a.post("/oauth/introspect", token, basicAuth(alias, secret)),
				"Basic, percent-encoded":     a.post("/oauth/introspect", token, plainBasic(alias, strings.ReplaceAll(url.QueryEscape(secret), "+", "%20"))),
				"Basic and client_id":        a.post("/oauth/introspect", url.Values{"token": {"x"}, "client_id": {alias}}, plainBasic(alias, secret)),
				"in the body, form-encoded":  a.post("/oauth/introspect", inBody(url.QueryEscape(secret)), formEncoded),
				"in the body, the name too":  a.post("/oauth/introspect", strings.Replace(inBody(url.QueryEscape(secret)), "client_secret", "client%5Fsecret", 1), formEncoded),
				"revoke, Basic, raw":         a.post("/oauth/revoke", url.Values{"token": {"x"}}, plainBasic(alias, secret)),
				"revoke, in the body, first": a.post("/oauth/revoke", "client_secret="+url.QueryEscape(secret)+"&client_id="+alias+"&token=x", formEncoded),
			} {
				if x.status != 200 {
					t.Errorf("%s of %q: %d %s", name, secret, x.status, x.body)
				}
			}
			if !strings.Contains(secret, "&") { // which ends a parameter
				if x := a.post("/oauth/introspect", inBody(secret), formEncoded); x.status != 200 {
					t.Errorf("raw in the body %q: %d %s", secret, x.status, x.body)
				}
			}
			for name, bad := range map[string]string{"cut": secret[:len(secret)-1], "longer": secret + "+", "encoded twice": url.QueryEscape(url.QueryEscape(secret))} {
				a.post("/oauth/introspect", token, plainBasic(alias, bad)).is("401 invalid_client")
				a.post("/oauth/revoke", inBody(url.QueryEscape(url.QueryEscape(bad))), formEncoded).is("401 invalid_client")
				if t.Failed() {
					t.Fatal(name)
				}
			}
		}
		a.alive(tokens)
	})
}

// RFC 6749 §2.3: a client must not use more than one authentication method in a request.
func TestClientsAuthenticateInOneWay(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		_, tokens := a.in()
		for _, path := range []string{"/oauth/introspect", "/oauth/revoke"} {
			with := func(more url.Values, headers ...string) answer {
				more.Set("token", tokens.RefreshToken)
				return a.post(path, more, headers...)
			}
			for _, secret := range []string{secret, "", "wrong"} {
				with(url.Values{"client_id": {"resource"}, "client_secret": {secret}}, basicAuth("resource", "s3cret of the: large resource server")).is("400 invalid_request")
				with(url.Values{"client_secret": {secret}}, bearer(tokens.AccessToken)).is("400 invalid_request")
			}
			with(url.Values{"client_id": {"web"}}, basicAuth("resource", secret)).is("400 invalid_request")
			with(url.Values{"client_assertion": {"x"}}, basicAuth("resource", secret)).is("400 invalid_request")
			with(url.Values{"client_id": {"resource"}, "client_secret": {secret}, "client_assertion": {"x"}}).is("400 invalid_request")
			with(url.Values{"client_id": {"resource"}, "client_assertion": {"x"}}).is("401 invalid_client")
			with(url.Values{"client_secret": {secret}}).is("401 invalid_client")
			with(url.Values{"client_id": {"resource"}, "client_secret": {""}}).is("401 invalid_client")
			with(url.Values{"client_id": {"nobody"}, "client_secret": {""}}).is("401 invalid_client")
			twice := "token=x&client_id=resource&client_secret=a&client_secret=a"
			if x := a.post(path, twice, formEncoded); x.status != 400 && x.status != 401 {
				t.Errorf("a secret twice: %d %s", x.status, x.body)
			}
		}
		a.alive(tokens)
	})
}

// A public client is known by its alias: an empty secret says that it has none. Nothing is open to it that is
// not open to anybody.
func TestPublicClientsHaveNoSecret(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		for _, x := range []struct {
			form    url.Values
			headers []string
		}{
			{url.Values{}, []string{basicAuth("web", "")}},
			{url.Values{"client_id": {"web"}}, []string{basicAuth("web", "")}},
			{url.Values{"client_id": {"web"}, "client_secret": {""}}, nil},
			{url.Values{"client_id": {"web"}}, nil},
		} {
			_, tokens := a.in()
			x.form.Set("token", tokens.RefreshToken)
			a.post("/oauth/introspect", x.form, x.headers...).is("401 invalid_client")
			a.post("/oauth/revoke", x.form, x.headers...).is("200")
			a.dead(tokens)
		}
	})
}

func TestDiscoverySaysHowClientsAuthenticate(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		got := decode[api.Discovery](n.enter(t).get("/.well-known/openid-configuration").is("200"))
		if want := []string{"client_secret_basic", "client_secret_post"}; !slices.Equal(got.IntrospectionAuthMethods, want) {
			t.Errorf("introspection %v", got.IntrospectionAuthMethods)
		}
		if want := []string{"none", "client_secret_basic", "client_secret_post"}; !slices.Equal(got.RevocationAuthMethods, want) {
			t.Errorf("revocation %v", got.RevocationAuthMethods)
		}
	})
}
