package token

// ID tokens: what a client is told of who signed in, how and when (OpenID Connect Core §2), and how one is read when it
// comes back as a hint.

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ID is what an ID token says. Times count in whole seconds. What is empty is not said; Issuer to AuthTime are never
// empty.
type ID struct {
	Issuer, Subject string
	Audience        string // the client it is for
	SessionID       string
	IssuedAt        time.Time
	ExpiresAt       time.Time
	AuthTime        time.Time // of the sign-in

	Nonce                 string   // as the client sent it
	ACR                   string   // how sure the sign-in was
	AMR                   []string // how it was done: RFC 8176
	Email                 string   // verified
	GivenName, FamilyName string
	Locale                string
	UpdatedAt             time.Time // when email, names or locale last changed
}

// idClaims is the payload: OpenID Connect Core §2, §3.1.3.6 (at_hash) and §5.1 (email and what follows it). The
// audience is one string, never a list, and so the authorized party is the same.
type idClaims struct {
	Issuer        string   `json:"iss"`
	Subject       string   `json:"sub"`
	Audience      string   `json:"aud"`
	ExpiresAt     int64    `json:"exp"`
	IssuedAt      int64    `json:"iat"`
	AuthTime      int64    `json:"auth_time"`
	Nonce         string   `json:"nonce,omitempty"`
	ACR           string   `json:"acr,omitempty"`
	AMR           []string `json:"amr,omitempty"`
	Authorized    string   `json:"azp"`
	SessionID     string   `json:"sid"`
	AccessHash    string   `json:"at_hash"`
	Email         string   `json:"email,omitempty"`
	EmailVerified bool     `json:"email_verified,omitempty"` // with email alone, and always then
	Name          string   `json:"name,omitempty"`
	GivenName     string   `json:"given_name,omitempty"`
	FamilyName    string   `json:"family_name,omitempty"`
	Locale        string   `json:"locale,omitempty"`
	UpdatedAt     int64    `json:"updated_at,omitempty"`
}

// otherKinds are claims that no ID token ever says, whatever their value: whoever says one is of another kind (I7).
type otherKinds struct {
	ClientID json.RawMessage `json:"client_id"`
	TokenID  json.RawMessage `json:"jti"`
	Scope    json.RawMessage `json:"scope"`
	Use      json.RawMessage `json:"token_use"`
	Events   json.RawMessage `json:"events"`
}

func (o otherKinds) said() bool {
	return o.ClientID != nil || o.TokenID != nil || o.Scope != nil || o.Use != nil || o.Events != nil
}

// complete asks for what each ID token of ours says.
func (c idClaims) complete() bool {
	return c.Issuer != "" && c.Subject != "" && c.Audience != "" && c.Authorized == c.Audience && c.SessionID != "" &&
		c.AccessHash != "" && c.AuthTime > 0 && c.IssuedAt > 0 && c.ExpiresAt > c.IssuedAt
}

// SignID returns the ID token for id that goes out together with the access token, signed by the key that is active at
// now. The error is ErrUnknownKey when there is none; or it says that id is without what each ID token says, that there
// is no access token, or that it is too long to be read.
func (r *KeyRing) SignID(id ID, access string, now time.Time) (string, error) {
	key := r.active(now)
	if key == nil {
		return "", fmt.Errorf("sign ID token: no active key: %w", ErrUnknownKey)
	}
	claims := idClaimsOf(id)
	if access != "" {
		claims.AccessHash = accessHash(key.Alg, access)
	}
	if !claims.complete() {
		return "", errors.New("sign ID token: a required claim or the access token is missing")
	}
	raw, err := key.sign(PlainType, claims)
	if err != nil {
		return "", fmt.Errorf("sign ID token: %w", err)
	}
	return raw, nil
}

// ParseHint returns what an ID token says that comes back as id_token_hint (OpenID Connect Core §3.1.2.1; RP-Initiated
// Logout §2), if a key of the ring signed it for this issuer, whether that key has retired or not. It follows RFC 8725,
// as open says. A hint is no credential, and neither exp nor any other time is asked: who relies on it asks for the
// client and the session.
//
// The error is ErrUnknownKey for a header of the right form whose key is not in the ring, and ErrMalformed for all else,
// so also for tokens of other kinds.
func (r *KeyRing) ParseHint(raw, issuer string) (ID, error) {
	payload, _, err := r.open(raw, time.Time{}, PlainType) // at the zero time no key has retired
	if err != nil {
		return ID{}, err
	}
	var claims struct {
		idClaims
		otherKinds
	}
	if json.Unmarshal(payload, &claims) != nil || claims.said() || !claims.complete() || claims.Issuer != issuer {
		return ID{}, ErrMalformed
	}
	return claims.id(), nil
}

// accessHash is the claim at_hash: the left half of the hash of the access token, by the hash function of the ID token's
// own algorithm (OpenID Connect Core §3.1.3.6). Ed25519 hashes with SHA-512 (RFC 8032 §5.1).
func accessHash(alg, access string) string {
	var hash []byte
	if alg == "EdDSA" {
		sum := sha512.Sum512([]byte(access))
		hash = sum[:]
	} else { // ES256, RS256
		sum := sha256.Sum256([]byte(access))
		hash = sum[:]
	}
	return encoding.EncodeToString(hash[:len(hash)/2])
}

func idClaimsOf(id ID) idClaims {
	return idClaims{
		Issuer:        id.Issuer,
		Subject:       id.Subject,
		Audience:      id.Audience,
		ExpiresAt:     id.ExpiresAt.Unix(),
		IssuedAt:      id.IssuedAt.Unix(),
		AuthTime:      id.AuthTime.Unix(),
		Nonce:         id.Nonce,
		ACR:           id.ACR,
		AMR:           id.AMR,
		Authorized:    id.Audience,
		SessionID:     id.SessionID,
		Email:         id.Email,
		EmailVerified: id.Email != "", // I17: of an account that holds a session
		Name:          fullName(id.GivenName, id.FamilyName),
		GivenName:     id.GivenName,
		FamilyName:    id.FamilyName,
		Locale:        id.Locale,
		UpdatedAt:     optionalSeconds(id.UpdatedAt),
	}
}

func (c idClaims) id() ID {
	return ID{
		Issuer:     c.Issuer,
		Subject:    c.Subject,
		Audience:   c.Audience,
		SessionID:  c.SessionID,
		IssuedAt:   instant(c.IssuedAt),
		ExpiresAt:  instant(c.ExpiresAt),
		AuthTime:   instant(c.AuthTime),
		Nonce:      c.Nonce,
		ACR:        c.ACR,
		AMR:        c.AMR,
		Email:      c.Email,
		GivenName:  c.GivenName,
		FamilyName: c.FamilyName,
		Locale:     c.Locale,
		UpdatedAt:  optionalInstant(c.UpdatedAt),
	}
}
