package rigs

// The database is locked, or gone: every endpoint that needs it answers 503 with Retry-After and never
// 401, since a 401 signs an honest user out (I11). It recovers without a restart, and what was refused
// meanwhile has changed nothing (I10).

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// need is what an endpoint needs of the database.
type need int

const (
	nothing need = iota
	reading      // works while SQLite is locked: readers go on beside a writer
	writing
)

// probe is one honest request, good for one success. The statuses are those with a database.
type probe struct {
	name, method, path string
	bearer, page       string // tokens: of the API, of the hosted pages
	body               any
	form               url.Values
	basic              bool
	needs              need
	after              int
}

const (
	introspector = "rig"
	clientSecret = "a secret between the rig's client and the server"
)

// clientsFile registers a client that may introspect.
func clientsFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clients.toml")
	text := "[[client]]\nalias = \"" + introspector + "\"\nname = \"Rig\"\nurl = \"https://app.example.com\"\nsecret = \"" + clientSecret + "\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDatabaseLocked(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	n := stage.StartNode(t, stage.Settings{"SMTP_URL": p.URL(), "CLIENTS_FILE": clientsFile(t)})
	outage{n, p, writing}.endure(t, stage.Lane(t, 1, 5, 20), func() (over func()) {
		db := openDatabase(t, n)
		db.exec("BEGIN EXCLUSIVE")
		return func() {
			db.exec("ROLLBACK")
			db.close()
		}
	})
}

