package token

// Access tokens: short JWTs (RFC 9068) that any resource server can check against the JWKS.

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Access is what an access token says. Times count in whole seconds.
//
// A token of a session is a user's. One without SessionID is the client's own (client_credentials, RFC 6749 §4.4): its
// Subject is the Client, as RFC 9068 §2.2 asks, and it has no AuthTime, ACR, AMR, email or names.
type Access struct {
	Issuer, Subject, Audience  string
	TokenID, SessionID, Client string
	Email                      string
	GivenName, FamilyName      string
	Scope                      string // space-delimited
	EmailVerified              bool   // said with Email alone
	IssuedAt                   time.Time
	ExpiresAt                  time.Time
	AuthTime                   time.Time // of the sign-in
	ACR                        string    // how sure the sign-in was (OpenID Connect Core §2); may be empty
	AMR                        []string  // how it was done (RFC 8176); may be empty
}

// Types of JWTs in the JOSE header. AccessType tells access tokens from every other: RFC 9068 §2.1, RFC 8725 §3.11.
// PlainType is that of ID tokens, and of access tokens for verifiers that know no other; then a claim tells the kind,
// and a verifier that does not look at it takes any JWT of ours for an access token.
const (
	AccessType = "at+jwt"
	PlainType  = "JWT"
)

// accessUse is the token_use of access tokens of PlainType. No other kind of token ever says it.
const accessUse = "access"

// accessClaims is the payload: RFC 9068 §2.2, OpenID Connect Core §2 (azp, auth_time, acr, amr) and §5.1 (email and
// names, left out when empty). The audience is one string, never a list.
type accessClaims struct {
	Issuer        string   `json:"iss"`
	Subject       string   `json:"sub"`
	Audience      string   `json:"aud"`
	ExpiresAt     int64    `json:"exp"`
	IssuedAt      int64    `json:"iat"`
	NotBefore     int64    `json:"nbf"`
	TokenID       string   `json:"jti"`
	SessionID     string   `json:"sid,omitempty"`
	ClientID      string   `json:"client_id"`
	Authorized    string   `json:"azp"`
	AuthTime      int64    `json:"auth_time,omitempty"`
	ACR           string   `json:"acr,omitempty"`
	AMR           []string `json:"amr,omitempty"`
	Email         string   `json:"email,omitempty"`
	EmailVerified *bool    `json:"email_verified,omitempty"` // with email alone
	Name          string   `json:"name,omitempty"`
	GivenName     string   `json:"given_name,omitempty"`
	FamilyName    string   `json:"family_name,omitempty"`
	Scope         string   `json:"scope,omitempty"`
	Use           string   `json:"token_use,omitempty"` // of PlainType alone
}

// complete asks for what RFC 9068 §2.2 requires, and for the session with its sign-in, or for neither.
func (c accessClaims) complete() bool {
	return c.Issuer != "" && c.Subject != "" && c.Audience != "" && c.ClientID != "" && c.TokenID != "" &&
		c.IssuedAt > 0 && c.ExpiresAt > c.IssuedAt && (c.ofUser() || c.ofClient())
}

func (c accessClaims) ofUser() bool {
	return c.SessionID != "" && c.Subject != c.ClientID && c.AuthTime > 0
}

// ofClient: the client's own, which says nothing about a person.
func (c accessClaims) ofClient() bool {
	return c.SessionID == "" && c.Subject == c.ClientID && c.AuthTime == 0 && c.ACR == "" && len(c.AMR) == 0 &&
		c.Email == "" && c.EmailVerified == nil && c.Name == "" && c.GivenName == "" && c.FamilyName == ""
}

// SignAccess returns the JWT for a, signed by the key that is active at now. The error is ErrUnknownKey when there is
// none; or it says that a is without what every token must have (all but email, names, scope, ACR and AMR; of a client's
// own, the session and its AuthTime too), has what a client's own may not have, or is too long to be read.
func (r *KeyRing) SignAccess(a Access, now time.Time) (string, error) {
	key := r.active(now)
	if key == nil {
		return "", fmt.Errorf("sign access token: no active key: %w", ErrUnknownKey)
	}
	claims := claimsOf(a)
	if key.signs == PlainType {
		claims.Use = accessUse
	}
	if !claims.complete() {
		return "", errors.New("sign access token: a required claim is missing, or one that no client has is set")
	}
	raw, err := key.sign(key.signs, claims)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return raw, nil
}

