package server

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// warnings are the lines of the log at WARN.
func warnings(rm room) (found []string) {
	for line := range strings.Lines(rm.log.String()) {
		if strings.Contains(line, `"level":"WARN"`) {
			found = append(found, line)
		}
	}
	return found
}

func TestRefusedOriginsAreNamedOnceAMinute(t *testing.T) {
	now := time.Unix(1e9, 0)
	rm := newRoom(t, func(o *Options) { o.Now = func() time.Time { return now } })
	for range 20 {
		rm.ask("GET", "/healthz", "", "Origin: https://forgotten.example.net", "Sec-Fetch-Site: cross-site")
		rm.ask("OPTIONS", "/auth/signin", "", "Origin: https://strange.example.net", "Access-Control-Request-Method: POST")
		rm.ask("POST", "/signin", "email=x", "Content-Type: application/x-www-form-urlencoded", "Origin: https://old.example.net")
	}
	said := warnings(rm)
	if len(said) != 2 {
		t.Fatalf("%d warnings: %q", len(said), said)
	}
	for i, wants := range [][]string{
		{"https://forgotten.example.net", "LATCHKEY_CLIENTS_FILE", "LATCHKEY_CORS_ORIGINS"},
		{"https://old.example.net", "LATCHKEY_PUBLIC_URL", publicURL},
	} {
		for _, want := range wants {
			if !strings.Contains(said[i], want) {
				t.Errorf("warning %d has no %s: %s", i, want, said[i])
			}
		}
	}
	now = now.Add(time.Minute)
	rm.ask("GET", "/healthz", "", "Origin: https://third.example.net")
	if said := warnings(rm); len(said) != 3 || !strings.Contains(said[2], "third.example.net") || !strings.Contains(said[2], `"skipped":39`) {
		t.Errorf("a minute later: %q", said)
	}
}

func TestNoWarningOfOurOwn(t *testing.T) {
	rm := newRoom(t, nil)
	for _, headers := range [][]string{
		nil, {"Origin: https://app.example.org"}, {"Origin: " + publicURL}, {"Origin: http://example.com"}, // httptest's Host
		{"Origin: https://behind.example.net", "Sec-Fetch-Site: same-origin"},
	} {
		rm.ask("GET", "/healthz", "", headers...)
	}
	if said := warnings(rm); len(said) != 0 {
		t.Errorf("%q", said)
	}
}

func TestShownOrigin(t *testing.T) {
	for origin, want := range map[string]string{
		"https://a.example": "https://a.example", "null": "null", "": "",
		"https://a\x1b[31m.example": "https://a?[31m.example", "a\nb \"c\" \\": "a?b??c???", "https://é.example": "https://?.example",
		strings.Repeat("a", 500): strings.Repeat("a", 128) + "…",
	} {
		if got := shownOrigin(origin); got != want {
			t.Errorf("%q: %q, want %q", origin, got, want)
		}
	}
}

// The address in the log is the one that the throttle goes by: a trusted proxy's word, and nobody else's.
func TestLogNamesTheClientsAddress(t *testing.T) {
	for peer, want := range map[string]string{"10.0.0.1:1": "203.0.113.7", "192.0.2.9:1": "192.0.2.9", "@": ""} {
		rm := newRoom(t, nil)
		r := httptest.NewRequest("GET", "/auth/nothing", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", "198.51.100.1, 203.0.113.7")
		rm.ServeHTTP(httptest.NewRecorder(), r)
		if line := rm.log.String(); strings.Contains(line, "client_addr") != (want != "") || !strings.Contains(line, want) || strings.Contains(line, "198.51.100.1") {
			t.Errorf("peer %s: %s, want %s", peer, line, fmt.Sprintf("%q", want))
		}
	}
}
