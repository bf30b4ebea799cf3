package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

// knownAccess is testAccess under the key of RFC 8037 Appendix A: Ed25519 signs without randomness, so the bytes are
// fixed. A release that spells tokens otherwise would refuse those of its neighbour while nodes are upgraded.
const knownAccess = "eyJhbGciOiJFZERTQSIsImtpZCI6ImtQcktfcW14VldhWVZBOXd3QkY2SXVvM3ZWeno3VHhIQ1R3WEJ5Z3JTNGsiLCJ0eXAiOiJhdCtqd3QifQ." +
	"eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUub3JnIiwic3ViIjoiMDE5MzJjNWUtOGYwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAxIiwi" +
	"YXVkIjoiaHR0cHM6Ly9hcGkuZXhhbXBsZS5vcmciLCJleHAiOjE3OTU0MjE0MDAsImlhdCI6MTc5NTQyMDgwMCwibmJmIjoxNzk1NDIw" +
	"ODAwLCJqdGkiOiIwMTkzMmM1ZS04ZjAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDIiLCJzaWQiOiIwMTkzMmM1ZS04ZjAwLTdhM2ItOWM0" +
	"ZC01ZTZmNzA4MTkyYTMiLCJjbGllbnRfaWQiOiJzdHVkaW8iLCJhenAiOiJzdHVkaW8iLCJhdXRoX3RpbWUiOjE3OTU0MTcyMDAsImVt" +
	"YWlsIjoiYWRhQGV4YW1wbGUub3JnIiwiZW1haWxfdmVyaWZpZWQiOnRydWUsIm5hbWUiOiJBZGEgTG92ZWxhY2UiLCJnaXZlbl9uYW1l" +
	"IjoiQWRhIiwiZmFtaWx5X25hbWUiOiJMb3ZlbGFjZSIsInNjb3BlIjoiZW1haWwgcHJvZmlsZSJ9" +
	".53mf8LEidzfyPw266qhmW00KhTnjjPFYA6B3Je8xEPHEut0Lt6vmMf3KNQeDC8ygTd9dBPcWuvEuF7OeIIynAQ"

func TestAccessIsStable(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	raw, err := r.SignAccess(testAccess(), at)
	if err != nil || raw != knownAccess {
		t.Errorf("SignAccess = %s, %v\nwant %s", raw, err, knownAccess)
	}
	got, err := r.ParseAccess(knownAccess, issuer, at)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(testAccess(), got); diff != "" {
		t.Errorf("ParseAccess (-want +got):\n%s", diff)
	}
}

func part(t *testing.T, raw string, i int) map[string]any {
	t.Helper()
	text, ok := decode(strings.Split(raw, ".")[i])
	if !ok {
		t.Fatalf("part %d of %s does not decode", i, raw)
	}
	fields := map[string]any{}
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// RFC 9068 §2: the header and the claims, and no others.
func TestAccessHeaderAndClaims(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			key := signingKey(t, alg)
			r := NewKeyRing(AccessType, []SigningKey{key})
			raw, err := r.SignAccess(testAccess(), at)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]any{"typ": "at+jwt", "alg": alg, "kid": key.ID}, part(t, raw, 0)); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			want := map[string]any{
				"iss":            issuer,
				"sub":            "01932c5e-8f00-7000-8000-000000000001",
				"aud":            audience,
				"exp":            float64(at.Unix() + 600),
				"iat":            float64(at.Unix()),
				"nbf":            float64(at.Unix()),
				"jti":            "01932c5e-8f00-7000-8000-000000000002",
				"sid":            session,
				"client_id":      "studio",
				"azp":            "studio",
				"auth_time":      float64(at.Unix() - 3600),
				"email":          "ada@example.org",
				"email_verified": true,
				"name":           "Ada Lovelace",
				"given_name":     "Ada",
				"family_name":    "Lovelace",
				"scope":          "email profile",
			}
			if diff := cmp.Diff(want, part(t, raw, 1)); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
			got, err := r.ParseAccess(raw, issuer, at)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(testAccess(), got); diff != "" {
				t.Errorf("ParseAccess (-want +got):\n%s", diff)
			}
		})
	}
}

// OpenID Connect Core §5.3.2: a claim without a value is left out.
func TestAccessLeavesOutWhatIsEmpty(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	a := testAccess()
	a.Email, a.EmailVerified, a.GivenName, a.FamilyName, a.Scope = "", false, "", "Lovelace", ""
	raw, err := r.SignAccess(a, at)
	if err != nil {
		t.Fatal(err)
	}
	claims := part(t, raw, 1)
	for _, name := range []string{"email", "email_verified", "given_name", "scope", "acr", "amr", "token_use"} {
		if value, ok := claims[name]; ok {
			t.Errorf("%s is %v", name, value)
		}
	}
	if claims["name"] != "Lovelace" {
		t.Errorf("name is %v", claims["name"])
	}
	got, err := r.ParseAccess(raw, issuer, at)
	if diff := cmp.Diff(a, got); err != nil || diff != "" {
		t.Errorf("ParseAccess: %v (-want +got):\n%s", err, diff)
	}
}

