package server

// The cookies there are, and how the public URL decides whether and how they are set. No cookie
// authenticates anything under /auth: one names counters of the throttle (device.go), one signs its owner in
// to the pages, one remembers a language.

import (
	"net/http"
	"net/url"
	"time"

	"latchkey/internal/address"
)

// cookies is what every cookie has in common: chosen once, by the public URL.
type cookies struct {
	prefix  string
	secure  bool
	allowed bool // else no cookie is set
}

// newCookies: on https the __Host- prefix pins a cookie to this host; on loopback http, as in development,
// neither that nor Secure exists; on any other http URL a cookie would travel in the clear.
func newCookies(publicURL string) cookies {
	u, err := url.Parse(publicURL)
	switch {
	case err != nil:
		return cookies{}
	case u.Scheme == "https":
		return cookies{prefix: "__Host-", secure: true, allowed: true}
	case address.IsLoopback(u.Hostname()):
		return cookies{allowed: true}
	}
	return cookies{}
}

// get returns a cookie's value, empty where there is none.
func (c cookies) get(r *http.Request, name string) string {
	kept, err := r.Cookie(c.prefix + name)
	if err != nil || !c.allowed {
		return ""
	}
	return kept.Value
}

// set sets a cookie for so long; an empty value takes it back.
func (c cookies) set(w http.ResponseWriter, name, value string, life time.Duration, sameSite http.SameSite) {
	if !c.allowed {
		return
	}
	seconds := int(life.Seconds())
	if value == "" {
		seconds = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: c.prefix + name, Value: value, Path: "/", MaxAge: seconds,
		Secure: c.secure, HttpOnly: true, SameSite: sameSite,
	})
}
