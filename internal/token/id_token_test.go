package token

// ID tokens as they are signed, and as they are read when they come back as hints.

import (
	"crypto"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

// knownID is testID beside knownAccess, under the key of RFC 8037 Appendix A: the bytes are fixed.
const knownID = "eyJhbGciOiJFZERTQSIsImtpZCI6ImtQcktfcW14VldhWVZBOXd3QkY2SXVvM3ZWeno3VHhIQ1R3WEJ5Z3JTNGsiLCJ0eXAiOiJKV1QifQ." +
	"eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUub3JnIiwic3ViIjoiMDE5MzJjNWUtOGYwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAxIiwi" +
	"YXVkIjoic2hvcCIsImV4cCI6MTc5NTQyMTQwMCwiaWF0IjoxNzk1NDIwODAwLCJhdXRoX3RpbWUiOjE3OTU0MTcyMDAsIm5vbmNlIjoi" +
	"bi0wUzZfV3pBMk1qIiwiYWNyIjoiYWFsMSIsImFtciI6WyJwd2QiXSwiYXpwIjoic2hvcCIsInNpZCI6IjAxOTMyYzVlLThmMDAtN2Ez" +
	"Yi05YzRkLTVlNmY3MDgxOTJhMyIsImF0X2hhc2giOiI4SFdYUzdwcXF3UEMyM252cVFLemMwX1hzTE42VU1oNHZwb1hmbTBYZDdNIiwi" +
	"ZW1haWwiOiJhZGFAZXhhbXBsZS5vcmciLCJlbWFpbF92ZXJpZmllZCI6dHJ1ZSwibmFtZSI6IkFkYSBMb3ZlbGFjZSIsImdpdmVuX25h" +
	"bWUiOiJBZGEiLCJmYW1pbHlfbmFtZSI6IkxvdmVsYWNlIiwibG9jYWxlIjoiZGUiLCJ1cGRhdGVkX2F0IjoxNzk1MzM0NDAwfQ" +
	".ICGElJ0J2tci1iiinftyJHsxgwB_7jNz5Yclgwe6KJjvxYL-QY_OieeDnNcToAPcTDxN-yZQpGWl0HeE-qk2BQ"

func TestIDIsStable(t *testing.T) {
	const payload = `{"iss":"https://id.example.org","sub":"01932c5e-8f00-7000-8000-000000000001","aud":"shop",` +
		`"exp":1795421400,"iat":1795420800,"auth_time":1795417200,"nonce":"n-0S6_WzA2Mj","acr":"aal1","amr":["pwd"],` +
		`"azp":"shop","sid":"01932c5e-8f00-7a3b-9c4d-5e6f708192a3","at_hash":"8HWXS7pqqwPC23nvqQKzc0_XsLN6UMh4vpoXfm0Xd7M",` +
		`"email":"ada@example.org","email_verified":true,"name":"Ada Lovelace","given_name":"Ada",` +
		`"family_name":"Lovelace","locale":"de","updated_at":1795334400}`
	for _, kind := range []string{AccessType, PlainType} { // ID tokens are of one type, whichever access tokens are of
		r := NewKeyRing(kind, []SigningKey{publishedKey(t)})
		raw, err := r.SignID(testID(), knownAccess, at)
		if err != nil || raw != knownID {
			t.Errorf("SignID = %s, %v\nwant %s", raw, err, knownID)
		}
		if got, ok := decode(strings.Split(raw, ".")[1]); !ok || string(got) != payload {
			t.Errorf("the payload is\n%s\nwant\n%s", got, payload)
		}
		got, err := r.ParseHint(knownID, issuer)
		if diff := cmp.Diff(testID(), got); err != nil || diff != "" {
			t.Errorf("ParseHint: %v (-want +got):\n%s", err, diff)
		}
	}
}

// OpenID Connect Core §2: the header and the claims, and no others.
func TestIDHeaderAndClaims(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			key := signingKey(t, alg)
			r := NewKeyRing(AccessType, []SigningKey{key})
			raw := signedID(t, r, testID(), knownAccess)
			if diff := cmp.Diff(map[string]any{"typ": "JWT", "alg": alg, "kid": key.ID}, part(t, raw, 0)); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			want := map[string]any{
				"iss":            issuer,
				"sub":            "01932c5e-8f00-7000-8000-000000000001",
				"aud":            "shop",
				"exp":            float64(at.Unix() + 600),
				"iat":            float64(at.Unix()),
				"auth_time":      float64(at.Unix() - 3600),
				"nonce":          "n-0S6_WzA2Mj",
				"acr":            "aal1",
				"amr":            []any{"pwd"},
				"azp":            "shop",
				"sid":            session,
				"at_hash":        hashOf(t, alg, knownAccess),
				"email":          "ada@example.org",
				"email_verified": true,
				"name":           "Ada Lovelace",
				"given_name":     "Ada",
				"family_name":    "Lovelace",
				"locale":         "de",
				"updated_at":     float64(at.Unix() - 24*3600),
			}
			if diff := cmp.Diff(want, part(t, raw, 1)); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
			got, err := r.ParseHint(raw, issuer)
			if diff := cmp.Diff(testID(), got); err != nil || diff != "" {
				t.Errorf("ParseHint: %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func signedID(t *testing.T, r *KeyRing, id ID, access string) string {
	t.Helper()
	raw, err := r.SignID(id, access, at)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// hashOf is at_hash by another way: RFC 7518 §3.1 and RFC 8032 §5.1 name the functions.
func hashOf(t *testing.T, alg, access string) string {
	t.Helper()
	hash := map[string]crypto.Hash{"ES256": crypto.SHA256, "RS256": crypto.SHA256, "EdDSA": crypto.SHA512}[alg].New()
	if _, err := io.WriteString(hash, access); err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:hash.Size()/2])
}

func TestAccessHash(t *testing.T) {
	const published = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y" // OpenID Connect Core, Appendix A.3
	for alg, want := range map[string]string{
		"RS256": "77QmUPtjPfzWtF2AnpK9RQ", // also from there
		"ES256": "77QmUPtjPfzWtF2AnpK9RQ",
		"EdDSA": "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM", // sha512sum
	} {
		r := NewKeyRing(AccessType, []SigningKey{signingKey(t, alg)})
		for access, want := range map[string]string{published: want, knownAccess: hashOf(t, alg, knownAccess), "x": hashOf(t, alg, "x")} {
			if got := part(t, signedID(t, r, testID(), access), 1)["at_hash"]; got != want {
				t.Errorf("%s: at_hash of %.20s is %v, want %s", alg, access, got, want)
			}
		}
	}
}

// A refresh has no nonce, and a claim that no scope asked for is not there.
func TestIDLeavesOutWhatIsEmpty(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	id := testID()
	id.Nonce, id.ACR, id.AMR, id.Email, id.GivenName, id.FamilyName, id.Locale, id.UpdatedAt = "", "", nil, "", "", "", "", time.Time{}
	raw := signedID(t, r, id, knownAccess)
	want := []string{"at_hash", "aud", "auth_time", "azp", "exp", "iat", "iss", "sid", "sub"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(part(t, raw, 1)))); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	got, err := r.ParseHint(raw, issuer)
	if diff := cmp.Diff(id, got); err != nil || diff != "" {
		t.Errorf("ParseHint: %v (-want +got):\n%s", err, diff)
	}
	id.FamilyName = "Lovelace"
	if name := part(t, signedID(t, r, id, knownAccess), 1)["name"]; name != "Lovelace" {
		t.Errorf("name is %v", name)
	}
}

func TestSignIDRefuses(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	for name, change := range map[string]func(*ID){
		"no issuer":             func(id *ID) { id.Issuer = "" },
		"no subject":            func(id *ID) { id.Subject = "" },
		"no client":             func(id *ID) { id.Audience = "" },
		"no session":            func(id *ID) { id.SessionID = "" },
		"never issued":          func(id *ID) { id.IssuedAt = time.Time{} },
		"never signed in":       func(id *ID) { id.AuthTime = time.Time{} },
		"never expires":         func(id *ID) { id.ExpiresAt = time.Time{} },
		"expires as it is made": func(id *ID) { id.ExpiresAt = id.IssuedAt },
		"longer than is read":   func(id *ID) { id.Nonce = strings.Repeat("x", maxJWT) },
	} {
		id := testID()
		change(&id)
		if raw, err := r.SignID(id, knownAccess, at); err == nil {
			t.Errorf("%s: %s", name, raw)
		}
	}
	if raw, err := r.SignID(testID(), "", at); err == nil {
		t.Errorf("no access token: %s", raw)
	}
	for name, r := range map[string]*KeyRing{
		"no key":          NewKeyRing(AccessType, nil),
		"no key any more": NewKeyRing(AccessType, []SigningKey{keyAt(t, "a", -9, -9, -1)}),
	} {
		if raw, err := r.SignID(testID(), knownAccess, at); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("%s: %s, %v", name, raw, err)
		}
	}
}

