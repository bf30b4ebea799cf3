package server

import (
	"strings"
	"testing"
)

// A proxy that nobody named is told of once a minute.
func TestForwardedByNobodyWeTrust(t *testing.T) {
	rm := newRoom(t, nil)
	for range 3 {
		rm.ask("GET", "/healthz", "", "X-Forwarded-For: 203.0.113.7")
	}
	if got := strings.Count(rm.log.String(), "LATCHKEY_TRUSTED_PROXIES"); got != 1 || strings.Contains(rm.log.String(), "203.0.113.7") {
		t.Errorf("said %d times: %s", got, rm.log)
	}
}
