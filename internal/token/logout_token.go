package token

// Logout tokens: how a client is told that a session of its has ended (OpenID Connect Back-Channel Logout §2.4). Nothing
// here reads one: they are for clients alone.

import (
	"errors"
	"fmt"
	"time"
)

// LogoutType is the type of logout tokens in the JOSE header. Nothing that is read here is of this type, so none is taken
// for an access token, or for an ID token as a hint (I7).
const LogoutType = "logout+jwt"

// logoutEvent is the one event that a logout token tells of. No other kind of token has the claim events.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// Logout is what a logout token says. Times count in whole seconds; nothing is ever empty.
type Logout struct {
	Issuer, Subject string
	Audience        string // the client that is told
	TokenID         string // the same however often it is told
	SessionID       string // that has ended
	IssuedAt        time.Time
	ExpiresAt       time.Time
}

// logoutClaims is the payload. nonce is forbidden there (§2.4), so that no client takes it for an ID token.
type logoutClaims struct {
	Issuer    string              `json:"iss"`
	Subject   string              `json:"sub"`
	Audience  string              `json:"aud"`
	ExpiresAt int64               `json:"exp"`
	IssuedAt  int64               `json:"iat"`
	TokenID   string              `json:"jti"`
	SessionID string              `json:"sid"`
	Events    map[string]struct{} `json:"events"`
}

func (c logoutClaims) complete() bool {
	return c.Issuer != "" && c.Subject != "" && c.Audience != "" && c.TokenID != "" && c.SessionID != "" &&
		c.IssuedAt > 0 && c.ExpiresAt > c.IssuedAt
}

// SignLogout returns the logout token for l, signed by the key that is active at now. The error is ErrUnknownKey when
// there is none; or it says that l is without what each logout token says, or too long.
func (r *KeyRing) SignLogout(l Logout, now time.Time) (string, error) {
	key := r.active(now)
	if key == nil {
		return "", fmt.Errorf("sign logout token: no active key: %w", ErrUnknownKey)
	}
	claims := logoutClaims{
		Issuer: l.Issuer, Subject: l.Subject, Audience: l.Audience, TokenID: l.TokenID, SessionID: l.SessionID,
		IssuedAt: l.IssuedAt.Unix(), ExpiresAt: l.ExpiresAt.Unix(), Events: map[string]struct{}{logoutEvent: {}},
	}
	if !claims.complete() {
		return "", errors.New("sign logout token: a required claim is missing")
	}
	raw, err := key.sign(LogoutType, claims)
	if err != nil {
		return "", fmt.Errorf("sign logout token: %w", err)
	}
	return raw, nil
}