// A hint may have run out, and its key may have retired. What has retired is believed for hints, and for nothing else.
func TestHintsOutliveTheirTimeAndKey(t *testing.T) {
	old, next := publishedKey(t), signingKey(t, "ES256")
	next.UseFrom = at
	retired := old
	retired.RetireAt = at.Add(-1000 * time.Hour)
	for name, tc := range map[string]struct {
		keys []SigningKey
		want error
	}{
		"in use":       {[]SigningKey{old}, nil},
		"both":         {[]SigningKey{next, old}, nil},
		"retired":      {[]SigningKey{next, retired}, nil},
		"the last":     {[]SigningKey{retired}, nil},
		"gone":         {[]SigningKey{next}, ErrUnknownKey},
		"no key known": {nil, ErrUnknownKey},
	} {
		if _, err := NewKeyRing(AccessType, tc.keys).ParseHint(knownID, issuer); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	id := testID()
	for name, issued := range map[string]time.Time{"years ago": at.Add(-20000 * time.Hour), "by a clock that was ahead": time.Now().Add(20000 * time.Hour)} {
		id.IssuedAt, id.ExpiresAt = issued, issued.Add(time.Minute)
		r := NewKeyRing(AccessType, []SigningKey{old})
		if got, err := r.ParseHint(signedID(t, r, id, knownAccess), issuer); err != nil || got.IssuedAt.Unix() != issued.Unix() {
			t.Errorf("issued %s: %v", name, err)
		}
	}
	r := NewKeyRing(AccessType, []SigningKey{next, retired})
	if _, err := r.ParseAccess(knownAccess, issuer, at); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("an access token under the retired key: %v, want %v", err, ErrUnknownKey)
	}
	if r.StillHolds(knownAccess, testAccess(), at) {
		t.Error("an access token found right before holds under the retired key")
	}
	if diff := cmp.Diff([]string{next.ID}, publishedIDs(t, r)); diff != "" {
		t.Errorf("JWKS (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ES256"}, r.Algorithms(at)); diff != "" {
		t.Errorf("Algorithms (-want +got):\n%s", diff)
	}
}

