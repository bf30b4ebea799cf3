package client_test

// What the tests of sessions share: a real server whose token endpoint can lose requests and answers, somebody at a
// browser, and files of sessions.

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/client"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
)

const (
	grace      = "grace@example.com"
	tokenPath  = "/oauth/token"
	revokePath = "/oauth/revoke"
)

// node is a server at its own address, on whose clock its answers are.
type node struct {
	*authtest.Rig
	issuer  string
	undated bool          // answers have no Date
	ahead   time.Duration // of the server's clock is their Date
	machine atomic.Int64  // how far the clock of the programs' machine is set on

	mu     sync.Mutex
	asked  []asking
	answer answer // of the token endpoint; nil: the server's
}

// answer makes the answer to a request, whose own is server's; nil: it is lost.
type answer func(a asking, server func() *httptest.ResponseRecorder) *httptest.ResponseRecorder

// asking is a request to the token endpoint or to that of revocation.
type asking struct {
	path, by string // by whom: see callers
	form     url.Values
	at       time.Time
	status   int // 0: there is no answer yet, or it was lost
}

func withApps(o *auth.Options) {
	set, err := clients.New([]clients.Client{
		{Alias: "cli", Name: "Cli", URL: "https://cli.example", RedirectURIs: []string{"http://127.0.0.1/callback"}},
		{Alias: "other", Name: "Other", URL: "https://other.example", RedirectURIs: []string{"http://127.0.0.1/callback"}},
		{Alias: "third", Name: "Third", URL: "https://third.example", RedirectURIs: []string{"http://127.0.0.1/callback"}, Consent: true},
	})
	if err != nil {
		panic(err) // the list above is wrong
	}
	o.Clients = set
}

// newNode starts a server where ada and grace have accounts. Tokens live for ten minutes unless tweak says otherwise.
func newNode(t testing.TB, tweak ...func(*auth.Options)) *node {
	t.Helper()
	port, err := authtest.FreePort(t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{issuer: "http://localhost:" + port}
	here := func(o *auth.Options) { o.Issuer, o.Audience = n.issuer, n.issuer }
	n.Rig = authtest.New(t, authtest.SQLite(t), append([]func(*auth.Options){withApps, here}, tweak...)...)
	n.AddUser(t, ada)
	n.AddUser(t, grace)
	serveAt(t, "127.0.0.1:"+port, n)
	return n
}

func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	inside := n.HTTP.Config.Handler
	if w.Header()["Date"] = nil; !n.undated {
		w.Header().Set("Date", n.Clock.Now().Add(n.ahead).UTC().Format(http.TimeFormat))
	}
	if r.URL.Path != tokenPath && r.URL.Path != revokePath {
		inside.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller is gone
	}
	form, _ := url.ParseQuery(string(body))
	ask := func() *httptest.ResponseRecorder {
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		got := httptest.NewRecorder()
		inside.ServeHTTP(got, r)
		return got
	}
	asked := asking{path: r.URL.Path, by: r.Header.Get(caller), form: form, at: time.Now()}
	n.mu.Lock()
	answer, number := n.answer, len(n.asked)
	n.asked = append(n.asked, asked)
	n.mu.Unlock()
	var got *httptest.ResponseRecorder
	if answer != nil && r.URL.Path == tokenPath {
		got = answer(asked, ask)
	} else {
		got = ask()
	}
	if got == nil {
		panic(http.ErrAbortHandler)
	}
	n.mu.Lock()
	n.asked[number].status = got.Code
	n.mu.Unlock()
	for name, values := range got.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(got.Code)
	_, _ = w.Write(got.Body.Bytes())
}

// answers sets how the token endpoint answers.
func (n *node) answers(how answer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answer = how
}

// lost loses what the server answers.
func lost(_ asking, server func() *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	server()
	return nil
}

// always is an answer that the server does not give.
func always(status int, body string, headers ...string) answer {
	return func(asking, func() *httptest.ResponseRecorder) *httptest.ResponseRecorder {
		return instead(status, body, headers...)
	}
}

// instead is one of them.
func instead(status int, body string, headers ...string) *httptest.ResponseRecorder {
	got := httptest.NewRecorder()
	for i := 0; i < len(headers); i += 2 {
		got.Header().Set(headers[i], headers[i+1])
	}
	got.WriteHeader(status)
	_, _ = got.WriteString(body)
	return got
}

// grants are the requests of one grant type so far.
func (n *node) grants(grant string) (found []asking) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.asked {
		if a.path == tokenPath && a.form.Get("grant_type") == grant {
			found = append(found, a)
		}
	}
	return found
}

// refreshes are the requests to refresh so far, of one caller, or with "" of all.
func (n *node) refreshes(by string) (found []asking) {
	for _, a := range n.grants("refresh_token") {
		if by == "" || a.by == by {
			found = append(found, a)
		}
	}
	return found
}

