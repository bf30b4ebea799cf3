package server

// What the log says of requests that were refused for where they come from: a page of an origin that nobody
// registered, or a form that another site posts. Mostly it is the configuration that is wrong, and a browser shows
// the person nothing of use.

import (
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

const maxOriginInLog = 128

// warnOfOrigin is for a request of a page elsewhere that got no CORS header.
func (s *server) warnOfOrigin(r *http.Request) {
	origin := r.Header.Get("Origin")
	if origin == "" || origin == s.publicURL || r.Header.Get("Sec-Fetch-Site") == "same-origin" {
		return
	}
	if u, err := url.Parse(origin); err == nil && u.Host == r.Host {
		return
	}
	s.notes.Warn("cors",
		"a page of an origin that is not registered calls, and browsers keep the answer from it: if it is yours, write the origin into urls of its client in LATCHKEY_CLIENTS_FILE, or into LATCHKEY_CORS_ORIGINS where that is set",
		slog.String("origin", shownOrigin(origin)))
}

// warnOfForm is for a form that was refused as another site's.
func (s *server) warnOfForm(r *http.Request) {
	s.notes.Warn("form",
		"a form was refused as another site's: if people open these pages at that origin, write it into LATCHKEY_PUBLIC_URL",
		slog.String("origin", shownOrigin(r.Header.Get("Origin"))), slog.String("public_url", s.publicURL))
}

// shownOrigin is a stranger's word made fit for a log: printable ASCII, and not long.
func shownOrigin(origin string) string {
	clean := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, origin)
	if len(clean) > maxOriginInLog {
		return clean[:maxOriginInLog] + "…"
	}
	return clean
}

// noteForwarded is for a request that says who sent it on, from a peer whose word is not taken.
func (s *server) noteForwarded(from netip.Addr) {
	s.notes.Warn("forwarded",
		"X-Forwarded-For was ignored, since it came from a peer that is no trusted proxy: if that is a proxy of yours, name it in LATCHKEY_TRUSTED_PROXIES",
		slog.String("peer", from.String()))
}
