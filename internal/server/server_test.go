package server

// Requests through the whole handler, as far as they go without a database: what needs one is
// tested with the whole server.

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"latchkey/api"
	"latchkey/internal/auth"
)

const publicURL = "http://localhost:8080"

// room is a handler and what it logged.
type room struct {
	http.Handler
	log     *bytes.Buffer
	metrics *Metrics
}

func newRoom(t *testing.T, change func(*Options)) room {
	t.Helper()
	log := &bytes.Buffer{}
	o := Options{
		Service: &auth.Service{}, PublicURL: publicURL, ListenAddr: "127.0.0.1:8080",
		CORSOrigins:    []string{"https://app.example.org"},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Log:            slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics:        NewMetrics(),
	}
	if change != nil {
		change(&o)
	}
	return room{Handler: New(o), log: log, metrics: o.Metrics}
}

// ask sends one request. headers are "Name: value".
func (rm room) ask(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body == "" {
		r = httptest.NewRequest(method, target, nil)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	rm.ServeHTTP(w, r)
	return w
}

// wantError checks that w is the API's error of that status and code, in every detail that is fixed.
func wantError(t *testing.T, w *httptest.ResponseRecorder, status int, code string) api.Error {
	t.Helper()
	var e api.Error
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatalf("status %d, body %q: %v", w.Code, w.Body, err)
	}
	if w.Code != status || e.Code != code {
		t.Fatalf("got %d %s, want %d %s (body %s)", w.Code, e.Code, status, code, w.Body)
	}
	if e.StatusCode != status || e.Error != http.StatusText(status) || e.Message == "" {
		t.Errorf("body says %d %q %q under status %d", e.StatusCode, e.Error, e.Message, status)
	}
	if e.RequestID == "" || e.RequestID != w.Header().Get("X-Request-Id") {
		t.Errorf("requestId %q, header %q", e.RequestID, w.Header().Get("X-Request-Id"))
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	return e
}

func TestNoRoute(t *testing.T) {
	rm := newRoom(t, nil)
	for _, tt := range []struct {
		method, target string
		status         int
		code, allow    string
	}{
		{"GET", "/index.html", 404, "not_found", ""},
		{"GET", "/nothing", 404, "not_found", ""},
		{"POST", "/auth", 404, "not_found", ""},
		{"GET", "/v1", 404, "not_found", ""},
		{"GET", "/v2/auth/verify", 404, "not_found", ""},
		{"GET", "/v1/v1/auth/verify", 404, "not_found", ""},
		{"POST", "/auth/signin/", 404, "not_found", ""},
		{"POST", "/AUTH/signin", 404, "not_found", ""},
		{"GET", "/auth/sessionDetails", 404, "not_found", ""}, // refused on purpose: an id is not a credential
		{"GET", "/v1/reset-password", 404, "not_found", ""},   // pages have no twin under /v1
		{"GET", "/auth/signin", 405, "method_not_allowed", "POST, OPTIONS"},
		{"HEAD", "/v1/auth/signin", 405, "method_not_allowed", "POST, OPTIONS"},
		{"PUT", "/auth/0/sessions", 405, "method_not_allowed", "GET, HEAD, DELETE, OPTIONS"},
		{"TRACE", "/auth/userinfo", 405, "method_not_allowed", "GET, HEAD, POST, OPTIONS"},
		{"DELETE", "/auth/password-reset/a@example.org", 405, "method_not_allowed", "POST, OPTIONS"},
		{"DELETE", "/reset-password", 405, "method_not_allowed", "GET, HEAD, POST, OPTIONS"},
	} {
		t.Run(tt.method+" "+tt.target, func(t *testing.T) {
			w := rm.ask(tt.method, tt.target, "")
			wantError(t, w, tt.status, tt.code)
			if got := w.Header().Get("Allow"); got != tt.allow {
				t.Errorf("Allow %q, want %q", got, tt.allow)
			}
		})
	}
}

// ServeMux would answer these with a redirect that is made of the caller's path.
func TestUncleanPathsAreNotRedirected(t *testing.T) {
	rm := newRoom(t, nil)
	for _, path := range []string{"//x", "//elsewhere.example/", "/auth//signin", "/auth/./signin", "/auth/../auth/signin", "/./", "//", "*", ""} {
		for _, method := range []string{"GET", "POST", "CONNECT"} {
			r := httptest.NewRequest(method, "http://localhost/", nil)
			r.URL.Path = path
			w := httptest.NewRecorder()
			rm.ServeHTTP(w, r)
			wantError(t, w, 404, "not_found")
			if w.Header().Get("Location") != "" {
				t.Errorf("%s %s is sent to %q", method, path, w.Header().Get("Location"))
			}
		}
	}
}

func TestStandingHeaders(t *testing.T) {
	rm := newRoom(t, nil)
	for _, target := range []string{"/", "/healthz", "/auth/userinfo", "/oauth/revoke", "/reset-password", "/dev/inbox"} {
		h := rm.ask("GET", target, "").Header()
		referrer := "no-referrer"
		if target == "/reset-password" { // a page, without a token in its address
			referrer = "same-origin"
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options":     "nosniff",
			"Cache-Control":              "no-store",
			"Referrer-Policy":            referrer,
			"Cross-Origin-Opener-Policy": "same-origin",
			"Server":                     "",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", target, name, got, want)
			}
		}
		for _, directive := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(h.Get("Content-Security-Policy"), directive) {
				t.Errorf("%s: no %s", target, directive)
			}
		}
	}
}

