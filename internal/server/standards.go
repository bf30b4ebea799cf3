package server

// What other people's standards fix: so that any resource server can check our tokens.

import (
	"net/http"
	"strings"
	"time"

	"latchkey/api"
	"latchkey/internal/keyring"
	"latchkey/internal/locale"
	"latchkey/internal/oidc"
)

func (s *server) jwks(*exchange) (reply, error) {
	keys, err := s.auth.Keys().JWKS()
	if err != nil {
		return nil, err
	}
	return cacheable(keyring.JWKSMaxAge, func(x *exchange) { x.send(http.StatusOK, "application/json", keys) }), nil
}

func (s *server) discovery(*exchange) (reply, error) {
	algs := s.auth.Keys().Algorithms()
	return cacheable(keyring.JWKSMaxAge, bare(api.Discovery{
		AuthorizationServer:    s.metadata(),
		UserinfoEndpoint:       s.publicURL + "/oauth/userinfo",
		EndSessionEndpoint:     s.publicURL + "/oauth/logout",
		BackchannelLogout:      true,
		BackchannelSession:     true,
		SubjectTypes:           []string{"public"},
		IDTokenSigningAlgs:     algs,
		AccessTokenSigningAlgs: algs,
		ACRs:                   []string{oidc.AAL1},
		Claims: []string{
			"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "sid", "client_id", "azp", "auth_time", "nonce", "acr", "amr", "at_hash",
			"email", "email_verified", "name", "given_name", "family_name", "locale", "updated_at",
		},
	})), nil
}

// authorizationServer answers RFC 8414 §3.
func (s *server) authorizationServer(*exchange) (reply, error) {
	return cacheable(keyring.JWKSMaxAge, bare(s.metadata())), nil
}

// metadata is what both documents say (RFC 8414 §2). It names no endpoint that is not there: where no cookie is set,
// nobody can sign in on a page.
func (s *server) metadata() api.AuthorizationServer {
	secrets := []string{"client_secret_basic", "client_secret_post"}
	m := api.AuthorizationServer{
		Issuer:                   s.publicURL,
		TokenEndpoint:            s.publicURL + "/oauth/token",
		TokenAuthMethods:         append(secrets, "none"),
		JWKSURI:                  s.publicURL + "/.well-known/jwks.json",
		IntrospectionEndpoint:    s.publicURL + "/oauth/introspect",
		IntrospectionAuthMethods: secrets,
		RevocationEndpoint:       s.publicURL + "/oauth/revoke",
		RevocationAuthMethods:    []string{"none", "client_secret_basic", "client_secret_post"},
		RevocationsEndpoint:      s.publicURL + "/oauth/revocations",
		Grants:                   []string{"refresh_token", "client_credentials"},
		Scopes:                   oidc.Scopes(),
		UILocales:                locale.Tags(),
	}
	if !s.cookies.allowed {
		return m
	}
	m.AuthorizationEndpoint = s.publicURL + "/oauth/authorize"
	m.Grants = append([]string{"authorization_code"}, m.Grants...)
	m.ResponseTypes = []string{"code"}
	m.ResponseModes = []string{oidc.ModeQuery, oidc.ModeFormPost}
	m.ChallengeMethods = []string{"S256"}
	m.Prompts = oidc.Prompts()
	m.IssuerInAnswers = true
	return m
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
	t, err := s.auth.Introspect(x.r.Context(), x.client, token, x.peer)
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
	if err := s.auth.Revoke(x.r.Context(), x.client.Alias, token, x.peer); err != nil {
		return nil, err
	}
	return bare(struct{}{}), nil
}

// seconds is a NumericDate (RFC 7519 §2); 0 for a time that is not known.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
