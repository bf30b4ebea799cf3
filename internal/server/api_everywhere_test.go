package server_test

// What holds for every operation of the document: bodies, twins under /v1, the order of checks, CORS,
// and what it says when the database is away or when we made a mistake.

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/server"
	"latchkey/internal/store"
)

// sample is a request that an operation accepts, with credentials where it wants some.
type sample struct {
	method, path string
	body         any
	headers      []string
}

// requestFor makes one for an operation, for a new user, as far as that goes without a mailed code or an app.
func (a *app) requestFor(op operation) sample {
	a.Helper()
	email, tokens := a.in()
	method, path, _ := strings.Cut(op.name, " ")
	r := sample{method: method, path: strings.Replace(path, "{email}", email, 1)}
	switch op.OperationID {
	case "signIn":
		r.body = members{"email": email, "password": authtest.Password}
	case "refresh":
		r.body = members{"refreshToken": tokens.RefreshToken}
	case "signOut", "userInfo", "postUserInfo", "appUserInfo", "postAppUserInfo", "consents":
		r.headers = []string{bearer(tokens.AccessToken)}
	case "sessions":
		r.path, r.headers = strings.Replace(path, "{id}", a.userID(tokens), 1), []string{bearer(tokens.AccessToken)}
	case "endSession":
		r.path, r.headers = strings.Replace(path, "{id}", tokens.SessionID, 1), []string{bearer(tokens.AccessToken)}
	case "revokeConsent":
		r.path, r.headers = strings.Replace(path, "{client}", "web", 1), []string{bearer(tokens.AccessToken)}
	case "forgotPassword", "verificationMail":
		r.body = members{"email": email}
	case "resetPassword":
		r.body = members{"password": newPassword, "token": madeUp}
	case "changePassword":
		r.body = members{"email": email, "oldPassword": authtest.Password, "newPassword": newPassword}
	case "checkPassword":
		r.body = members{"password": newPassword}
	case "verify":
		r.path += "?" + url.Values{"email": {email}, "verificationCode": {madeUp}}.Encode()
	case "signUp":
		r.body = members{"email": email, "password": newPassword, "firstName": "a", "lastName": "b", "verificationCode": madeUp}
	case "token":
		r.body = url.Values{"grant_type": {"refresh_token"}, "client_id": {"web"}, "refresh_token": {tokens.RefreshToken}} // not its own
	case "introspect":
		r.body, r.headers = url.Values{"token": {tokens.RefreshToken}}, []string{basicAuth("resource", secret)}
	case "revocations":
		r.headers = []string{basicAuth("resource", secret)}
	case "postRevocations":
		r.body, r.headers = url.Values{"after": {"x"}}, []string{basicAuth("resource", secret)}
	case "revoke":
		r.body = url.Values{"token": {tokens.RefreshToken}}
	}
	return r
}

func (a *app) make(r sample) answer {
	a.Helper()
	return a.send(r.method, r.path, r.body, r.headers...)
}

// takesJSON says whether the operation has a JSON body.
func (op operation) takesJSON() bool {
	return op.RequestBody != nil && op.RequestBody.Value.Content["application/json"] != nil
}

