package server_test

// What the tests of the API share: a whole server on each engine, and callers who each have an
// address of their own, so that nobody's failures count against another.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/audit"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/mail"
	"latchkey/internal/server"
)

func TestMain(m *testing.M) { authtest.Main(m) }

// proof is one case of an endpoint's table. Its name is what it must see that endpoint answer,
// "401 invalid_credentials", and may go on, after a colon, with what tells it from others.
type proof struct {
	name string
	run  func(a *app)
}

// prove runs the proofs of one operation of the API ("POST /auth/signin") on both engines, and holds
// each to its name.
func prove(t *testing.T, operation string, tweak func(*auth.Options), proofs []proof) {
	t.Helper()
	onBothEngines(t, tweak, func(t *testing.T, n *node) {
		for _, p := range proofs {
			t.Run(p.name, func(t *testing.T) {
				a := n.enter(t)
				what, _, _ := strings.Cut(p.name, ":")
				if strings.HasPrefix(what, "429") { // quotas fill up and waits end when the proof says so, however long it takes
					a.Clock.Stop()
					defer a.Clock.Start()
				}
				p.run(a)
				if !t.Failed() && !a.door.saw(operation, what) {
					t.Errorf("%s has not answered %s in this test", operation, what)
				}
			})
		}
	})
}

// onBothEngines runs a test on a server of its own on each engine.
func onBothEngines(t *testing.T, tweak func(*auth.Options), test func(t *testing.T, n *node)) {
	t.Helper()
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		t.Parallel()
		test(t, newNode(t, db, tweak))
	})
}

// node is one running server behind a trusted proxy: ourselves.
type node struct {
	rig   *authtest.Rig
	base  string
	count atomic.Int64 // of callers and addresses, to tell them apart
}

func newNode(t testing.TB, db authtest.Database, tweak func(*auth.Options)) *node {
	t.Helper()
	if tweak == nil {
		tweak = func(*auth.Options) {}
	}
	n := &node{rig: authtest.New(t, db, registered, tweak)}
	o := n.rig.ServerOptions()
	o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	listener := httptest.NewServer(server.New(o))
	t.Cleanup(listener.Close)
	n.base = listener.URL
	return n
}

// The clients every node of these tests has.
const (
	webURL    = "https://web.example.com"
	mobileURL = "https://mobile.example.com/app"
	secret    = "s3cret of the: large resource server"
)

func registered(o *auth.Options) {
	clients, err := clients.New([]clients.Client{
		{Alias: "web", Name: "Example Web", URL: webURL, URLs: []string{"http://localhost:3000"}, LogoURL: webURL + "/logo.png", Default: true},
		{Alias: "mobile", Name: "Example Mobile", URL: mobileURL, From: "Mobile <mobile@example.com>"},
		{Alias: "resource", Name: "Example Resource", URL: "https://api.example.com", Secret: secret, Feed: true},
		{Alias: "studio", Name: "Example Studio", URL: "https://studio.example.com", SignupWithoutCode: true},
	})
	if err != nil {
		panic(err) // the list above is wrong
	}
	o.Clients = clients
}

// app is a node as one test case meets it. Its Client and everything it sends go through its door, without a device
// token but where a test names its header.
type app struct {
	*authtest.Rig
	*testing.T
	node *node
	door *door
}

func (n *node) enter(t *testing.T) *app {
	rig := *n.rig
	a := &app{Rig: &rig, T: t, node: n, door: newDoor(t, n.address())}
	rig.Client = client.New(n.base, &http.Client{Transport: a.door}).On(nil)
	return a
}

// address is an address nobody else calls from.
func (n *node) address() string {
	i := n.count.Add(1)
	return fmt.Sprintf("198.18.%d.%d", i/250, 1+i%250)
}

// send sends one request. body is nil, JSON text as a string, url.Values for a form, or what is
// encoded as JSON; headers are "Name: value".
func (a *app) send(method, path string, body any, headers ...string) answer {
	a.Helper()
	x, err := a.ask(method, path, body, headers...)
	if err != nil {
		a.Fatal(err)
	}
	return x
}

// ask is send for any goroutine.
func (a *app) ask(method, path string, body any, headers ...string) (answer, error) {
	a.Helper()
	req, err := http.NewRequest(method, a.node.base+path, nil)
	if err != nil {
		return answer{}, err
	}
	text, contentType := encode(a.T, body)
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	given := http.Header{}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		given.Add(name, value)
	}
	for name, values := range given {
		req.Header[name] = values
	}
	res, err := a.door.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	return answer{t: a.T, status: res.StatusCode, header: res.Header, body: got}, err
}

