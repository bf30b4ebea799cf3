package token

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// RFC 8037 Appendix A.3 gives the thumbprint.
func TestSigningKeyIDIsRFC8037Vector(t *testing.T) {
	if got, want := publishedKey(t).ID, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; got != want {
		t.Errorf("ID = %s, want %s", got, want)
	}
}

// RFC 7638 §3: SHA-256 over the required members, in lexicographic order, without white space.
func TestSigningKeyIDIsThumbprint(t *testing.T) {
	b64 := base64.RawURLEncoding.EncodeToString
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			key := signingKey(t, alg)
			var members string
			switch public := key.Private.Public().(type) {
			case *ecdsa.PublicKey:
				point, err := public.Bytes()
				if err != nil || len(point) != 65 {
					t.Fatalf("%d bytes, %v", len(point), err)
				}
				members = fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, b64(point[1:33]), b64(point[33:]))
			case ed25519.PublicKey:
				members = fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":"%s"}`, b64(public))
			case *rsa.PublicKey:
				members = fmt.Sprintf(`{"e":"%s","kty":"RSA","n":"%s"}`, b64(big.NewInt(int64(public.E)).Bytes()), b64(public.N.Bytes()))
			}
			sum := sha256.Sum256([]byte(members))
			if key.Alg != alg || key.ID != b64(sum[:]) {
				t.Errorf("key %s %s, want %s %s", key.Alg, key.ID, alg, b64(sum[:]))
			}
		})
	}
}

func TestNewSigningKey(t *testing.T) {
	for _, alg := range []string{"ES256", "EdDSA"} {
		a, errA := NewSigningKey(alg)
		b, errB := NewSigningKey(alg)
		if errA != nil || errB != nil || a.ID == b.ID {
			t.Errorf("%s: two new keys %s and %s, %v, %v", alg, a.ID, b.ID, errA, errB)
		}
		if !a.CreatedAt.IsZero() || !a.UseFrom.IsZero() || !a.RetireAt.IsZero() {
			t.Errorf("%s: times are set", alg)
		}
	}
	if bits := signingKey(t, "RS256").Private.Public().(*rsa.PublicKey).N.BitLen(); bits < 2048 {
		t.Errorf("RS256 with %d bits", bits)
	}
	for _, alg := range []string{"", "none", "HS256", "es256", "ES384", "PS256", "RS512", "Ed25519"} {
		if _, err := NewSigningKey(alg); err == nil {
			t.Errorf("%q: a key was made", alg)
		}
	}
}

func TestSigningKeyMarshalsAndParses(t *testing.T) {
	for _, alg := range algorithms {
		want := signingKey(t, alg)
		der, err := want.MarshalPrivate()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseSigningKey(alg, der)
		if err != nil {
			t.Fatal(err)
		}
		got = inUse(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", alg, diff)
		}
		for _, other := range []string{"", "none", "HS256", "ES384", "RS384", "PS256", "ES256", "EdDSA", "RS256"} {
			if _, err := ParseSigningKey(other, der); (err == nil) != (other == alg) {
				t.Errorf("a key for %s parsed for %q: %v", alg, other, err)
			}
		}
	}
}

func TestParseSigningKeyRefuses(t *testing.T) {
	pkcs8 := func(key any, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for name, tc := range map[string]struct {
		alg string
		der []byte
	}{
		"nothing":        {"ES256", nil},
		"garbage":        {"ES256", []byte("garbage")},
		"P-384":          {"ES256", pkcs8(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))},
		"P-224":          {"ES256", pkcs8(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))},
		"X25519":         {"EdDSA", pkcs8(ecdh.X25519().GenerateKey(rand.Reader))},
		"RSA, 1024 bits": {"RS256", pkcs8(rsa.GenerateKey(rand.Reader, 1024))},
	} {
		if key, err := ParseSigningKey(tc.alg, tc.der); err == nil {
			t.Errorf("%s: accepted as %v", name, key)
		}
	}
	if _, err := ParseSigningKey("ES256", []byte("garbage")); !errors.Is(err, ErrMalformed) {
		t.Errorf("garbage: %v", err)
	}
}

