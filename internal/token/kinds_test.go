package token

// Kinds of JWTs are told apart by their claims as well as by their type: access tokens of either type, those of no
// session, and ID tokens.

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A ring reads both types, whichever it signs. Of plain JWTs under its keys only those are access tokens that say so:
// another kind would have every other claim, too (I7).
func TestAccessTypes(t *testing.T) {
	key := publishedKey(t)
	strict, plain := NewKeyRing(AccessType, []SigningKey{key}), NewKeyRing(PlainType, []SigningKey{key})
	a := testAccess()
	at := a.IssuedAt
	for kind, ring := range map[string]*KeyRing{AccessType: strict, PlainType: plain} {
		raw, err := ring.SignAccess(a, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := part(t, raw, 0)["typ"]; got != kind {
			t.Errorf("typ is %v, want %s", got, kind)
		}
		if use, ok := part(t, raw, 1)["token_use"]; ok != (kind == PlainType) || ok && use != "access" {
			t.Errorf("%s: token_use is %v", kind, use)
		}
		for name, reader := range map[string]*KeyRing{"strict": strict, "plain": plain} {
			if got, err := reader.ParseAccess(raw, a.Issuer, at); err != nil || got.SessionID != a.SessionID {
				t.Errorf("%s read by the %s ring: %v", kind, name, err)
			}
		}
	}
	raw, err := plain.SignAccess(a, at)
	if err != nil {
		t.Fatal(err)
	}
	for name, use := range map[string]any{"of no kind": nil, "an ID token": "id", "in capitals": "Access", "a list": []string{"access"}, "empty": ""} {
		claims := part(t, raw, 1)
		claims["token_use"] = use
		if use == nil {
			delete(claims, "token_use")
		}
		other, err := plain.keys[0].sign(PlainType, claims)
		if err != nil {
			t.Fatal(err)
		}
		for _, reader := range []*KeyRing{strict, plain} {
			if _, err := reader.ParseAccess(other, a.Issuer, at); !errors.Is(err, ErrMalformed) {
				t.Errorf("a JWT of ours, %s: %v, want ErrMalformed", name, err)
			}
		}
	}
}

// clientAccess is a token that client_credentials gives.
func clientAccess() Access {
	return Access{
		Issuer: issuer, Subject: "worker", Client: "worker", Audience: audience, TokenID: testAccess().TokenID,
		Scope: "reports:read", IssuedAt: at, ExpiresAt: at.Add(5 * time.Minute),
	}
}

// RFC 9068 §2.2: where no user takes part, sub is the client. Then there is no session, and nothing about a person.
func TestAccessWithoutSession(t *testing.T) {
	for _, kind := range []string{AccessType, PlainType} {
		r := NewKeyRing(kind, []SigningKey{publishedKey(t)})
		raw, err := r.SignAccess(clientAccess(), at)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"iss": issuer, "sub": "worker", "aud": audience, "exp": float64(at.Unix() + 300), "iat": float64(at.Unix()),
			"nbf": float64(at.Unix()), "jti": testAccess().TokenID, "client_id": "worker", "azp": "worker", "scope": "reports:read",
		}
		if kind == PlainType {
			want["token_use"] = "access"
		}
		if diff := cmp.Diff(want, part(t, raw, 1)); diff != "" {
			t.Errorf("%s: claims (-want +got):\n%s", kind, diff)
		}
		got, err := r.ParseAccess(raw, issuer, at)
		if diff := cmp.Diff(clientAccess(), got); err != nil || diff != "" {
			t.Errorf("%s: ParseAccess: %v (-want +got):\n%s", kind, err, diff)
		}
	}
}

// A session and another subject than the client come together, or neither does: when signed, and when read.
func TestAccessIsOfASessionOrTheClient(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	for name, change := range map[string]func(client, user *Access) *Access{
		"no session, another subject":   func(c, _ *Access) *Access { c.Subject = testAccess().Subject; return c },
		"a user's without session":      func(_, u *Access) *Access { u.SessionID = ""; return u },
		"a user's without any sign-in":  func(_, u *Access) *Access { u.SessionID, u.AuthTime = "", time.Time{}; return u },
		"a session, the client's own":   func(_, u *Access) *Access { u.Subject = u.Client; return u },
		"a session, never signed in":    func(_, u *Access) *Access { u.AuthTime = time.Time{}; return u },
		"a client with a session":       func(c, _ *Access) *Access { c.SessionID, c.AuthTime = session, at; return c },
		"a client that signed in":       func(c, _ *Access) *Access { c.AuthTime = at; return c },
		"a client with acr":             func(c, _ *Access) *Access { c.ACR = "aal1"; return c },
		"a client with amr":             func(c, _ *Access) *Access { c.AMR = []string{"pwd"}; return c },
		"a client with email":           func(c, _ *Access) *Access { c.Email = "ada@example.org"; return c },
		"a client with a given name":    func(c, _ *Access) *Access { c.GivenName = "Ada"; return c },
		"a client with a family name":   func(c, _ *Access) *Access { c.FamilyName = "Lovelace"; return c },
		"nobody's, neither one's":       func(c, _ *Access) *Access { c.Subject, c.Client = "", ""; return c },
		"a user's, of no client at all": func(_, u *Access) *Access { u.Client = ""; return u },
	} {
		client, user := clientAccess(), testAccess()
		a := *change(&client, &user)
		if raw, err := r.SignAccess(a, at); err == nil {
			t.Errorf("%s: signed as %s", name, raw)
		}
		raw, err := r.keys[0].sign(AccessType, claimsOf(a))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.ParseAccess(raw, issuer, at); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: read as %+v, %v", name, got, err)
		}
	}
	for _, claim := range []string{"name", "email_verified"} { // which follow from others when we sign
		claims := map[string]any{"name": "Ada", "email_verified": true}
		other := payloadOf(t, signed(t, r, clientAccess()), func(c map[string]any) { c[claim] = claims[claim] })
		raw, err := r.keys[0].sign(AccessType, json.RawMessage(other))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.ParseAccess(raw, issuer, at); !errors.Is(err, ErrMalformed) {
			t.Errorf("a client with %s: read as %+v, %v", claim, got, err)
		}
	}
}

