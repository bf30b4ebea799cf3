package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"latchkey/internal/mail"
	"latchkey/internal/peer"
)

const testInboxKey InboxKey = "KEYOFTHEINBOXFORTHESETESTSALONE"

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
	const opened = "Cookie: latchkey-inbox=" + string(testInboxKey)
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
		{name: "peer local by a trusted proxy's word", options: func(o *Options) { o.TrustedProxies = peer.Proxies{netip.MustParsePrefix("10.0.0.0/8")} }, request: func(r *request) {
			r.peer, r.headers = "10.0.0.1:1", []string{"X-Forwarded-For: 127.0.0.1"}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inbox := inboxWithMail(t)
			rm := newRoom(t, func(o *Options) {
				o.Inbox, o.InboxKey = inbox, testInboxKey
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
			for _, h := range append(asked.headers, opened) {
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
			if w.Code != 200 || w.Body.String() != "<p>Open this</p>" || w.Header().Get("Content-Security-Policy") != mailCSP {
				t.Errorf("one mail: %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestDevInboxInABrowser(t *testing.T) {
	rm := newRoom(t, func(o *Options) { o.Inbox, o.InboxKey = inboxWithMail(t), testInboxKey })
	r := httptest.NewRequest("GET", "/dev/inbox", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:4711", "localhost:8080"
	r.Header.Set("Cookie", "latchkey-inbox="+string(testInboxKey))
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

// A proxy with a bare proxy_pass looks like this machine: without the key nothing of a mail is shown.
func TestDevInboxNeedsItsKey(t *testing.T) {
	const html = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
	key := string(testInboxKey)
	for _, tt := range []struct {
		name, target, cookie string
		key                  InboxKey
	}{
		{"nothing", "/dev/inbox", "", testInboxKey},
		{"one mail", "/dev/inbox/1@localhost", "", testInboxKey},
		{"a mail there is not", "/dev/inbox/2@localhost", "", testInboxKey},
		{"another key", "/dev/inbox?key=" + key[1:] + "A", "", testInboxKey},
		{"the key in lower case", "/dev/inbox?key=" + strings.ToLower(key), "", testInboxKey},
		{"a part of it", "/dev/inbox?key=" + key[:20], "", testInboxKey},
		{"an empty one", "/dev/inbox?key=", "", testInboxKey},
		{"another cookie", "/dev/inbox", "latchkey-inbox=" + key + "A", testInboxKey},
		{"an empty cookie", "/dev/inbox", "latchkey-inbox=", testInboxKey},
		{"an empty cookie where there is no key", "/dev/inbox", "latchkey-inbox=", ""},
		{"an empty key where there is none", "/dev/inbox?key=", "", ""},
		{"the key with a mail's address", "/dev/inbox/1@localhost?key=" + key, "", testInboxKey},
	} {
		for _, accept := range []string{html, "*/*"} {
			t.Run(tt.name+" "+accept, func(t *testing.T) {
				rm := newRoom(t, func(o *Options) { o.Inbox, o.InboxKey = inboxWithMail(t), tt.key })
				r := httptest.NewRequest("GET", tt.target, nil)
				r.RemoteAddr, r.Host = "127.0.0.1:4711", "127.0.0.1:8080"
				r.Header.Set("Accept", accept)
				if tt.cookie != "" {
					r.Header.Set("Cookie", tt.cookie)
				}
				w := httptest.NewRecorder()
				rm.ServeHTTP(w, r)
				body := w.Body.String()
				if w.Code != 403 || !strings.Contains(body, "inbox.key") || len(w.Result().Cookies()) != 0 {
					t.Errorf("%d %v %s", w.Code, w.Header(), body)
				}
				for _, word := range []string{"verificationCode", "example.org", "Second", "First", "Open this", key} {
					if strings.Contains(body, word) {
						t.Errorf("the page says %q: %s", word, body)
					}
				}
				if strings.Contains(rm.log.String(), key) {
					t.Errorf("the key is in the log: %s", rm.log)
				}
			})
		}
	}
}

func TestDevInboxLinkOpensIt(t *testing.T) {
	rm := newRoom(t, func(o *Options) { o.Inbox, o.InboxKey = inboxWithMail(t), testInboxKey })
	get := func(target, cookie string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", target, nil)
		r.RemoteAddr, r.Host = "127.0.0.1:4711", "localhost:8080"
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		rm.ServeHTTP(w, r)
		return w
	}
	w := get(testInboxKey.Link(""), "")
	if w.Code != 303 || w.Header().Get("Location") != "/dev/inbox" || w.Header().Get("Referrer-Policy") == "unsafe-url" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	set := w.Result().Cookies()
	if len(set) != 1 || set[0].SameSite != http.SameSiteStrictMode || !set[0].HttpOnly || set[0].MaxAge != 0 {
		t.Fatalf("cookies %v", set)
	}
	if w := get("/dev/inbox", set[0].Name+"="+set[0].Value); w.Code != 200 || !strings.Contains(w.Body.String(), mailedLink) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if strings.Contains(rm.log.String(), string(testInboxKey)) {
		t.Errorf("the key is in the log: %s", rm.log)
	}
	for _, said := range []string{fmt.Sprint(testInboxKey), fmt.Sprintf("%#v", testInboxKey), testInboxKey.LogValue().String()} {
		if said != "[redacted]" {
			t.Errorf("a key prints as %q", said)
		}
	}
	// From elsewhere the link is as little as the page itself.
	r := httptest.NewRequest("GET", testInboxKey.Link(""), nil)
	r.RemoteAddr, r.Host = "192.168.1.3:4711", "localhost:8080"
	w = httptest.NewRecorder()
	rm.ServeHTTP(w, r)
	wantError(t, w, 404, "not_found")
}
