package server

// Browsers that ask ahead of a click: a page elsewhere can make them, with dead links.

import (
	"testing"
)

// A prefetch of a mailed link's page is put off without being counted, and the click that follows is answered.
func TestPrefetchesAreNotCounted(t *testing.T) {
	const dead = "?email=ada%40example.org&verificationCode=dead"
	rm := newRoom(t, nil)
	paths := []string{"/auth/verify", "/v1/auth/verify", "/verify-email-success", "/reset-password"}
	for _, header := range []string{
		"Sec-Purpose: prefetch", "Sec-Purpose: prefetch;prerender", "Sec-Purpose: prefetch;anonymous-client-ip", "Sec-Purpose: PREFETCH",
		"Purpose: prefetch", "X-Purpose: preview", "X-Moz: prefetch",
	} {
		for _, path := range paths {
			for range 30 { // in all more than an address may open
				w := rm.ask("GET", path+dead, "", header, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
				if w.Code != 503 || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Retry-After") == "" {
					t.Fatalf("%s %s: %d %v", header, path, w.Code, w.Header())
				}
			}
		}
	}
	for _, path := range paths {
		if w := rm.ask("GET", path+dead, ""); w.Code == 503 || w.Code == 429 {
			t.Errorf("%s, clicked: %d", path, w.Code)
		}
	}
}