func signed(t *testing.T, r *KeyRing, a Access) string {
	t.Helper()
	raw, err := r.SignAccess(a, at)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// What a sign-in's token says and in which order, in words: whoever compares tokens as text finds them as they were.
func TestAccessOfASignInIsSpeltAsEver(t *testing.T) {
	const payload = `{"iss":"https://id.example.org","sub":"01932c5e-8f00-7000-8000-000000000001",` +
		`"aud":"https://api.example.org","exp":1795421400,"iat":1795420800,"nbf":1795420800,` +
		`"jti":"01932c5e-8f00-7000-8000-000000000002","sid":"01932c5e-8f00-7a3b-9c4d-5e6f708192a3",` +
		`"client_id":"studio","azp":"studio","auth_time":1795417200,"email":"ada@example.org","email_verified":true,` +
		`"name":"Ada Lovelace","given_name":"Ada","family_name":"Lovelace","scope":"email profile"}`
	for kind, want := range map[string]string{
		AccessType: payload,
		PlainType:  strings.TrimSuffix(payload, "}") + `,"token_use":"access"}`,
	} {
		raw := signed(t, NewKeyRing(kind, []SigningKey{publishedKey(t)}), testAccess())
		got, ok := decode(strings.Split(raw, ".")[1])
		if !ok || string(got) != want {
			t.Errorf("%s: the payload is\n%s\nwant\n%s", kind, got, want)
		}
	}
}

// RFC 9068 §2.2.1: how sure a sign-in was and how it was done. email_verified says nothing without the address.
func TestAccessSaysHowSomebodySignedIn(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	a := testAccess()
	a.ACR, a.AMR, a.Email = "aal2", []string{"pwd", "otp"}, ""
	raw := signed(t, r, a)
	claims := part(t, raw, 1)
	if diff := cmp.Diff([]any{"aal2", []any{"pwd", "otp"}}, []any{claims["acr"], claims["amr"]}); diff != "" {
		t.Errorf("acr and amr (-want +got):\n%s", diff)
	}
	if verified, ok := claims["email_verified"]; ok {
		t.Errorf("email_verified is %v without an address", verified)
	}
	a.EmailVerified = false
	got, err := r.ParseAccess(raw, issuer, at)
	if diff := cmp.Diff(a, got); err != nil || diff != "" {
		t.Errorf("ParseAccess: %v (-want +got):\n%s", err, diff)
	}
	a = testAccess()
	a.EmailVerified = false
	if verified := part(t, signed(t, r, a), 1)["email_verified"]; verified != false {
		t.Errorf("email_verified of an address that is not verified is %v", verified)
	}
}

// I7: an ID token is no access token and an access token no hint, whatever type access tokens have and had.
func TestIDTokensAndAccessTokensAreApart(t *testing.T) {
	key := publishedKey(t)
	strict, plain := NewKeyRing(AccessType, []SigningKey{key}), NewKeyRing(PlainType, []SigningKey{key})
	for setting, signs := range map[string]*KeyRing{"at+jwt": strict, "JWT": plain} {
		access := signed(t, signs, testAccess())
		id, err := signs.SignID(testID(), access, at)
		if err != nil {
			t.Fatal(err)
		}
		redressed := func(raw, kind string) string {
			other, err := signs.keys[0].sign(kind, json.RawMessage(payloadOf(t, raw, func(map[string]any) {})))
			if err != nil {
				t.Fatal(err)
			}
			return other
		}
		for name, reads := range map[string]*KeyRing{"at+jwt": strict, "JWT": plain} {
			for which, raw := range map[string]string{"an ID token": id, "an ID token's claims as at+jwt": redressed(id, AccessType)} {
				if got, err := reads.ParseAccess(raw, issuer, at); !errors.Is(err, ErrMalformed) {
					t.Errorf("signed under %s, read under %s: %s is the access token %+v, %v", setting, name, which, got, err)
				}
			}
			for which, raw := range map[string]string{
				"an access token": access, "its claims as JWT": redressed(access, PlainType), "a client's": signed(t, signs, clientAccess()),
			} {
				if got, err := reads.ParseHint(raw, issuer); !errors.Is(err, ErrMalformed) {
					t.Errorf("signed under %s, read under %s: %s is the hint %+v, %v", setting, name, which, got, err)
				}
			}
			if got, err := reads.ParseHint(id, issuer); err != nil || got.SessionID != session {
				t.Errorf("signed under %s, read under %s: the ID token is no hint: %v", setting, name, err)
			}
		}
	}
}
