package token

// Names that only we can make: whoever reads the database cannot tell what they stand for by trying.

import (
	"crypto/rand"
	"fmt"
)

const indexKeySize = 32

// IndexKey makes such names. It is random, of no master key, so that the names outlive a rotation of those.
// It never prints itself.
type IndexKey struct {
	redacted
	key []byte
}

// NewIndexKey returns a new random key.
func NewIndexKey() IndexKey {
	key := make([]byte, indexKeySize)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process instead
	return IndexKey{key: key}
}

// ParseIndexKey reads what Secret returned.
func ParseIndexKey(raw []byte) (IndexKey, error) {
	if len(raw) != indexKeySize {
		return IndexKey{}, fmt.Errorf("parse index key: %w", ErrMalformed)
	}
	return IndexKey{key: raw}, nil
}

// Secret is the key itself, to be sealed.
func (k IndexKey) Secret() []byte { return k.key }

// Name returns the HMAC-SHA256 (RFC 2104) of the parts, each with its length, so that ("ab", "c") and ("a", "bc")
// differ.
func (k IndexKey) Name(parts ...string) []byte {
	raw := make([][]byte, len(parts))
	for i, part := range parts {
		raw[i] = []byte(part)
	}
	return sum(k.key, raw)
}
