package server

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/internal/mail"
)

const mailedLink = "http://localhost:8080/reset-password?verificationCode=Q2FuYXJ5&email=a%40example.org"

func inboxWithMail(t *testing.T) *mail.Inbox {
	t.Helper()
	inbox := mail.NewInbox(10)
	for _, subject := range []string{"First", "Second <b>"} {
		_, err := inbox.Send(t.Context(), mail.Message{
			ID: "1@localhost", From: "Latchkey <no-reply@localhost.example>", To: "a@example.org", Subject: subject, Date: time.Now(),
			Text: "Open this:\n" + mailedLink + "\nor <script>do not</script>.\n", HTML: "<p>Open this</p>",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return inbox
}

// Whoever reads the inbox can take over any account: each row turns one condition off.
func TestDevInboxNeedsEveryCondition(t *testing.T) {
	type request struct {
		peer, host string
		headers    []string
	}
	good := request{peer: "127.0.0.1:4711", host: "localhost:8080"}
	for _, tt := range []struct {
		name    string
		options func(*Options)
		request func(*request)
		shown   bool
	}{
		{name: "as it should be", shown: true},
		{name: "public URL by number", options: func(o *Options) { o.PublicURL = "http://127.0.0.1:8080" }, shown: true},
		{name: "public URL by IPv6", options: func(o *Options) { o.PublicURL = "http://[::1]:8080" }, shown: true},
		{name: "listener by name", options: func(o *Options) { o.ListenAddr = "localhost:8080" }, shown: true},
		{name: "listener on IPv6", options: func(o *Options) { o.ListenAddr = "[::1]:8080" }, shown: true},
		{name: "peer on IPv6", request: func(r *request) { r.peer = "[::1]:4711" }, shown: true},
		{name: "peer mapped", request: func(r *request) { r.peer = "[::ffff:127.0.0.1]:4711" }, shown: true},
		{name: "Host 127.0.0.1", request: func(r *request) { r.host = "127.0.0.1:8080" }, shown: true},
		{name: "Host [::1]", request: func(r *request) { r.host = "[::1]:8080" }, shown: true},
		{name: "Host without port", request: func(r *request) { r.host = "localhost" }, shown: true},
		{name: "Host [::1] without port", request: func(r *request) { r.host = "[::1]" }, shown: true},

		{name: "SMTP is configured", options: func(o *Options) { o.Inbox = nil }},
		{name: "public URL elsewhere", options: func(o *Options) { o.PublicURL = "https://id.example.org" }},
		{name: "public URL that looks local", options: func(o *Options) { o.PublicURL = "http://localhost.example.org" }},
		{name: "public URL with local userinfo", options: func(o *Options) { o.PublicURL = "http://localhost@example.org" }},
		{name: "public URL on the network", options: func(o *Options) { o.PublicURL = "http://192.168.1.2:8080" }},
		{name: "no public URL", options: func(o *Options) { o.PublicURL = "" }},
		{name: "listener on every address", options: func(o *Options) { o.ListenAddr = ":8080" }},
		{name: "listener on 0.0.0.0", options: func(o *Options) { o.ListenAddr = "0.0.0.0:8080" }},
		{name: "listener on [::]", options: func(o *Options) { o.ListenAddr = "[::]:8080" }},
		{name: "listener on the network", options: func(o *Options) { o.ListenAddr = "192.168.1.2:8080" }},
		{name: "no listener address", options: func(o *Options) { o.ListenAddr = "" }},
		{name: "peer on the network", request: func(r *request) { r.peer = "192.168.1.3:4711" }},
		{name: "peer unknown", request: func(r *request) { r.peer = "@" }},
		{name: "Host elsewhere", request: func(r *request) { r.host = "rebound.example:8080" }},
		{name: "Host that looks local", request: func(r *request) { r.host = "localhost.rebound.example" }},
		{name: "Host below localhost", request: func(r *request) { r.host = "app.localhost" }},
		{name: "Host with a dot", request: func(r *request) { r.host = "localhost." }},
		{name: "Host of another loopback address", request: func(r *request) { r.host = "127.0.0.2" }},
		{name: "Host ::1 without brackets", request: func(r *request) { r.host = "::1" }},
		{name: "Host with an empty port", request: func(r *request) { r.host = "localhost:" }},
		{name: "Host empty", request: func(r *request) { r.host = "" }},
		{name: "Forwarded", request: func(r *request) { r.headers = []string{"Forwarded: for=127.0.0.1"} }},
		{name: "Via", request: func(r *request) { r.headers = []string{"Via: 1.1 edge"} }},
		{name: "X-Forwarded-For", request: func(r *request) { r.headers = []string{"X-Forwarded-For: 127.0.0.1"} }},
		{name: "X-Forwarded-Host", request: func(r *request) { r.headers = []string{"X-Forwarded-Host: localhost"} }},
		{name: "X-Forwarded-Proto", request: func(r *request) { r.headers = []string{"x-forwarded-proto: http"} }},
		{name: "X-Forwarded-anything, empty", request: func(r *request) { r.headers = []string{"X-Forwarded-Anything: "} }},
		{name: "peer local by a trusted proxy's word", options: func(o *Options) { o.TrustedProxies = testProxies }, request: func(r *request) {
			r.peer, r.headers = "10.0.0.1:1", []string{"X-Forwarded-For: 127.0.0.1"}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inbox := inboxWithMail(t)
			rm := newRoom(t, func(o *Options) {
				o.Inbox = inbox
				if tt.options != nil {
					tt.options(o)
				}
			})
			asked := good
			if tt.request != nil {
				tt.request(&asked)
			}
			r := httptest.NewRequest("GET", "/dev/inbox", nil)
			r.RemoteAddr, r.Host = asked.peer, asked.host
			for _, h := range asked.headers {
				name, value, _ := strings.Cut(h, ": ")
				r.Header.Add(name, value)
			}
			w := httptest.NewRecorder()
			rm.ServeHTTP(w, r)
			if !tt.shown {
				wantError(t, w, 404, "not_found")
				r.URL.Path = "/dev/inbox/1@localhost"
				w = httptest.NewRecorder()
				rm.ServeHTTP(w, r)
				wantError(t, w, 404, "not_found")
				return
			}
			if w.Code != 200 || !strings.Contains(w.Body.String(), mailedLink) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			r.URL.Path = "/dev/inbox/1@localhost"
			w = httptest.NewRecorder()
			rm.ServeHTTP(w, r)
			if w.Code != 200 || w.Body.String() != "<p>Open this</p>" || w.Header().Get("Content-Security-Policy") != letterCSP {
				t.Errorf("one mail: %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestDevInboxInABrowser(t *testing.T) {
	rm := newRoom(t, func(o *Options) { o.Inbox = inboxWithMail(t) })
	r := httptest.NewRequest("GET", "/dev/inbox", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:4711", "localhost:8080"
	r.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	w := httptest.NewRecorder()
	rm.ServeHTTP(w, r)
	body := w.Body.String()
	escaped := strings.ReplaceAll(mailedLink, "&", "&amp;")
	if w.Code != 200 || !strings.Contains(body, `<a href="`+escaped+`">`) {
		t.Errorf("no link in %d %s", w.Code, body)
	}
	if strings.Contains(body, "<script>") || strings.Contains(body, "<b>") {
		t.Errorf("a mail's text is not escaped: %s", body)
	}
	if strings.Index(body, "Second") > strings.Index(body, "First") {
		t.Error("not newest first")
	}
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Security-Policy") != pageCSP("") {
		t.Errorf("headers %v", w.Header())
	}
}
