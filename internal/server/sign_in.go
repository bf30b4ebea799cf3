package server

// Signing in, refreshing, signing out.

import (
	"strings"
	"time"

	"latchkey/api"
	"latchkey/internal/auth"
)

func (s *server) signIn(x *exchange, in api.SignInRequest) (reply, error) {
	t, err := s.auth.SignIn(x.r.Context(), auth.SignIn{
		Email:       strings.TrimSpace(in.Email),
		Password:    password(in.Password, in.IsPasswordEncrypted),
		ClientAlias: in.ClientAlias,
	}, x.peer)
	if err != nil {
		return nil, err
	}
	return x.handOut("Signed in.", t), nil
}

func (s *server) refresh(x *exchange, in api.RefreshRequest) (reply, error) {
	t, err := s.auth.Refresh(x.r.Context(), strings.TrimSpace(in.RefreshToken), x.peer)
	if err != nil {
		return nil, err
	}
	return x.handOut("Session refreshed.", t), nil
}

// signOut may come without a body. A token that has run out signs its own session out and no other: what is
// not plainly that is refused for the token, whatever else is wrong with it.
func (s *server) signOut(x *exchange) (reply, error) {
	in, err := readOrNothing[api.SignOutRequest](x)
	if err != nil && x.caller.RunOut {
		return nil, refuse(auth.CodeInvalidToken)
	}
	if err != nil {
		return nil, err
	}
	out := auth.SignOut{Others: in.Others}
	if in.Sessions != nil {
		out.Sessions, out.Listed = *in.Sessions, true
	}
	if err := s.auth.SignOut(x.r.Context(), *x.caller, out, x.peer); err != nil {
		return nil, err
	}
	return ok("Signed out.", nil), nil
}

func (x *exchange) handOut(message string, t auth.Tokens) reply {
	x.userID, x.sessionID = t.UserID, t.SessionID
	x.rememberDevice(t.Device)
	return ok(message, api.Tokens{
		AccessToken: t.AccessToken, TokenType: "Bearer", ExpiresIn: int64(t.ExpiresIn / time.Second),
		RefreshToken: t.RefreshToken, RefreshExpiresIn: int64(t.RefreshExpiresIn / time.Second),
		SessionID: t.SessionID, SessionState: t.SessionID, Scope: t.Scope,
	})
}

// password keeps a password as it came, and whether its sender says it is not encrypted for transport.
func password(value string, encrypted *bool) auth.Password {
	return auth.Password{Value: value, Plain: encrypted != nil && !*encrypted}
}