// fields are the names of the operation's JSON body.
func (op operation) fields() []string {
	var names []string
	for name := range op.RequestBody.Value.Content["application/json"].Schema.Value.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// notOneObject is every body that is not one JSON object in UTF-8 with each name once.
var notOneObject = []string{
	`[]`, `"x"`, `1`, `true`, `null`, ` `, `{`, `}`, `{}{}`, `{} x`, `{},`, `{"a":1,}`, `{'a':1}`, `{a:1}`, `{"a":NaN}`, `{"a":01}`, "{\"a\":\"\t\"}", `{/**/}`, "\ufeff{}",
	`{"email":"a","email":"b"}`, `{"a":1,"a":1}`, `{"a":{"b":1,"b":2}}`, `{"email":"a","em\u0061il":"b"}`,
	"{\"a\":\"\xff\"}", "{\"\xc0\xae\":1}", "{\"a\":\"\xed\xa0\x80\"}", `{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, `{"\ud800":1}`, `{"a":"\ud800\u0041"}`,
}

func TestBodies(t *testing.T) {
	t.Parallel()
	n := newNode(t, authtest.SQLite(t), nil) // HTTP alone: no engine is asked
	for _, op := range operations() {
		if op.RequestBody == nil {
			continue
		}
		bodies := map[string]func(a *app, r sample){
			"413 body_too_large": tooLarge, "415 unsupported_media_type": otherMedia,
		}
		if op.takesJSON() {
			bodies["400 invalid_request"] = func(a *app, r sample) { strictly(a, op, r) }
		}
		for name, body := range bodies {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				a := n.enter(t)
				body(a, a.requestFor(op))
			})
		}
	}
}

func tooLarge(a *app, r sample) {
	text, contentType := encode(a.T, r.body)
	if text == "" {
		text, contentType = `{}`, "application/json"
	}
	headers := append(r.headers, "Content-Type: "+contentType)
	pad := func(size int) string {
		if head, isObject := strings.CutSuffix(text, "}"); isObject {
			if head != "{" {
				head += ","
			}
			return head + `"pad":"` + strings.Repeat("x", size-len(head)-len(`"pad":""}`)) + `"}`
		}
		return text + "&pad=" + strings.Repeat("x", size-len(text)-len("&pad="))
	}
	if x := a.send(r.method, r.path, pad(16<<10+1), headers...); x.status != 413 {
		a.Errorf("16 KiB and a byte: %d %s", x.status, x.body)
	}
	if x := a.send(r.method, r.path, pad(16<<10), headers...); x.status == 413 || strings.Contains(string(x.body), "malformed") {
		a.Errorf("16 KiB: %d %s", x.status, x.body)
	}
}

func otherMedia(a *app, r sample) {
	text, contentType := encode(a.T, r.body)
	if text == "" {
		text, contentType = `{}`, "application/json"
	}
	other := map[string]string{"application/json": "application/x-www-form-urlencoded", "application/x-www-form-urlencoded": "application/json"}[contentType]
	for _, media := range []string{other, "text/plain", "application/jsonx", contentType + "; charset=utf-16", contentType + ", " + contentType, "multipart/form-data; boundary=x", ""} {
		if x := a.send(r.method, r.path, text, append(r.headers, "Content-Type: "+media)...); x.status != 415 {
			a.Errorf("%q: %d %s", media, x.status, x.body)
		}
	}
	for _, media := range []string{contentType + "; charset=UTF-8", strings.ToUpper(contentType)} {
		if x := a.send(r.method, r.path, text, append(r.headers, "Content-Type: "+media)...); x.status == 415 {
			a.Errorf("%q: %d %s", media, x.status, x.body)
		}
	}
}

// strictly checks that an operation with a JSON body answers 400 to what is not one object in UTF-8 and to a
// name in another case, and ignores names that it does not know.
func strictly(a *app, op operation, r sample) {
	for _, body := range notOneObject {
		if trimmed := strings.Trim(body, " \t\r\n"); op.OperationID == "signOut" && (trimmed == "" || trimmed == "null") {
			continue // no body, which is fine there
		}
		x := a.send(r.method, r.path, body, r.headers...)
		if what(x.status, x.header, x.body) != "400 invalid_request" {
			a.Errorf("%q: %d %s", body, x.status, x.body)
			continue
		}
		x.says("The request body must be one JSON object, in UTF-8, with each name once.")
	}
	for _, name := range op.fields() {
		for _, other := range []string{strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
			a.send(r.method, r.path, fmt.Sprintf(`{%q:null}`, other), r.headers...).is("400 invalid_request").blames(name + " wrong_case")
		}
		a.send(r.method, r.path, fmt.Sprintf(`{%q:{}}`, name), r.headers...).is("400 invalid_request").blames(name + " invalid_type")
	}
	var nulls []string
	for _, name := range op.fields() {
		nulls = append(nulls, fmt.Sprintf("%q:null", name))
	}
	without := a.send(r.method, r.path, `{"isPasskey":{"x":[1,2.5e3,"\ud83d\ude00"]},"_":null}`, r.headers...)
	again := a.requestFor(op) // a sign-out has ended the session
	if diff := cmp.Diff(masked(without), masked(a.send(again.method, again.path, "{"+strings.Join(nulls, ",")+"}", again.headers...)),
		cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Header" }, cmp.Ignore())); diff != "" {
		a.Errorf("null is not the same as absent:\n%s", diff)
	}
}

// Every path is served both as written and under /v1.
func TestTwinsUnderV1(t *testing.T) {
	t.Parallel()
	n := newNode(t, authtest.SQLite(t), nil) // HTTP alone: no engine is asked
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			a := n.enter(t)
			first, second := a.requestFor(op), a.requestFor(op)
			second.path = "/v1" + second.path
			x, y := a.make(first), a.make(second)
			if what(x.status, x.header, x.body) != what(y.status, y.header, y.body) || x.status == 404 {
				t.Errorf("%d %s, under /v1 %d %s", x.status, x.body, y.status, y.body)
			}
			bad := sample{first.method, "/v1" + first.path, `{"`, []string{"Authorization: Bearer x"}}
			y = a.make(bad)
			bad.path = first.path
			if diff := cmp.Diff(masked(a.make(bad)), masked(y)); diff != "" && y.status >= 400 {
				t.Errorf("refusals differ:\n%s", diff)
			}
		})
	}
}

