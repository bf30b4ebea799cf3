package server

// Which web pages may call the API from a browser: those of registered origins, with credentials and
// whatever request headers they like (existing clients send odd ones). All others get no CORS
// header at all, but for the documents that are published. No cookie authenticates the API, so this guards nothing but the browser's own rule.

import (
	"net/http"
	"slices"
	"strings"
)

const (
	corsMethods = "GET, POST, DELETE"
	corsMaxAge  = "7200" // seconds; the most that Chrome keeps
	corsExposed = "Retry-After, RateLimit, RateLimit-Policy, X-Latchkey-Device, WWW-Authenticate, X-Request-Id, Date, X-Latchkey-Code"
)

// cors holds the registered origins, as browsers spell them.
type cors []string

// newCORS takes exact origins. The wildcard and null are refused at the start by cmd; a second
// lock here costs nothing: with credentials either would open the API to every page.
func newCORS(origins []string) cors {
	return slices.DeleteFunc(slices.Clone(origins), func(o string) bool { return o == "*" || o == "null" })
}

// embeds says whether a page elsewhere makes a browser ask: by an image, a frame or a script of another
// origin's, and not by going there. Browsers say so in Fetch Metadata request headers (W3C), old ones and
// other programs say nothing.
func (c cors) embeds(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	goes := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	calls := r.Header.Get("Sec-Fetch-Mode") == "cors" && slices.Contains(c, r.Header.Get("Origin"))
	return !goes && !calls
}

// published are the documents that say the same to everybody and that verifiers in any page may read (Fetch
// §3.2.5: no credentials).
var published = map[string]bool{
	"/.well-known/jwks.json":                  true,
	"/.well-known/openid-configuration":       true,
	"/.well-known/oauth-authorization-server": true,
}

// prefetches says whether a browser asks ahead of a click that may never come: the Sec-Purpose header of the Fetch
// standard, and what browsers sent before there was one.
func prefetches(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		for _, value := range r.Header.Values(name) {
			purpose := strings.ToLower(value)
			if strings.Contains(purpose, "prefetch") || strings.Contains(purpose, "prerender") || strings.Contains(purpose, "preview") {
				return true
			}
		}
	}
	return false
}

// forApps are the paths that an app's pages call: from its redirect URIs' origins, too.
var forApps = map[string]bool{"/oauth/token": true, "/oauth/revoke": true, "/oauth/userinfo": true, "/auth/userinfo": true}

// forServers says whether no page may call a path: it tells of everybody's sessions.
func forServers(path string) bool { return strings.TrimPrefix(path, "/v1") == "/oauth/revocations" }

// apply sets the headers for r's origin and says whether r is a preflight that is answered with them.
func (c cors) apply(h http.Header, r *http.Request) (preflight bool) {
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	switch {
	case isDetails(r.URL.Path): // for pages of its own origin alone
		return false
	case slices.Contains(c, origin) && len(r.Header["Origin"]) == 1:
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	case published[strings.TrimPrefix(r.URL.Path, "/v1")]:
		h.Set("Access-Control-Allow-Origin", "*")
	default:
		return false
	}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		h.Set("Access-Control-Expose-Headers", corsExposed)
		return false
	}
	h.Add("Vary", "Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	if asked := r.Header.Values("Access-Control-Request-Headers"); len(asked) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(asked, ", "))
	}
	return true
}
