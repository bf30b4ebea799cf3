package server

// The token endpoint (RFC 6749 §3.2), for apps and their servers.

import (
	"net/http"
	"strings"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/fields"
)

// tokenRoute has refusals of its own.
const tokenRoute = "POST /oauth/token"

// app asks for a registered client: a confidential one with its secret, a public one by its name.
func app(x *exchange) error {
	form := x.oauthForm()
	if len(x.r.Header["Authorization"]) > 0 || form.hasSecret || form.values.Has("client_assertion") {
		return x.authenticateClient(true)
	}
	if form.err != nil {
		return form.err
	}
	if form.values.Get("client_id") == "" {
		return missing("client_id")
	}
	return x.proveClient(auth.ClientCredentials{Alias: form.values.Get("client_id")}, true)
}

func missing(parameter string) error {
	return refuse(auth.CodeInvalidRequest, fields.Problem{Name: parameter, Code: "required", Message: parameter + " is missing."})
}

func (s *server) token(x *exchange) (reply, error) {
	if err := x.oauthForm().err; err != nil {
		return nil, err
	}
	grant, ok := map[string]func(*exchange) (auth.Tokens, error){
		"authorization_code": s.exchangeCode, "refresh_token": s.refreshApp, "client_credentials": s.clientCredentials,
	}[x.oauthForm().values.Get("grant_type")]
	switch {
	case x.oauthForm().values.Get("grant_type") == "":
		return nil, missing("grant_type")
	case !ok:
		return nil, refuse(auth.CodeUnsupportedGrantType)
	}
	t, err := grant(x)
	if err != nil {
		return nil, err
	}
	x.userID, x.sessionID = t.UserID, t.SessionID
	return bare(api.AppTokens{
		AccessToken: t.AccessToken, TokenType: "Bearer", ExpiresIn: int64(t.ExpiresIn.Seconds()),
		RefreshToken: t.RefreshToken, RefreshExpiresIn: int64(t.RefreshExpiresIn.Seconds()), IDToken: t.IDToken, Scope: t.Scope,
	}), nil
}

// exchangeCode answers RFC 6749 §4.1.3 with the verifier of RFC 7636 §4.5.
func (s *server) exchangeCode(x *exchange) (auth.Tokens, error) {
	values := x.form.values
	for _, name := range []string{"code", "redirect_uri", "code_verifier"} {
		if values.Get(name) == "" {
			return auth.Tokens{}, missing(name)
		}
	}
	return s.auth.Exchange(x.r.Context(), auth.CodeExchange{
		Client: x.client, Code: values.Get("code"), RedirectURI: values.Get("redirect_uri"),
		Verifier: values.Get("code_verifier"), Resource: values.Get("resource"),
	}, x.peer)
}

// refreshApp answers RFC 6749 §6.
func (s *server) refreshApp(x *exchange) (auth.Tokens, error) {
	values := x.form.values
	if values.Get("refresh_token") == "" {
		return auth.Tokens{}, missing("refresh_token")
	}
	in := auth.AppRefresh{Client: x.client, RefreshToken: values.Get("refresh_token"), Resource: values.Get("resource")}
	if values.Get("scope") != "" {
		in.Scopes = strings.Fields(values.Get("scope"))
	}
	return s.auth.RefreshApp(x.r.Context(), in, x.peer)
}

// clientCredentials answers RFC 6749 §4.4.
func (s *server) clientCredentials(x *exchange) (auth.Tokens, error) {
	values := x.form.values
	if !x.client.Confidential() {
		return auth.Tokens{}, refuse(auth.CodeUnauthorizedClient)
	}
	return s.auth.ClientCredentials(x.client, strings.Fields(values.Get("scope")), values.Get("resource"))
}

// unavailableText is a 503 of the token endpoint: some libraries take any body with an error for a sign-out, and others
// any JSON without one for tokens.
func (x *exchange) unavailableText(v refusal) {
	x.Header().Set(api.CodeHeader, string(v.code))
	if v.code == auth.CodeRefreshSuperseded { // the same token again, however late, is not the way on
		x.Header().Del("Retry-After")
	}
	x.send(http.StatusServiceUnavailable, "text/plain; charset=utf-8", []byte(v.sentence+"\n"))
}