// Checks go Bearer (401), form (400), ownership (403).
func TestOrderOfChecks(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		email, mine := a.in()
		_, theirs := a.in()
		me := bearer(mine.AccessToken)
		a.post("/auth/signout", `{"sessions":[]}`, bearer("x")).is("401 invalid_token")
		a.post("/auth/signout", strings.Repeat("x", 20<<10), bearer("x")).is("401 invalid_token")
		a.post("/auth/signout", members{"sessions": []string{theirs.SessionID, "x"}}, me).is("400 invalid_request")
		a.post("/auth/signout", members{"sessions": []string{theirs.SessionID}}, me).is("403 forbidden")
		a.get("/auth/x/sessions", bearer("x")).is("401 invalid_token")
		a.get("/auth/x/sessions", me).is("400 invalid_request")
		a.get("/auth/"+a.userID(theirs)+"/sessions", me).is("403 forbidden")
		a.send("DELETE", "/auth/x/sessions", nil, bearer("x")).is("401 invalid_token")
		a.send("DELETE", "/auth/x/sessions", nil, me).is("400 invalid_request")
		a.send("DELETE", "/auth/"+uuid.NewString()+"/sessions", nil, me).is("403 forbidden")
		a.post("/auth/reset-password", `{"`, bearer("x")).is("401 invalid_token")
		a.change(email, "", newPassword, bearer(theirs.AccessToken)).is("400 invalid_request")
		a.change(email, newPassword, newPassword, bearer(theirs.AccessToken)).is("403 forbidden")
		a.change(email, "wrong", "short", bearer(theirs.AccessToken)).is("403 forbidden")
		a.post("/oauth/introspect", url.Values{}, basicAuth("resource", "wrong")).is("401 invalid_client")
		a.post("/oauth/revoke", `{}`, basicAuth("resource", "wrong")).is("401 invalid_client")
		a.post("/oauth/token", `{}`, basicAuth("resource", "wrong")).is("401 invalid_client")
		a.alive(mine)
		a.alive(theirs)
	})
}