func TestParseHintAsksForItsIssuer(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	for _, other := range otherIssuers {
		if _, err := r.ParseHint(knownID, other); !errors.Is(err, ErrMalformed) {
			t.Errorf("issuer %q: %v", other, err)
		}
	}
}

func TestParseHintTakesOneSpelling(t *testing.T) {
	for _, alg := range algorithms {
		r := NewKeyRing(AccessType, []SigningKey{signingKey(t, alg)})
		raw := signedID(t, r, testID(), knownAccess)
		for name, raw := range misspelt(t, raw) {
			if _, err := r.ParseHint(raw, issuer); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %s: %v", alg, name, err)
			}
		}
	}
}

func TestParseHintRefusesEveryChange(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	for i := range knownID {
		changed := []byte(knownID)
		changed[i] ^= 1
		_, err := r.ParseHint(string(changed), issuer)
		if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownKey) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	if _, err := r.ParseHint(strings.Repeat("A", 1<<20), issuer); !errors.Is(err, ErrMalformed) {
		t.Errorf("a megabyte: %v", err)
	}
}

// RFC 8725, as for access tokens.
func TestParseHintReadsOneHeader(t *testing.T) {
	key := signingKey(t, "RS256")
	r := NewKeyRing(AccessType, []SigningKey{key, signingKey(t, "ES256")})
	payload := payloadOf(t, knownID, func(map[string]any) {})
	good := sign(t, jose.RS256, key.Private, map[jose.HeaderKey]any{"typ": PlainType, "kid": key.ID}, payload)
	if _, err := r.ParseHint(good, issuer); err != nil {
		t.Fatalf("the test's own tokens are not ours: %v", err)
	}
	for name, raw := range attacks(t, key, PlainType, payload) {
		id, err := r.ParseHint(raw, issuer)
		if diff := cmp.Diff(ID{}, id); !errors.Is(err, ErrMalformed) || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// Only a hint that could be ours under a newer key makes a caller look for one: an access token is never one.
func TestParseHintTellsKeysNotHad(t *testing.T) {
	r := NewKeyRing(PlainType, []SigningKey{publishedKey(t)})
	for header, want := range map[string]error{
		`{"alg":"EdDSA","kid":"newer","typ":"JWT"}`:    ErrUnknownKey,
		`{"alg":"EdDSA","kid":"newer","typ":"at+jwt"}`: ErrMalformed,
		`{"alg":"EdDSA","kid":"newer","typ":"jwt"}`:    ErrMalformed,
		`{"alg":"EdDSA","kid":"newer","typ":"rt+jwt"}`: ErrMalformed,
		`{"alg":"EdDSA","kid":"newer"}`:                ErrMalformed,
		`{"alg":"EdDSA","kid":"","typ":"JWT"}`:         ErrMalformed,
		`{"alg":"EdDSA","typ":"JWT"}`:                  ErrMalformed,
		`{"alg":"EdDSA","kid":"newer","typ":"JWT"`:     ErrMalformed,
	} {
		raw := encoding.EncodeToString([]byte(header)) + knownID[strings.IndexByte(knownID, '.'):]
		if _, err := r.ParseHint(raw, issuer); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", header, err, want)
		}
	}
}

func TestParseHintReadsWholeClaims(t *testing.T) {
	key := publishedKey(t)
	r := NewKeyRing(AccessType, []SigningKey{key})
	payloads := map[string]string{
		"nothing":       "",
		"null":          "null",
		"a list":        "[]",
		"no JSON":       "claims",
		"trailing data": payloadOf(t, knownID, func(map[string]any) {}) + "{}",
		"another azp":   payloadOf(t, knownID, func(c map[string]any) { c["azp"] = "mobile" }),
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "azp", "sid", "at_hash"} {
		payloads["no "+name] = payloadOf(t, knownID, func(c map[string]any) { delete(c, name) })
		payloads["null "+name] = payloadOf(t, knownID, func(c map[string]any) { c[name] = nil })
		payloads["a list for "+name] = payloadOf(t, knownID, func(c map[string]any) { c[name] = []any{c[name]} })
	}
	for name, payload := range payloads {
		raw := sign(t, jose.EdDSA, key.Private, map[jose.HeaderKey]any{"typ": "JWT", "kid": key.ID}, payload)
		if id, err := r.ParseHint(raw, issuer); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}

// I7: a JWT of ours is no hint as soon as it says one thing that only other kinds say, with whatever value.
func TestParseHintRefusesOtherKinds(t *testing.T) {
	key := publishedKey(t)
	r := NewKeyRing(AccessType, []SigningKey{key})
	for _, claim := range []string{"client_id", "jti", "scope", "token_use"} {
		for name, value := range map[string]any{"as others say it": "shop", "empty": "", "null": nil, "a list": []string{"openid"}, "a number": 1} {
			raw, err := r.keys[0].sign(PlainType, json.RawMessage(payloadOf(t, knownID, func(c map[string]any) { c[claim] = value })))
			if err != nil {
				t.Fatal(err)
			}
			if id, err := r.ParseHint(raw, issuer); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s, %s: %+v, %v", claim, name, id, err)
			}
		}
	}
	for name, raw := range map[string]string{"a refresh token": knownRefresh, "a one-time token": knownOneTime, "an access token": knownAccess} {
		if id, err := r.ParseHint(raw, issuer); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}