func TestSignAccessRefuses(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	for name, change := range map[string]func(*Access){
		"no issuer":              func(a *Access) { a.Issuer = "" },
		"no subject":             func(a *Access) { a.Subject = "" },
		"no audience":            func(a *Access) { a.Audience = "" },
		"no token id":            func(a *Access) { a.TokenID = "" },
		"no session":             func(a *Access) { a.SessionID = "" },
		"no client":              func(a *Access) { a.Client = "" },
		"never issued":           func(a *Access) { a.IssuedAt = time.Time{} },
		"never signed in":        func(a *Access) { a.AuthTime = time.Time{} },
		"never expires":          func(a *Access) { a.ExpiresAt = time.Time{} },
		"expires as it is made":  func(a *Access) { a.ExpiresAt = a.IssuedAt },
		"longer than is read":    func(a *Access) { a.GivenName = strings.Repeat("x", maxJWT) },
		"longer by its spelling": func(a *Access) { a.GivenName = strings.Repeat("<", maxJWT/10) },
	} {
		a := testAccess()
		change(&a)
		if raw, err := r.SignAccess(a, at); err == nil {
			t.Errorf("%s: %s", name, raw)
		}
	}
	unscheduled := keyAt(t, "a", 0, 1, 0)
	unscheduled.UseFrom = Unscheduled
	for name, r := range map[string]*KeyRing{
		"no key":             NewKeyRing(AccessType, nil),
		"no key with a time": NewKeyRing(AccessType, []SigningKey{unscheduled}),
		"no key any more":    NewKeyRing(AccessType, []SigningKey{keyAt(t, "a", -9, -9, -1)}),
	} {
		if raw, err := r.SignAccess(testAccess(), at); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("%s: %s, %v", name, raw, err)
		}
	}
}

