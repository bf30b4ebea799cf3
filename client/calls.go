package client

// One method an endpoint. Where a bearer is optional, "" sends none. Those that prove an account's password or mailbox
// show and keep its device token.

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"latchkey/api"
)

// SignIn makes a session.
func (cl *Client) SignIn(ctx context.Context, in api.SignInRequest) (api.Tokens, error) {
	return postFor[api.Tokens](ctx, cl, in.Email, "/auth/signin", "", in)
}

// Refresh trades a refresh token for the next pair.
func (cl *Client) Refresh(ctx context.Context, refreshToken string) (api.Tokens, error) {
	return post[api.Tokens](ctx, cl, "/auth/refresh-token", "", api.RefreshRequest{RefreshToken: refreshToken})
}

// SignOut ends the current session or those that in names.
func (cl *Client) SignOut(ctx context.Context, bearer string, in api.SignOutRequest) error {
	_, err := post[json.RawMessage](ctx, cl, "/auth/signout", bearer, in)
	return err
}

// Sessions lists the caller's active sessions, newest first.
func (cl *Client) Sessions(ctx context.Context, bearer, userID string) ([]api.Session, error) {
	return data[[]api.Session](ctx, cl, get("/auth/"+url.PathEscape(userID)+"/sessions", bearer))
}

// EndSession ends one of the caller's sessions.
func (cl *Client) EndSession(ctx context.Context, bearer, sessionID string) error {
	path := "/auth/" + url.PathEscape(sessionID) + "/sessions"
	return cl.do(ctx, call{method: http.MethodDelete, path: path, bearer: bearer}, nil)
}

// ForgotPassword asks for a mail with a link that resets the password.
func (cl *Client) ForgotPassword(ctx context.Context, in api.ForgotPasswordRequest) (api.Requested, error) {
	return post[api.Requested](ctx, cl, "/auth/forgot-password", "", in)
}

// ResetPassword spends a mailed token.
func (cl *Client) ResetPassword(ctx context.Context, email string, in api.PasswordResetRequest) error {
	_, err := postFor[json.RawMessage](ctx, cl, email, "/auth/password-reset/"+url.PathEscape(email), "", in)
	return err
}

// ChangePassword replaces a known password. The session of bearer, where given, lives on.
func (cl *Client) ChangePassword(ctx context.Context, bearer string, in api.ChangePasswordRequest) error {
	_, err := postFor[json.RawMessage](ctx, cl, in.Email, "/auth/reset-password", bearer, in)
	return err
}

// CheckPassword asks whether a new password would be accepted.
func (cl *Client) CheckPassword(ctx context.Context, in api.PasswordCheckRequest) (api.PasswordCheck, error) {
	return post[api.PasswordCheck](ctx, cl, "/auth/password-check", "", in)
}

// RequestVerification asks for a mail with a link that verifies the address.
func (cl *Client) RequestVerification(ctx context.Context, in api.VerificationMailRequest) error {
	_, err := post[json.RawMessage](ctx, cl, "/auth/verification-mail", "", in)
	return err
}

// VerifyEmail marks an address as verified.
func (cl *Client) VerifyEmail(ctx context.Context, email, code string) error {
	query := url.Values{"email": {email}, "verificationCode": {code}}
	return cl.do(ctx, get("/auth/verify?"+query.Encode(), ""), nil)
}

// SignUp gives a verified address a password and a name, and returns the user's id.
func (cl *Client) SignUp(ctx context.Context, in api.SignUpRequest) (string, error) {
	out, err := postFor[api.SignedUp](ctx, cl, in.Email, "/auth/signup", "", in)
	return out.UserID, err
}

// ClientAliases lists the registered clients.
func (cl *Client) ClientAliases(ctx context.Context) ([]api.ClientAlias, error) {
	return data[[]api.ClientAlias](ctx, cl, get("/auth/clientAliases", ""))
}

// UserInfo says whose the bearer is.
func (cl *Client) UserInfo(ctx context.Context, bearer string) (api.UserInfo, error) {
	return document[api.UserInfo](ctx, cl, get("/auth/userinfo", bearer))
}

// AppUserInfo is UserInfo at the endpoint that discovery names: of an app's token it says what the scope allows.
func (cl *Client) AppUserInfo(ctx context.Context, bearer string) (api.UserInfo, error) {
	return document[api.UserInfo](ctx, cl, get("/oauth/userinfo", bearer))
}

// ExchangeCode trades an authorization code for the tokens of a new session. A code is spent once: where the answer was
// lost, the sign-in begins anew.
func (cl *Client) ExchangeCode(ctx context.Context, in api.CodeTokenRequest) (api.AppTokens, error) {
	return cl.token(ctx, in.ClientID, in.ClientSecret, "authorization_code", url.Values{
		"code": {in.Code}, "redirect_uri": {in.RedirectURI}, "code_verifier": {in.CodeVerifier}, "resource": {in.Resource},
	})
}

