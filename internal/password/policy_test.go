package password

import (
	"errors"
	"strings"
	"testing"
)

func TestPolicy(t *testing.T) {
	list := mustEmbedded(t)
	about := []string{"ada.lovelace@example.com", "Ada", "Lovelace", "Müller-Straße", "Acme  Portal", "日本太郎", "ab12345678", "", "  "}
	tests := []struct {
		name string
		min  int
		pw   Plaintext
		code string // empty: accepted
	}{
		{"seven code points", 8, "x7#kQ2m", TooShort},
		{"eight", 8, "x7#kQ2m!", ""},
		{"code points count, not bytes", 8, "çéàüöäñ", TooShort},
		{"eight that are not ASCII", 8, "жизнь🔑ßœ", ""},
		{"spaces count", 8, "a b c d e", ""},
		{"a higher minimum", 15, "x7#kQ2m!x7#kQ2", TooShort},
		{"a higher minimum, met", 15, "x7#kQ2m!x7#kQ2m", ""},
		{"never below eight", 1, "x7#kQ2m", TooShort},
		{"no composition rules", 8, "wirbelnderteetopf", ""},
		{"short is said before common", 8, "qwerty", TooShort},
		{"common", 8, "password1", TooCommon},
		{"common in another case", 8, "PaSSword1", TooCommon},
		{"a common one inside a long one", 8, "password1 wirbelnder teetopf", ""},

		{"the email address", 8, "ada.lovelace@example.com", ContainsContext},
		{"the email address in another case, and a mark", 8, "Ada.Lovelace@Example.com!", ContainsContext},
		{"the local part", 8, "ada.lovelace", ContainsContext},
		{"a name and four digits", 8, "Lovelace1815", ContainsContext},
		{"a name and five digits", 8, "Lovelace18151", ""},
		{"two before, two after", 8, "!!lovelace!!", ContainsContext},
		{"three before, two after", 8, "!!!lovelace!!", ""},
		{"spaces are marks", 8, " lovelace ", ContainsContext},
		{"a letter is no mark", 8, "lovelaces", ""},
		{"a name inside a phrase", 8, "lovelace wrote the first programme", ""},
		{"a name twice", 8, "lovelacelovelace", ""},
		{"a name under four letters is ignored", 8, "ada!!!!!", ""},
		{"a name in another case, not ASCII", 8, "MÜLLER-STRAßE7", ContainsContext},
		{"a name in another script", 9, "日本太郎!2024", ""},
		{"a name in another script, four marks", 8, "日本太郎2024", ContainsContext},
		{"the platform's name", 8, "Acme Portal", ContainsContext},
		{"the platform's name without its spaces", 8, "acmeportal24", ContainsContext},
		{"one word of the platform's name", 8, "portal 1", ""},
		{"a local part of digits, more or less", 8, "ab12345678", ContainsContext},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Policy{MinLength: tt.min, Blocklist: list}.Check(tt.pw, about)
			refusal, _ := errors.AsType[*Refusal](err)
			switch {
			case tt.code == "" && err != nil:
				t.Errorf("Check = %v, want it accepted", err)
			case tt.code != "" && (refusal == nil || refusal.Code != tt.code):
				t.Errorf("Check = %v, want %s", err, tt.code)
			case refusal != nil && (strings.Contains(refusal.Message, string(tt.pw)) || !strings.HasSuffix(refusal.Message, ".")):
				t.Errorf("Message = %q", refusal.Message)
			}
		})
	}
}

func TestPolicyWithoutBlocklist(t *testing.T) {
	if err := (Policy{}).Check("password1", nil); err != nil {
		t.Errorf("zero Policy: Check = %v", err)
	}
	if err := (Policy{}).Check("passwor", nil); err == nil {
		t.Error("zero Policy accepts seven code points")
	}
}

func BenchmarkPolicy(b *testing.B) {
	policy := Policy{MinLength: 8, Blocklist: mustEmbedded(b)}
	about := []string{"ada.lovelace@example.com", "Ada", "Lovelace", "Acme Portal"}
	b.ReportAllocs()
	for b.Loop() {
		if err := policy.Check("wirbelnder teetopf 42", about); err != nil {
			b.Fatal(err)
		}
	}
}
