package keyring

// Access tokens, signed and read. Whether the session behind one is alive is not asked here.

import (
	"cmp"
	"context"
	"errors"
	"time"

	"latchkey/internal/token"
)

// SignAccess signs an access token of this issuer with the key that is active at now. Where a names no audience it is the
// configured one.
func (k *Keys) SignAccess(a token.Access, now time.Time) (string, error) {
	a.Issuer, a.Audience = k.o.Issuer, cmp.Or(a.Audience, k.o.Audience)
	return k.current.Load().SignAccess(a, now)
}

// ParseAccess returns what an access token of this issuer says, whatever its audience, which the caller compares. A token
// that is not good is a refusal: ErrExpired, ErrMalformed or ErrUnknownKey of internal/token, the first of which comes
// with what the token says. An error is never about the token, only about not being able to tell: see reading. Callers
// share what is returned, and change nothing in its AMR.
func (k *Keys) ParseAccess(ctx context.Context, raw string) (access token.Access, refusal, err error) {
	now := k.o.Now()
	refusal, err = k.reading(ctx, func() error {
		var refusal error
		access, refusal = k.parse(raw, now)
		return refusal
	})
	return access, refusal, err
}

func (k *Keys) parse(raw string, now time.Time) (token.Access, error) {
	r := k.current.Load()
	if access, ok := r.verified.get(raw); ok && r.StillHolds(raw, access, now) {
		return access, nil
	}
	access, err := r.ParseAccess(raw, k.o.Issuer, now)
	if err == nil {
		r.verified.put(raw, access)
	}
	return access, err
}

// reading reads a token by parse, whose refusal it returns. A key that is not known yet may be another node's new one,
// so the keys are read again for it, at most once a second; where they cannot be, that is the error.
func (k *Keys) reading(ctx context.Context, parse func() error) (refusal, err error) {
	refusal = parse()
	if errors.Is(refusal, token.ErrUnknownKey) {
		if err := k.reloadSoon(ctx); err != nil {
			return nil, err
		}
		refusal = parse()
	}
	return refusal, nil
}