// ParseAccess returns what an access token says, if a key of the ring signed it for this issuer and it has not expired at
// now. It follows RFC 9068 §4 and RFC 8725, as open says, for both types. Whether the audience and the session are the
// right ones is for the caller to ask.
//
// The error is ErrUnknownKey for a header of the right form whose key is not in the ring (or retired), ErrExpired for a
// token that is right but for its time (the only one that comes with what the token says), and ErrMalformed for all else.
// exp is strict; a token from a node whose clock runs up to a minute ahead is accepted.
func (r *KeyRing) ParseAccess(raw, issuer string, now time.Time) (Access, error) {
	payload, kind, err := r.open(raw, now, AccessType, PlainType)
	if err != nil {
		return Access{}, err
	}
	var c accessClaims
	if json.Unmarshal(payload, &c) != nil || !c.complete() || c.Issuer != issuer {
		return Access{}, ErrMalformed
	}
	if kind == PlainType && c.Use != accessUse { // a JWT of ours, of another kind (I7)
		return Access{}, ErrMalformed
	}
	if tooEarly(instant(c.NotBefore), now) {
		return Access{}, ErrMalformed
	}
	if expired(instant(c.ExpiresAt), now) {
		return c.access(), ErrExpired
	}
	return c.access(), nil
}

// StillHolds tells whether ParseAccess, which returned access for raw with this ring before, would do so at now. A key
// may have retired since, the token expired, or a clock been put back; nothing else of the answer can change. nbf is
// IssuedAt, as SignAccess writes it.
func (r *KeyRing) StillHolds(raw string, access Access, now time.Time) bool {
	head, _, _ := strings.Cut(raw, ".")
	_, _, err := r.keyOf(head, now, AccessType, PlainType)
	return err == nil && !tooEarly(access.IssuedAt, now) && !expired(access.ExpiresAt, now)
}

const clockSkew = time.Minute // RFC 7519 §4.1.5: "no more than a few minutes"

func tooEarly(notBefore, now time.Time) bool { return now.Add(clockSkew).Before(notBefore) }

// RFC 7519 §4.1.4: on or after.
func expired(at, now time.Time) bool { return !now.Before(at) }

func claimsOf(a Access) accessClaims {
	claims := accessClaims{
		Issuer:     a.Issuer,
		Subject:    a.Subject,
		Audience:   a.Audience,
		ExpiresAt:  a.ExpiresAt.Unix(),
		IssuedAt:   a.IssuedAt.Unix(),
		NotBefore:  a.IssuedAt.Unix(),
		TokenID:    a.TokenID,
		SessionID:  a.SessionID,
		ClientID:   a.Client,
		Authorized: a.Client,
		AuthTime:   optionalSeconds(a.AuthTime),
		ACR:        a.ACR,
		AMR:        a.AMR,
		Email:      a.Email,
		Name:       fullName(a.GivenName, a.FamilyName),
		GivenName:  a.GivenName,
		FamilyName: a.FamilyName,
		Scope:      a.Scope,
	}
	if verified := a.EmailVerified; a.Email != "" {
		claims.EmailVerified = &verified
	}
	return claims
}

func (c accessClaims) access() Access {
	return Access{
		Issuer:        c.Issuer,
		Subject:       c.Subject,
		Audience:      c.Audience,
		TokenID:       c.TokenID,
		SessionID:     c.SessionID,
		Client:        c.ClientID,
		Email:         c.Email,
		GivenName:     c.GivenName,
		FamilyName:    c.FamilyName,
		Scope:         c.Scope,
		EmailVerified: c.EmailVerified != nil && *c.EmailVerified,
		IssuedAt:      instant(c.IssuedAt),
		ExpiresAt:     instant(c.ExpiresAt),
		AuthTime:      optionalInstant(c.AuthTime),
		ACR:           c.ACR,
		AMR:           c.AMR,
	}
}