func TestJWKS(t *testing.T) {
	key := publishedKey(t)
	got, err := NewKeyRing(AccessType, []SigningKey{key}).JWKS(at)
	if err != nil {
		t.Fatal(err)
	}
	// RFC 8037 Appendix A.2 gives x.
	want := `{"keys":[{"use":"sig","kty":"OKP","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","crv":"Ed25519",` +
		`"alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	if string(got) != want {
		t.Errorf("JWKS = %s\nwant   %s", got, want)
	}
	if got, err := NewKeyRing(AccessType, nil).JWKS(at); err != nil || string(got) != `{"keys":[]}` {
		t.Errorf("JWKS of no keys = %s, %v", got, err)
	}
}

// keyAt is the published key under another name, with times in minutes from at; a RetireAt of 0 is none.
func keyAt(t *testing.T, id string, created, useFrom, retire int) SigningKey {
	t.Helper()
	minutes := func(n int) time.Time { return at.Add(time.Duration(n) * time.Minute) }
	key := publishedKey(t)
	key.ID, key.CreatedAt, key.UseFrom = id, minutes(created), minutes(useFrom)
	if retire != 0 {
		key.RetireAt = minutes(retire)
	}
	return key
}

func TestKeyRingOverTime(t *testing.T) {
	broken := func(key SigningKey) SigningKey { key.Alg = "ES256"; return key }
	now := func(key SigningKey) SigningKey { key.RetireAt = at; return key }
	waits := func(key SigningKey) SigningKey { key.UseFrom = Unscheduled; return key }
	missing := func(key SigningKey) SigningKey { key.Private = nil; return key }
	for name, tc := range map[string]struct {
		keys      []SigningKey
		active    string
		published []string
	}{
		"none":                         {nil, "", nil},
		"one":                          {[]SigningKey{keyAt(t, "a", -9, -9, 0)}, "a", []string{"a"}},
		"in use from this moment":      {[]SigningKey{keyAt(t, "a", -9, 0, 0)}, "a", []string{"a"}},
		"none is due":                  {[]SigningKey{keyAt(t, "a", 0, 1, 0), keyAt(t, "b", 0, 2, 0)}, "a", []string{"a", "b"}},
		"none is due but retired ones": {[]SigningKey{keyAt(t, "a", -9, -9, -1), keyAt(t, "b", 0, 360, 0)}, "b", []string{"b"}},
		"only one that waits":          {[]SigningKey{waits(keyAt(t, "a", -9, 0, 0))}, "", []string{"a"}},
		"none is due, one waits":       {[]SigningKey{keyAt(t, "a", 0, 360, 0), waits(keyAt(t, "b", -9, 0, 0))}, "a", []string{"a", "b"}},
		"next is published, not used":  {[]SigningKey{keyAt(t, "a", -9, -9, 30), keyAt(t, "b", 0, 10, 0)}, "a", []string{"a", "b"}},
		"active first of three":        {[]SigningKey{keyAt(t, "a", -99, -99, 10), keyAt(t, "b", -9, -1, 0), keyAt(t, "c", 0, 10, 0)}, "b", []string{"b", "c", "a"}},
		"next took over":               {[]SigningKey{keyAt(t, "a", -99, -99, 10), keyAt(t, "b", -9, -1, 0)}, "b", []string{"b", "a"}},
		"the old retires now":          {[]SigningKey{now(keyAt(t, "a", -99, -99, 0)), keyAt(t, "b", -9, -1, 0)}, "b", []string{"b"}},
		"retired":                      {[]SigningKey{keyAt(t, "a", -99, -99, -1), keyAt(t, "b", -9, -5, 0)}, "b", []string{"b"}},
		"the newest retired":           {[]SigningKey{keyAt(t, "a", -99, -99, 0), keyAt(t, "b", -9, -5, -1)}, "a", []string{"a"}},
		"all retired":                  {[]SigningKey{keyAt(t, "a", -99, -99, -1)}, "", nil},
		"order of giving is no matter": {[]SigningKey{keyAt(t, "b", -9, -1, 0), keyAt(t, "a", -99, -99, 10)}, "b", []string{"b", "a"}},
		"one moment, made later":       {[]SigningKey{keyAt(t, "a", -8, -1, 0), keyAt(t, "b", -9, -1, 0)}, "a", []string{"a", "b"}},
		"one moment, made together":    {[]SigningKey{keyAt(t, "a", -9, -1, 0), keyAt(t, "b", -9, -1, 0)}, "b", []string{"b", "a"}},
		"a key for another algorithm":  {[]SigningKey{broken(keyAt(t, "a", -9, -9, 0))}, "", nil},
		"a key without private half":   {[]SigningKey{missing(keyAt(t, "a", -9, -9, 0))}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewKeyRing(AccessType, tc.keys)
			key, ok := r.Active(at)
			if key.ID != tc.active || ok != (tc.active != "") {
				t.Errorf("Active = %q, %t; want %q", key.ID, ok, tc.active)
			}
			if diff := cmp.Diff(tc.published, publishedIDs(t, r)); diff != "" {
				t.Errorf("JWKS (-want +got):\n%s", diff)
			}
		})
	}
}

func publishedIDs(t *testing.T, r *KeyRing) []string {
	t.Helper()
	var ids []string
	for _, key := range fetchJWKS(t, r) {
		ids = append(ids, key["kid"])
	}
	return ids
}

func TestKeyRingIsUnchanging(t *testing.T) {
	keys := []SigningKey{keyAt(t, "a", -9, -9, 0), keyAt(t, "b", -9, -1, 0)}
	r := NewKeyRing(AccessType, keys)
	if keys[0].ID != "a" {
		t.Error("the caller's list was sorted")
	}
	keys[0], keys[1] = SigningKey{}, SigningKey{}
	if key, ok := r.Active(at); !ok || key.ID != "b" || key.Private == nil {
		t.Errorf("Active = %v, %t after the caller changed its list", key, ok)
	}
}
