package server

// Which client is asking under /oauth: HTTP Basic or client_id and client_secret in the form (RFC 6749
// §2.3.1), and never both. Secrets are handed on as they were sent: whether that was the secret itself, as
// `curl -u` sends it, or its form-encoding, as the RFC has it, is auth's to compare.

import (
	"net/http"
	"net/url"
	"strings"

	"latchkey/internal/auth"
	"latchkey/internal/fields"
)

// oauthForm is the body of a request under /oauth.
type oauthForm struct {
	values    url.Values // but for the secret
	secret    string     // client_secret, as sent
	hasSecret bool
	err       error // why there is none
}

// client asks for a confidential client.
func client(x *exchange) error { return x.authenticateClient(false) }

// clientOrAnyone: RFC 7009 §2.1, public clients need no secret. Who says that he is a client must be one.
func clientOrAnyone(x *exchange) error {
	form := x.oauthForm()
	if len(x.r.Header["Authorization"]) == 0 && !form.hasSecret && !form.values.Has("client_assertion") {
		if named, ok := x.looks.clients.Lookup(form.values.Get("client_id")); ok && !named.Confidential() {
			x.client = named
		}
		return nil
	}
	return x.authenticateClient(true)
}

func (x *exchange) authenticateClient(mayBePublic bool) error {
	given, err := x.clientCredentials()
	if err != nil {
		return err
	}
	return x.proveClient(given, mayBePublic)
}

func (x *exchange) proveClient(given auth.ClientCredentials, mayBePublic bool) (err error) {
	x.client, err = x.s.auth.AuthenticateClient(x.r.Context(), given, mayBePublic, x.peer)
	return err
}

// clientCredentials reads the one method that the request uses. A client_id beside Basic is none, but must
// name the same client; an assertion (RFC 7521 §4.2) is one that nobody here can check.
func (x *exchange) clientCredentials() (auth.ClientCredentials, error) {
	form := x.oauthForm()
	named, asserted := form.values.Get("client_id"), form.values.Has("client_assertion")
	basic := len(x.r.Header["Authorization"]) > 0
	if basic && (form.hasSecret || asserted) || form.hasSecret && asserted {
		return auth.ClientCredentials{}, malformed("Authenticate the client in one way only.")
	}
	if !basic {
		if !form.hasSecret || named == "" {
			return auth.ClientCredentials{}, refuse(auth.CodeInvalidClient)
		}
		return auth.ClientCredentials{Alias: named, Secret: form.secret}, nil
	}
	given, ok := basicCredentials(x.r)
	switch {
	case !ok:
		return auth.ClientCredentials{}, refuse(auth.CodeInvalidClient)
	case named != "" && named != given.Alias:
		return auth.ClientCredentials{}, malformed("client_id names another client than the Authorization header.")
	}
	return given, nil
}

func basicCredentials(r *http.Request) (auth.ClientCredentials, bool) {
	alias, secret, ok := r.BasicAuth()
	if !ok || len(r.Header["Authorization"]) != 1 {
		return auth.ClientCredentials{}, false
	}
	if decoded, err := url.QueryUnescape(alias); err == nil {
		alias = decoded // an alias has no character that decoding would change
	}
	return auth.ClientCredentials{Alias: alias, Secret: secret}, true
}

// oauthForm reads the body, once.
func (x *exchange) oauthForm() *oauthForm {
	if x.form == nil {
		x.form = x.readOAuthForm()
	}
	return x.form
}

func (x *exchange) readOAuthForm() *oauthForm {
	body, err := x.body("application/x-www-form-urlencoded")
	if err != nil {
		return &oauthForm{err: err}
	}
	form := &oauthForm{}
	var rest []string
	for pair := range strings.SplitSeq(string(body), "&") {
		name, value, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err != nil || decoded != "client_secret" {
			rest = append(rest, pair)
			continue
		}
		if form.hasSecret {
			return &oauthForm{err: malformed("Each parameter may be given once only.")}
		}
		form.secret, form.hasSecret = value, true
	}
	form.values, form.err = parseValues(strings.Join(rest, "&"))
	return form
}

// tokenParameter reads `token` from the form. token_type_hint may be anything: both kinds are looked at.
func (x *exchange) tokenParameter() (string, error) {
	form := x.oauthForm()
	if form.err != nil {
		return "", form.err
	}
	if form.values.Get("token") == "" {
		return "", refuse(auth.CodeInvalidRequest, fields.Problem{Name: "token", Code: "required", Message: "token is missing."})
	}
	return form.values.Get("token"), nil
}
