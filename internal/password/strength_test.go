package password

import (
	"strings"
	"testing"
)

// Length counts; repeats, sequences and few different characters do not; kinds of characters make no
// difference.
func TestStrength(t *testing.T) {
	for pw, want := range map[Plaintext]string{
		"x7#kQ2m!":                     "weak",
		"wirbelnde":                    "weak",
		"x7#kQ2m!w5":                   "fair",
		"wirbeln tee":                  "fair",
		"wirbelnder tee-":              "good",
		"correct horse batt":           "good",
		"correct horse battery staple": "strong",
		"жизнь прожить — не поле":              "strong",
		Plaintext(strings.Repeat("a", 64)):     "weak",
		Plaintext(strings.Repeat("ax", 32)):    "weak",
		Plaintext(strings.Repeat("axq7", 16)):  "weak",
		"abcdefghijklmnopqrstuvwxyz0123456789": "weak",
		"98765432109876543210":                 "weak",
	} {
		if got := Strength(pw); got != want {
			t.Errorf("Strength(%q) = %s, want %s", string(pw), got, want)
		}
	}
}
