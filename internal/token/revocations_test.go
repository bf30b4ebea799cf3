package token

// Revocations as they are signed. Whoever polls reads them, and we never do.

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

func testRevocations() Revocations {
	return Revocations{
		Issuer: issuer, Audience: "shop", IssuedAt: at, ExpiresAt: at.Add(time.Minute), Cursor: "c",
		Sessions: []string{session}, Floor: at.Add(-time.Minute),
	}
}

func signedRevocations(t *testing.T, r *KeyRing, told Revocations) string {
	t.Helper()
	raw, err := r.SignRevocations(told, at)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The header and the claims, and no others, whatever type access tokens have.
func TestRevocationsHeaderAndClaims(t *testing.T) {
	for _, alg := range algorithms {
		for _, kind := range []string{AccessType, PlainType} {
			key := signingKey(t, alg)
			raw := signedRevocations(t, NewKeyRing(kind, []SigningKey{key}), testRevocations())
			if diff := cmp.Diff(map[string]any{"typ": "revocations+jwt", "alg": alg, "kid": key.ID}, part(t, raw, 0)); diff != "" {
				t.Errorf("%s: header (-want +got):\n%s", alg, diff)
			}
			want := map[string]any{
				"iss": issuer, "aud": "shop", "iat": float64(at.Unix()), "exp": float64(at.Unix() + 60), "cursor": "c",
				"sids": []any{session}, "floor": float64(at.Unix() - 60),
			}
			if diff := cmp.Diff(want, part(t, raw, 1)); diff != "" {
				t.Errorf("%s: claims (-want +got):\n%s", alg, diff)
			}
			jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err == nil {
				_, err = jws.Verify(key.Private.Public())
			}
			if err != nil {
				t.Errorf("%s: a verifier says %v", alg, err)
			}
		}
	}
}

// No session is an empty list, and a floor is told rounded up: a token of its second may be of a session that is left out.
func TestRevocationsSayWhatThereIs(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	for name, x := range map[string]struct {
		change func(*Revocations)
		claim  string
		want   any
	}{
		"nothing has ended":   {func(r *Revocations) { r.Sessions = nil }, "sids", []any{}},
		"nothing is left out": {func(r *Revocations) { r.Floor = time.Time{} }, "floor", nil},
		"a whole second":      {func(r *Revocations) { r.Floor = at }, "floor", float64(at.Unix())},
		"just after it":       {func(r *Revocations) { r.Floor = at.Add(time.Microsecond) }, "floor", float64(at.Unix() + 1)},
		"just before it":      {func(r *Revocations) { r.Floor = at.Add(-time.Microsecond) }, "floor", float64(at.Unix())},
	} {
		told := testRevocations()
		x.change(&told)
		if diff := cmp.Diff(x.want, part(t, signedRevocations(t, r, told), 1)[x.claim]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// As many as are ever told are far beyond the length of tokens, and still signed.
func TestRevocationsMayBeLong(t *testing.T) {
	told := testRevocations()
	told.Sessions = slices.Repeat([]string{session}, 10_000)
	raw := signedRevocations(t, NewKeyRing(AccessType, []SigningKey{publishedKey(t)}), told)
	if got := len(part(t, raw, 1)["sids"].([]any)); got != 10_000 {
		t.Errorf("%d sessions", got)
	}
}

func TestRevocationsNeedTheirClaimsAndAKey(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	for name, change := range map[string]func(*Revocations){
		"no issuer":   func(r *Revocations) { r.Issuer = "" },
		"no audience": func(r *Revocations) { r.Audience = "" },
		"no cursor":   func(r *Revocations) { r.Cursor = "" },
		"no life":     func(r *Revocations) { r.ExpiresAt = r.IssuedAt },
	} {
		told := testRevocations()
		change(&told)
		if raw, err := r.SignRevocations(told, at); err == nil {
			t.Errorf("%s: signed as %s", name, raw)
		}
	}
	if _, err := NewKeyRing(AccessType, nil).SignRevocations(testRevocations(), at); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("without a key: %v", err)
	}
}

// I7: revocations are no access token and no hint, also under another type, whatever type access tokens have; and no token
// has their type.
func TestRevocationsAreApart(t *testing.T) {
	key := publishedKey(t)
	for _, kind := range []string{AccessType, PlainType} {
		r := NewKeyRing(kind, []SigningKey{key})
		raw := signedRevocations(t, r, testRevocations())
		redressed := map[string]string{"as signed": raw}
		for _, other := range []string{AccessType, PlainType} {
			text, err := r.keys[0].sign(other, revocationsClaims{Issuer: issuer, Audience: "shop", IssuedAt: at.Unix(), ExpiresAt: at.Unix() + 60, Cursor: "c", Sessions: []string{session}})
			if err != nil {
				t.Fatal(err)
			}
			redressed["as "+other] = text
		}
		for name, raw := range redressed {
			if got, err := r.ParseAccess(raw, issuer, at); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %s is the access token %+v, %v", kind, name, got, err)
			}
			if got, err := r.ParseHint(raw, issuer); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %s is the hint %+v, %v", kind, name, got, err)
			}
		}
		access := signed(t, r, testAccess())
		id, err := r.SignID(testID(), access, at)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []string{access, id, signed(t, r, clientAccess())} {
			if head, _, _ := strings.Cut(other, "."); head == r.keys[0].heads[RevocationsType] {
				t.Errorf("%s: a token has the type of revocations: %s", kind, other)
			}
		}
	}
}
