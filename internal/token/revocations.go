package token

// Revocations: what a resource server is told of the sessions that have ended, so that it refuses their access tokens
// before those expire.

import (
	"errors"
	"fmt"
	"time"
)

// RevocationsType is the type of the JWTs that tell of ended sessions. It is Latchkey's own.
const RevocationsType = "revocations+jwt"

// Revocations is what one poll of the feed is told. Times count in whole seconds. Issuer to Cursor are never empty.
type Revocations struct {
	Issuer    string
	Audience  string // the client that polls
	IssuedAt  time.Time
	ExpiresAt time.Time
	Cursor    string // what is told, in short: the next poll waits while that is all
	Sessions  []string
	Floor     time.Time // told rounded up: a token that was issued by then may be of an ended session that is not in Sessions; zero: none is
}

// revocationsClaims is the payload. It has no sub, client_id or sid: no token of another kind is without them all.
type revocationsClaims struct {
	Issuer    string   `json:"iss"`
	Audience  string   `json:"aud"`
	IssuedAt  int64    `json:"iat"`
	ExpiresAt int64    `json:"exp"`
	Cursor    string   `json:"cursor"`
	Sessions  []string `json:"sids"`
	Floor     int64    `json:"floor,omitempty"`
}

// SignRevocations returns the JWT of r, signed by the key that is active at now. It may be much longer than any token.
// The error is ErrUnknownKey when there is no such key; or it says that r is without what each of them says.
func (r *KeyRing) SignRevocations(told Revocations, now time.Time) (string, error) {
	key := r.active(now)
	if key == nil {
		return "", fmt.Errorf("sign revocations: no active key: %w", ErrUnknownKey)
	}
	if told.Issuer == "" || told.Audience == "" || told.Cursor == "" || !told.ExpiresAt.After(told.IssuedAt) {
		return "", errors.New("sign revocations: a required claim is missing")
	}
	claims := revocationsClaims{
		Issuer:    told.Issuer,
		Audience:  told.Audience,
		IssuedAt:  told.IssuedAt.Unix(),
		ExpiresAt: told.ExpiresAt.Unix(),
		Cursor:    told.Cursor,
		Sessions:  append([]string{}, told.Sessions...), // an empty list rather than null
	}
	if !told.Floor.IsZero() {
		claims.Floor = told.Floor.Add(time.Second - time.Nanosecond).Unix()
	}
	raw, err := key.signLong(RevocationsType, claims)
	if err != nil {
		return "", fmt.Errorf("sign revocations: %w", err)
	}
	return raw, nil
}
