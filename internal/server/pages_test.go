package server

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"latchkey/internal/auth"
	"latchkey/internal/locale"
)

// A page that is only looked at does nothing: the Service here has no parts, so that any call of it would be
// a 500.
func TestPagesShowAFormAndDoNothing(t *testing.T) {
	rm := newRoom(t, nil)
	for path, wants := range map[string][]string{
		"/signin":          {`name="email"`, `autocomplete="username"`, `type="password"`, `autocomplete="current-password"`},
		"/forgot-password": {`name="email"`, `type="email"`},
		"/end-session":     {`name="token" value="Q2FuYXJ5"`},
	} {
		w := rm.ask("GET", path+"?token=Q2FuYXJ5&clientAlias=x", "")
		body, h := w.Body.String(), w.Header()
		if w.Code != 200 || h.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %d %s", path, w.Code, h.Get("Content-Type"))
		}
		for _, want := range append(wants, `<form method="post" action="`+path+`">`) {
			if !strings.Contains(body, want) {
				t.Errorf("%s has no %s:\n%s", path, want, body)
			}
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"Referrer-Policy":         "strict-origin",
			"Cache-Control":           "no-store",
			"Vary":                    "Accept-Language, Cookie",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if h.Get("Set-Cookie") != "" {
			t.Errorf("%s: %v", path, h)
		}
		if strings.Contains(rm.log.String(), "Q2FuYXJ5") {
			t.Errorf("the log has the token: %s", rm.log)
		}
	}
}

// The URL of a page carries a token: nothing there may come from elsewhere, and nothing of it may run.
var elsewhere = regexp.MustCompile(`(?i)<script[^>]*>[^<]|<script>|<iframe|style=|\son\w+=|(?:src|href|action)="(?:https?:)?//|url\(|@import`)

func TestPagesTakeNothingFromElsewhere(t *testing.T) {
	rm := newRoom(t, nil)
	hostile := url.QueryEscape(`"><script>alert(1)</script><img src="//elsewhere.example">`)
	for _, path := range []string{"/end-session", "/signin", "/signup", "/forgot-password", "/check-mail", "/done", "/page.css", "/page.js"} {
		w := rm.ask("GET", path+"?for=sign_up&what=reset&token="+hostile+"&clientAlias="+hostile, "")
		if found := elsewhere.FindString(w.Body.String()); found != "" || w.Code != 200 {
			t.Errorf("%s: %d, has %q", path, w.Code, found)
		}
	}
	css := rm.ask("GET", "/page.css", "")
	if css.Header().Get("Content-Type") != "text/css; charset=utf-8" || css.Header().Get("Cache-Control") != "no-cache" {
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
		for _, path := range posted(rm.Handler.(*server)) {
			if fromAnywhere[path] { // which starts something and does nothing else: TestAuthorizeByPost, TestLogoutByPost
				continue
			}
			t.Run(tt.name+" "+path, func(t *testing.T) {
				w := rm.ask("POST", path, form, append(tt.headers, "Content-Type: application/x-www-form-urlencoded")...)
				refused := w.Code == 403 && strings.Contains(w.Body.String(), "This request did not come from our own page")
				if refused == tt.passes {
					t.Errorf("%d, want through: %v", w.Code, tt.passes)
				}
			})
		}
	}
}

func TestReferrerPolicyOfPages(t *testing.T) {
	rm := newRoom(t, func(o *Options) { o.Inbox, o.InboxKey = inboxWithMail(t), testInboxKey })
	for target, want := range map[string]string{
		"/signin": "same-origin", "/signup": "same-origin",
		"/forgot-password": "same-origin", "/check-mail?for=sign_up": "same-origin", "/done?what=reset": "same-origin",
		"/nothing": "same-origin", "/docs": "same-origin", "/change-password": "no-referrer", // a redirect
		"/end-session": "same-origin", "/end-session?token=Q2FuYXJ5": "strict-origin",
		"/end-session?%74oken=Q2FuYXJ5":                           "strict-origin",
		"/reset-password?email=a%40example.org&verificationCode=": "strict-origin", "/signin?token=Q2FuYXJ5": "strict-origin",
		"/healthz": "no-referrer", "/auth/userinfo": "no-referrer", "/auth/nothing": "no-referrer",
		"/oauth/nothing": "no-referrer", "/auth/verify?verificationCode=x": "no-referrer", "/.well-known/jwks.json": "no-referrer",
	} {
		w := rm.ask("GET", target, "", "Accept: text/html")
		if got := w.Header().Get("Referrer-Policy"); got != want {
			t.Errorf("%s: %d, Referrer-Policy %q, want %q", target, w.Code, got, want)
		}
	}
}

