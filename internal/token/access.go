package token

// Access tokens: short JWTs (RFC 9068) that any resource server can check against the JWKS.

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Access is what an access token says. Times count in whole seconds.
type Access struct {
	Issuer, Subject, Audience  string
	TokenID, SessionID, Client string
	Email                      string
	GivenName, FamilyName      string
	Scope                      string // space-delimited
	EmailVerified              bool
	IssuedAt                   time.Time
	ExpiresAt                  time.Time
	AuthTime                   time.Time // of the sign-in
}

// Types of access tokens in the JOSE header. AccessType tells them from every other JWT: RFC 9068 §2.1, RFC 8725 §3.11.
// PlainType is for verifiers that know no other; then a claim tells the kind, and a verifier that does not look at it
// takes any JWT of ours for an access token.
const (
	AccessType = "at+jwt"
	PlainType  = "JWT"
)

// accessUse is the token_use of access tokens of PlainType. No other kind of token ever says it.
const accessUse = "access"

// accessClaims is the payload: RFC 9068 §2.2, OpenID Connect Core §2 (azp, auth_time) and §5.1 (email and names, left
// out when empty). The audience is one string, never a list.
type accessClaims struct {
	Issuer        string `json:"iss"`
	Subject       string `json:"sub"`
	Audience      string `json:"aud"`
	ExpiresAt     int64  `json:"exp"`
	IssuedAt      int64  `json:"iat"`
	NotBefore     int64  `json:"nbf"`
	TokenID       string `json:"jti"`
	SessionID     string `json:"sid"`
	ClientID      string `json:"client_id"`
	Authorized    string `json:"azp"`
	AuthTime      int64  `json:"auth_time"`
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified"`
	Name          string `json:"name,omitempty"`
	GivenName     string `json:"given_name,omitempty"`
	FamilyName    string `json:"family_name,omitempty"`
	Scope         string `json:"scope,omitempty"`
	Use           string `json:"token_use,omitempty"` // of PlainType alone
}

// complete asks for what RFC 9068 §2.2 requires, and for the session and its sign-in.
func (c accessClaims) complete() bool {
	return c.Issuer != "" && c.Subject != "" && c.Audience != "" && c.ClientID != "" && c.TokenID != "" &&
		c.SessionID != "" && c.AuthTime > 0 && c.IssuedAt > 0 && c.ExpiresAt > c.IssuedAt
}

const maxAccess = 8 << 10 // well within the headers that HTTP servers take

// SignAccess returns the JWT for a, signed by the key that is active at now. The error is ErrUnknownKey when there is
// none; or it says that a is without what every token must have (all but email, names and scope), or is too long to be read.
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
		return "", errors.New("sign access token: a required claim is missing")
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("sign access token: encode claims: %w", err)
	}
	jws, err := key.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	if len(raw) > maxAccess {
		return "", errors.New("sign access token: claims too long")
	}
	return raw, nil
}

// ParseAccess returns what an access token says, if a key of the ring signed it for this issuer and audience and it
// has not expired at now. It follows RFC 9068 §4 and RFC 8725: the whole header must be one that SignAccess writes
// for that key, of either type, so neither algorithm nor type is the token's to choose and no jku, x5u, jwk or crit is ever read.
//
// The error is ErrUnknownKey for a header of the right form whose key is not in the ring (or retired), ErrExpired for a
// token that is right but for its time (the only one that comes with what the token says), and ErrMalformed for all else. exp is strict; a token from a node whose clock
// runs up to a minute ahead is accepted.
func (r *KeyRing) ParseAccess(raw, issuer, audience string, now time.Time) (Access, error) {
	if len(raw) > maxAccess {
		return Access{}, ErrMalformed
	}
	head, rest, _ := strings.Cut(raw, ".")
	key, kind, err := r.keyOf(head, now)
	if err != nil {
		return Access{}, err
	}
	if !strictParts(rest) {
		return Access{}, ErrMalformed
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(key.Alg)})
	if err != nil {
		return Access{}, ErrMalformed
	}
	payload, err := jws.Verify(key.public.Key)
	if err != nil {
		return Access{}, ErrMalformed
	}
	var c accessClaims
	if json.Unmarshal(payload, &c) != nil || !c.complete() || c.Issuer != issuer || c.Audience != audience {
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
	_, _, err := r.keyOf(head, now)
	return err == nil && !tooEarly(access.IssuedAt, now) && !expired(access.ExpiresAt, now)
}

const clockSkew = time.Minute // RFC 7519 §4.1.5: "no more than a few minutes"

func tooEarly(notBefore, now time.Time) bool { return now.Add(clockSkew).Before(notBefore) }

// RFC 7519 §4.1.4: on or after.
func expired(at, now time.Time) bool { return !now.Before(at) }

// keyOf finds the key by a token's first part, and the type that the part says. Only a part that no key of the ring
// writes is looked into, to tell a key not had from a header not ours.
func (r *KeyRing) keyOf(head string, now time.Time) (key *ringKey, kind string, err error) {
	for _, key := range r.keys {
		if key.retired(now) {
			continue
		}
		for kind, text := range key.heads {
			if text == head {
				return key, kind, nil
			}
		}
	}
	text, ok := decode(head)
	if !ok {
		return nil, "", ErrMalformed
	}
	var fields struct {
		KeyID string `json:"kid"`
		Type  string `json:"typ"`
	}
	if json.Unmarshal(text, &fields) != nil || fields.Type != AccessType && fields.Type != PlainType || fields.KeyID == "" {
		return nil, "", ErrMalformed
	}
	had := func(key *ringKey) bool { return key.ID == fields.KeyID && !key.retired(now) }
	if slices.ContainsFunc(r.keys, had) {
		return nil, "", ErrMalformed
	}
	return nil, "", ErrUnknownKey
}

// strictParts tells whether payload and signature are spelt as SignAccess spells them.
func strictParts(rest string) bool {
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok {
		return false
	}
	_, ok = decode(payload)
	if !ok {
		return false
	}
	_, ok = decode(signature)
	return ok
}

func claimsOf(a Access) accessClaims {
	return accessClaims{
		Issuer:        a.Issuer,
		Subject:       a.Subject,
		Audience:      a.Audience,
		ExpiresAt:     a.ExpiresAt.Unix(),
		IssuedAt:      a.IssuedAt.Unix(),
		NotBefore:     a.IssuedAt.Unix(),
		TokenID:       a.TokenID,
		SessionID:     a.SessionID,
		ClientID:      a.Client,
		Authorized:    a.Client,
		AuthTime:      a.AuthTime.Unix(),
		Email:         a.Email,
		EmailVerified: a.EmailVerified,
		Name:          strings.TrimSpace(a.GivenName + " " + a.FamilyName),
		GivenName:     a.GivenName,
		FamilyName:    a.FamilyName,
		Scope:         a.Scope,
	}
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
		EmailVerified: c.EmailVerified,
		IssuedAt:      instant(c.IssuedAt),
		ExpiresAt:     instant(c.ExpiresAt),
		AuthTime:      instant(c.AuthTime),
	}
}

func instant(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
