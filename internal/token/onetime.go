package token

// One-time tokens: the secrets in mailed links. They are derived from a request's id, so that a mail can be written
// again without the token ever being stored; the database keeps their hash.

import (
	"crypto/sha256"
	"fmt"
)

// OneTime returns the token of that purpose and request: 32 bytes in base64url, the same each time. The error is
// ErrUnknownMasterKey. The token depends on the purpose, and so does its hash: one of another purpose is never
// accepted (Keycloak CVE-2026-4325).
func (m *MasterKeys) OneTime(id, purpose, requestID string) (string, error) {
	secret, err := m.MAC(id, "one-time v1", []byte(purpose), []byte(requestID))
	if err != nil {
		return "", fmt.Errorf("derive one-time token: %w", err)
	}
	return encoding.EncodeToString(secret), nil
}

// OneTimeHash returns what the database keeps of a token, and finds it by: SHA-256 over the purpose and the token's
// 256 bits, which are random enough to need neither salt nor slow hashing (NIST SP 800-63B-4 §3.1.2, look-up secrets). It is not ok for a
// token of any other length or spelling than OneTime's.
func OneTimeHash(purpose, raw string) (hash []byte, ok bool) {
	if len(raw) != encoding.EncodedLen(sha256.Size) {
		return nil, false
	}
	secret, ok := decode(raw)
	if !ok {
		return nil, false
	}
	h := sha256.New()
	_, _ = h.Write([]byte(purpose))
	_, _ = h.Write(secret)
	return h.Sum(nil), true
}