func TestParseAccessOverTime(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	for name, tc := range map[string]struct {
		now  time.Time
		want error
	}{
		"as issued":                     {at, nil},
		"last moment":                   {at.Add(10*time.Minute - time.Nanosecond), nil},
		"on its expiry":                 {at.Add(10 * time.Minute), ErrExpired},
		"long after":                    {at.Add(1000 * time.Hour), ErrExpired},
		"issuer's clock a minute ahead": {at.Add(-time.Minute), nil},
		"issuer's clock further ahead":  {at.Add(-time.Minute - time.Nanosecond), ErrMalformed},
	} {
		if _, err := r.ParseAccess(knownAccess, issuer, tc.now); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

// The audience is for the caller to compare.
func TestParseAccessAsksForItsIssuer(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	for _, other := range otherIssuers {
		if _, err := r.ParseAccess(knownAccess, other, at); !errors.Is(err, ErrMalformed) {
			t.Errorf("issuer %q: %v", other, err)
		}
	}
	a := testAccess()
	a.Audience = "https://files.example.org"
	raw, err := r.SignAccess(a, at)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.ParseAccess(raw, issuer, at); err != nil || got.Audience != a.Audience {
		t.Errorf("for another audience: %q, %v", got.Audience, err)
	}
}

func TestParseAccessTakesOneSpelling(t *testing.T) {
	for _, alg := range algorithms {
		r := NewKeyRing(AccessType, []SigningKey{signingKey(t, alg)})
		raw, err := r.SignAccess(testAccess(), at)
		if err != nil {
			t.Fatal(err)
		}
		for name, raw := range misspelt(t, raw) {
			if _, err := r.ParseAccess(raw, issuer, at); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %s: %v", alg, name, err)
			}
		}
	}
}

func TestParseAccessRefusesEveryChange(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	for i := range knownAccess {
		changed := []byte(knownAccess)
		changed[i] ^= 1
		_, err := r.ParseAccess(string(changed), issuer, at)
		if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownKey) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	if _, err := r.ParseAccess(strings.Repeat("A", 1<<20), issuer, at); !errors.Is(err, ErrMalformed) {
		t.Errorf("a megabyte: %v", err)
	}
}

// RFC 8725: what a token's own header says never chooses the algorithm, the key or the type.
func TestParseAccessReadsOneHeader(t *testing.T) {
	key := signingKey(t, "RS256")
	r := NewKeyRing(AccessType, []SigningKey{key, signingKey(t, "ES256")})
	payload := payloadOf(t, knownAccess, func(map[string]any) {})
	good := sign(t, jose.RS256, key.Private, map[jose.HeaderKey]any{"typ": AccessType, "kid": key.ID}, payload)
	if _, err := r.ParseAccess(good, issuer, at); err != nil {
		t.Fatalf("the test's own tokens are not ours: %v", err)
	}
	for name, raw := range attacks(t, key, AccessType, payload) {
		a, err := r.ParseAccess(raw, issuer, at)
		if diff := cmp.Diff(Access{}, a); !errors.Is(err, ErrMalformed) || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// Only a token that could be ours under a newer key makes a caller look for one.
func TestParseAccessTellsKeysNotHad(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	for header, want := range map[string]error{
		`{"alg":"EdDSA","kid":"newer","typ":"at+jwt"}`: ErrUnknownKey,
		`{"alg":"EdDSA","kid":"newer","typ":"JWT"}`:    ErrUnknownKey, // LATCHKEY_ACCESS_TYP
		`{"alg":"EdDSA","kid":"newer","typ":"jwt"}`:    ErrMalformed,
		`{"alg":"EdDSA","kid":"newer","typ":"rt+jwt"}`: ErrMalformed,
		`{"alg":"EdDSA","kid":"newer"}`:                ErrMalformed,
		`{"alg":"EdDSA","kid":"","typ":"at+jwt"}`:      ErrMalformed,
		`{"alg":"EdDSA","typ":"at+jwt"}`:               ErrMalformed,
		`{"alg":"EdDSA","kid":"newer","typ":"at+jwt"`:  ErrMalformed,
	} {
		raw := encoding.EncodeToString([]byte(header)) + knownAccess[strings.IndexByte(knownAccess, '.'):]
		if _, err := r.ParseAccess(raw, issuer, at); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", header, err, want)
		}
	}
}

func TestParseAccessReadsWholeClaims(t *testing.T) {
	key := publishedKey(t)
	r := NewKeyRing(AccessType, []SigningKey{key})
	payloads := map[string]string{
		"nothing":       "",
		"null":          "null",
		"a list":        "[]",
		"no JSON":       "claims",
		"trailing data": payloadOf(t, knownAccess, func(map[string]any) {}) + "{}",
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "jti", "sid", "client_id", "auth_time"} {
		payloads["no "+name] = payloadOf(t, knownAccess, func(c map[string]any) { delete(c, name) })
		payloads["null "+name] = payloadOf(t, knownAccess, func(c map[string]any) { c[name] = nil })
		payloads["a list for "+name] = payloadOf(t, knownAccess, func(c map[string]any) { c[name] = []any{c[name]} })
	}
	for name, payload := range payloads {
		raw := sign(t, jose.EdDSA, key.Private, map[jose.HeaderKey]any{"typ": "at+jwt", "kid": key.ID}, payload)
		if a, err := r.ParseAccess(raw, issuer, at); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// I20: tokens of the old key live on while it is retiring; a key not had, or had no longer, says nothing about the token.
func TestParseAccessOverKeyRotation(t *testing.T) {
	old, next := signingKey(t, "ES256"), signingKey(t, "EdDSA")
	raw, err := NewKeyRing(AccessType, []SigningKey{old}).SignAccess(testAccess(), at)
	if err != nil {
		t.Fatal(err)
	}
	retiring, retired := old, old
	retiring.RetireAt, retired.RetireAt = at.Add(time.Minute), at
	for name, tc := range map[string]struct {
		keys []SigningKey
		want error
	}{
		"before":       {[]SigningKey{old}, nil},
		"both":         {[]SigningKey{next, old}, nil},
		"retiring":     {[]SigningKey{next, retiring}, nil},
		"retired":      {[]SigningKey{next, retired}, ErrUnknownKey},
		"gone":         {[]SigningKey{next}, ErrUnknownKey},
		"no key known": {nil, ErrUnknownKey},
	} {
		if _, err := NewKeyRing(AccessType, tc.keys).ParseAccess(raw, issuer, at); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

// A ring is used by all requests at once; the race detector watches.
func TestKeyRingIsSafeTogether(t *testing.T) {
	for _, alg := range algorithms {
		r := NewKeyRing(AccessType, []SigningKey{signingKey(t, alg)})
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 4 {
					raw, err := r.SignAccess(testAccess(), at)
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := r.ParseAccess(raw, issuer, at); err != nil {
						t.Error(err)
					}
					hint, err := r.SignID(testID(), raw, at)
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := r.ParseHint(hint, issuer); err != nil {
						t.Error(err)
					}
					if text, err := r.JWKS(at); err != nil || !bytes.Contains(text, []byte(alg)) {
						t.Errorf("%s: %s, %v", alg, text, err)
					}
				}
			})
		}
		group.Wait()
	}
}
