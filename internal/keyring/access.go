package keyring

// Access tokens, signed and read. Whether the session behind one is alive is not asked here.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/token"
)

// SignAccess signs an access token of this issuer, for its audience, with the key that is active at now.
func (k *Keys) SignAccess(a token.Access, now time.Time) (string, error) {
	a.Issuer, a.Audience = k.o.Issuer, k.o.Audience
	return k.current.Load().SignAccess(a, now)
}

// ParseAccess returns what an access token of this issuer says. A token that is not good is a refusal: ErrExpired,
// ErrMalformed or ErrUnknownKey of internal/token, the first of which comes with what the token says. An error is never
// about the token, only about not being able to tell: a key that is not known yet may be another node's new one, so the
// keys are read again for it, at most once a second.
func (k *Keys) ParseAccess(ctx context.Context, raw string) (access token.Access, refusal, err error) {
	now := k.o.Now()
	access, refusal = k.parse(raw, now)
	if errors.Is(refusal, token.ErrUnknownKey) {
		if err := k.reloadSoon(ctx); err != nil {
			return token.Access{}, nil, err
		}
		access, refusal = k.parse(raw, now)
	}
	return access, refusal, nil
}

func (k *Keys) parse(raw string, now time.Time) (token.Access, error) {
	r := k.current.Load()
	if access, ok := r.verified.get(raw); ok && r.StillHolds(raw, access, now) {
		return access, nil
	}
	access, err := r.ParseAccess(raw, k.o.Issuer, k.o.Audience, now)
	if err == nil {
		r.verified.put(raw, access)
	}
	return access, err
}