// together does n things at once and returns what came of each.
func together[T any](t *testing.T, n int, do func(i int) (T, error)) []T {
	t.Helper()
	out, errs := make([]T, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { out[i], errs[i] = do(i) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return out
}

func encode(t *testing.T, body any) (text, contentType string) {
	t.Helper()
	switch body := body.(type) {
	case nil:
		return "", ""
	case string:
		return body, "application/json"
	case url.Values:
		return body.Encode(), "application/x-www-form-urlencoded"
	}
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), "application/json"
}

func (a *app) post(path string, body any, headers ...string) answer {
	a.Helper()
	return a.send(http.MethodPost, path, body, headers...)
}

func (a *app) get(path string, headers ...string) answer {
	a.Helper()
	return a.send(http.MethodGet, path, nil, headers...)
}

func bearer(token string) string { return "Authorization: Bearer " + token }

// from makes a request come from another address than the case's own.
func from(addr string) string { return "X-Forwarded-For: " + addr }

// members are those of a JSON object.
type members map[string]any

// answer is a response that was read to its end.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// is ends the test unless the answer has that status and code: "200", "401 invalid_credentials".
func (x answer) is(want string) answer {
	x.t.Helper()
	if got := what(x.status, x.header, x.body); got != want {
		x.t.Fatalf("got %s, want %s: %s", got, want, x.body)
	}
	return x
}

// what puts an answer's status and code in words. Under /oauth the code is RFC 6749's error, or stands in the header.
func what(status int, header http.Header, body []byte) string {
	if code := header.Get(api.CodeHeader); code != "" {
		return strconv.Itoa(status) + " " + code
	}
	var e struct{ Code, Error string }
	if status >= 400 && json.Unmarshal(body, &e) == nil {
		code := e.Code
		if code == "" {
			code = e.Error
		}
		return strconv.Itoa(status) + " " + code
	}
	return strconv.Itoa(status)
}

// says ends the test unless the answer's message is exactly that.
func (x answer) says(message string) answer {
	x.t.Helper()
	var got struct{ Message string }
	if err := json.Unmarshal(x.body, &got); err != nil || got.Message != message {
		x.t.Fatalf("message %q, want %q", got.Message, message)
	}
	return x
}

// blames ends the test unless the answer names exactly these fields: "email required, password too_long".
func (x answer) blames(want string) answer {
	x.t.Helper()
	var said []string
	for _, f := range decode[api.Error](x).Errors {
		said = append(said, f.Field+" "+f.Code)
	}
	if got := strings.Join(said, ", "); got != want {
		x.t.Fatalf("errors name %q, want %q: %s", got, want, x.body)
	}
	return x
}

// decode reads the whole body, dataOf what is in its envelope; neither takes members it does not know.
func decode[T any](x answer) (out T) {
	x.t.Helper()
	d := json.NewDecoder(bytes.NewReader(x.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		x.t.Fatalf("decode %s: %v", x.body, err)
	}
	return out
}

func dataOf[T any](x answer) T {
	x.t.Helper()
	return decode[api.Response[T]](x).Data
}

// email is an address nobody else uses.
func (a *app) email() string { return fmt.Sprintf("u%d@example.com", a.node.count.Add(1)) }

// user makes a verified account with authtest.Password and returns its address.
func (a *app) user() string {
	a.Helper()
	return a.AddUser(a.T, a.email()).Email
}

// add makes an account of any kind.
func (a *app) add(u auth.NewUser) auth.User {
	a.Helper()
	u.FirstName, u.LastName = "Ada", "Lovelace"
	added, err := a.Service.AddUser(a.Context(), u)
	if err != nil {
		a.Fatal(err)
	}
	return added
}

// in makes a user and signs it in.
func (a *app) in() (email string, tokens api.Tokens) {
	a.Helper()
	email = a.user()
	return email, a.In(a.T, email)
}

func (a *app) signIn(email, password string) answer {
	a.Helper()
	return a.post("/auth/signin", members{"email": email, "password": password})
}

// userID is the subject of an access token.
func (a *app) userID(tokens api.Tokens) string {
	a.Helper()
	return jwt(a.T, tokens.AccessToken).claims["sub"].(string)
}

// alive and dead say what has become of a session, by both of its tokens. alive returns the pair that
// is good now.
func (a *app) alive(tokens api.Tokens) api.Tokens {
	a.Helper()
	a.get("/auth/userinfo", bearer(tokens.AccessToken)).is("200")
	return dataOf[api.Tokens](a.post("/auth/refresh-token", members{"refreshToken": tokens.RefreshToken}).is("200"))
}

func (a *app) dead(tokens api.Tokens) {
	a.Helper()
	a.get("/auth/userinfo", bearer(tokens.AccessToken)).is("401 invalid_token")
	a.post("/auth/refresh-token", members{"refreshToken": tokens.RefreshToken}).is("401 invalid_refresh_token")
}

// mailTo lists the mails to an address, newest first, after delivering what is due.
func (a *app) mailTo(email string) []mail.Message {
	a.Helper()
	a.Deliver(a.T)
	var list []mail.Message
	for _, m := range a.Mailbox.Messages() {
		if m.To == email {
			list = append(list, m)
		}
	}
	return list
}

// audited lists what the audit log says of an account, "kind outcome times" each.
func (a *app) audited(email string) (list []string) {
	a.Helper()
	events, err := a.Service.AuditEvents(context.Background(), audit.Query{User: email, Limit: 100})
	if err != nil {
		a.Fatal(err)
	}
	for _, e := range events {
		list = append(list, fmt.Sprintf("%s %s %d", e.Kind, e.Outcome, e.Times))
	}
	return list
}

// subjects are those of the mails to an address, newest first.
func (a *app) subjects(email string) string {
	a.Helper()
	var list []string
	for _, m := range a.mailTo(email) {
		list = append(list, m.Subject)
	}
	return strings.Join(list, " | ")
}
