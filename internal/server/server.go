// Package server is Latchkey's HTTP: it turns requests into calls of auth and what comes back into
// answers. It decides nothing about accounts. It promises that every answer of the API is JSON with
// a stable code, that no secret reaches a log line or an error, and that a client's address is
// believed only from a trusted proxy. Only cmd calls it.
package server

// How a request travels: ServeHTTP sets what every answer carries and ends with the log line;
// routes.go says which handler it meets; errors.go writes every refusal.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/burst"
	"latchkey/internal/mail"
	"latchkey/internal/pages"
	"latchkey/internal/peer"
)

// Options are what both listeners need to know. Service, PublicURL, ListenAddr, Log and Metrics
// must be set.
type Options struct {
	Service        *auth.Service
	PublicURL      string       // the issuer, without a trailing slash; never taken from a request
	TrustedProxies peer.Proxies // peers whose X-Forwarded-For is believed
	CORSOrigins    []string     // exact origins; nil: those of the clients
	Pages          *pages.Set   // nil: the ones Latchkey brings along
	Inbox          *mail.Inbox  // nil: there is no /dev/inbox
	InboxKey       InboxKey     // without which /dev/inbox shows nothing
	ListenAddr     string       // of the public listener: /dev/inbox exists on loopback only
	AdminAddr      string       // of the admin listener: on loopback it answers local names alone
	Log            *slog.Logger
	Metrics        *Metrics
	Now            func() time.Time // nil: time.Now
	Listening      <-chan struct{}  // closed when the public listener accepts: until then not ready; nil: nobody says
	Stopping       <-chan struct{}  // closed when draining starts: from then on not ready
}

// New returns the handler of the public listener.
func New(o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Pages == nil {
		o.Pages = pages.Must(pages.New(nil))
	}
	s := &server{
		auth: o.Service, log: o.Log, metrics: o.Metrics, now: o.Now,
		publicURL: o.PublicURL, listening: o.Listening, stopping: o.Stopping,
		proxies: o.TrustedProxies, corsOrigins: o.CORSOrigins,
		inbox: newInboxGuard(o), cookies: newCookies(o.PublicURL),
		cross: newCrossOrigin(o.PublicURL), drawing: o.Pages,
	}
	s.notes = burst.New(o.Log, o.Now)
	s.standing = standingHeaders(strings.HasPrefix(o.PublicURL, "https://"))
	s.mux, s.pages = s.routeTable(slices.Concat(s.routes(), s.assets(), s.existingClientRoutes()))
	return s
}

type server struct {
	auth        *auth.Service
	log         *slog.Logger
	metrics     *Metrics
	now         func() time.Time
	publicURL   string
	standing    http.Header // of every answer
	listening   <-chan struct{}
	stopping    <-chan struct{}
	proxies     peer.Proxies
	looks       atomic.Pointer[looks]
	inbox       inboxGuard
	cookies     cookies
	cross       *http.CrossOriginProtection
	drawing     *pages.Set
	corsOrigins []string   // nil: the clients'
	notes       *burst.Log // what strangers can cause at will
	mux         *http.ServeMux
	pages       pagePaths // no CORS there
}

// ServeHTTP answers one request. Whatever happens inside, it is answered, counted and logged once.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := s.newExchange(w, r)
	defer s.finish(x)
	defer s.recover(x)

	maps.Copy(w.Header(), s.standing)
	w.Header().Set("X-Request-Id", x.peer.RequestID)
	if !s.pages.has(r.URL.Path) && !forServers(r.URL.Path) {
		if x.looks.corsFor(r).apply(w.Header(), r) {
			x.route = "preflight"
			x.WriteHeader(http.StatusNoContent)
			return
		}
		if w.Header().Get("Access-Control-Allow-Origin") == "" {
			s.warnOfOrigin(r)
		}
	}
	if !cleanPath(r.URL) {
		x.fail(refuse(codeNotFound))
		return
	}
	s.mux.ServeHTTP(x, r)
}

// standingHeaders are what every answer carries; a handler may say otherwise. Answers share the values, so
// whoever says otherwise replaces one and never writes into it.
func standingHeaders(secure bool) http.Header {
	h := http.Header{}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	if secure {
		h.Set("Strict-Transport-Security", "max-age=31536000") // RFC 6797; other host names are not ours to decide
	}
	return h
}

// recover turns a panic into a 500 whose cause only the log knows.
func (s *server) recover(x *exchange) {
	switch v := recover(); v {
	case nil:
	case http.ErrAbortHandler:
		panic(v)
	default:
		x.fail(fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
	}
}

// finish counts and logs the request: the route's pattern and never the path, whose email
// addresses and codes are nobody's business.
func (s *server) finish(x *exchange) {
	took := s.now().Sub(x.began)
	s.metrics.observe(x.route, x.status, took)
	level := slog.LevelInfo
	if x.probe {
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{
		slog.String("route", x.route),
		slog.Int("status", x.status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.String("request_id", x.peer.RequestID),
	}
	client := ""
	if x.peer.Addr.IsValid() {
		client = x.peer.Addr.String()
	}
	for _, a := range [...]slog.Attr{
		slog.String("client_addr", client), slog.String("code", string(x.code)), slog.String("user_id", x.userID), slog.String("session_id", x.sessionID),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	s.log.LogAttrs(x.r.Context(), level, "request", attrs...)
}

// ready says whether this process wants traffic.
func (s *server) ready(ctx context.Context) error {
	switch {
	case s.listening != nil && !closed(s.listening):
		return errors.New("starting")
	case closed(s.stopping):
		return errors.New("shutting down")
	}
	return s.auth.Ready(ctx)
}

// closed is false for nil.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
