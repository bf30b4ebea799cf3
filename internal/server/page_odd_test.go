package server_test

// What a stranger may type into a page, and into all that a page takes: none of it is a defect of ours, on
// either engine.

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
)

// oddities are values that no form of ours sends.
var oddities = map[string]string{
	"bytes that are no UTF-8": "Ada\xff\xfe",
	"half a character":        "Ada\xed\xa0\x80",
	"a NUL":                   "Ada\x00",
	"a line end":              "Ada\r\nSet-Cookie: a=b",
	"markup":                  `"><script>alert(1)</script>`,
	"a placeholder":           "%s%[9]d%!{{.Brand}}",
	"a great deal":            strings.Repeat("ß", 2000),
	"a link of bytes":         "a.b.c.\xff.d",
	"a link of NULs":          "a.b.c.\x00.d",
	"another direction":       "\u202eada\u2066",
}

// oddFields are the names of all that pages read.
var oddFields = []string{
	"email", "password", "firstName", "lastName", "verificationCode", "token", "clientAlias", "return_to",
	"for", "what", "note", "ended", "flow", "session", "client_id", "redirect_uri", "id_token_hint", "sessionId", "oldPassword", "newPassword", "language", "back",
}

var oddPaths = []string{
	"/", "/signin", "/signed-out", "/signup", "/check-mail", "/verify-email-success", "/complete-signup", "/done",
	"/forgot-password", "/reset-password", "/change-password", "/account", "/account/end-session", "/account/end-others",
	"/end-session", "/language", "/oauth/authorize", "/oauth/logout", "/continue", "/consent", "/cancel", "/brand/web/style.css", "/brand/%ff/logo", "/no-such-page", "/docs",
}

func TestPagesTakeAnything(t *testing.T) {
	onBothEngines(t, func(o *auth.Options) { o.Throttle = false }, func(t *testing.T, n *node) {
		a := n.enter(t)
		b := a.browser()
		b.signsIn(a.user()).is(200, "/account")
		session := "latchkey-session=" + b.cookie("latchkey-session")
		for what, value := range oddities {
			for _, name := range oddFields {
				form := url.Values{"for": {"sign_up"}, "what": {"reset"}, "email": {"odd@example.com"}, "password": {authtest.Password}}
				form.Set(name, value)
				for _, path := range oddPaths {
					b.takes(what+" as "+name, "GET", path+"?"+form.Encode(), session, value, nil)
					b.takes(what+" as "+name, "POST", path, session, value, form)
				}
			}
		}
		b.open("/account").is(200, "/account")
	})
}

// takes fails the test when an odd request finds a defect, or comes back as it was.
func (b *browser) takes(what, method, target, cookie, language string, form url.Values) {
	b.Helper()
	r, err := http.NewRequest(method, b.node.base+target, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	r.Header = http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Cookie": {cookie}, "Accept": {"text/html"},
		"Accept-Language": {strings.Map(printable, language)},
	}
	res, err := b.http.Transport.RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	path, _, _ := strings.Cut(target, "?")
	if err != nil || res.StatusCode >= 500 {
		b.Errorf("%s %s, %s: %d %v", method, path, what, res.StatusCode, err)
	}
	if strings.Contains(string(body), "<script>") || res.Header.Get("Set-Cookie") == "a=b" {
		b.Errorf("%s %s, %s: taken for markup", method, path, what)
	}
}

func printable(r rune) rune {
	if r < ' ' {
		return -1
	}
	return r
}

// A name is kept only if it can be told again: to the page, in a token, as JSON.
func TestNamesOnPages(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		for what, name := range oddities {
			a := n.enter(t)
			b, email := a.browser(), a.email()
			b.open("/signup").submit("/signup", "email", email).is(200, "/check-mail")
			s := b.follow(a.mailTo(email)[0]).submit("/complete-signup", "firstName", name, "lastName", "L", "password", authtest.Password)
			if s.status == http.StatusBadRequest {
				continue
			}
			if s.status != 200 {
				t.Errorf("%s: %d", what, s.status)
				continue
			}
			b.signsIn(email).is(200, "/account")
			a.get("/auth/userinfo", bearer(a.In(t, email).AccessToken)).is("200")
		}
	})
}