// oldBrowser says what a browser without Fetch Metadata sends when a form on page is posted to the page's own
// origin: Fetch §"append a request Origin header" and Referrer Policy §8.3 as Firefox 89 and Safari 16.3 have them.
func oldBrowser(policy, page string) []string {
	origin := publicURL
	headers := []string{"User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 15_8 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.6 Mobile/15E148 Safari/604.1"}
	switch policy {
	case "no-referrer":
		return append(headers, "Origin: null")
	case "same-origin":
		return append(headers, "Origin: "+origin, "Referer: "+origin+page)
	case "strict-origin":
		return append(headers, "Origin: "+origin, "Referer: "+origin+"/")
	}
	return headers
}

func TestOldBrowsersPostOurForms(t *testing.T) {
	rm := newRoom(t, nil)
	for _, page := range []string{"/signin", "/signup", "/forgot-password", "/end-session", "/end-session?token=Q2FuYXJ5"} {
		shown := rm.ask("GET", page, "")
		headers := oldBrowser(shown.Header().Get("Referrer-Policy"), page)
		for _, header := range headers {
			if strings.Contains(header, "Q2FuYXJ5") {
				t.Errorf("%s: the browser tells %s", page, header)
			}
		}
		path, _, _ := strings.Cut(page, "?")
		w := rm.ask("POST", path, "email=not+an+address", append(headers, "Content-Type: application/x-www-form-urlencoded", "Host: elsewhere.internal")...)
		if w.Code == 403 || strings.Contains(w.Body.String(), "This request did not come from our own page") {
			t.Errorf("%s: our own form is refused: %d", page, w.Code)
		}
	}
}

// Where script runs, page.js asks again for what the browser kept; see TestBackAfterSigningOut.
func TestSignOutClearsTheCacheWithoutScript(t *testing.T) {
	rm := newRoom(t, nil)
	for form, want := range map[string]string{"": `"cache"`, "script=": `"cache"`, "script=runs": ""} {
		w := rm.ask("POST", "/signout", form, "Content-Type: application/x-www-form-urlencoded")
		if got := w.Header().Get("Clear-Site-Data"); got != want || w.Code != 303 {
			t.Errorf("%q: %d, Clear-Site-Data %s, want %s", form, w.Code, got, want)
		}
	}
}

func TestPagesTakeASlash(t *testing.T) {
	rm := newRoom(t, nil)
	for target, want := range map[string]string{
		"/signin/": "/signin", "/signup/?clientAlias=web": "/signup?clientAlias=web", "/account/": "/account", "/docs/": "/docs",
		"/reset-password/?verificationCode=Q2Fu&email=a%40example.org": "/reset-password?verificationCode=Q2Fu&email=a%40example.org",
		"/.well-known/change-password/":                                "/.well-known/change-password",
		"/signin/?x=//elsewhere.example":                               "/signin?x=//elsewhere.example",
	} {
		w := rm.ask("GET", target, "", "Origin: https://app.example.org")
		if w.Code != 303 || w.Header().Get("Location") != want || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v, want %s", target, w.Code, w.Header(), want)
		}
	}
	for _, target := range []string{"//signin/", "/signin//", "/signin/%2e/", "/elsewhere.example/", "/signin/x", "/auth/userinfo/", "/page.css/", "/dev/inbox/", "/%2Felsewhere.example/"} {
		if w := rm.ask("GET", target, ""); w.Code != 404 || w.Header().Get("Location") != "" {
			t.Errorf("%s: %d %v", target, w.Code, w.Header())
		}
	}
	if w := rm.ask("POST", "/signin/", "email=x", "Content-Type: application/x-www-form-urlencoded"); w.Code != 405 {
		t.Errorf("a form: %d", w.Code)
	}
}