// Web pages of registered origins may call every operation but the feed (TestNoPageReadsTheFeed), others none.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	n := newNode(t, authtest.SQLite(t), nil) // HTTP alone: no engine is asked
	const asked = "content-type,server_tokens,strict-transport-security,x-frame-options"
	for _, op := range operations() {
		if op.path == "/oauth/revocations" {
			continue
		}
		t.Run(op.name, func(t *testing.T) {
			a := n.enter(t)
			r := a.requestFor(op)
			for _, prefix := range []string{"", "/v1"} {
				preflight := func(origin string) answer {
					return a.send("OPTIONS", prefix+r.path, nil, "Origin: "+origin, "Access-Control-Request-Method: "+r.method, "Access-Control-Request-Headers: "+asked)
				}
				for _, origin := range []string{webURL, "http://localhost:3000", "https://mobile.example.com"} {
					h := preflight(origin).is("204").header
					if h.Get("Access-Control-Allow-Origin") != origin || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Access-Control-Allow-Headers") != asked ||
						!strings.Contains(h.Get("Access-Control-Allow-Methods"), r.method) || h.Get("Access-Control-Max-Age") == "" || !strings.Contains(strings.Join(h["Vary"], ","), "Origin") {
						t.Errorf("%s: %v", origin, h)
					}
				}
				for _, origin := range []string{"https://evil.example", "null", "*", "http://web.example.com", "https://web.example.com.", "https://web.example.com:8443"} {
					for name := range preflight(origin).header {
						if strings.HasPrefix(name, "Access-Control-") && !strings.Contains(r.path, "/.well-known/") { // published: TestPublishedDocuments
							t.Errorf("%s is given %s", origin, name)
						}
					}
				}
			}
			r.headers = append(r.headers, "Origin: "+webURL)
			h := a.make(r).header
			for _, name := range []string{"Retry-After", "RateLimit", "RateLimit-Policy", "X-Latchkey-Device", "WWW-Authenticate", "X-Latchkey-Code", "Date"} {
				if !slices.Contains(strings.Split(h.Get("Access-Control-Expose-Headers"), ", "), name) {
					t.Errorf("%s is not exposed", name)
				}
			}
			if h.Get("Access-Control-Allow-Origin") != webURL || h.Get("Access-Control-Allow-Credentials") != "true" || !slices.Contains(h["Vary"], "Origin") {
				t.Errorf("headers %v", h)
			}
		})
	}
}

// Without its database the server says so, with Retry-After, and never 401: that would sign honest
// users out (I11). When the database is back, so is the server.
func TestUnavailable(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds until something is given up")
	}
	t.Parallel()
	t.Run("503 unavailable", func(t *testing.T) {
		t.Run("PostgreSQL is stopped", func(t *testing.T) {
			t.Parallel()
			authtest.NeedsPostgres(t)
			cluster, err := authtest.StartCluster()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cluster.Close() })
			url, err := cluster.CreateDatabase("away")
			if err != nil {
				t.Fatal(err)
			}
			n := newNode(t, authtest.Database{Engine: "postgres", Options: store.Options{URL: url}}, nil)
			_, tokens := n.enter(t).in()
			requests := n.requests(t)
			if err := cluster.Stop(); err != nil {
				t.Fatal(err)
			}
			saysUnavailable(t, n, requests)
			for _, path := range []string{"/healthz", "/auth/clientAliases", "/.well-known/jwks.json", "/.well-known/openid-configuration"} {
				n.enter(t).get(path).is("200") // what needs no database goes on
			}
			if text := scrape(n.enter(t)); !strings.Contains(text, "latchkey_database_up 0\n") || strings.Contains(text, "latchkey_outbox_mails ") {
				t.Error("the metrics do not say that the database is away")
			}
			if err := cluster.Start(); err != nil {
				t.Fatal(err)
			}
			n.enter(t).alive(tokens)
			n.enter(t).get("/readyz").is("200")
		})
		t.Run("SQLite's file is locked", func(t *testing.T) {
			t.Parallel()
			db := authtest.SQLite(t)
			n := newNode(t, db, nil)
			_, tokens := n.enter(t).in()
			requests := n.requests(t)
			for name, r := range requests { // others may read meanwhile
				if r.method == "GET" && !strings.HasPrefix(r.path, "/auth/verify") || strings.HasSuffix(r.path, "/introspect") || strings.HasSuffix(r.path, "/revocations") || strings.HasSuffix(r.path, "/userinfo") {
					n.enter(t).make(r).is("200")
					delete(requests, name)
				}
			}
			release := lock(t, db.Open(t))
			saysUnavailable(t, n, requests)
			release()
			n.enter(t).alive(tokens)
		})
	})
}

