package token

// Refresh tokens: a pure function of a session's row and a master key, so that the database holds nothing usable and
// the same successor can be derived as often as its response is lost.

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Refresh is what a refresh token says. Only KeyID, SessionID and Generation decide anything; the rest is for clients
// that decode the token.
type Refresh struct {
	KeyID      string // id of the master key that makes, or made, the token
	Issuer     string
	SessionID  string
	Client     string // alias
	Generation int64  // from 1
	IssuedAt   time.Time
	ExpiresAt  time.Time
}

// refreshClaims in the order of their spelling. azp: OpenID Connect Core §2, the party the token was issued to.
type refreshClaims struct {
	Issuer     string `json:"iss"`
	SessionID  string `json:"sid"`
	Generation int64  `json:"gen"`
	IssuedAt   int64  `json:"iat"`
	ExpiresAt  int64  `json:"exp"`
	Client     string `json:"azp"`
}

// The header is these two around the master key's id, and nothing else: there is no algorithm to choose.
const (
	refreshHeadStart = `{"typ":"rt+jwt","alg":"HS256","kid":"`
	refreshHeadEnd   = `"}`
)

const maxRefresh = 4 << 10

// SignRefresh returns the token for r: a compact JWS (RFC 7515 §3.1) under HS256 with a key of that session alone.
// The same r gives the same bytes, in every process with that master key; times count in whole seconds. The error is
// ErrUnknownMasterKey, or that r has no meaning (no session, a generation below 1, a time before 1970, text that is
// not UTF-8) or no room in a token.
func (m *MasterKeys) SignRefresh(r Refresh) (string, error) {
	if r.SessionID == "" || r.Generation < 1 || r.IssuedAt.Unix() < 0 || r.ExpiresAt.Unix() < 0 {
		return "", errors.New("sign refresh token: session, generation or time missing")
	}
	if !utf8.ValidString(r.Issuer) || !utf8.ValidString(r.SessionID) || !utf8.ValidString(r.Client) {
		return "", errors.New("sign refresh token: not UTF-8")
	}
	key, err := m.derive(r.KeyID, "refresh v1"+r.SessionID)
	if err != nil {
		return "", fmt.Errorf("sign refresh token: %w", err)
	}
	claims, err := json.Marshal(refreshClaims{
		r.Issuer, r.SessionID, r.Generation, r.IssuedAt.Unix(), r.ExpiresAt.Unix(), r.Client,
	})
	if err != nil {
		return "", fmt.Errorf("sign refresh token: encode claims: %w", err)
	}
	token := make([]byte, 0, 512)
	token = encoding.AppendEncode(token, []byte(refreshHeadStart+r.KeyID+refreshHeadEnd))
	token = append(token, '.')
	token = encoding.AppendEncode(token, claims)
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(token)
	token = append(token, '.')
	token = encoding.AppendEncode(token, mac.Sum(nil))
	if len(token) > maxRefresh {
		return "", errors.New("sign refresh token: issuer or client too long")
	}
	return string(token), nil
}

// ParseRefresh returns what the token says, if it was made under a key of the ring. What it reads is trusted only
// because signing it again gives raw, compared in constant time: that one comparison proves the MAC and refuses every
// other spelling. It does not look at the times.
//
// The error is ErrUnknownMasterKey, with KeyID (and nothing else) set in the result, when the header names a key that
// is not in the ring; for all else ErrMalformed.
func (m *MasterKeys) ParseRefresh(raw string) (Refresh, error) {
	if len(raw) > maxRefresh {
		return Refresh{}, ErrMalformed
	}
	head, rest, _ := strings.Cut(raw, ".")
	payload, _, _ := strings.Cut(rest, ".")
	keyID, ok := refreshKeyID(head)
	if !ok {
		return Refresh{}, ErrMalformed
	}
	if !m.Has(keyID) {
		return Refresh{KeyID: keyID}, ErrUnknownMasterKey
	}
	r, ok := readRefresh(keyID, payload)
	if !ok {
		return Refresh{}, ErrMalformed
	}
	again, err := m.SignRefresh(r)
	if err != nil || !hmac.Equal([]byte(raw), []byte(again)) {
		return Refresh{}, ErrMalformed
	}
	return r, nil
}

func refreshKeyID(head string) (string, bool) {
	text, ok := decode(head)
	if !ok {
		return "", false
	}
	id, starts := strings.CutPrefix(string(text), refreshHeadStart)
	id, ends := strings.CutSuffix(id, refreshHeadEnd)
	return id, starts && ends && isKeyID(id)
}

func readRefresh(keyID, payload string) (Refresh, bool) {
	text, ok := decode(payload)
	if !ok {
		return Refresh{}, false
	}
	var c refreshClaims
	if json.Unmarshal(text, &c) != nil {
		return Refresh{}, false
	}
	return Refresh{
		KeyID:      keyID,
		Issuer:     c.Issuer,
		SessionID:  c.SessionID,
		Client:     c.Client,
		Generation: c.Generation,
		IssuedAt:   instant(c.IssuedAt),
		ExpiresAt:  instant(c.ExpiresAt),
	}, true
}
