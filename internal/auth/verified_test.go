package auth

import (
	"strconv"
	"testing"
	"time"

	"latchkey/internal/token"
)

// The memory says yes only to the whole token, for the ring it was verified with, until it expires;
// it stays bounded, and keeps what is used.
func TestVerified(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	ring, other := token.NewKeyRing(nil), token.NewKeyRing(nil)
	access := token.Access{Subject: "ada", ExpiresAt: now.Add(time.Minute)}
	var v verified
	has := func(raw string, ring *token.KeyRing, at time.Time) bool {
		a, ok := v.get(raw, ring, at)
		return ok && a.Subject == "ada"
	}
	v.put("token", ring, access)
	for name, test := range map[string]struct{ got, want bool }{
		"the token":          {has("token", ring, now), true},
		"another token":      {has("tokem", ring, now), false},
		"a longer one":       {has("token.", ring, now), false},
		"after its expiry":   {has("token", ring, now.Add(time.Minute)), false},
		"with another ring":  {has("token", other, now), false},
		"just before expiry": {has("token", ring, now.Add(time.Minute-1)), true},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %t, want %t", name, test.got, test.want)
		}
	}
	for i := range 5 * maxVerified {
		v.put(strconv.Itoa(i), ring, access)
		if i%1000 == 0 && !has("token", ring, now) {
			t.Fatalf("a token in use was forgotten after %d others", i)
		}
	}
	if n := len(v.young) + len(v.old); n > 2*maxVerified {
		t.Errorf("it holds %d tokens, want at most %d", n, 2*maxVerified)
	}
	if has("0", ring, now) {
		t.Error("a token not used was kept")
	}
	v.put("fresh", other, access)
	if has("token", ring, now) || has("token", other, now) {
		t.Error("a token survived the change of the ring")
	}
}
