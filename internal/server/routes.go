package server

// Every route there is: method, path, who may call, what an error looks like there, and the handler.
// To add one: a line here, its structs in api, its paragraph in api/openapi.yaml, its handler.

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"latchkey/internal/auth"
)

func (s *server) routes() []route {
	return append(slices.Concat(s.docsRoutes(), s.sdkRoutes()), []route{
		{"POST", "/auth/signin", anyone, inJSON, jsonBody(s.signIn)},
		{"POST", "/auth/refresh-token", anyone, inJSON, jsonBody(s.refresh)},
		{"POST", "/auth/signout", leaver, inJSON, s.signOut},
		{"GET", "/auth/{id}/sessions", user, inJSON, s.sessions},      // {id} is the user's
		{"DELETE", "/auth/{id}/sessions", user, inJSON, s.endSession}, // {id} is the session's
		{"POST", "/auth/forgot-password", anyone, inJSON, jsonBody(s.forgotPassword)},
		{"POST", "/auth/password-reset/{email}", anyone, inJSON, jsonBody(s.resetPassword)},
		{"POST", "/auth/reset-password", userOrAnyone, inJSON, jsonBody(s.changePassword)},
		{"POST", "/auth/password-check", anyone, inJSON, jsonBody(s.checkPassword)},
		{"POST", "/auth/verification-mail", anyone, inJSON, jsonBody(s.verificationMail)},
		{"GET", "/auth/verify", notEmbedded, inJSON, s.verify},
		{"POST", "/auth/signup", anyone, inJSON, jsonBody(s.signUp)},
		{"GET", "/auth/clientAliases", anyone, inJSON, s.clientAliases},
		{"GET", "/auth/consents", user, inJSON, s.consents},
		{"DELETE", "/auth/consents/{client}", user, inJSON, s.revokeConsent},
		{"GET", "/auth/userinfo", claimant, inJSON, s.userInfo},
		{"POST", "/auth/userinfo", claimant, inJSON, s.userInfo}, // OpenID Connect Core §5.3.1; the body says nothing
		{"GET", "/oauth/userinfo", claimant, inJSON, s.userInfo},
		{"POST", "/oauth/userinfo", claimant, inJSON, s.userInfo},
		{"POST", "/oauth/token", app, inOAuth, s.token},
		{"POST", "/oauth/introspect", client, inOAuth, s.introspect},
		{"POST", "/oauth/revoke", clientOrAnyone, inOAuth, s.revoke},
		{"GET", "/oauth/revocations", feedReader, inOAuth, s.revocations},
		{"POST", "/oauth/revocations", feedReader, inOAuth, s.revocations},
		{"GET", "/.well-known/jwks.json", anyone, inJSON, s.jwks},
		{"GET", "/.well-known/openid-configuration", anyone, inJSON, s.discovery},
		{"GET", "/.well-known/oauth-authorization-server", anyone, inJSON, s.authorizationServer},
		{"GET", "/healthz", anyone, inJSON, s.healthz},
		{"GET", "/readyz", anyone, inJSON, s.readyz},

		{"GET", "/oauth/authorize", anyone, inHTML, s.authorize},
		{"POST", "/oauth/authorize", anyone, inHTML, s.authorizePost},
		{"GET", "/oauth/logout", anyone, inHTML, page(s.logout)},
		{"POST", "/oauth/logout", anyone, inHTML, htmlForm(s.logoutPost)},
		{"GET", "/continue", anyone, inHTML, page(flowPage(s.continuePage))},
		{"POST", "/continue", anyone, inHTML, htmlForm(flowPage(s.continuePagePost))},
		{"GET", "/consent", anyone, inHTML, page(flowPage(s.consentPage))},
		{"POST", "/consent", anyone, inHTML, htmlForm(flowPage(s.consentPagePost))},
		{"GET", "/cancel", notEmbedded, inHTML, page(s.cancelFlow)},
		{"GET", "/{$}", anyone, inHTML, s.homePage},
		{"GET", "/signin", anyone, inHTML, page(s.signInPage)},
		{"POST", "/signin", anyone, inHTML, htmlForm(s.signInPagePost)},
		{"POST", "/signout", anyone, inHTML, htmlForm(s.signOutPagePost)},
		{"GET", "/signed-out", anyone, inHTML, page(s.signedOutPage)},
		{"GET", "/signup", anyone, inHTML, page(s.signUpPage)},
		{"POST", "/signup", anyone, inHTML, htmlForm(s.signUpPagePost)},
		{"GET", "/check-mail", anyone, inHTML, page(s.checkMailPage)},
		{"GET", "/verify-email-success", notEmbedded, inHTML, page(s.verifyPage)},
		{"POST", "/verify-email-success", anyone, inHTML, htmlForm(s.verifyPagePost)},
		{"POST", "/complete-signup", anyone, inHTML, htmlForm(s.completeSignUpPost)},
		{"GET", "/done", anyone, inHTML, page(s.donePage)},
		{"GET", "/forgot-password", anyone, inHTML, page(s.forgotPage)},
		{"POST", "/forgot-password", anyone, inHTML, htmlForm(s.forgotPagePost)},
		{"GET", "/reset-password", notEmbedded, inHTML, page(s.resetPage)},
		{"POST", "/reset-password", anyone, inHTML, htmlForm(s.resetPagePost)},
		{"GET", "/.well-known/change-password", anyone, inHTML, s.changePasswordURL},
		{"GET", "/change-password", pageUser, inHTML, page(s.changePage)},
		{"POST", "/change-password", pageUser, inHTML, htmlForm(s.changePagePost)},
		{"GET", "/account", pageUser, inHTML, page(s.accountPage)},
		{"POST", "/account/end-session", pageUser, inHTML, htmlForm(s.accountEndSession)},
		{"POST", "/account/revoke-consent", pageUser, inHTML, htmlForm(s.accountRevokeConsent)},
		{"POST", "/account/end-others", pageUser, inHTML, htmlForm(s.accountEndOthers)},
		{"GET", "/end-session", anyone, inHTML, page(s.endSessionPage)},
		{"POST", "/end-session", anyone, inHTML, htmlForm(s.endSessionPagePost)},
		{"POST", "/language", anyone, inHTML, htmlForm(s.chooseLanguage)},
		{"GET", "/dev/inbox", anyone, inHTML, s.openInbox},
		{"GET", "/dev/inbox/{id}", anyone, inHTML, s.inboxPage(s.devMail)},
	}...)
}

