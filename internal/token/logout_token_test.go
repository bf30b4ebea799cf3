package token

// Logout tokens: what they say, and that nothing here takes one for anything else.

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testLogout() Logout {
	return Logout{
		Issuer: issuer, Subject: "01932c5e-8f00-7000-8000-000000000001", Audience: "shop", TokenID: "told-of-once", SessionID: session,
		IssuedAt: at, ExpiresAt: at.Add(2 * time.Minute),
	}
}

func signedLogout(t *testing.T, r *KeyRing, l Logout) string {
	t.Helper()
	raw, err := r.SignLogout(l, at)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// OpenID Connect Back-Channel Logout §2.4: the header and the claims, and no others; above all no nonce.
func TestLogoutHeaderAndClaims(t *testing.T) {
	for _, alg := range algorithms {
		for _, kind := range []string{AccessType, PlainType} { // of one type, whichever access tokens are of
			key := signingKey(t, alg)
			raw := signedLogout(t, NewKeyRing(kind, []SigningKey{key}), testLogout())
			if diff := cmp.Diff(map[string]any{"typ": "logout+jwt", "alg": alg, "kid": key.ID}, part(t, raw, 0)); diff != "" {
				t.Errorf("%s: header (-want +got):\n%s", alg, diff)
			}
			want := map[string]any{
				"iss": issuer, "sub": "01932c5e-8f00-7000-8000-000000000001", "aud": "shop",
				"exp": float64(at.Unix() + 120), "iat": float64(at.Unix()), "jti": "told-of-once", "sid": session,
				"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
			}
			if diff := cmp.Diff(want, part(t, raw, 1)); diff != "" {
				t.Errorf("%s: claims (-want +got):\n%s", alg, diff)
			}
		}
	}
}

func TestSignLogoutRefuses(t *testing.T) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(t)})
	for name, change := range map[string]func(*Logout){
		"no issuer":             func(l *Logout) { l.Issuer = "" },
		"no subject":            func(l *Logout) { l.Subject = "" },
		"no client":             func(l *Logout) { l.Audience = "" },
		"no token id":           func(l *Logout) { l.TokenID = "" },
		"no session":            func(l *Logout) { l.SessionID = "" },
		"never issued":          func(l *Logout) { l.IssuedAt = time.Time{} },
		"expires as it is made": func(l *Logout) { l.ExpiresAt = l.IssuedAt },
		"longer than is read":   func(l *Logout) { l.TokenID = strings.Repeat("x", maxJWT) },
	} {
		l := testLogout()
		change(&l)
		if raw, err := r.SignLogout(l, at); err == nil {
			t.Errorf("%s: %s", name, raw)
		}
	}
	if raw, err := NewKeyRing(AccessType, nil).SignLogout(testLogout(), at); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("no key: %s, %v", raw, err)
	}
}

// I7: a logout token is no access token and no hint, as it is and with the type of either; and what has the claim events
// beside all those of an ID token is no hint.
func TestLogoutTokensAreNothingElse(t *testing.T) {
	key := publishedKey(t)
	strict, plain := NewKeyRing(AccessType, []SigningKey{key}), NewKeyRing(PlainType, []SigningKey{key})
	dressed := func(kind, payload string) string {
		raw, err := strict.keys[0].sign(kind, json.RawMessage(payload))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	logout := signedLogout(t, strict, testLogout())
	claims := payloadOf(t, logout, func(map[string]any) {})
	id, err := strict.SignID(testID(), knownAccess, at)
	if err != nil {
		t.Fatal(err)
	}
	telling := payloadOf(t, id, func(c map[string]any) { c["events"] = map[string]any{logoutEvent: map[string]any{}} })
	for which, raw := range map[string]string{
		"a logout token": logout, "its claims as at+jwt": dressed(AccessType, claims), "its claims as JWT": dressed(PlainType, claims),
		"an ID token's claims with events": dressed(PlainType, telling),
	} {
		for name, reads := range map[string]*KeyRing{"at+jwt": strict, "JWT": plain} {
			if got, err := reads.ParseAccess(raw, issuer, at); !errors.Is(err, ErrMalformed) {
				t.Errorf("under %s, %s is the access token %+v, %v", name, which, got, err)
			}
			if got, err := reads.ParseHint(raw, issuer); !errors.Is(err, ErrMalformed) {
				t.Errorf("under %s, %s is the hint %+v, %v", name, which, got, err)
			}
		}
	}
}
