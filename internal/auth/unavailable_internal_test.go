package auth

// What a room below may try again later.

import (
	"errors"
	"fmt"
	"testing"

	"latchkey/api"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// A mail whose writing fails with store.ErrUnavailable is postponed, and with anything else is refused for good: so each
// unavailable of this package wraps it, and no other refusal does.
func TestUnavailableIsTheStores(t *testing.T) {
	err := fmt.Errorf("sign link: %w", unavailable(token.ErrUnknownMasterKey))
	if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, token.ErrUnknownMasterKey) {
		t.Errorf("%v: a mail would be lost to it", err)
	}
	for _, text := range api.Codes {
		code := Code(text)
		if got, want := errors.Is(refuse(code), store.ErrUnavailable), code == CodeUnavailable; got != want {
			t.Errorf("%s: a later try helps: %t", code, got)
		}
		if got := CodeOf(refuse(code)); got != code {
			t.Errorf("%s is read as %s", code, got)
		}
	}
}
