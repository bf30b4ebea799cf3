package server

// The operator's listener. It has no authentication and must never be public.

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/pprof"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// NewAdmin returns the handler of the admin listener: /metrics, /healthz, /readyz and pprof.
func NewAdmin(o Options) http.Handler {
	s := &server{auth: o.Service, listening: o.Listening, stopping: o.Stopping}
	now := prometheus.NewRegistry()
	now.MustRegister(newGauges(o.Service))

	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(prometheus.Gatherers{o.Metrics.registry, now}, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", s.adminReadyz)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	standing, loopback := standingHeaders(false), listensLoopback(o.AdminAddr)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), standing)
		if why := refusesAdmin(r, loopback); why != "" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// refusesAdmin says why a request is not the operator's; empty where it may be. On a loopback address a page
// elsewhere can make a browser of this machine ask: by naming that address, or by a name of its own that suddenly
// means 127.0.0.1 (DNS rebinding). On any other address the operator has names of its own.
func refusesAdmin(r *http.Request, loopback bool) string {
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case site == "cross-site" || site == "same-site":
		return "refused: another site's page asks"
	case loopback && !localHost(r.Host) && !loopbackLiteral(r.Host):
		return "refused: ask for localhost, or for a loopback address such as 127.0.0.1 or [::1]"
	}
	return ""
}

// loopbackLiteral is for a Host header that is an address: unlike a name it cannot come to mean another one.
func loopbackLiteral(host string) bool {
	if at, err := netip.ParseAddrPort(host); err == nil {
		return at.Addr().IsLoopback()
	}
	at, err := netip.ParseAddr(host)
	return err == nil && at.IsLoopback()
}

// adminReadyz says, unlike the public one, why it is not ready.
func (s *server) adminReadyz(w http.ResponseWriter, r *http.Request) {
	if err := s.ready(r.Context()); err != nil {
		http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}
