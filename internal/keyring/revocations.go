package keyring

// Revocations, signed for those who poll the feed.

import (
	"time"

	"latchkey/internal/token"
)

// SignRevocations signs revocations of this issuer with the key that is active at now.
func (k *Keys) SignRevocations(r token.Revocations, now time.Time) (string, error) {
	r.Issuer = k.o.Issuer
	return k.current.Load().SignRevocations(r, now)
}