// requests are one for each operation that needs the database.
func (n *node) requests(t *testing.T) map[string]sample {
	t.Helper()
	list := map[string]sample{}
	for _, op := range operations() {
		if op.Responses.Value("503") != nil && op.OperationID != "jwks" { // that needs the keys alone: TestJWKSEndpoint
			list[op.name] = n.enter(t).requestFor(op)
		}
	}
	return list
}

func saysUnavailable(t *testing.T, n *node, requests map[string]sample) {
	t.Helper()
	names := slices.Sorted(maps.Keys(requests))
	a := n.enter(t)
	for i, x := range together(t, len(names), func(i int) (answer, error) {
		r := requests[names[i]]
		return a.ask(r.method, r.path, r.body, r.headers...)
	}) {
		if got := what(x.status, x.header, x.body); got != "503 unavailable" && got != "503 temporarily_unavailable" || x.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v %s", names[i], x.status, x.header, x.body)
		}
	}
}

// lock keeps other writers out of a SQLite file until the function it returns is called.
func lock(t *testing.T, s *store.Store) (release func()) {
	t.Helper()
	held, done := make(chan struct{}), make(chan struct{})
	var over sync.WaitGroup
	over.Go(func() {
		if err := s.Write(t.Context(), func(*store.Tx) error { close(held); <-done; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-held
	return func() { close(done); over.Wait() }
}

// A defect is 500 with a request id, and nothing of its cause.
func TestServerError(t *testing.T) {
	t.Parallel()
	n := newNode(t, authtest.SQLite(t), nil)
	open := n.rig.Options
	started := false
	open.Now = func() time.Time { // sign-up is closed without options: this defect lies behind that
		if started {
			panic("no clock: invalid memory address or nil pointer dereference")
		}
		return n.rig.Clock.Now()
	}
	lame, err := auth.New(t.Context(), open)
	if err != nil {
		t.Fatal(err)
	}
	started = true
	for _, op := range operations() {
		if op.Responses.Value("500") == nil {
			continue
		}
		t.Run("500 server_error/"+op.name, func(t *testing.T) {
			a := n.enter(t)
			r := a.requestFor(op)
			o := server.Options{Service: &auth.Service{}, Log: slog.New(slog.DiscardHandler), Metrics: server.NewMetrics()} // a Service without parts panics where it needs one
			if err := o.Service.SetClients(n.rig.Options.Clients); err != nil {
				t.Fatal(err)
			}
			if op.OperationID == "signUp" {
				o.Service = lame
			}
			handler := server.New(o)
			if op.OperationID == "clientAliases" { // which needs no part of it
				handler = breaksAtTheAnswer(handler)
			}
			broken := httptest.NewServer(handler)
			t.Cleanup(broken.Close)
			a.node = &node{rig: n.rig, base: broken.URL}
			x := a.make(r).is("500 server_error")
			if strings.Contains(string(x.body), "nil pointer") || strings.Contains(string(x.body), "goroutine") {
				t.Errorf("the caller is told %s", x.body)
			}
		})
	}
}

// breaksAtTheAnswer serves h with a defect in the last call that a handler makes before its answer begins: the
// header is not to be had. Which call that is, the same request without the defect tells.
func breaksAtTheAnswer(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		whole := &headerCounter{ResponseWriter: httptest.NewRecorder()}
		h.ServeHTTP(whole, r)
		h.ServeHTTP(&headerCounter{ResponseWriter: w, defect: whole.asked}, r)
	})
}

// headerCounter counts how often the header is asked for before the answer begins, and panics at call number defect.
type headerCounter struct {
	http.ResponseWriter
	asked, defect int
	begun         bool
}

func (c *headerCounter) Header() http.Header {
	if !c.begun {
		c.asked++
	}
	if c.asked == c.defect {
		c.defect = 0
		panic("no header: invalid memory address or nil pointer dereference")
	}
	return c.ResponseWriter.Header()
}

func (c *headerCounter) WriteHeader(status int) {
	c.begun = true
	c.ResponseWriter.WriteHeader(status)
}
