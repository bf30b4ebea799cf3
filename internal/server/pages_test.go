package server

import (
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"latchkey/internal/auth"
)

// A mailed link that is only looked at does nothing: the Service here has no parts, so that any call
// of it would be a 500.
func TestPagesShowAFormAndDoNothing(t *testing.T) {
	rm := newRoom(t, nil)
	for path, wants := range map[string][]string{
		"/reset-password":       {`name="password"`, `type="password"`, `autocomplete="new-password"`},
		"/verify-email-success": {`<p>a@example.org</p>`},
	} {
		w := rm.ask("GET", path+"?verificationCode=Q2FuYXJ5&email=a%40example.org&clientAlias=x", "")
		body, h := w.Body.String(), w.Header()
		if w.Code != 200 || h.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %d %s", path, w.Code, h.Get("Content-Type"))
		}
		wants = append(wants, `<form method="post" action="`+path+`">`, `name="email" value="a@example.org"`, `name="verificationCode" value="Q2FuYXJ5"`)
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s has no %s:\n%s", path, want, body)
			}
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"Referrer-Policy":         "no-referrer",
			"Cache-Control":           "no-store",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if h.Get("Set-Cookie") != "" || h.Get("Vary") != "" {
			t.Errorf("%s: %v", path, h)
		}
		if strings.Contains(rm.log.String(), "Q2FuYXJ5") {
			t.Errorf("the log has the code: %s", rm.log)
		}
	}
}

// The URL of a page carries a token: nothing there may come from elsewhere, and nothing may run.
var elsewhere = regexp.MustCompile(`(?i)<script|<img|<iframe|style=|\son\w+=|(?:src|href|action)="(?:https?:)?//|url\(|@import`)

func TestPagesTakeNothingFromElsewhere(t *testing.T) {
	rm := newRoom(t, nil)
	hostile := url.QueryEscape(`"><script>alert(1)</script><img src="//elsewhere.example">`)
	for _, path := range []string{"/reset-password", "/verify-email-success", "/page.css"} {
		w := rm.ask("GET", path+"?verificationCode="+hostile+"&email="+hostile, "")
		if found := elsewhere.FindString(w.Body.String()); found != "" || w.Code != 200 {
			t.Errorf("%s: %d, has %q", path, w.Code, found)
		}
	}
	css := rm.ask("GET", "/page.css", "")
	if css.Header().Get("Content-Type") != "text/css; charset=utf-8" || !strings.HasPrefix(css.Header().Get("Cache-Control"), "public, max-age=") {
		t.Errorf("page.css: %v", css.Header())
	}
}

func TestPagesRefuseOtherSites(t *testing.T) {
	rm := newRoom(t, nil)
	const form = "email=a%40example.org&verificationCode=x&password=y"
	for _, tt := range []struct {
		name    string
		headers []string
		passes  bool
	}{
		{"no browser", nil, true},
		{"own page", []string{"Sec-Fetch-Site: same-origin"}, true},
		{"own page, hidden origin", []string{"Sec-Fetch-Site: same-origin", "Origin: null"}, true},
		{"own page behind a proxy", []string{"Origin: http://localhost:8080"}, true},
		{"another site", []string{"Sec-Fetch-Site: cross-site", "Origin: https://elsewhere.example"}, false},
		{"a sibling site", []string{"Sec-Fetch-Site: same-site", "Origin: https://app.example.org"}, false},
		{"old browser, another site", []string{"Origin: https://elsewhere.example"}, false},
		{"old browser, sandbox", []string{"Origin: null"}, false},
	} {
		for _, path := range []string{"/reset-password", "/verify-email-success"} {
			t.Run(tt.name+" "+path, func(t *testing.T) {
				w := rm.ask("POST", path, form, append(tt.headers, "Content-Type: application/x-www-form-urlencoded")...)
				if passes := w.Code != 403; passes != tt.passes || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
					t.Errorf("%d %s, want through: %v", w.Code, w.Header().Get("Content-Type"), tt.passes)
				}
			})
		}
	}
}

func TestPagesRefuseBadForms(t *testing.T) {
	rm := newRoom(t, nil)
	for _, tt := range []struct {
		method, target, body, contentType string
		status                            int
	}{
		{"POST", "/reset-password", `{}`, "application/json", 415},
		{"POST", "/reset-password", "email=a&email=b", "application/x-www-form-urlencoded", 400},
		{"POST", "/reset-password", strings.Repeat("a", maxBody+1), "application/x-www-form-urlencoded", 413},
		{"GET", "/reset-password?email=a&email=b", "", "", 400},
		{"GET", "/verify-email-success?email=%zz", "", "", 400},
	} {
		w := rm.ask(tt.method, tt.target, tt.body, "Content-Type: "+tt.contentType)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), `role="alert"`) {
			t.Errorf("%s %s: %d %s", tt.method, tt.target, w.Code, w.Body)
		}
	}
}

// A refused password is asked for again, with the token that is not spent; anything else is not.
func TestRefusedPageShowsTheFormAgain(t *testing.T) {
	rm := newRoom(t, nil)
	for code, again := range map[auth.Code]bool{auth.CodePasswordNotAccepted: true, auth.CodeInvalidResetToken: false} {
		w := httptest.NewRecorder()
		x := rm.Handler.(*server).newExchange(w, httptest.NewRequest("POST", "/reset-password", nil))
		x.speaks = inHTML
		x.again = &page{Title: "Again", Form: resetForm(url.Values{"verificationCode": {"Q2FuYXJ5"}})}
		x.fail(refuse(code))
		if got := strings.Contains(w.Body.String(), "Q2FuYXJ5"); got != again || w.Code != 400 {
			t.Errorf("%s: %d, form again: %v", code, w.Code, got)
		}
		if !strings.Contains(w.Body.String(), verdictOf(code, "").sentence) {
			t.Errorf("%s: not said why", code)
		}
	}
}
