package studio

// The cookie of next-auth, which that client's server makes: a JWE (RFC 7516) under a key that it derives from
// a secret of its own. Whoever has the secret can read which session the cookie names; nobody else can make one.

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// MinSecret is how many characters a secret must have: the key is derived without any cost that would slow
// guessing.
const MinSecret = 32

const (
	cookieName   = "next-auth.session-token"
	securePrefix = "__Secure-"
	keyInfo      = "NextAuth.js Generated Encryption Key"
	keyLength    = 32 // bytes, of A256GCM
	maxParts     = 8
)

// Key opens the cookies of one application. It never prints itself.
type Key struct{ key []byte }

// String keeps the key out of logs.
func (Key) String() string { return "[redacted]" }

// GoString keeps the key out of %#v.
func (Key) GoString() string { return "[redacted]" }

// NewKey derives the key of a secret, by HKDF (RFC 5869) with SHA-256, no salt and next-auth's label.
func NewKey(secret string) (Key, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, keyInfo, keyLength)
	if err != nil {
		return Key{}, fmt.Errorf("derive cookie key: %w", err)
	}
	return Key{key}, nil
}

// Open returns the session that a cookie names. Not ok for one that another key made, that has run out at now
// or says no time, or that names no session.
func (k Key) Open(raw string, now time.Time) (sessionID string, ok bool) {
	if k.key == nil {
		return "", false
	}
	sealed, err := jose.ParseEncryptedCompact(raw, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return "", false
	}
	text, err := sealed.Decrypt(k.key)
	if err != nil {
		return "", false
	}
	var claims struct {
		SessionID string  `json:"sessionId"`
		Expires   float64 `json:"exp"` // RFC 7519 §2: a NumericDate may have a fraction
	}
	if json.Unmarshal(text, &claims) != nil || claims.SessionID == "" {
		return "", false
	}
	left := claims.Expires - float64(now.UnixMilli())/1000
	return claims.SessionID, left > 0
}

// Cookie returns what a request brings under next-auth's name, which begins with __Secure- where the
// application is on https: whole, or in the parts that a long one is cut into. Empty where there is none.
func Cookie(sent func(name string) string, secure bool) string {
	name := cookieName
	if secure {
		name = securePrefix + cookieName
	}
	if whole := sent(name); whole != "" {
		return whole
	}
	var joined strings.Builder
	for i := range maxParts {
		part := sent(name + "." + strconv.Itoa(i))
		if part == "" {
			break
		}
		joined.WriteString(part)
	}
	return joined.String()
}
