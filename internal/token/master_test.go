package token

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseMasterKeys(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		ids  []string
	}{
		"one":                {testKey, []string{testKeyID}},
		"two, in order":      {testKey + "," + otherKey, []string{testKeyID, otherKeyID}},
		"two, other order":   {otherKey + "," + testKey, []string{otherKeyID, testKeyID}},
		"white space around": {" \t" + testKey + " ,\r\n" + otherKey + "\n", []string{testKeyID, otherKeyID}},
	} {
		t.Run(name, func(t *testing.T) {
			m := ring(t, tc.text)
			if diff := cmp.Diff(tc.ids, m.IDs()); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
			if m.Current() != tc.ids[0] {
				t.Errorf("Current() = %s, want the first, %s", m.Current(), tc.ids[0])
			}
			for _, id := range tc.ids {
				if !m.Has(id) || !isKeyID(id) {
					t.Errorf("id %s: has %t, has the form of an id %t", id, m.Has(id), isKeyID(id))
				}
			}
			if m.Has("") || m.Has("0000000000000000") {
				t.Error("the ring has a key that nobody gave")
			}
		})
	}
}

func TestParseMasterKeysRefuses(t *testing.T) {
	size := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for name, tc := range map[string]struct{ text, says string }{
		"nothing":        {"", "key 1: it is empty; write 32 random bytes in base64"},
		"second missing": {testKey + ",", "key 2: it is empty"},
		"first missing":  {"," + testKey, "key 1: it is empty"},
		"three":          {testKey + "," + otherKey + "," + size(32), "3 keys given; write one, or two"},
		"twice the same": {testKey + "," + testKey, "both keys are the same"},
		"31 bytes":       {size(31), "key 1: it has 31 bytes; write 32"},
		"33 bytes":       {testKey + "," + size(33), "key 2: it has 33 bytes; write 32"},
		"a passphrase":   {"correct horse battery staple", "key 1: it is not base64"},
		"unpadded":       {strings.TrimRight(testKey, "="), "it is not base64"},
		"base64url":      {strings.Replace(size(32), "AAAA", "-_-_", 1), "it is not base64"},
		"spare bits":     {strings.Replace(testKey, "Hh8=", "Hh9=", 1), "it is not base64"},
		"newline inside": {testKey[:8] + "\n" + testKey[8:], "it is not base64"},
		"hexadecimal":    {strings.Repeat("00", 32), "it has 48 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := ParseMasterKeys(tc.text)
			if err == nil || m != nil {
				t.Fatalf("accepted")
			}
			if !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %q does not say %q", err, tc.says)
			}
			for word := range strings.FieldsFuncSeq(tc.text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' }) {
				if len(word) > 6 && strings.Contains(err.Error(), word) {
					t.Errorf("error %q echoes the text", err)
				}
			}
		})
	}
}

func TestNewMasterKey(t *testing.T) {
	a, b := NewMasterKey(), NewMasterKey()
	if a == b {
		t.Fatal("two new keys are the same")
	}
	if ids := ring(t, a+","+b).IDs(); len(ids) != 2 {
		t.Fatalf("ids %v", ids)
	}
}

func TestIsKeyID(t *testing.T) {
	for id, want := range map[string]bool{
		testKeyID:                    true,
		"0123456789abcdef":           true,
		"":                           false,
		"e17fc185287e969":            false,
		"e17fc185287e96920":          false,
		strings.ToUpper(testKeyID):   false,
		"e17fc185 87e9692":           false,
		"' OR 1=1 -- -- -":           false,
		"e17fc185287e969" + "\u0660": false,
	} {
		if isKeyID(id) != want {
			t.Errorf("isKeyID(%q) = %t", id, !want)
		}
	}
}

func mac(t *testing.T, m *MasterKeys, id, label string, parts ...string) string {
	t.Helper()
	raw := make([][]byte, len(parts))
	for i, part := range parts {
		raw[i] = []byte(part)
	}
	sum, err := m.MAC(id, label, raw...)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum)
}

