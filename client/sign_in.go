package client

// SignIn: the authorization code flow of a program on its user's machine (RFC 8252), with PKCE (RFC 7636), by a redirect
// to a port of loopback.

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// App says which app somebody signs in to, and where the session is kept. Issuer and ClientID must be set.
type App struct {
	Issuer   string // LATCHKEY_PUBLIC_URL, spelt as there: https, or http on loopback
	ClientID string // the alias of a client without secrets, whose redirect_uris have http://127.0.0.1/callback
	Scope    string // "": "openid email profile". A session that File has already keeps the scopes that it was given
	// File is where the session is kept, for the next start and for other processes, each client and issuer in a file of
	// its own; "": in memory. Its folder is made with mode 0700. Beside it lies the sign-out mark, File + ".ended". Where the
	// folder cannot be written only one process may use it: others never learn what that one refreshes.
	File string
	// Open shows the address to the user; an error of it ends SignIn, so a program that must not wait for anybody returns
	// one. nil: the address is written to Out, and opened in the system's browser if that can be.
	Open func(address string) error
	Out  io.Writer    // where the address goes, and why the session could not be kept; nil: os.Stderr
	HTTP *http.Client // nil: http.DefaultClient

	now func() time.Time // this machine's clock
}

// SignIn returns the session of app.File if somebody is signed in, and else signs somebody in through the browser, which it
// waits for as long as ctx lasts. A session that cannot be refreshed for now counts as signed in: Token says why. Where
// the file cannot be written the session is kept in memory alone, and app.Out is told.
//
// The error of a refusal in the browser has the code of RFC 6749 §4.1.2.1, such as access_denied: see CodeOf. It is an
// error when app.File is another client's or issuer's: nothing is overwritten then.
func SignIn(ctx context.Context, app App) (*Session, error) {
	s, err := newSession(app)
	if err != nil {
		return nil, err
	}
	kept, err := s.file.read()
	if err != nil {
		return nil, err
	}
	if kept != nil {
		s.user = kept.user
		s.hold(kept)
		_, err := s.Token(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("client: sign in: %w", ctx.Err())
		case !errors.Is(err, ErrSignedOut):
			return s, nil
		}
	}
	made, err := s.throughBrowser(ctx)
	if err != nil {
		return nil, fmt.Errorf("client: sign in: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user = made.user
	if err := s.keep(made, true); err != nil {
		_, _ = fmt.Fprintf(s.app.Out, "You are signed in until this program ends: the session cannot be kept: %v\n", err)
	}
	return s, nil
}

// newSession checks what the app says, and fills in what it leaves out.
func newSession(app App) (*Session, error) {
	app.Issuer = strings.TrimRight(app.Issuer, "/")
	at, err := url.Parse(app.Issuer)
	switch {
	case err != nil || at.Host == "" || at.User != nil || at.RawQuery != "" || at.Fragment != "":
		return nil, fmt.Errorf("client: App.Issuer %q is not the URL of a Latchkey, such as https://id.example", app.Issuer)
	case !private(at):
		return nil, fmt.Errorf("client: App.Issuer %q: write https; http is for loopback alone", app.Issuer)
	case app.ClientID == "":
		return nil, errors.New("client: App.ClientID is not set: it is the alias of a client in the server's clients file")
	}
	if app.File != "" {
		if app.File, err = filepath.Abs(app.File); err != nil {
			return nil, fmt.Errorf("client: App.File %q: %w", app.File, err)
		}
	}
	if app.Scope == "" {
		app.Scope = "openid email profile"
	}
	if app.Out == nil {
		app.Out = os.Stderr
	}
	if app.HTTP == nil {
		app.HTTP = http.DefaultClient
	}
	if app.now == nil {
		app.now = time.Now
	}
	staying := *app.HTTP // codes and refresh tokens are sent to the issuer, and to nobody that it redirects to
	staying.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Session{
		app: app, api: New(app.Issuer, &staying).On(nil), share: 1 - mathrand.Float64()/5, out: ErrSignedOut,
		file: sessionFile{path: app.File, issuer: app.Issuer, clientID: app.ClientID, ended: map[string]int64{}},
	}, nil
}

// private says whether what is sent there can be read on the way by nobody else.
func private(to *url.URL) bool {
	ip := net.ParseIP(to.Hostname())
	return to.Scheme == "https" || to.Scheme == "http" && (to.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// throughBrowser signs somebody in. A code whose exchange had no answer is not sent again: the browser goes back to the
// server for another one, once.
func (s *Session) throughBrowser(ctx context.Context) (*record, error) {
	door, err := openDoor()
	if err != nil {
		return nil, err
	}
	defer door.close()
	asked := s.newAttempt(door.redirectURI)
	if err := s.show(asked.address); err != nil {
		return nil, err
	}
	for again := false; ; {
		came, err := door.await(ctx)
		if err != nil {
			return nil, err
		}
		if came.said.Get("state") != asked.state {
			came.answer <- strange
			continue
		}
		made, lost, err := s.conclude(ctx, asked, came.said)
		if lost && !again && ctx.Err() == nil {
			again, asked = true, s.newAttempt(door.redirectURI)
			came.answer <- page{status: http.StatusSeeOther, next: asked.address}
			continue
		}
		door.last = signedIn
		if err != nil {
			door.last = failed
		}
		came.answer <- door.last
		return made, err
	}
}

// attempt is one authorization request.
type attempt struct{ state, nonce, verifier, redirectURI, address string }

func (s *Session) newAttempt(redirectURI string) attempt {
	a := attempt{state: secret(16), nonce: secret(16), verifier: secret(32), redirectURI: redirectURI}
	challenge := sha256.Sum256([]byte(a.verifier))
	a.address = s.app.Issuer + "/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {s.app.ClientID}, "redirect_uri": {redirectURI}, "scope": {s.app.Scope},
		"state": {a.state}, "nonce": {a.nonce},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	return a
}

// secret is so many random bytes.
func secret(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // it never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// show brings the user to an address.
func (s *Session) show(address string) error {
	if s.app.Open != nil {
		return s.app.Open(address)
	}
	if _, err := fmt.Fprintf(s.app.Out, "To sign in, open this address in a browser on this machine:\n%s\n", address); err != nil {
		return err
	}
	opener := exec.Command("xdg-open", address)
	switch runtime.GOOS {
	case "darwin":
		opener = exec.Command("open", address)
	case "windows":
		opener = exec.Command("rundll32", "url.dll,FileProtocolHandler", address)
	}
	if opener.Start() == nil { // else the address has been written
		var beside sync.WaitGroup
		beside.Go(func() { _ = opener.Wait() })
	}
	return nil
}

// conclude makes a session of what came back, which has the state of the request. Lost says that the exchange had no
// answer, or none that tells what has become of the code.
func (s *Session) conclude(ctx context.Context, asked attempt, said url.Values) (made *record, lost bool, err error) {
	if iss := said.Get("iss"); iss != s.app.Issuer { // RFC 9207 §2.4
		return nil, false, fmt.Errorf("the answer is of the issuer %q, and App.Issuer is %s", iss, s.app.Issuer)
	}
	if code := said.Get("error"); code != "" {
		return nil, false, &Error{Code: code, Message: said.Get("error_description")}
	}
	form := url.Values{"code": {said.Get("code")}, "redirect_uri": {asked.redirectURI}, "code_verifier": {asked.verifier}}
	nonce := ""
	if slices.Contains(strings.Fields(s.app.Scope), "openid") {
		nonce = asked.nonce
	}
	made, err = s.tokens(ctx, "authorization_code", form, nonce, nil)
	refusal, answered := errors.AsType[*Error](err)
	lost = err != nil && !errors.Is(err, errTokens) && (!answered || refusal.Status >= 500)
	return made, lost, err
}

// fits says whether an ID token, where there is one or must be one, is of this issuer, client and request and of the
// session of the other tokens (OpenID Connect Core §3.1.3.7).
func (s *Session) fits(r *record, nonce string) bool {
	if r.IDToken == "" {
		return nonce == ""
	}
	var id struct {
		Issuer    string          `json:"iss"`
		Audience  json.RawMessage `json:"aud"` // a string, or a list of them
		User      string          `json:"sub"`
		SessionID string          `json:"sid"`
		Nonce     string          `json:"nonce"`
	}
	if !readClaims(r.IDToken, &id) {
		return false
	}
	var one string
	var list []string
	if json.Unmarshal(id.Audience, &one) == nil {
		list = []string{one}
	} else if json.Unmarshal(id.Audience, &list) != nil {
		return false
	}
	return id.Issuer == s.app.Issuer && slices.Equal(list, []string{s.app.ClientID}) &&
		id.User == r.user && id.SessionID == r.SessionID && (nonce == "" || id.Nonce == nonce)
}

// door is the port of loopback that the browser comes back to.
type door struct {
	redirectURI string
	server      *http.Server
	serving     sync.WaitGroup
	came        chan arrival
	over        chan struct{} // closed when nobody waits any more
	last        page          // what is answered from then on; written before over is closed
}

// arrival is a browser that has come back, and waits for a page.
type arrival struct {
	said   url.Values
	answer chan<- page
}

// page is what the browser shows, or where it goes next.
type page struct {
	status      int
	title, text string
	next        string
}

var (
	signedIn = page{http.StatusOK, "You are signed in", "Close this window, and go back to the program.", ""}
	failed   = page{http.StatusBadRequest, "You are not signed in", "Go back to the program, which knows why.", ""}
	strange  = page{http.StatusBadRequest, "This is not the sign-in that the program waits for", "Go on in the window that it has opened, or go back to the program.", ""}
)

func openDoor() (*door, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the browser: %w", err)
	}
	d := &door{redirectURI: "http://" + listener.Addr().String() + "/callback", came: make(chan arrival), over: make(chan struct{}), last: failed}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /callback", d.callback)
	d.server = &http.Server{Handler: routes, ReadHeaderTimeout: time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: log.New(io.Discard, "", 0)}
	d.serving.Go(func() { _ = d.server.Serve(listener) }) // until close
	return d, nil
}

// await returns the next browser that comes back.
func (d *door) await(ctx context.Context) (arrival, error) {
	select {
	case a := <-d.came:
		return a, nil
	case <-ctx.Done():
		return arrival{}, fmt.Errorf("nobody has come back from the browser: %w", ctx.Err())
	}
}

func (d *door) callback(w http.ResponseWriter, r *http.Request) {
	answer := make(chan page, 1)
	var shown page
	select {
	case d.came <- arrival{r.URL.Query(), answer}:
		shown = <-answer
	case <-d.over:
		shown = d.last
	case <-r.Context().Done():
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Connection", "close")
	if shown.next != "" {
		http.Redirect(w, r, shown.next, shown.status)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.WriteHeader(shown.status)
	_, _ = fmt.Fprintf(w, `<!doctype html>
<html lang="en"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>%[1]s</title><h1>%[1]s</h1><p>%[2]s</p></html>
`, shown.title, shown.text)
}

// close lets the answers that are under way reach the browser, for a second.
func (d *door) close() {
	close(d.over)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if d.server.Shutdown(ctx) != nil {
		_ = d.server.Close()
	}
	d.serving.Wait()
}
