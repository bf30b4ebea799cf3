package server

// The cookie that tells browsers apart while apps sign people in: a flow goes on in the browser where it began and in no
// other. It authenticates nothing.

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

const (
	browserCookie = "latchkey-browser"
	browserLife   = 24 * time.Hour
)

// browsers are the names of this browser: the one it has now, and the one it had until it was last renewed. Empty: none.
func (x *exchange) browsers() (now, before string) {
	secret, before, _ := strings.Cut(x.s.cookies.get(x.r, browserCookie), ".")
	if x.browserNow != "" {
		return x.browserNow, before
	}
	return nameOf(secret), before
}

// keepsNoCookies says that the browser sent none at all, where it was given one: it refuses them, or is another browser
// than it was given to. Where it sends any it would send ours.
func (x *exchange) keepsNoCookies() bool {
	return x.s.cookies.allowed && x.r.Header.Get("Cookie") == ""
}

// browser is the name it has now, given to it where it has none.
func (x *exchange) browser() string {
	now, _ := x.browsers()
	if now == "" {
		now = x.renewBrowser()
	}
	return now
}

// renewBrowser gives the browser another name, as a sign-in and a sign-out do. Flows of the one before begin anew.
func (x *exchange) renewBrowser() string {
	before, _ := x.browsers()
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the process instead
	secret := base64.RawURLEncoding.EncodeToString(raw)
	x.browserNow = nameOf(secret)
	x.s.cookies.set(x, browserCookie, secret+"."+before, browserLife, http.SameSiteLaxMode)
	return x.browserNow
}

// keepBrowser leaves the browser the name it has, where the answer that was to give it another is a refusal.
func (x *exchange) keepBrowser() {
	if x.browserNow != "" {
		x.browserNow = ""
		x.Header().Del("Set-Cookie")
	}
}

// nameOf is what stands for a browser's secret in flows.
func nameOf(secret string) string {
	if secret == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
