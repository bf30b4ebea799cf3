package oidc

import (
	"strings"
	"testing"
)

// RFC 7636 Appendix B.
func TestChallengeOf(t *testing.T) {
	if got := ChallengeOf(verifier); got != challenge {
		t.Errorf("ChallengeOf(%q) = %q, want %q", verifier, got, challenge)
	}
	if ChallengeOf(verifier+"x") == challenge {
		t.Error("another verifier has the same challenge")
	}
}

func TestValidVerifier(t *testing.T) {
	for _, tc := range []struct {
		name, verifier string
		want           bool
	}{
		{"of the RFC", verifier, true},
		{"the shortest", strings.Repeat("a", 43), true},
		{"the longest", strings.Repeat("a", 128), true},
		{"every character", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", true},
		{"empty", "", false},
		{"too short", strings.Repeat("a", 42), false},
		{"too long", strings.Repeat("a", 129), false},
		{"base64", strings.Repeat("a", 43) + "+", false},
		{"padding", strings.Repeat("a", 43) + "=", false},
		{"a space", strings.Repeat("a", 43) + " ", false},
		{"another script", strings.Repeat("a", 43) + "ä", false},
	} {
		if got := ValidVerifier(tc.verifier); got != tc.want {
			t.Errorf("%s: ValidVerifier(%q) = %v", tc.name, tc.verifier, got)
		}
	}
}

// Only what ChallengeOf can return: anything else is a mistake that its maker learns at once.
func TestValidChallenge(t *testing.T) {
	for _, tc := range []struct {
		name, challenge string
		want            bool
	}{
		{"of the RFC", challenge, true},
		{"of nothing", ChallengeOf(""), true},
		{"empty", "", false},
		{"too short", challenge[:42], false},
		{"too long", challenge + "A", false},
		{"padding", challenge + "=", false},
		{"base64", strings.Replace(challenge, "-", "+", 1), false},
		{"unreserved, but not base64url", strings.Replace(challenge, "-", "~", 1), false},
		{"spare bits", challenge[:42] + "N", false},
		{"a newline in place of a character", challenge[:20] + "\n" + challenge[21:], false},
		{"a newline more", challenge[:20] + "\n" + challenge[20:], false},
		{"hexadecimal", strings.Repeat("0123456789abcdef", 4), false},
	} {
		if got := ValidChallenge(tc.challenge); got != tc.want {
			t.Errorf("%s: ValidChallenge(%q) = %v", tc.name, tc.challenge, got)
		}
	}
}