// assets are what pages load.
func (s *server) assets() []route {
	return []route{
		{"GET", "/page.css", anyone, inHTML, s.pageAsset},
		{"GET", "/page.js", anyone, inHTML, s.pageAsset},
		{"GET", "/icon.svg", anyone, inHTML, s.pageAsset},
		{"GET", "/brand/{alias}/style.css", anyone, inHTML, s.brandStyle},
		{"GET", "/brand/{alias}/logo", anyone, inHTML, s.brandLogo},
	}
}

type route struct {
	method, path string
	who          access
	speaks       dialect
	handle       handler
}

// handler does what a route is for. It answers by returning: errors.go writes what is refused.
type handler func(x *exchange) (reply, error)

// access says who may call a route; it is checked before the body is looked at.
type access func(x *exchange) error

func anyone(*exchange) error         { return nil }
func user(x *exchange) error         { return x.authenticate() }
func claimant(x *exchange) error     { return x.authenticateForClaims() }
func leaver(x *exchange) error       { return x.authenticateLeaver() } // whose token may have run out
func userOrAnyone(x *exchange) error { return x.authenticateIfAsked() }
func pageUser(x *exchange) error     { return x.recognise() } // who signed in to the pages

// notEmbedded is who opened a mailed link, and not a page elsewhere that makes its visitors' browsers load dead
// ones: those would count against the visitors' own address.
//
// A browser that only prefetches is asked to come back, and nothing is read or counted: a page elsewhere can make it do
// that with dead links in its visitor's name, and the click that follows asks again.
func notEmbedded(x *exchange) error {
	if prefetches(x.r) {
		return refuse(auth.CodeUnavailable)
	}
	if x.looks.cors.embeds(x.r) {
		return refuse(auth.CodeForbidden)
	}
	return nil
}

// dialect is the format that errors take on a route.
type dialect int

const (
	inJSON  dialect = iota // api.Error
	inOAuth                // RFC 6749 §5.2: whatever is asked for under /oauth, routes or not
	inHTML                 // a page for people; no CORS, no /v1, not in the OpenAPI document
)

func (t route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange) // ServeMux hands on what server.ServeHTTP gave it
	x.r, x.route, x.speaks = r, t.method+" "+t.path, t.speaks
	if err := t.admit(x); err != nil {
		x.fail(err)
		return
	}
	answer, err := t.handle(x)
	if err != nil {
		x.fail(err)
		return
	}
	answer(x)
}

// fromAnywhere are the pages whose forms any site may post: they only start something.
var fromAnywhere = map[string]bool{"/oauth/authorize": true, "/oauth/logout": true}

// admit says whether the request may come in: no other site may post a page's form in a visitor's name. Where
// no cookie is kept visitors have none; there browsers hide the origin even of our own forms.
func (t route) admit(x *exchange) error {
	if t.speaks == inHTML && x.s.cookies.allowed && !fromAnywhere[t.path] && x.s.cross.Check(x.r) != nil {
		x.s.warnOfForm(x.r)
		return refuse(auth.CodeForbidden)
	}
	return t.who(x)
}

// pagePaths are the addresses that are for people.
type pagePaths struct {
	exact map[string]bool
	below []string // of routes with a wildcard: what comes before it
}

func (p pagePaths) has(path string) bool {
	return p.exact[path] || slices.ContainsFunc(p.below, func(below string) bool { return strings.HasPrefix(path, below) })
}