func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	cluster, err := authtest.StartCluster()
	if err != nil {
		t.Fatalf("PostgreSQL is part of the rigs: %v", err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	p := stage.NewPost(t)
	n := stage.StartNode(t, stage.Settings{"DATABASE_URL": newDatabase(t, cluster, "gone"), "SMTP_URL": p.URL(), "CLIENTS_FILE": clientsFile(t)})
	outage{n, p, reading}.endure(t, stage.Lane(t, 3, 30, 100), func() (over func()) {
		if err := cluster.Stop(); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := cluster.Start(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// outage is a node whose database refuses all that needs at least `refuses`.
type outage struct {
	node    *stage.Node
	post    *stage.Post
	refuses need
}

// endure asks for everything, some times over: what was refused once is refused again.
func (o outage) endure(t *testing.T, rounds int, begin func() (over func())) {
	t.Helper()
	probes := append(o.honest(t), o.foreign(t)...)
	for _, p := range probes { // a secret that was right within the minute needs no writing to be right again
		if p.basic && p.needs == reading {
			o.ask(t, p)
		}
	}
	over := begin()
	for range rounds {
		askAll(probes, func(p probe) { o.during(t, p) })
	}
	if got := o.node.Status(o.node.Admin + "/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("readyz of a node that cannot write: status %d, want 503", got)
	}
	if got := o.node.Status(o.node.URL + "/healthz"); got != http.StatusOK {
		t.Errorf("healthz: status %d: the process lives", got)
	}
	over()
	o.node.AwaitReady()
	askAll(probes, func(p probe) {
		res, body := o.ask(t, p)
		if res.StatusCode == http.StatusServiceUnavailable { // a fresh "no" may be repeated for as long as it said
			time.Sleep(time.Second)
			res, body = o.ask(t, p)
		}
		if res.StatusCode != p.after {
			t.Errorf("%s, after the outage: status %d, want %d: %s", p.name, res.StatusCode, p.after, body)
		}
	})
	for _, mailbox := range []string{"forgot@example.com", "verification@example.com"} {
		if _, ok := o.post.Await(mailbox, 30*time.Second, func(l []stage.Mail) bool { return len(l) > 0 }); !ok {
			t.Errorf("after the outage: no mail to %s", mailbox)
		}
	}
}

// askAll asks at once: each answer may take seconds.
func askAll(probes []probe, ask func(probe)) {
	var all sync.WaitGroup
	for _, p := range probes {
		all.Go(func() { ask(p) })
	}
	all.Wait()
}

// within is how long a refusal may take: the store's patience, and for a password as long again, since
// others' wrong passwords hold the permits to hash until they are counted.
const within = 12 * time.Second

func (o outage) during(t *testing.T, p probe) {
	began := time.Now()
	res, body := o.ask(t, p)
	if took := time.Since(began); took > within {
		t.Errorf("%s, during the outage: %v", p.name, took)
	}
	if p.needs < o.refuses {
		if res.StatusCode != p.after {
			t.Errorf("%s, during the outage: status %d, want %d: %s", p.name, res.StatusCode, p.after, body)
		}
		return
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); res.StatusCode != http.StatusServiceUnavailable || err != nil || seconds < 1 {
		t.Errorf("%s, during the outage: status %d, Retry-After %q, want 503 and seconds: %s", p.name, res.StatusCode, res.Header.Get("Retry-After"), body)
	}
	if set := res.Header["Set-Cookie"]; set != nil { // taking a cookie back signs an honest user out
		t.Errorf("%s, during the outage: sets %q", p.name, set)
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		return // a page for people
	}
	said := struct {
		Code  string `json:"code"`
		Error string `json:"error"` // under /oauth
	}{}
	if err := json.Unmarshal(body, &said); err != nil || said.Code != "unavailable" && said.Error != "temporarily_unavailable" {
		t.Errorf("%s, during the outage: %s", p.name, body)
	}
}

func (o outage) ask(t *testing.T, p probe) (*http.Response, []byte) {
	body, kind := "", ""
	switch {
	case p.form != nil:
		body, kind = p.form.Encode(), "application/x-www-form-urlencoded"
	case p.body != nil:
		raw, err := json.Marshal(p.body)
		if err != nil {
			t.Error(err)
		}
		body, kind = string(raw), "application/json"
	}
	req, err := http.NewRequest(p.method, o.node.URL+p.path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]string{"Content-Type": kind}
	if p.bearer != "" {
		header["Authorization"] = "Bearer " + p.bearer
	}
	for name, value := range maps.All(header) {
		req.Header.Set(name, value)
	}
	if p.page != "" {
		req.AddCookie(&http.Cookie{Name: pageCookie, Value: p.page})
	}
	if p.basic {
		req.SetBasicAuth(introspector, url.QueryEscape(clientSecret))
		req = req.WithContext(stage.At(req.Context(), "10.1.2.3")) // a resource server stays where it is
	}
	res, err := o.node.HTTP.Do(req)
	if err != nil {
		t.Errorf("%s: %v", p.name, err)
		return &http.Response{}, nil
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%s: %v", p.name, err)
	}
	return res, raw
}

// honest are requests that all succeed once the database is back, each with an account or session of
// its own.
func (o outage) honest(t *testing.T) []probe {
	t.Helper()
	cl := o.node.Client()
	const password, fresh = "correct horse battery staple", "a staple of correct batteries"
	user := func(name string) string { return name + "@example.com" }
	userID := member(t, cl, o.post, user("sessions"), password)
	for _, name := range []string{"changes", "resets", "page", "wrong", "forgot", "pages", "pages-changes"} {
		member(t, cl, o.post, user(name), password)
	}
	var s [8]api.Tokens
	for i := range s {
		s[i] = signIn(t, cl, user("sessions"), password)
	}
	changer := signIn(t, cl, user("changes"), password)
	reset := func(name string) string {
		if _, err := cl.ForgotPassword(t.Context(), api.ForgotPasswordRequest{Email: user(name)}); err != nil {
			t.Fatal(err)
		}
		return o.post.AwaitCode(user(name), resetPage, "", 20*time.Second)
	}
	verify := func(name string) string {
		if err := cl.RequestVerification(t.Context(), api.VerificationMailRequest{Email: user(name)}); err != nil {
			t.Fatal(err)
		}
		return o.post.AwaitCode(user(name), verifyPage, "", 20*time.Second)
	}
	ended := signIn(t, cl, user("sessions"), password)
	if err := cl.EndSession(t.Context(), ended.AccessToken, ended.SessionID); err != nil {
		t.Fatal(err)
	}
	query := url.Values{"email": {user("verifies")}, "verificationCode": {verify("verifies")}}
	pageForm := url.Values{"email": {user("page")}, "verificationCode": {reset("page")}, "password": {fresh}}
	post, get := http.MethodPost, http.MethodGet
	return append(o.pages(t, password, fresh), []probe{
		{name: "sign-in", method: post, path: "/auth/signin", body: api.SignInRequest{Email: user("sessions"), Password: password}, needs: writing, after: 200},
		{name: "sign-in, wrong", method: post, path: "/auth/signin", body: api.SignInRequest{Email: user("wrong"), Password: "not the password"}, needs: writing, after: 401},
		{name: "sign-in, unknown", method: post, path: "/auth/signin", body: api.SignInRequest{Email: user("nobody"), Password: password}, needs: writing, after: 401},
		{name: "refresh", method: post, path: "/auth/refresh-token", body: api.RefreshRequest{RefreshToken: s[0].RefreshToken}, needs: writing, after: 200},
		{name: "refresh, ended", method: post, path: "/auth/refresh-token", body: api.RefreshRequest{RefreshToken: ended.RefreshToken}, needs: writing, after: 401},
		{name: "sign-out", method: post, path: "/auth/signout", bearer: s[1].AccessToken, needs: writing, after: 200},
		{name: "sign-out of a list", method: post, path: "/auth/signout", bearer: s[2].AccessToken, body: api.SignOutRequest{Sessions: &[]string{s[3].SessionID}}, needs: writing, after: 200},
		{name: "list", method: get, path: "/auth/" + userID + "/sessions", bearer: s[2].AccessToken, needs: reading, after: 200},
		{name: "delete", method: http.MethodDelete, path: "/auth/" + s[4].SessionID + "/sessions", bearer: s[2].AccessToken, needs: writing, after: 200},
		{name: "forgot-password", method: post, path: "/auth/forgot-password", body: api.ForgotPasswordRequest{Email: user("forgot")}, needs: writing, after: 200},
		{name: "password-reset", method: post, path: "/auth/password-reset/" + user("resets"), body: api.PasswordResetRequest{Password: fresh, Token: reset("resets")}, needs: writing, after: 200},
		{name: "reset-password", method: post, path: "/auth/reset-password", bearer: changer.AccessToken, body: api.ChangePasswordRequest{Email: user("changes"), OldPassword: password, NewPassword: fresh}, needs: writing, after: 200},
		{name: "password-check", method: post, path: "/auth/password-check", body: api.PasswordCheckRequest{Password: fresh}, needs: writing, after: 200},
		{name: "verification-mail", method: post, path: "/auth/verification-mail", body: api.VerificationMailRequest{Email: user("verification")}, needs: writing, after: 201},
		{name: "verify", method: get, path: "/auth/verify?" + query.Encode(), needs: writing, after: 200},
		{name: "sign-up", method: post, path: "/auth/signup", body: api.SignUpRequest{Email: user("new"), Password: password, FirstName: "Ada", LastName: "Lovelace", VerificationCode: verify("new")}, needs: writing, after: 201},
		{name: "userinfo", method: get, path: "/auth/userinfo", bearer: s[2].AccessToken, needs: reading, after: 200},
		{name: "userinfo, ended", method: get, path: "/auth/userinfo", bearer: ended.AccessToken, needs: reading, after: 401},
		{name: "introspect", method: post, path: "/oauth/introspect", form: url.Values{"token": {s[2].AccessToken}}, basic: true, needs: reading, after: 200},
		{name: "introspect a refresh token", method: post, path: "/oauth/introspect", form: url.Values{"token": {s[2].RefreshToken}}, basic: true, needs: reading, after: 200},
		{name: "revoke", method: post, path: "/oauth/revoke", form: url.Values{"token": {s[5].RefreshToken}}, needs: writing, after: 200},
		{name: "revoke an access token", method: post, path: "/oauth/revoke", form: url.Values{"token": {s[6].AccessToken}}, needs: writing, after: 200},
		{name: "page for a reset", method: post, path: "/reset-password", form: pageForm, needs: writing, after: 200},
		{name: "key set", method: get, path: "/.well-known/jwks.json", needs: nothing, after: 200},
		{name: "discovery", method: get, path: "/.well-known/openid-configuration", needs: nothing, after: 200},
		{name: "clients", method: get, path: "/auth/clientAliases", needs: nothing, after: 200},
	}...)
}

// pages are honest requests of people on the hosted pages. What succeeds there is redirected to a page.
func (o outage) pages(t *testing.T, password, fresh string) []probe {
	t.Helper()
	const email, changes = "pages@example.com", "pages-changes@example.com"
	var in [5]string
	for i := range in {
		in[i] = inPages(t, o.node, email, password)
	}
	ended := strings.Split(inPages(t, o.node, email, password), ".")[0] // a page token begins with its session
	credentials := url.Values{"email": {email}, "password": {password}}
	post, get := http.MethodPost, http.MethodGet
	return []probe{
		{name: "page of sessions", method: get, path: "/account", page: in[0], needs: reading, after: 200},
		{name: "page to change a password", method: get, path: "/change-password", page: in[0], needs: reading, after: 200},
		{name: "page to sign in", method: get, path: "/signin", page: in[0], needs: nothing, after: 200},
		{name: "page: sign in", method: post, path: "/signin", form: credentials, needs: writing, after: 200},
		{name: "page: sign out", method: post, path: "/signout", page: in[1], form: url.Values{}, needs: writing, after: 200},
		{name: "page: end a session", method: post, path: "/account/end-session", page: in[2], form: url.Values{"sessionId": {ended}}, needs: writing, after: 200},
		{name: "page: language", method: post, path: "/language", page: in[3], form: url.Values{"language": {"en"}, "back": {"/account"}}, needs: writing, after: 200},
		{name: "page: change a password", method: post, path: "/change-password", page: inPages(t, o.node, changes, password), form: url.Values{"oldPassword": {password}, "newPassword": {fresh}}, needs: writing, after: 200},
		{name: "page: sign up", method: post, path: "/signup", form: url.Values{"email": {"pages-new@example.com"}}, needs: writing, after: 200},
		{name: "page: dead link", method: get, path: "/reset-password?email=nobody@example.com&verificationCode=x", needs: writing, after: 400},
	}
}

// foreign are tokens made under keys that this server does not know. Whether the database knows them
// cannot be found out during an outage, so that is no reason for a 401 yet.
func (o outage) foreign(t *testing.T) []probe {
	t.Helper()
	other := stage.StartNode(t, stage.Settings{"SMTP_URL": o.post.URL(), "PUBLIC_URL": o.node.Settings["PUBLIC_URL"]})
	const email, password = "stranger@example.com", "correct horse battery staple"
	member(t, other.Client(), o.post, email, password)
	tokens, page := signIn(t, other.Client(), email, password), inPages(t, other, email, password)
	other.Kill()
	return []probe{
		{name: "userinfo, unknown key", method: http.MethodGet, path: "/auth/userinfo", bearer: tokens.AccessToken, needs: reading, after: 401},
		{name: "refresh, unknown master key", method: http.MethodPost, path: "/auth/refresh-token", body: api.RefreshRequest{RefreshToken: tokens.RefreshToken}, needs: reading, after: 401},
		{name: "page, unknown master key", method: http.MethodGet, path: "/account", page: page, needs: reading, after: 200}, // of signing in
	}
}
