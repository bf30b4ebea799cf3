package token

// Signed claims: a few fields, the id of a master key and a MAC, with dots between. Nothing is stored for one; the
// label of its purpose keeps it from being taken for another (I7).

import (
	"crypto/hmac"
	"encoding/base64"
	"strings"
)

const maxClaim = 256 // bytes

// SignClaim signs fields, which must hold no dot, for the purpose that label names, under the master key named:
// ErrUnknownMasterKey.
func (m *MasterKeys) SignClaim(keyID, label string, fields ...string) (string, error) {
	text := strings.Join(fields, ".")
	mac, err := m.MAC(keyID, label, []byte(text))
	if err != nil {
		return "", err
	}
	return text + "." + keyID + "." + base64.RawURLEncoding.EncodeToString(mac), nil
}

// ParseClaim returns the count fields of a claim in its one spelling: ErrMalformed for what was not signed by us, or
// not for this purpose. The id of its key is also returned with ErrUnknownMasterKey.
func (m *MasterKeys) ParseClaim(label, raw string, count int) (fields []string, keyID string, err error) {
	parts := strings.Split(raw, ".")
	if len(raw) > maxClaim || len(parts) != count+2 {
		return nil, "", ErrMalformed
	}
	fields, keyID = parts[:count], parts[count]
	signed, err := m.SignClaim(keyID, label, fields...)
	if err == nil && !hmac.Equal([]byte(raw), []byte(signed)) {
		err = ErrMalformed
	}
	return fields, keyID, err
}