// routeTable registers routes, the API's under /v1 too, and returns the paths of the pages.
func (s *server) routeTable(routes []route) (mux *http.ServeMux, pages pagePaths) {
	mux, pages = http.NewServeMux(), pagePaths{exact: map[string]bool{}}
	for _, t := range routes {
		add := func(path string) {
			if !overlaps(t) {
				mux.Handle(t.method+" "+path, t)
			} else if strings.HasSuffix(path, "/sessions") { // once for both
				mux.Handle("DELETE "+strings.TrimSuffix(path, "sessions")+"{what}", s.deleteOf(routes))
			}
			if strings.HasSuffix(path, "/{email}") { // which may have a slash, and comes raw
				mux.Handle(t.method+" "+path+"/{rest...}", t)
			}
		}
		s.metrics.expect(t.method + " " + t.path)
		add(t.path)
		if t.speaks != inHTML {
			add("/v1" + t.path)
			continue
		}
		if fixed, _, wild := strings.Cut(strings.TrimSuffix(t.path, "{$}"), "{"); wild {
			pages.below = append(pages.below, fixed)
		} else {
			pages.exact[fixed] = true
			if t.method == "GET" && fixed != "/" && fixed != "/dev/inbox" && path.Ext(fixed) == "" { // which often must look like no path
				pages.exact[fixed+"/"] = true
				mux.Handle("GET "+fixed+"/{$}", route{t.method, fixed + "/", anyone, inHTML, withoutSlash(fixed)})
			}
		}
	}
	mux.HandleFunc("/", s.noRoute)
	return mux, pages
}

// overlaps says whether ServeMux cannot tell a route's addresses from another's.
func overlaps(t route) bool {
	return t.method == "DELETE" && (t.path == "/auth/{id}/sessions" || t.path == "/auth/consents/{client}")
}

// overlapping is the one pattern that they are registered by.
const overlapping = "/auth/{id}/{what}"

// meets says whether a pattern that fits a path is of a route there is.
func meets(pattern, path string) bool {
	if !strings.HasSuffix(pattern, overlapping) {
		return pattern != "/"
	}
	owned, _ := strings.CutPrefix(strings.TrimPrefix(path, "/v1"), "/auth/")
	return strings.HasPrefix(owned, "consents/") || strings.HasSuffix(owned, "/sessions")
}

// deleteOf serves the routes that overlap: the id of a session is a UUID, so "consents" is none.
func (s *server) deleteOf(routes []route) http.Handler {
	find := func(path string) route {
		return routes[slices.IndexFunc(routes, func(t route) bool { return t.method == "DELETE" && t.path == path })]
	}
	sessions, consents := find("/auth/{id}/sessions"), find("/auth/consents/{client}")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.PathValue("id") == "consents":
			r.SetPathValue("client", r.PathValue("what"))
			consents.ServeHTTP(w, r)
		case r.PathValue("what") == "sessions":
			sessions.ServeHTTP(w, r)
		default:
			s.noRoute(w, r)
		}
	})
}

// withoutSlash sends who wrote a page's address with a slash at its end on to the page: to the path that is
// registered, never to one made of the caller's.
func withoutSlash(page string) handler {
	return func(x *exchange) (reply, error) {
		return seeOther((&url.URL{Path: page, RawQuery: x.r.URL.RawQuery}).String()), nil
	}
}

// dialectOf is how errors look where no route has been met yet.
func dialectOf(path string) dialect {
	if path = strings.TrimPrefix(path, "/v1"); path == "/oauth" || strings.HasPrefix(path, "/oauth/") {
		return inOAuth
	}
	return inJSON
}

// noRoute answers what no route matched: 404, or 405 with the methods that would.
func (s *server) noRoute(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange)
	if x.speaks != inOAuth && looksForAPage(r) {
		x.speaks = inHTML
	}
	var allowed []string
	for _, method := range [...]string{"GET", "HEAD", "POST", "DELETE"} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := s.mux.Handler(probe); meets(pattern, r.URL.Path) {
			allowed = append(allowed, method)
		}
	}
	switch {
	case allowed == nil, isDetails(r.URL.Path) && !x.looks.clients.TakeCookies():
		x.fail(refuse(codeNotFound))
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", strings.Join(append(allowed, "OPTIONS"), ", "))
		x.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", strings.Join(append(allowed, "OPTIONS"), ", "))
		x.fail(refuse(codeMethodNotAllowed))
	}
}

// looksForAPage: a person who has mistyped an address reads a page rather than JSON.
func looksForAPage(r *http.Request) bool {
	api := strings.HasPrefix(r.URL.Path, "/auth/") || strings.HasPrefix(r.URL.Path, "/v1/")
	return !api && asksForHTML(r)
}

func asksForHTML(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// cleanPath says whether u's path is already in the form that ServeMux would otherwise redirect to.
// A redirect made of the caller's own path is an open door (`//elsewhere.example`), and on a POST a
// browser would carry the password through it.
func cleanPath(u *url.URL) bool {
	p := u.EscapedPath()
	if !strings.HasPrefix(p, "/") {
		return false
	}
	clean := path.Clean(p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return p == clean
}
