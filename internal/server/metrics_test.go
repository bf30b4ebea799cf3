package server

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func TestMetricsCountRoutesAndNeverPaths(t *testing.T) {
	rm := newRoom(t, nil)
	rm.ask("GET", "/v1/healthz", "")
	rm.ask("GET", "/healthz", "")
	rm.ask("POST", "/auth/signin", "{", "Content-Type: application/json")
	rm.ask("GET", "/Q2FuYXJ5", "")
	rm.ask("POST", "/auth/password-reset/Q2FuYXJ5@example.org", "{", "Content-Type: application/json")
	rm.ask("BREW", "/auth/signin", "")
	rm.metrics.OnRefresh("rotate")

	w := httptest.NewRecorder()
	promhttp.HandlerFor(rm.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text := w.Body.String()
	for _, want := range []string{
		`latchkey_http_requests_total{route="GET /healthz",status="200"} 2`,
		`latchkey_http_requests_total{route="POST /auth/signin",status="400"} 1`,
		`latchkey_http_requests_total{route="POST /auth/password-reset/{email}",status="400"} 1`,
		`latchkey_http_requests_total{route="unmatched",status="404"} 1`,
		`latchkey_http_requests_total{route="unmatched",status="405"} 1`,
		`latchkey_http_request_duration_seconds_count{route="GET /healthz"} 2`,
		`latchkey_refreshes_total{outcome="rotate"} 1`,
		`latchkey_build_info{goversion="go`,
		`go_goroutines`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, never := range []string{"Q2FuYXJ5", "BREW"} {
		if strings.Contains(text, never) {
			t.Errorf("the metrics have %s", never)
		}
	}
}

// increase() sees the first reuse, the first refused mail and the first 500 of a route.
func TestMetricsExistFromTheStart(t *testing.T) {
	rm := newRoom(t, nil)
	w := httptest.NewRecorder()
	promhttp.HandlerFor(rm.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text := w.Body.String()
	for _, want := range []string{
		`latchkey_refreshes_total{outcome="reuse"} 0`,
		`latchkey_refreshes_total{outcome="malformed"} 0`,
		`latchkey_sign_ins_total{outcome="success"} 0`,
		`latchkey_sign_ins_total{outcome="too_many_requests"} 0`,
		`latchkey_mails_total{outcome="refused"} 0`,
		`latchkey_mails_total{outcome="postponed"} 0`,
		`latchkey_logouts_total{outcome="expired"} 0`,
		`latchkey_http_requests_total{route="POST /auth/signin",status="500"} 0`,
		`latchkey_http_requests_total{route="POST /auth/refresh-token",status="503"} 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "\nlatchkey_tls_certificate") {
		t.Error("there is a certificate where there is none")
	}
}