// RefreshApp trades the refresh token of an app's session for the next tokens. Of api.CodeRefreshSuperseded the way on
// is the token that another call has just been given, never the same one again.
func (cl *Client) RefreshApp(ctx context.Context, in api.RefreshTokenRequest) (api.AppTokens, error) {
	return cl.token(ctx, in.ClientID, in.ClientSecret, "refresh_token", url.Values{
		"refresh_token": {in.RefreshToken}, "scope": {in.Scope}, "resource": {in.Resource},
	})
}

// ClientCredentials asks for an access token of the client itself, which no user stands behind.
func (cl *Client) ClientCredentials(ctx context.Context, in api.ClientTokenRequest) (api.AppTokens, error) {
	return cl.token(ctx, in.ClientID, in.ClientSecret, "client_credentials", url.Values{
		"scope": {in.Scope}, "resource": {in.Resource},
	})
}

func (cl *Client) token(ctx context.Context, id, secret, grant string, form url.Values) (api.AppTokens, error) {
	return document[api.AppTokens](ctx, cl, tokenCall(id, secret, grant, form))
}

// tokenCall asks the token endpoint. What is empty is not sent; a client without a secret says who it is, and proves
// nothing.
func tokenCall(id, secret, grant string, form url.Values) call {
	for name := range form {
		if form.Get(name) == "" {
			form.Del(name)
		}
	}
	form.Set("grant_type", grant)
	if secret == "" {
		form.Set("client_id", id)
	}
	c := postForm("/oauth/token", form)
	if secret != "" {
		c.basic = url.UserPassword(id, secret)
	}
	return c
}

// Consents lists what the caller has allowed apps, by client.
func (cl *Client) Consents(ctx context.Context, bearer string) ([]api.Consent, error) {
	return data[[]api.Consent](ctx, cl, get("/auth/consents", bearer))
}

// RevokeConsent takes back what the caller has allowed an app, and ends the app's sessions of the caller.
func (cl *Client) RevokeConsent(ctx context.Context, bearer, clientAlias string) error {
	path := "/auth/consents/" + url.PathEscape(clientAlias)
	return cl.do(ctx, call{method: http.MethodDelete, path: path, bearer: bearer}, nil)
}

// Introspect asks, as a confidential client, what a token is worth now.
func (cl *Client) Introspect(ctx context.Context, alias, secret, token string) (api.Introspection, error) {
	c := postForm("/oauth/introspect", url.Values{"token": {token}})
	c.basic = url.UserPassword(alias, secret)
	return document[api.Introspection](ctx, cl, c)
}

// Revocations asks, as a client that may read the feed, which sessions have ended: a JWT (typ revocations+jwt) with the
// claims of api.Revocations, to be verified like an access token. With the cursor of the answer before, the call waits
// until there is more to tell, for half a minute at most; with "" it does not.
func (cl *Client) Revocations(ctx context.Context, alias, secret, after string) (jwt string, err error) {
	c := get("/oauth/revocations", "")
	if after != "" {
		c.path += "?" + url.Values{"after": {after}}.Encode()
	}
	c.basic = url.UserPassword(alias, secret)
	return document[string](ctx, cl, c)
}

// Revoke ends the session that a token belongs to.
func (cl *Client) Revoke(ctx context.Context, token string) error {
	return cl.do(ctx, postForm("/oauth/revoke", url.Values{"token": {token}}), nil)
}

// JWKS returns the public keys (RFC 7517), undecoded.
func (cl *Client) JWKS(ctx context.Context) (json.RawMessage, error) {
	return document[json.RawMessage](ctx, cl, get("/.well-known/jwks.json", ""))
}

// Discovery returns where everything is.
func (cl *Client) Discovery(ctx context.Context) (api.Discovery, error) {
	return document[api.Discovery](ctx, cl, get("/.well-known/openid-configuration", ""))
}

// AuthorizationServer returns where the OAuth endpoints are (RFC 8414).
func (cl *Client) AuthorizationServer(ctx context.Context) (api.AuthorizationServer, error) {
	return document[api.AuthorizationServer](ctx, cl, get("/.well-known/oauth-authorization-server", ""))
}

// Ready is nil when the server wants traffic.
func (cl *Client) Ready(ctx context.Context) error {
	return cl.do(ctx, get("/readyz", ""), nil)
}

func post[T any](ctx context.Context, cl *Client, path, bearer string, in any) (T, error) {
	return postFor[T](ctx, cl, "", path, bearer, in)
}

// postFor is post with the device token of an account.
func postFor[T any](ctx context.Context, cl *Client, account, path, bearer string, in any) (T, error) {
	c, err := postJSON(path, bearer, in)
	c.account = account
	if err != nil {
		var none T
		return none, err
	}
	return data[T](ctx, cl, c)
}

func document[T any](ctx context.Context, cl *Client, c call) (T, error) {
	var out T
	err := cl.do(ctx, c, &out)
	return out, err
}
