package server

import (
	"slices"
	"strings"
	"testing"
)

func TestPreflight(t *testing.T) {
	rm := newRoom(t, nil)
	const odd = "x-frame-options, server_tokens, strict-transport-security, content-type, authorization"
	for _, path := range []string{"/auth/signin", "/v1/auth/0199/sessions", "/.well-known/jwks.json", "/no/such/path"} {
		w := rm.ask("OPTIONS", path, "", "Origin: https://app.example.org", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: "+odd)
		h := w.Header()
		if w.Code != 204 || w.Body.Len() != 0 {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin":      "https://app.example.org",
			"Access-Control-Allow-Credentials": "true",
			"Access-Control-Allow-Headers":     odd,
			"Access-Control-Allow-Methods":     "GET, POST, DELETE",
			"Access-Control-Max-Age":           "7200",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if !slices.Contains(h.Values("Vary"), "Origin") {
			t.Errorf("%s: Vary %q", path, h.Values("Vary"))
		}
	}
}

// Every answer to a registered origin can be read by its page, errors too.
func TestCrossOriginAnswer(t *testing.T) {
	rm := newRoom(t, nil)
	for _, target := range []string{"/healthz", "/nothing", "/auth/userinfo", "/auth/signin", "//x"} {
		h := rm.ask("GET", target, "", "Origin: https://app.example.org").Header()
		if h.Get("Access-Control-Allow-Origin") != "https://app.example.org" || h.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%s: %v", target, h)
		}
		for _, name := range []string{"Retry-After", "RateLimit", "RateLimit-Policy", "X-Latchkey-Device", "WWW-Authenticate"} {
			if !slices.Contains(strings.Split(h.Get("Access-Control-Expose-Headers"), ", "), name) {
				t.Errorf("%s does not expose %s", target, name)
			}
		}
	}
}

func TestOthersGetNoCORS(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		headers    []string
		registered []string
	}{
		{name: "no origin", path: "/healthz"},
		{name: "another origin", path: "/healthz", headers: []string{"Origin: https://elsewhere.example"}},
		{name: "null", path: "/healthz", headers: []string{"Origin: null"}, registered: []string{"null"}},
		{name: "star", path: "/healthz", headers: []string{"Origin: *"}, registered: []string{"*"}},
		{name: "prefix", path: "/healthz", headers: []string{"Origin: https://app.example.org.elsewhere.example"}},
		{name: "scheme", path: "/healthz", headers: []string{"Origin: http://app.example.org"}},
		{name: "port", path: "/healthz", headers: []string{"Origin: https://app.example.org:8443"}},
		{name: "capitals", path: "/healthz", headers: []string{"Origin: https://APP.example.org"}},
		{name: "trailing dot", path: "/healthz", headers: []string{"Origin: https://app.example.org."}},
		{name: "two", path: "/healthz", headers: []string{"Origin: https://app.example.org", "Origin: https://elsewhere.example"}},
		{name: "page", path: "/reset-password", headers: []string{"Origin: https://app.example.org"}},
		{name: "first page", path: "/", headers: []string{"Origin: https://app.example.org"}},
		{name: "a client's logo", path: "/brand/web/logo", headers: []string{"Origin: https://app.example.org"}},
		{name: "a mail of the inbox", path: "/dev/inbox/1@localhost", headers: []string{"Origin: https://app.example.org"}},
		{name: "inbox", path: "/dev/inbox", headers: []string{"Origin: https://app.example.org"}},
	} {
		for _, method := range []string{"GET", "OPTIONS"} {
			t.Run(method+" "+tt.name, func(t *testing.T) {
				rm := newRoom(t, func(o *Options) { o.CORSOrigins = append(o.CORSOrigins, tt.registered...) })
				h := rm.ask(method, tt.path, "", append(tt.headers, "Access-Control-Request-Method: GET")...).Header()
				for name := range h {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("%s: %s", name, h.Get(name))
					}
				}
			})
		}
	}
}

func TestOptionsWithoutPreflight(t *testing.T) {
	rm := newRoom(t, nil)
	w := rm.ask("OPTIONS", "/auth/signin", "")
	if w.Code != 204 || w.Header().Get("Allow") != "POST, OPTIONS" {
		t.Errorf("%d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
	wantError(t, rm.ask("OPTIONS", "/nothing", ""), 404, "not_found")
}

// Dead links count against the address that opens them, so no page elsewhere may make its visitors do that.
func TestLinksAreOpenedByPeople(t *testing.T) {
	rm := newRoom(t, nil)
	for _, tt := range []struct {
		name    string
		headers string
		passes  bool
	}{
		{"no browser", "", true},
		{"typed", "Sec-Fetch-Site: none, Sec-Fetch-Mode: navigate, Sec-Fetch-Dest: document", true},
		{"in a web mailer", "Sec-Fetch-Site: cross-site, Sec-Fetch-Mode: navigate, Sec-Fetch-Dest: document", true},
		{"our own page", "Sec-Fetch-Site: same-origin, Sec-Fetch-Mode: cors, Sec-Fetch-Dest: empty", true},
		{"a registered page's script", "Sec-Fetch-Site: cross-site, Sec-Fetch-Mode: cors, Sec-Fetch-Dest: empty, Origin: https://app.example.org", true},
		{"another page's script", "Sec-Fetch-Site: cross-site, Sec-Fetch-Mode: cors, Sec-Fetch-Dest: empty, Origin: https://elsewhere.example", false},
		{"a script without CORS", "Sec-Fetch-Site: cross-site, Sec-Fetch-Mode: no-cors, Sec-Fetch-Dest: empty", false},
		{"an image", "Sec-Fetch-Site: cross-site, Sec-Fetch-Mode: no-cors, Sec-Fetch-Dest: image", false},
		{"an image of a sibling's", "Sec-Fetch-Site: same-site, Sec-Fetch-Mode: no-cors, Sec-Fetch-Dest: image", false},
		{"a frame", "Sec-Fetch-Site: cross-site, Sec-Fetch-Mode: navigate, Sec-Fetch-Dest: iframe", false},
	} {
		for _, path := range []string{"/auth/verify", "/verify-email-success", "/reset-password"} {
			t.Run(tt.name+" "+path, func(t *testing.T) {
				var headers []string
				if tt.headers != "" {
					headers = strings.Split(tt.headers, ", ")
				}
				w := rm.ask("GET", path+"?email=ada%40example.org&verificationCode=dead", "", headers...)
				if refused := w.Code == 403; refused == tt.passes {
					t.Errorf("%d, want through: %v", w.Code, tt.passes)
				}
			})
		}
	}
}
