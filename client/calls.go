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

// Introspect asks, as a confidential client, what a token is worth now.
func (cl *Client) Introspect(ctx context.Context, alias, secret, token string) (api.Introspection, error) {
	c := postForm("/oauth/introspect", url.Values{"token": {token}})
	c.basic = url.UserPassword(alias, secret)
	return document[api.Introspection](ctx, cl, c)
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