// On plain http off loopback browsers say neither whose form it is nor, for the Referrer-Policy, from where;
// but nobody is signed in there whose name could be used, and the forms of our own pages work.
func TestPagesOnPlainHTTP(t *testing.T) {
	rm := newRoom(t, func(o *Options) { o.PublicURL = "http://id.example.org" })
	for _, path := range posted(rm.Handler.(*server)) {
		w := rm.ask("POST", path, "email=x", "Origin: null", "Content-Type: application/x-www-form-urlencoded")
		if strings.Contains(w.Body.String(), "This request did not come from our own page") || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: %d, sets %q", path, w.Code, w.Header().Get("Set-Cookie"))
		}
	}
}

// posted are the paths that pages post to.
func posted(s *server) (paths []string) {
	for _, r := range s.routes() {
		if r.speaks == inHTML && r.method == "POST" {
			paths = append(paths, r.path)
		}
	}
	return paths
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
		{"GET", "/end-session?token=a&token=b", "", "", 400},
		{"GET", "/signin?clientAlias=%zz", "", "", 400},
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
		x.retryView = x.view("reset_password", url.Values{"verificationCode": {"Q2FuYXJ5"}})
		x.fail(refuse(code))
		if got := strings.Contains(w.Body.String(), "Q2FuYXJ5"); got != again || w.Code != 400 {
			t.Errorf("%s: %d, form again: %v", code, w.Code, got)
		}
		why, err := locale.For("en").Text("problem." + string(code))
		if err != nil || !strings.Contains(w.Body.String(), why) {
			t.Errorf("%s: not said why, %v", code, err)
		}
	}
}

// Whatever is refused can be said on a page, in every language, but for what the token endpoint alone refuses.
func TestEveryRefusalHasWords(t *testing.T) {
	for _, v := range refusals {
		if oauthWords[v.code] && v.code != auth.CodeInvalidClient {
			continue
		}
		if key := "problem." + string(v.code); !locale.For("en").Has(key) {
			t.Errorf("no message %s", key)
		}
	}
}

// On https cookies are Secure and bound to this host; on plain http they are set on loopback alone.
func TestCookiesByPublicURL(t *testing.T) {
	for publicURL, want := range map[string]string{
		"https://id.example.com":      "__Host-latchkey-language=de; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax",
		"http://localhost:8080":       "latchkey-language=de; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax",
		"http://127.0.0.1:8080":       "latchkey-language=de; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax",
		"http://id.example.com":       "",
		"http://localhost.evil.test/": "",
	} {
		w := httptest.NewRecorder()
		newCookies(publicURL).set(w, languageCookie, "de", languageLife, http.SameSiteLaxMode)
		if got := w.Header().Get("Set-Cookie"); got != want {
			t.Errorf("%s: %q, want %q", publicURL, got, want)
		}
	}
}

// Choosing a language leads back to a page of ours and nowhere else.
func TestLanguageLeadsBackToOurPages(t *testing.T) {
	rm := newRoom(t, nil)
	for back, want := range map[string]string{
		"/signin?clientAlias=web":            "/signin?clientAlias=web",
		"/reset-password?verificationCode=x": "/reset-password?verificationCode=x",
		"/":                                  "/",
		"":                                   "/",
		"//elsewhere.example":                "/",
		"/\\elsewhere.example":               "/",
		"https://elsewhere.example/signin":   "/",
		"/signin/../..//elsewhere.example":   "/",
		"/auth/userinfo":                     "/",
		"/signin\r\nSet-Cookie: x=y":         "/",
		"javascript:alert(1)":                "/",
		"/no-such-page":                      "/",
	} {
		form := url.Values{"language": {"en"}, "back": {back}}.Encode()
		w := rm.ask("POST", "/language", form, "Content-Type: application/x-www-form-urlencoded")
		if got := w.Header().Get("Location"); w.Code != 303 || got != want {
			t.Errorf("back %q: %d to %q, want %q", back, w.Code, got, want)
		}
	}
	w := rm.ask("POST", "/language", "language=xx&back=/signin", "Content-Type: application/x-www-form-urlencoded")
	if w.Code != 400 {
		t.Errorf("a language there is none of: %d", w.Code)
	}
}
