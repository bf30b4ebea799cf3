package password

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNormalize(t *testing.T) {
	tests := []struct {
		name, raw string
		want      Plaintext
		err       error
	}{
		{"ASCII is as it was", "Passw0rd!x", "Passw0rd!x", nil},
		{"nothing is trimmed", " \tpass word\n ", " \tpass word\n ", nil},
		{"nothing is folded", "PaSS", "PaSS", nil},
		{"control characters count", "a\x00b\x7f", "a\x00b\x7f", nil},
		{"composed", "cafe\u0301", "caf\u00e9", nil},
		{"ring sign and its letter are one", "\u212b", "\u00c5", nil},
		{"compatibility forms stay apart", "\ufb01", "\ufb01", nil},
		{"empty is for the policy to refuse", "", "", nil},
		{"256 code points", strings.Repeat("\u00e9", 256), Plaintext(strings.Repeat("\u00e9", 256)), nil},
		{"256 code points typed as 512", strings.Repeat("e\u0301", 256), Plaintext(strings.Repeat("\u00e9", 256)), nil},
		{"257 code points", strings.Repeat("a", 257), "", ErrTooLong},
		{"1,024 bytes", strings.Repeat("\U0001f511", 256), Plaintext(strings.Repeat("\U0001f511", 256)), nil},
		{"1,025 bytes", strings.Repeat("\U0001f511", 256) + "a", "", ErrTooLong},
		{"grows past 1,024 bytes in NFC", strings.Repeat("\U0001d160", 200), "", ErrTooLong},
		{"too long is said before not text", strings.Repeat("\xff", 1025), "", ErrTooLong},
		{"not UTF-8", "pass\xffword", "", ErrNotText},
		{"a surrogate", "pass\xed\xa0\x80word", "", ErrNotText},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Normalize(tt.raw)
			if string(got) != string(tt.want) || !errors.Is(err, tt.err) {
				t.Errorf("Normalize = %q, %v; want %q, %v", string(got), err, string(tt.want), tt.err)
			}
		})
	}
}

// Security I14: no raw secret in a log or an error.
func TestPlaintextIsNeverPrinted(t *testing.T) {
	const secret = Plaintext("hunter2-hunter2")
	form := struct{ Password Plaintext }{secret}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", secret, form)
	}
	text, err := json.Marshal(form)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("sign in", "password", secret, "form", form)
	slog.New(slog.NewTextHandler(&out, nil)).Info("sign in", "password", secret, "form", form)

	for _, leak := range []string{string(secret), fmt.Sprintf("%x", string(secret)), fmt.Sprintf("%X", string(secret))} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in %s", leak, &out)
		}
	}
}

// What is accepted is in its normal form: normalizing again changes nothing.
func FuzzNormalize(f *testing.F) {
	for _, raw := range []string{"", "Passw0rd!x", "cafe\u0301", "\u212b\u017f\ufb01", "\xff", "\u0958\u0323\u0307", strings.Repeat("\u0300", 40)} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		pw, err := Normalize(raw)
		if err != nil {
			return
		}
		if again, err := Normalize(string(pw)); again != pw || err != nil {
			t.Errorf("Normalize(%q) = %q, but again %q, %v", raw, string(pw), string(again), err)
		}
	})
}