// The value was computed by a program in another language from RFC 5869 and RFC 2104: what is in databases stays good.
func TestMACIsStable(t *testing.T) {
	got := mac(t, ring(t, testKey), testKeyID, "mailbox v1", "ab", "c")
	if want := "f94b7ac5a22d7634395275a7403672e5353c742ad3bd19c60618ddf33b972059"; got != want {
		t.Errorf("MAC = %s, want %s", got, want)
	}
}

func TestMACTellsApart(t *testing.T) {
	m := ring(t, testKey+","+otherKey)
	seen := map[string]string{}
	for _, tc := range []struct {
		id, label string
		parts     []string
	}{
		{testKeyID, "a", []string{"ab", "c"}},
		{testKeyID, "a", []string{"a", "bc"}},
		{testKeyID, "a", []string{"abc"}},
		{testKeyID, "a", []string{"abc", ""}},
		{testKeyID, "a", []string{"", "abc"}},
		{testKeyID, "a", []string{""}},
		{testKeyID, "a", nil},
		{testKeyID, "b", []string{"ab", "c"}},
		{otherKeyID, "a", []string{"ab", "c"}},
	} {
		name := fmt.Sprintf("%q", tc)
		got := mac(t, m, tc.id, tc.label, tc.parts...)
		if again := mac(t, m, tc.id, tc.label, tc.parts...); again != got {
			t.Errorf("%s: two values", name)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%s and %s have the same MAC", name, other)
		}
		seen[got] = name
	}
	if _, err := ring(t, testKey).MAC(otherKeyID, "a"); !errors.Is(err, ErrUnknownMasterKey) {
		t.Errorf("a key not in the ring: %v", err)
	}
}

// I7: whatever the label, no key that MACs also seals, signs refresh tokens or names the master key.
func TestNoKeyServesTwoUses(t *testing.T) {
	m := ring(t, testKey)
	seen := map[string]string{}
	for _, use := range []string{"id v1", "refresh v1" + session, "mac x", "seal x", "mac refresh v1" + session, "mac seal x"} {
		key, err := m.derive(testKeyID, use)
		if err != nil {
			t.Fatal(err)
		}
		if len(key) != 32 || seen[string(key)] != "" {
			t.Errorf("%q: %d bytes, shared with %q", use, len(key), seen[string(key)])
		}
		seen[string(key)] = use
	}
}

