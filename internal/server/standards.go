package server

// What other people's standards fix: so that any resource server can check our tokens.

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"latchkey/api"
	"latchkey/internal/auth"
)

func (s *server) jwks(x *exchange) (reply, error) {
	keys, err := s.auth.JWKS(x.r.Context())
	if err != nil {
		return nil, err
	}
	return cacheable(auth.JWKSMaxAge, func(x *exchange) { x.send(http.StatusOK, "application/json", keys) }), nil
}

func (s *server) discovery(*exchange) (reply, error) {
	algs := s.auth.SigningAlgs()
	return cacheable(auth.JWKSMaxAge, bare(api.Discovery{
		Issuer:                   s.publicURL,
		JWKSURI:                  s.publicURL + "/.well-known/jwks.json",
		UserinfoEndpoint:         s.publicURL + "/auth/userinfo",
		IntrospectionEndpoint:    s.publicURL + "/oauth/introspect",
		IntrospectionAuthMethods: []string{"client_secret_basic"},
		RevocationEndpoint:       s.publicURL + "/oauth/revoke",
		RevocationAuthMethods:    []string{"none", "client_secret_basic"},
		ResponseTypes:            []string{},
		SubjectTypes:             []string{"public"},
		IDTokenSigningAlgs:       algs,
		AccessTokenSigningAlgs:   algs,
		Scopes:                   []string{"email", "profile"},
		Claims: []string{
			"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "sid", "client_id", "azp", "auth_time",
			"email", "email_verified", "name", "given_name", "family_name",
		},
	})), nil
}

func (s *server) userInfo(x *exchange) (reply, error) {
	u, err := s.auth.UserInfo(x.r.Context(), *x.caller)
	if err != nil {
		return nil, err
	}
	return bare(api.UserInfo{
		Subject: u.Subject, Email: u.Email, EmailVerified: u.EmailVerified,
		Name: strings.TrimSpace(u.FirstName + " " + u.LastName), GivenName: u.FirstName, FamilyName: u.LastName,
	}), nil
}

// introspect answers RFC 7662 §2.2.
func (s *server) introspect(x *exchange) (reply, error) {
	token, err := x.tokenParameter()
	if err != nil {
		return nil, err
	}
	t, err := s.auth.Introspect(x.r.Context(), token)
	if err != nil {
		return nil, err
	}
	if !t.Active {
		return bare(api.Introspection{}), nil // nothing else is said of a dead token
	}
	return bare(api.Introspection{
		Active: true, TokenType: t.TokenType, Scope: t.Scope, ClientID: t.ClientID,
		Username: t.Username, Subject: t.Subject, Audience: t.Audience, Issuer: t.Issuer,
		SessionID: t.SessionID, TokenID: t.TokenID,
		IssuedAt: seconds(t.IssuedAt), ExpiresAt: seconds(t.ExpiresAt), NotBefore: seconds(t.NotBefore),
	}), nil
}

// revoke answers RFC 7009 §2.2: 200 for a token that means nothing to us, too.
func (s *server) revoke(x *exchange) (reply, error) {
	token, err := x.tokenParameter()
	if err != nil {
		return nil, err
	}
	if err := s.auth.Revoke(x.r.Context(), token, x.peer); err != nil {
		return nil, err
	}
	return bare(struct{}{}), nil
}

// tokenParameter reads `token` from the form. token_type_hint may be anything: both kinds are looked at.
func (x *exchange) tokenParameter() (string, error) {
	values, err := x.formValues()
	if err != nil {
		return "", err
	}
	if values.Get("token") == "" {
		return "", refuse(auth.CodeInvalidRequest, auth.Field{Name: "token", Code: "required", Message: "token is missing."})
	}
	return values.Get("token"), nil
}

// authenticateClient reads HTTP Basic as RFC 6749 §2.3.1 has it: both halves form-encoded.
func (x *exchange) authenticateClient() error {
	rawAlias, rawSecret, given := x.r.BasicAuth()
	alias, aliasErr := url.QueryUnescape(rawAlias)
	secret, secretErr := url.QueryUnescape(rawSecret)
	if !given || aliasErr != nil || secretErr != nil || len(x.r.Header["Authorization"]) != 1 {
		return refuse(auth.CodeInvalidClient)
	}
	return x.s.auth.AuthenticateClient(x.r.Context(), alias, secret, x.peer)
}

func (x *exchange) authenticateClientIfAsked() error {
	if len(x.r.Header["Authorization"]) == 0 {
		return nil
	}
	return x.authenticateClient()
}

// seconds is a NumericDate (RFC 7519 §2); 0 for a time that is not known.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
