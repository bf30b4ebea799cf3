package server

// One request on its way through: what is known of the caller, and what was answered.

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/clients"
	"latchkey/internal/locale"
	"latchkey/internal/pages"
	"latchkey/internal/peer"
)

// exchange is the http.ResponseWriter of one request and what the log line will say about it.
type exchange struct {
	http.ResponseWriter
	s       *server
	r       *http.Request
	began   time.Time
	peer    peer.Peer
	looks   *looks       // what the clients file said when the request came
	caller  *auth.Caller // whose Bearer, or page session, was accepted; nil: nobody's
	account auth.Account // the caller's, where a page shows something of it

	route     string // the pattern that matched
	speaks    dialect
	probe     bool           // a health check: logged at debug level
	params    url.Values     // what a page was asked with: its query or form
	retryView *pages.View    // the form a refused page shows once more
	form      *oauthForm     // the body of a request under /oauth, once it is read
	client    clients.Client // that asks under /oauth and proved itself; zero: nobody did

	underway   *underway // the app's request that a page belongs to; nil: none
	uiLocales  string    // the languages that an app asks for, the best first; empty: none
	over       *over     // the flow that a page came with and that ends here; nil: none
	browserNow string    // the name that the browser was given by this answer; empty: it keeps its own

	status            int // 0: nothing is written yet
	code              auth.Code
	userID, sessionID string
}

func (s *server) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	from, viaProxy := s.proxies.ClientAddr(r.RemoteAddr, r.Header["X-Forwarded-For"])
	if !viaProxy && len(r.Header["X-Forwarded-For"]) > 0 {
		s.noteForwarded(from)
	}
	now := s.looksNow()
	return &exchange{
		ResponseWriter: w, s: s, r: r, began: s.now(), route: "unmatched", looks: now, speaks: dialectOf(r.URL.Path),
		peer: peer.Peer{Addr: from, UserAgent: r.UserAgent(), RequestID: requestID(r, viaProxy), Devices: s.devices(r), Clients: now.clients},
	}
}

// requestIDForm is what a proxy's own request id may look like (HAProxy's has colons, a load balancer's an =); anything else could forge log lines.
var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9_.:=-]{8,64}$`)

// requestID is the trusted proxy's X-Request-Id, so that its log and ours can be read together, else
// a new one.
func requestID(r *http.Request, viaProxy bool) string {
	if id := r.Header.Get("X-Request-Id"); viaProxy && requestIDForm.MatchString(id) {
		return id
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

// readAcceptLanguage notes which language the caller reads, for what is mailed or made for them. Other requests are
// not looked at: parsing the header costs.
func (x *exchange) readAcceptLanguage() {
	if wanted := x.r.Header.Get("Accept-Language"); wanted != "" && wanted != "*" { // what programs send
		x.peer.Language = locale.Choose("", wanted)
	}
}

func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return x.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// identify notes for the log whose request this is.
func (x *exchange) identify(c *auth.Caller) {
	x.caller, x.userID, x.sessionID = c, c.UserID, c.SessionID
}

// authenticate asks for a Bearer token; missing ones are refused like bad ones.
func (x *exchange) authenticate() error { return x.authenticateBy(x.s.auth.Authenticate) }

// authenticateForClaims also takes an app's token with the scope openid.
func (x *exchange) authenticateForClaims() error {
	return x.authenticateBy(x.s.auth.AuthenticateForClaims)
}

// authenticateLeaver also takes a token that has run out: its handler looks at caller.RunOut.
func (x *exchange) authenticateLeaver() error { return x.authenticateBy(x.s.auth.AuthenticateLeaver) }

func (x *exchange) authenticateBy(how func(context.Context, string) (auth.Caller, error)) error {
	token, err := bearer(x.r)
	if err != nil {
		return err
	}
	c, err := how(x.r.Context(), token)
	if err != nil {
		return err
	}
	x.identify(&c)
	return nil
}

// authenticateIfAsked accepts a request without an Authorization header as nobody's. One that has
// the header must be right: a client that believes it is signed in must hear that it is not.
func (x *exchange) authenticateIfAsked() error {
	if len(x.r.Header["Authorization"]) == 0 {
		return nil
	}
	return x.authenticate()
}

// bearer reads RFC 6750 §2.1's header. The other two ways, body and query, are not accepted.
func bearer(r *http.Request) (string, error) {
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return "", refuse(auth.CodeInvalidToken)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", refuse(auth.CodeInvalidToken)
	}
	return strings.Trim(token, " "), nil
}