func TestSealAndOpen(t *testing.T) {
	m := ring(t, testKey)
	for name, tc := range map[string]struct{ plaintext, bound []byte }{
		"address":   {[]byte("ada@example.org"), []byte("row 1")},
		"unbound":   {[]byte("ada@example.org"), nil},
		"nothing":   {nil, []byte("row 1")},
		"long text": {bytes.Repeat([]byte("x"), 1<<16), []byte("row 1")},
	} {
		t.Run(name, func(t *testing.T) {
			id, sealed, err := m.Seal("mailbox v1", tc.plaintext, tc.bound)
			if err != nil || id != testKeyID {
				t.Fatalf("Seal: key %s, %v", id, err)
			}
			if len(tc.plaintext) > 0 && bytes.Contains(sealed, tc.plaintext) {
				t.Error("the plaintext is in the sealed bytes")
			}
			if _, again, _ := m.Seal("mailbox v1", tc.plaintext, tc.bound); bytes.Equal(sealed, again) {
				t.Error("sealed twice to the same bytes: a nonce was used twice")
			}
			got, err := m.Open(id, "mailbox v1", sealed, tc.bound)
			if err != nil || !bytes.Equal(got, tc.plaintext) {
				t.Errorf("Open: %q, %v", got, err)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	m := ring(t, testKey+","+otherKey)
	_, sealed, err := m.Seal("a", []byte("secret"), []byte("row 1"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		id, label string
		sealed    []byte
		bound     string
		want      error
	}{
		"another label":        {testKeyID, "b", sealed, "row 1", ErrMalformed},
		"another row":          {testKeyID, "a", sealed, "row 2", ErrMalformed},
		"no row":               {testKeyID, "a", sealed, "", ErrMalformed},
		"the other master key": {otherKeyID, "a", sealed, "row 1", ErrMalformed},
		"a master key not had": {"0000000000000000", "a", sealed, "row 1", ErrUnknownMasterKey},
		"no master key":        {"", "a", sealed, "row 1", ErrUnknownMasterKey},
		"nothing":              {testKeyID, "a", nil, "row 1", ErrMalformed},
		"less than a nonce":    {testKeyID, "a", sealed[:23], "row 1", ErrMalformed},
		"a nonce only":         {testKeyID, "a", sealed[:24], "row 1", ErrMalformed},
		"cut":                  {testKeyID, "a", sealed[:len(sealed)-1], "row 1", ErrMalformed},
		"longer":               {testKeyID, "a", append(bytes.Clone(sealed), 0), "row 1", ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := m.Open(tc.id, tc.label, tc.sealed, []byte(tc.bound))
			if !errors.Is(err, tc.want) || got != nil {
				t.Errorf("Open: %q, %v; want %v", got, err, tc.want)
			}
		})
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := m.Open(testKeyID, "a", changed, []byte("row 1")); !errors.Is(err, ErrMalformed) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
}

// I20: a rotation of the master key loses nothing while both keys are given, and the old one no longer makes.
func TestMasterKeyRotation(t *testing.T) {
	before, during, after := ring(t, testKey), ring(t, otherKey+","+testKey), ring(t, otherKey)
	id, sealed, err := before.Seal("a", []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := during.Open(id, "a", sealed, nil); err != nil || string(got) != "secret" {
		t.Errorf("with both keys: %q, %v", got, err)
	}
	if _, err := after.Open(id, "a", sealed, nil); !errors.Is(err, ErrUnknownMasterKey) {
		t.Errorf("with the old key dropped: %v", err)
	}
	if id, _, err := during.Seal("a", []byte("secret"), nil); err != nil || id != otherKeyID {
		t.Errorf("sealed under %s, %v; want the first key", id, err)
	}
	raw, err := before.SignRefresh(testRefresh())
	if err != nil {
		t.Fatal(err)
	}
	if r, err := during.ParseRefresh(raw); err != nil || r != testRefresh() {
		t.Errorf("refresh token of the old key: %+v, %v", r, err)
	}
}

func TestKeysNeverPrint(t *testing.T) {
	m := ring(t, testKey)
	key := publishedKey(t)
	keys := NewKeyRing(AccessType, []SigningKey{key})
	const masked = "EdDSA key kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k [redacted]"
	for _, tc := range []struct {
		name  string
		value any
		want  string
	}{
		{"*MasterKeys", m, "[redacted]"},
		{"MasterKeys", *m, "[redacted]"},
		{"*KeyRing", keys, "[redacted]"},
		{"KeyRing", *keys, "[redacted]"},
		{"SigningKey", key, masked},
		{"*SigningKey", &key, masked},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				if got := fmt.Sprintf(verb, tc.value); got != tc.want {
					t.Errorf("%s prints %s", verb, got)
				}
			}
			if got := fmt.Sprintf("%+v", struct{ Field any }{tc.value}); got != "{Field:"+tc.want+"}" {
				t.Errorf("in a struct prints %s", got)
			}
			if got, err := json.Marshal(tc.value); err != nil || string(got) != `"`+tc.want+`"` {
				t.Errorf("JSON: %s, %v", got, err)
			}
			var log strings.Builder
			slog.New(slog.NewTextHandler(&log, nil)).Info("", "value", tc.value)
			slog.New(slog.NewJSONHandler(&log, nil)).Info("", "value", tc.value)
			if strings.Count(log.String(), tc.want) != 2 {
				t.Errorf("logs as %s", log.String())
			}
		})
	}
	for got, want := range map[string]string{
		m.String(): redaction, m.GoString(): redaction, key.String(): masked, key.GoString(): masked,
	} {
		if got != want {
			t.Errorf("String or GoString says %s, want %s", got, want)
		}
	}
}