// Browsers are told to stay on https where that is the public URL, and of this host name alone.
func TestStandingHeadersOnHTTPS(t *testing.T) {
	for url, want := range map[string]string{"https://id.example.org": "max-age=31536000", publicURL: ""} {
		rm := newRoom(t, func(o *Options) { o.PublicURL = url })
		for _, target := range []string{"/", "/healthz", "/auth/userinfo", "/oauth/revoke", "/reset-password", "/auth//x"} {
			if got := rm.ask("GET", target, "").Header().Get("Strict-Transport-Security"); got != want {
				t.Errorf("%s%s: Strict-Transport-Security is %q, want %q", url, target, got, want)
			}
		}
	}
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	srv := httptest.NewServer(newRoom(t, nil))
	defer srv.Close()
	res, err := http.Head(srv.URL + "/v1/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != 200 || len(body) != 0 || res.ContentLength <= 0 || res.Header.Get("Date") == "" {
		t.Errorf("status %d, %d bytes, length %d", res.StatusCode, len(body), res.ContentLength)
	}
}

func TestRequestID(t *testing.T) {
	rm := newRoom(t, nil)
	for _, tt := range []struct {
		name, from, sent string
		kept             bool
	}{
		{"trusted proxy", "10.1.2.3:999", "edge-0123456789", true},
		{"HAProxy's", "10.1.2.3:999", "7F000001:8296_7F00001E:1F90_4B7B0A69_0003:790C", true},
		{"a load balancer's", "10.1.2.3:999", "Root=1-67891233-abcdef012345678912345678", true},
		{"with a dot", "10.1.2.3:999", "edge.0123456789", true},
		{"with a space", "10.1.2.3:999", "edge 0123456789", false},
		{"with a line feed", "10.1.2.3:999", "edge:0123\n456789", false},
		{"with a semicolon", "10.1.2.3:999", "edge;0123456789", false},
		{"anyone", "203.0.113.7:999", "edge-0123456789", false},
		{"too short", "10.1.2.3:999", "edge", false},
		{"forged log line", "10.1.2.3:999", `edge-01" level="ERROR`, false},
		{"too long", "10.1.2.3:999", strings.Repeat("e", 65), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/nothing", nil)
			r.RemoteAddr = tt.from
			r.Header.Set("X-Request-Id", tt.sent)
			w := httptest.NewRecorder()
			rm.ServeHTTP(w, r)
			e := wantError(t, w, 404, "not_found")
			if (e.RequestID == tt.sent) != tt.kept {
				t.Errorf("request id %q", e.RequestID)
			}
		})
	}
	a, b := rm.ask("GET", "/", ""), rm.ask("GET", "/", "")
	if a.Header().Get("X-Request-Id") == b.Header().Get("X-Request-Id") {
		t.Error("two requests have one id")
	}
}

func TestLogLineSaysRouteAndNeverPath(t *testing.T) {
	rm := newRoom(t, nil)
	rm.ask("POST", "/v1/auth/password-reset/someone@example.org?token=Q2FuYXJ5", `{"password":"Q2FuYXJ5`, "Content-Type: application/json", "Authorization: Bearer Q2FuYXJ5")
	var line struct {
		Msg, Route, Code string
		Status           int
		Duration         *float64 `json:"duration_ms"`
		RequestID        string   `json:"request_id"`
	}
	if err := json.Unmarshal(rm.log.Bytes(), &line); err != nil {
		t.Fatalf("not one JSON line: %v in %s", err, rm.log)
	}
	if line.Msg != "request" || line.Route != "POST /auth/password-reset/{email}" || line.Status != 400 || line.Code != "invalid_request" || line.Duration == nil || line.RequestID == "" {
		t.Errorf("log line %s", rm.log)
	}
	for _, secret := range []string{"Q2FuYXJ5", "someone"} {
		if strings.Contains(rm.log.String(), secret) {
			t.Errorf("the log has %q: %s", secret, rm.log)
		}
	}
}

func TestPanicIsServerErrorWithoutDetail(t *testing.T) {
	rm := newRoom(t, nil) // its Service has no parts, so that every call of it panics
	w := rm.ask("POST", "/auth/signin", `{"email":"a@example.org","password":"Q2FuYXJ5"}`, "Content-Type: application/json")
	e := wantError(t, w, 500, "server_error")
	if strings.Contains(w.Body.String(), "nil pointer") {
		t.Errorf("the caller is told %s", w.Body)
	}
	lines := strings.Split(strings.TrimSpace(rm.log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "panic") || !strings.Contains(lines[0], e.RequestID) || !strings.Contains(lines[1], `"status":500`) {
		t.Errorf("log: %s", rm.log)
	}
	if strings.Contains(rm.log.String(), "Q2FuYXJ5") {
		t.Error("the log has the password")
	}
}

func TestHealth(t *testing.T) {
	rm := newRoom(t, nil)
	if w := rm.ask("GET", "/healthz", ""); w.Code != 200 || w.Body.String() != `{"statusCode":200,"message":"Alive."}` {
		t.Errorf("healthz: %d %s", w.Code, w.Body)
	}
	stopping := make(chan struct{})
	close(stopping)
	rm = newRoom(t, func(o *Options) { o.Stopping = stopping })
	w := rm.ask("GET", "/readyz", "")
	wantError(t, w, 503, "unavailable")
	if w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "shutting") {
		t.Errorf("readyz: %v %s", w.Header(), w.Body)
	}
}
