package verify_test

// What the tests share: a real server behind a door that counts, holds up and loses requests, and verifiers of its tokens.

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/token"
	"latchkey/verify"
)

const (
	keysPath = "/.well-known/jwks.json"
	feedPath = "/oauth/revocations"
	secret   = "a secret of more than thirty-two bytes"
	email    = "ada@example.com"
	patience = 30 * time.Second
)

// TestMain also fails when a goroutine is left over.
func TestMain(m *testing.M) { authtest.Main(m, startExamples) }

// node is a server with its door.
type node struct {
	*authtest.Rig
	t      testing.TB
	door   *httptest.Server
	asked  atomic.Int64                         // for keys
	polled atomic.Int64                         // the feed
	away   atomic.Bool                          // connections are lost
	hold   atomic.Pointer[chan struct{}]        // what asks for keys waits for
	told   atomic.Pointer[func() (string, int)] // what the feed answers instead
	calm   atomic.Bool                          // who polls for more is not answered
}

func withClients(o *auth.Options) {
	set, err := clients.New(append(o.Clients.List(),
		clients.Client{Alias: "mute", URL: "https://mute.example", Secret: secret, Scopes: []string{"read"}},
		clients.Client{Alias: "verifier", URL: "https://verifier.example", Secret: secret, Feed: true},
	))
	if err != nil {
		panic(err) // the list above is wrong
	}
	o.Clients = set
}

func newNode(t testing.TB, tweak ...func(*auth.Options)) *node {
	t.Helper()
	n := &node{Rig: authtest.New(t, authtest.SQLite(t), append(tweak, withClients)...), t: t}
	n.AddUser(t, email)
	inside := n.HTTP.Config.Handler
	n.door = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case keysPath:
			n.asked.Add(1)
			if hold := n.hold.Load(); hold != nil {
				select {
				case <-*hold:
				case <-r.Context().Done():
				}
			}
		case feedPath:
			n.polled.Add(1)
			if n.calm.Load() && r.URL.Query().Has("after") {
				<-r.Context().Done()
				return
			}
			if told := n.told.Load(); told != nil && !n.away.Load() {
				text, status := (*told)()
				w.WriteHeader(status)
				_, _ = w.Write([]byte(text))
				return
			}
		}
		if n.away.Load() {
			panic(http.ErrAbortHandler)
		}
		inside.ServeHTTP(w, r)
	}))
	t.Cleanup(n.door.Close)
	return n
}

// leave loses the connections that there are, and all that come.
func (n *node) leave() {
	n.away.Store(true)
	n.door.CloseClientConnections()
}

func (n *node) comeBack() { n.away.Store(false) }

// config is that of a verifier for this node's tokens, on its clock.
func (n *node) config() verify.Config {
	return verify.Config{
		Issuer: n.Options.Issuer, Audience: n.Options.Audience, HTTP: leadingTo(n.door), Now: n.Clock.Now,
		Log: slog.New(slog.DiscardHandler),
	}
}

// withFeed is config with a feed.
func (n *node) withFeed(openFor time.Duration) verify.Config {
	c := n.config()
	c.Feed = &verify.Feed{ClientID: "verifier", ClientSecret: secret, OpenFor: openFor}
	return c
}

// token is a new access token.
func (n *node) token() string { return n.In(n.t, email).AccessToken }

// signed is an access token that says all there is to say.
func (n *node) signed() string {
	n.t.Helper()
	now := n.Clock.Now()
	raw, err := n.Service.Keys().SignAccess(token.Access{
		Issuer: n.Options.Issuer, Audience: n.Options.Audience, Subject: "ada", TokenID: "1", SessionID: "s1", Client: "shop",
		Email: email, EmailVerified: true, GivenName: "Ada", FamilyName: "Lovelace", Scope: "openid email",
		IssuedAt: now, ExpiresAt: now.Add(10 * time.Minute), AuthTime: now, ACR: "aal1", AMR: []string{"pwd", "otp"},
	}, now)
	if err != nil {
		n.t.Fatal(err)
	}
	return raw
}

// own is a client's own token, which has no session.
func (n *node) own() string {
	n.t.Helper()
	tokens, err := n.ClientCredentials(context.Background(), api.ClientTokenRequest{ClientID: "mute", ClientSecret: secret})
	if err != nil {
		n.t.Fatal(err)
	}
	return tokens.AccessToken
}

// tells has the feed answer what is given, signed by the node's own key.
func (n *node) tells(change func(*token.Revocations)) {
	answer := func() (string, int) {
		now := n.Clock.Now()
		told := token.Revocations{Issuer: n.Options.Issuer, Audience: "verifier", IssuedAt: now, ExpiresAt: now.Add(time.Minute), Cursor: "c"}
		change(&told)
		raw, err := n.Service.Keys().SignRevocations(told, now)
		if err != nil {
			return err.Error(), http.StatusInternalServerError
		}
		return string(raw), http.StatusOK
	}
	n.told.Store(&answer)
}

// code is what a verifier says of a token: "" for a good one.
func code(t testing.TB, v *verify.Verifier, token string) string {
	t.Helper()
	_, err := v.Verify(t.Context(), token, verify.Require{})
	if err == nil {
		return ""
	}
	refused, ok := errors.AsType[*verify.Error](err)
	if !ok || refused.Code == "" {
		t.Fatalf("%T: %v", err, err)
	}
	return refused.Code
}

// becomes waits until a verifier says that of a token.
func becomes(t testing.TB, v *verify.Verifier, token, want string) {
	t.Helper()
	until(t, want, func() bool { return code(t, v, token) == want })
}

func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// newVerifier ends with the test.
func newVerifier(t testing.TB, c verify.Config) *verify.Verifier {
	t.Helper()
	v, err := verify.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// leadingTo is a client for which every address is that of one server.
func leadingTo(server *httptest.Server) *http.Client {
	return &http.Client{Transport: lead{server.Listener.Addr().String(), server.Client().Transport}}
}

type lead struct {
	to   string
	next http.RoundTripper
}

func (l lead) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", l.to
	return l.next.RoundTrip(r)
}

// heard are the log lines of a verifier.
type heard chan slog.Record

func (h heard) logger() *slog.Logger { return slog.New(h) }

func (h heard) Enabled(context.Context, slog.Level) bool { return true }
func (h heard) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h heard) WithGroup(string) slog.Handler            { return h }

func (h heard) Handle(_ context.Context, r slog.Record) error {
	h <- r
	return nil
}

// hears waits for a line, and returns what its error says.
func (h heard) hears(t *testing.T, message string) (said string) {
	t.Helper()
	for {
		select {
		case r := <-h:
			if r.Message == message {
				r.Attrs(func(a slog.Attr) bool {
					if a.Key == "error" {
						said = a.Value.String()
					}
					return true
				})
				return said
			}
		case <-time.After(patience):
			t.Fatalf("the log does not say within %v: %s", patience, message)
		}
	}
}
