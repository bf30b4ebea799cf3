package keyring

// ID tokens, signed, and read when they come back as hints; and logout tokens, which are only signed.

import (
	"context"
	"time"

	"latchkey/internal/token"
)

// SignID signs an ID token of this issuer with the key that is active at now. access is the access token that goes out
// with it.
func (k *Keys) SignID(id token.ID, access string, now time.Time) (string, error) {
	id.Issuer = k.o.Issuer
	return k.current.Load().SignID(id, access, now)
}

// SignLogout signs a logout token of this issuer with the key that is active at now.
func (k *Keys) SignLogout(l token.Logout, now time.Time) (string, error) {
	l.Issuer = k.o.Issuer
	return k.current.Load().SignLogout(l, now)
}

// ParseHint returns what an ID token of this issuer says, run out or not, also under a key that has retired since and is
// kept for hints. One that is not good is a refusal, ErrMalformed or ErrUnknownKey of internal/token. An error is never
// about the token, only about not being able to tell: see reading.
func (k *Keys) ParseHint(ctx context.Context, raw string) (id token.ID, refusal, err error) {
	refusal, err = k.reading(ctx, func() error {
		var refusal error
		id, refusal = k.current.Load().ParseHint(raw, k.o.Issuer)
		return refusal
	})
	return id, refusal, err
}
