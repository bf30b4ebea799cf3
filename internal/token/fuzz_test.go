package token

// Whatever is sent: no panic, and what is accepted encodes to itself. The seeds are in testdata/fuzz.

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func FuzzParseRefresh(f *testing.F) {
	m := ring(f, testKey)
	for _, raw := range misspelt(f, knownRefresh) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := m.ParseRefresh(raw)
		switch {
		case err == nil:
			if again, err := m.SignRefresh(r); err != nil || again != raw {
				t.Errorf("accepted %q, which is %q, %v", raw, again, err)
			}
		case errors.Is(err, ErrUnknownMasterKey):
			if r != (Refresh{KeyID: r.KeyID}) || !isKeyID(r.KeyID) || m.Has(r.KeyID) {
				t.Errorf("unknown master key: %+v", r)
			}
		case !errors.Is(err, ErrMalformed) || r != Refresh{}:
			t.Errorf("refused with %+v, %v", r, err)
		}
	})
}

// What a row can hold comes back from its token as it was.
func FuzzSignRefresh(f *testing.F) {
	m := ring(f, testKey)
	f.Add(issuer, session, "studio", int64(7), at.Unix(), at.Unix())
	f.Add(issuer, session, "\u2028 \ufffd \x00 \x7f <&> \\ \" \U0001f511", int64(1<<62), int64(0), int64(1<<62))
	f.Add("\xc7", "\x80", "0", int64(1), int64(15), int64(15)) // no text alone, a letter together
	f.Fuzz(func(t *testing.T, iss, sid, client string, generation, issued, expires int64) {
		want := Refresh{
			KeyID: testKeyID, Issuer: iss, SessionID: sid, Client: client, Generation: generation,
			IssuedAt: time.Unix(issued, 0).UTC(), ExpiresAt: time.Unix(expires, 0).UTC(),
		}
		raw, err := m.SignRefresh(want)
		if err != nil {
			meaningless := sid == "" || generation < 1 || issued < 0 || expires < 0 ||
				!utf8.ValidString(iss) || !utf8.ValidString(sid) || !utf8.ValidString(client)
			if !meaningless && len(iss)+len(sid)+len(client) < 256 {
				t.Errorf("%+v refused: %v", want, err)
			}
			return
		}
		if got, err := m.ParseRefresh(raw); err != nil || got != want {
			t.Errorf("signed %+v, parsed %+v, %v", want, got, err)
		}
	})
}

// Ed25519 signs without randomness, so an accepted token can be signed again and compared.
func FuzzParseAccess(f *testing.F) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(f)})
	for _, raw := range misspelt(f, knownAccess) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := r.ParseAccess(raw, issuer, at)
		switch {
		case err == nil:
			if again, err := r.SignAccess(a, at); err != nil || again != raw {
				t.Errorf("accepted %q, which is %q, %v", raw, again, err)
			}
		case errors.Is(err, ErrExpired):
		case !cmp.Equal(Access{}, a):
			t.Errorf("refused with %+v, %v", a, err)
		case !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownKey):
			t.Errorf("refused with %v", err)
		}
	})
}

// As for access tokens; knownID went out with knownAccess.
func FuzzParseHint(f *testing.F) {
	r := NewKeyRing(AccessType, []SigningKey{publishedKey(f)})
	for _, raw := range misspelt(f, knownID) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		id, err := r.ParseHint(raw, issuer)
		switch {
		case err == nil:
			if again, err := r.SignID(id, knownAccess, at); err != nil || again != raw {
				t.Errorf("accepted %q, which is %q, %v", raw, again, err)
			}
		case !cmp.Equal(ID{}, id):
			t.Errorf("refused with %+v, %v", id, err)
		case !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownKey):
			t.Errorf("refused with %v", err)
		}
	})
}

func FuzzOneTimeHash(f *testing.F) {
	f.Add("reset", knownOneTime)
	f.Add("reset", knownOneTime[:20]+"\n"+knownOneTime[21:])
	f.Add("verify", flipSpareBit(knownOneTime))
	f.Fuzz(func(t *testing.T, purpose, raw string) {
		hash, ok := OneTimeHash(purpose, raw)
		if ok != (len(hash) == 32) {
			t.Errorf("%q: %x, %t", raw, hash, ok)
		}
		secret, err := base64.RawURLEncoding.DecodeString(raw)
		if ok && (err != nil || base64.RawURLEncoding.EncodeToString(secret) != raw) {
			t.Errorf("accepted %q, which is not how %x is spelt", raw, secret)
		}
	})
}

func FuzzParseMasterKeys(f *testing.F) {
	f.Add(testKey)
	f.Add(" " + testKey + " ,\n" + otherKey)
	f.Add(testKey + "," + testKey)
	f.Add(strings.TrimSuffix(testKey, "="))
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMasterKeys(text)
		if err != nil {
			return
		}
		ids := m.IDs()
		if len(ids) != 1+strings.Count(text, ",") || ids[0] != m.Current() {
			t.Errorf("%q: ids %v, current %s", text, ids, m.Current())
		}
		for i, field := range strings.Split(text, ",") {
			raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(field))
			if err != nil || len(raw) != 32 || base64.StdEncoding.EncodeToString(raw) != strings.TrimSpace(field) {
				t.Errorf("key %d of %q accepted", i+1, text)
			}
		}
	})
}
