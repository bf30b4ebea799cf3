package keyring

import (
	"strconv"
	"testing"

	"latchkey/internal/token"
)

// The memory says yes only to the whole token; it stays bounded, and keeps what is used.
func TestVerified(t *testing.T) {
	access := token.Access{Subject: "ada"}
	var v verified
	has := func(raw string) bool {
		a, ok := v.get(raw)
		return ok && a.Subject == "ada"
	}
	v.put("token", access)
	for raw, want := range map[string]bool{"token": true, "tokem": false, "token.": false, "": false} {
		if got := has(raw); got != want {
			t.Errorf("%q: got %t, want %t", raw, got, want)
		}
	}
	for i := range 5 * maxVerified {
		v.put(strconv.Itoa(i), access)
		if i%1000 == 0 && !has("token") {
			t.Fatalf("a token in use was forgotten after %d others", i)
		}
	}
	if n := len(v.young) + len(v.old); n > 2*maxVerified {
		t.Errorf("it holds %d tokens, want at most %d", n, 2*maxVerified)
	}
	if has("0") {
		t.Error("a token not used was kept")
	}
}