// caller is the header that tells processes apart.
const caller = "X-Test-Caller"

// calledBy makes an HTTP client for one of them.
func calledBy(t testing.TB, name string) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: naming{name, transport}}
}

type naming struct {
	name string
	http.RoundTripper
}

func (n naming) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(caller, n.name)
	return n.RoundTripper.RoundTrip(r)
}

// app is the command-line program, whose session is in a file of its own. Its user is somebody at a browser.
func (n *node) app(t testing.TB, who *person) client.App {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cli", "session.json")
	app := client.App{Issuer: n.issuer, ClientID: "cli", File: file, Open: who.open, Out: io.Discard, HTTP: calledBy(t, "")}
	app.SetNow(func() time.Time { return time.Now().Add(time.Duration(n.machine.Load())) })
	return app
}

// soon is how long something may take on a busy machine.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func mustStart(t testing.TB, app client.App) *client.Session {
	t.Helper()
	s, err := client.SignIn(soon(t), app)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signedIn is the program with ada's session. Its requests are those of caller "one".
func (n *node) signedIn(t testing.TB) (client.App, *client.Session) {
	t.Helper()
	app := n.app(t, newPerson(t, ada))
	app.HTTP = calledBy(t, "one")
	s := mustStart(t, app)
	app.Open = nobody
	return app, s
}

// beside is the same program in another process, as it were; its requests are those of a caller.
func beside(t testing.TB, app client.App, by string) *client.Session {
	t.Helper()
	app.HTTP = calledBy(t, by)
	return mustStart(t, app)
}

// nobody is for App.Open where the session is there already.
func nobody(string) error { return errors.New("nobody is there to sign in") }

func mustToken(t testing.TB, s *client.Session) string {
	t.Helper()
	token, err := s.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// whose asks the server.
func (n *node) whose(t testing.TB, token string) string {
	t.Helper()
	u, err := n.AppUserInfo(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return u.Email
}

// kept is what a session's file holds.
type kept struct {
	Issuer       string `json:"issuer"`
	ClientID     string `json:"clientId"`
	SessionID    string `json:"sid"`
	RefreshToken string `json:"refreshToken"`
	AccessToken  string `json:"accessToken"`
	EndsAt       int64  `json:"endsAt"`
	Offset       int64  `json:"offset"`
	IDToken      string `json:"idToken"`
	Version      int    `json:"v"`
	Kind         string `json:"kind"`
}

func readFile(t testing.TB, file string) (k kept) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(raw, &k)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func writeFile(t testing.TB, file string, content any) {
	t.Helper()
	raw, ok := content.(string)
	if !ok {
		encoded, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		raw = string(encoded)
	}
	if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// until is how far a token's end is by the server's clock, less d.
func (n *node) until(t testing.TB, file string, d time.Duration) time.Duration {
	t.Helper()
	return time.UnixMilli(readFile(t, file).EndsAt).Sub(n.Clock.Now()) - d
}

// pass lets time pass, on the server and on the programs' machine.
func (n *node) pass(d time.Duration) {
	n.Clock.Advance(d)
	n.jump(d)
}

// jump sets the clock of the programs' machine on, or back.
func (n *node) jump(d time.Duration) { n.machine.Add(int64(d)) }

// serveAt serves until the test ends.
func serveAt(t testing.TB, address string, handler http.Handler) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
}

// get asks for a page of the program.
func get(t testing.TB, address string) (status int, text string) {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

// getAfter is get, which tells when the request has been sent. An error is as a text.
func getAfter(address string, sent func()) string {
	once := sync.OnceFunc(sent)
	defer once()
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { once() }}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), http.MethodGet, address, nil)
	if err != nil {
		return err.Error()
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// changed has the token endpoint answer with other tokens.
func changed(t testing.TB, swap func(tokens map[string]any)) answer {
	return func(_ asking, server func() *httptest.ResponseRecorder) *httptest.ResponseRecorder {
		got := server()
		var tokens map[string]any
		if err := json.Unmarshal(got.Body.Bytes(), &tokens); err != nil {
			t.Error(err)
		}
		swap(tokens)
		raw, err := json.Marshal(tokens)
		if err != nil {
			t.Error(err)
		}
		return instead(got.Code, string(raw), "Date", got.Header().Get("Date"))
	}
}

// altered is a JWT that says something else; its signature does not fit any more.
func altered(t testing.TB, token any, claim string, value any) string {
	t.Helper()
	parts := strings.Split(token.(string), ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	said := map[string]any{}
	if err == nil {
		err = json.Unmarshal(payload, &said)
	}
	said[claim] = value
	if payload, err2 := json.Marshal(said); err == nil && err2 == nil {
		parts[1] = base64.RawURLEncoding.EncodeToString(payload)
		return strings.Join(parts, ".")
	}
	t.Error(err)
	return ""
}

func namesIn(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
