package token

// JWTs under the keys of a ring, in their one form (RFC 7515 §3.1): what access tokens, ID tokens and revocations have in
// common.

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const maxJWT = 8 << 10 // well within the headers that HTTP servers take

// sign returns the JWT of that type with those claims. An error is about the claims: they are too long to be read again.
func (k *ringKey) sign(kind string, claims any) (string, error) {
	raw, err := k.signLong(kind, claims)
	if err == nil && len(raw) > maxJWT {
		return "", errors.New("claims too long")
	}
	return raw, err
}

// signLong is sign for a JWT that never comes back, and may be as long as it likes.
func (k *ringKey) signLong(kind string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	jws, err := k.signers[kind].Sign(payload)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// open returns the payload of a JWT of one of the kinds, and which of them it is, if a key of the ring signed it that
// has not retired at now. It follows RFC 8725: the whole header must be one that sign writes for that key, so neither
// algorithm nor type is the token's to choose, and no jku, x5u, jwk or crit is ever read.
//
// The error is ErrUnknownKey for a header of the right form whose key is not in the ring (or retired), and ErrMalformed
// for all else.
func (r *KeyRing) open(raw string, now time.Time, kinds ...string) (payload []byte, kind string, err error) {
	if len(raw) > maxJWT {
		return nil, "", ErrMalformed
	}
	head, rest, _ := strings.Cut(raw, ".")
	key, kind, err := r.keyOf(head, now, kinds...)
	if err != nil {
		return nil, "", err
	}
	if !strictParts(rest) {
		return nil, "", ErrMalformed
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(key.Alg)})
	if err != nil {
		return nil, "", ErrMalformed
	}
	payload, err = jws.Verify(key.public.Key)
	if err != nil {
		return nil, "", ErrMalformed
	}
	return payload, kind, nil
}

// keyOf finds the key by a token's first part, and which of the kinds the part says. Only a part that no key of the ring
// writes is looked into, to tell a key not had from a header not ours.
func (r *KeyRing) keyOf(head string, now time.Time, kinds ...string) (key *ringKey, kind string, err error) {
	for _, key := range r.keys {
		if key.retired(now) {
			continue
		}
		for _, kind := range kinds {
			if key.heads[kind] == head {
				return key, kind, nil
			}
		}
	}
	text, ok := decode(head)
	if !ok {
		return nil, "", ErrMalformed
	}
	var fields struct {
		KeyID string `json:"kid"`
		Type  string `json:"typ"`
	}
	if json.Unmarshal(text, &fields) != nil || !slices.Contains(kinds, fields.Type) || fields.KeyID == "" {
		return nil, "", ErrMalformed
	}
	had := func(key *ringKey) bool { return key.ID == fields.KeyID && !key.retired(now) }
	if slices.ContainsFunc(r.keys, had) {
		return nil, "", ErrMalformed
	}
	return nil, "", ErrUnknownKey
}

// strictParts tells whether payload and signature are spelt as sign spells them.
func strictParts(rest string) bool {
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok {
		return false
	}
	_, ok = decode(payload)
	if !ok {
		return false
	}
	_, ok = decode(signature)
	return ok
}

// fullName is the claim name, OpenID Connect Core §5.1; empty without either.
func fullName(given, family string) string { return strings.TrimSpace(given + " " + family) }

func instant(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

// optionalSeconds and optionalInstant are for a claim that may be left out: 0 then, and the zero time.
func optionalSeconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func optionalInstant(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return instant(seconds)
}
