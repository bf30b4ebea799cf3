package rigs

// Whoever steals the database, its journal, the logs or the metrics signs in nowhere with what is in
// them (I14): after everything that can happen has happened, all of it is searched for every secret
// that the rig knows.

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/token"
	"latchkey/rigs/stage"
)

const (
	userEmail    = "private.person@example.com"
	strayMailbox = "somebody-without-account@example.com" // asked for a reset: its address must be nowhere
	transportKey = "a key shared with the front end"
	pgPassword   = "the-password-of-the-database-user"
)

// story is a run through everything, and what must not be found afterwards.
type story struct {
	t       *testing.T
	n       *stage.Node
	post    *stage.Post
	cl      *client.Client
	hidden  search // nowhere
	private search // not in logs, metrics and refusals either
	heard   heard
	printed bytes.Buffer // by commands
}

// heard keeps what a client hears besides its tokens: refusals, and device tokens in headers.
type heard struct {
	http.RoundTripper
	mu       sync.Mutex
	refusals bytes.Buffer
	devices  []string
}

func (h *heard) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := h.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if device := res.Header.Get("X-Latchkey-Device"); device != "" {
		h.devices = append(h.devices, device)
	}
	if res.StatusCode >= 400 {
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			return nil, err
		}
		_ = res.Body.Close()
		res.Body = io.NopCloser(bytes.NewReader(raw))
		h.refusals.Write(raw)
		_ = res.Header.Write(&h.refusals)
	}
	return res, nil
}

func TestStolenDatabase(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, databaseURL string) {
		p := stage.NewPost(t)
		s := &story{t: t, post: p}
		extra := stage.Settings{"SMTP_URL": p.URL(), "CLIENTS_FILE": storyClients(t), "TRANSPORT_KEY": transportKey}
		if databaseURL != "" {
			extra["DATABASE_URL"] = databaseURL + "&password=" + pgPassword
		}
		s.n = stage.StartNode(t, extra)
		s.heard.RoundTripper = s.n.HTTP.Transport
		s.cl = client.New(s.n.URL, &http.Client{Transport: &s.heard, Timeout: 30 * time.Second})
		s.users()
		s.pages()
		s.apps()
		s.nonsense()
		s.commands()
		s.outstanding()
		s.masterAndSigningKeys()
		for _, device := range s.heard.devices {
			s.hidden.addToken("a device token", device)
		}
		if len(s.heard.devices) == 0 {
			t.Error("no device token was handed out: this test no longer covers them")
		}
		s.searchAll()
	})
}

// secret registers one that is text, and returns it.
func (s *story) secret(what, text string) string {
	s.hidden.add(what, []byte(text))
	return text
}

// users lives through every endpoint.
func (s *story) users() {
	t, ctx := s.t, context.Background()
	first, second, third := s.secret("the first password", "correct horse battery staple"), s.secret("the second password", "Größe über alles: 日本 \"quoted\\\""), s.secret("the third password", "an altogether different one")
	s.secret("the client secret", clientSecret)
	s.secret("the transport key", transportKey)
	s.secret("the database password", pgPassword)
	s.private.add("the address", []byte(userEmail))
	s.hidden.add("the address of a mailbox without account", []byte(strayMailbox))

	member(t, s.cl, s.post, userEmail, first)
	session := s.tokens(signIn(t, s.cl, userEmail, first))
	again := s.tokens(refresh(t, s.cl, session.RefreshToken))
	s.tokens(refresh(t, s.cl, session.RefreshToken))
	_, err := s.cl.SignIn(ctx, api.SignInRequest{Email: userEmail, Password: s.secret("a wrong password", "this one was mistyped")})
	refused(t, err, "invalid_credentials")
	s.must(s.cl.ChangePassword(ctx, again.AccessToken, api.ChangePasswordRequest{Email: userEmail, OldPassword: first, NewPassword: second}))
	if _, err := s.cl.Introspect(ctx, introspector, clientSecret, again.AccessToken); err != nil {
		t.Fatal(err)
	}
	_, err = s.cl.Introspect(ctx, introspector, s.secret("a wrong client secret", "not the secret of that client"), again.AccessToken)
	refused(t, err, "invalid_client")
	code := s.link(userEmail)
	s.must(s.cl.ResetPassword(ctx, userEmail, api.PasswordResetRequest{Password: third, Token: code}))
	refused(t, s.cl.ResetPassword(ctx, userEmail, api.PasswordResetRequest{Password: third, Token: code}), "invalid_reset_token")
	last := s.tokens(signIn(t, s.cl, userEmail, third))
	s.must(s.cl.Revoke(ctx, last.RefreshToken))
	last = s.tokens(signIn(t, s.cl, userEmail, third))
	s.must(s.cl.SignOut(ctx, last.AccessToken, api.SignOutRequest{}))
	_, err = s.cl.Refresh(ctx, last.RefreshToken)
	refused(t, err, "invalid_refresh_token")
	s.tokens(signIn(t, s.cl, userEmail, third))
}

// pages does on the hosted pages what one can do there, right and wrong.
func (s *story) pages() {
	t, n := s.t, s.n
	const third = "an altogether different one"
	wrong, fourth, fifth := s.secret("a password mistyped on a page", "these keys were stuck together"), s.secret("a password reset on a page", "a fourth one for the pages"), s.secret("a password changed on a page", "a fifth one, also on the pages")
	do := func(status int, path, page string, form url.Values) {
		t.Helper()
		if res := onPage(t, n, path, page, form); res.StatusCode != status {
			t.Fatalf("%s: %s, want %d", path, res.Status, status)
		}
	}
	in := func(password string) string {
		page := inPages(t, n, userEmail, password)
		s.hidden.addToken("a page token", page)
		return page
	}
	page := in(third)
	do(401, "/signin", page, url.Values{"email": {userEmail}, "password": {wrong}})
	do(200, "/account", page, nil)
	do(303, "/account", page+"x", nil)
	do(401, "/change-password", page, url.Values{"oldPassword": {wrong}, "newPassword": {fourth}})
	code := s.link(userEmail)
	link := "/reset-password?" + url.Values{"email": {userEmail}, "verificationCode": {code}}.Encode()
	do(200, link, page, nil)
	do(303, "/language", page, url.Values{"language": {"en"}, "back": {link}})
	do(400, "/reset-password", page, url.Values{"email": {userEmail}, "verificationCode": {code}, "password": {"password"}})
	do(303, "/reset-password", page, url.Values{"email": {userEmail}, "verificationCode": {code}, "password": {fourth}})
	do(400, link, page, nil)
	page = in(fourth)
	do(303, "/change-password", page, url.Values{"oldPassword": {fourth}, "newPassword": {fifth}})
	do(303, "/signout", page, url.Values{})
	in(fifth)
}

func (s *story) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) tokens(got api.Tokens) api.Tokens {
	s.hidden.addToken("an access token", got.AccessToken)
	s.hidden.addToken("a refresh token", got.RefreshToken)
	return got
}

// link asks for a reset link and returns its token.
func (s *story) link(mailbox string) string {
	s.t.Helper()
	known := s.post.NewestCode(mailbox, resetPage)
	if _, err := s.cl.ForgotPassword(context.Background(), api.ForgotPasswordRequest{Email: mailbox}); err != nil {
		s.t.Fatal(err)
	}
	code := s.post.AwaitCode(mailbox, resetPage, known, 20*time.Second)
	if code == "" {
		s.t.Fatalf("no reset mail to %s", mailbox)
	}
	s.hidden.addToken("a reset token", code)
	return code
}

// nonsense puts secrets where none belong: what cannot be read is not repeated.
func (s *story) nonsense() {
	password := s.secret("a password in a body that cannot be read", "misplaced but still secret")
	for _, c := range []struct{ method, path, kind, body string }{
		{"POST", "/auth/signin", "application/json", `{"email":"ada@example.com","password":"` + password + `","password":"` + password + `"}`},
		{"POST", "/auth/signin", "application/json", `{"email":"ada@example.com","password":"` + password},
		{"POST", "/auth/signin", "application/json", `{"email":"ada@example.com","password":["` + password + `"]}`},
		{"POST", "/auth/signin", "application/json", `{"email":"` + password + `","password":"` + password + `"}`},
		{"POST", "/auth/signin", "application/json", `"` + password + `"`},
		{"POST", "/auth/signin", "text/plain", password},
		{"POST", "/auth/signin?password=" + url.QueryEscape(password), "application/json", `{}`},
		{"POST", "/auth/refresh-token", "application/json", `{"refreshToken":"` + password + `"}`},
		{"POST", "/auth/password-reset/ada@example.com", "application/json", `{"token":"` + password + `","password":"` + password + `"}`},
		{"POST", "/auth/password-reset/" + url.PathEscape(password), "application/json", `{"token":"` + password + `","password":"` + password + `"}`},
		{"GET", "/auth/verify?email=ada@example.com&verificationCode=" + url.QueryEscape(password), "", ""},
		{"GET", "/auth/" + url.PathEscape(password) + "/sessions", "", ""},
		{"GET", "/" + url.PathEscape(password), "", ""},
		{"POST", "/oauth/introspect", "application/x-www-form-urlencoded", "token=" + url.QueryEscape(password)},
		{"POST", "/oauth/revoke", "application/x-www-form-urlencoded", "token=" + url.QueryEscape(password)},
		{"POST", "/end-session", "application/x-www-form-urlencoded", "token=" + url.QueryEscape(password)},
	} {
		req, err := http.NewRequest(c.method, s.n.URL+c.path, strings.NewReader(c.body))
		s.must(err)
		req.Header.Set("Content-Type", c.kind)
		req.Header.Set("Authorization", "Bearer "+strings.ReplaceAll(password, " ", "-"))
		res, err := (&http.Client{Transport: &s.heard}).Do(req)
		s.must(err)
		s.must(res.Body.Close())
	}
	s.secret("a bearer that is none", strings.ReplaceAll(password, " ", "-"))
}

// commands has the operator look at everything and set a password or two.
func (s *story) commands() {
	n := s.n
	run := func(stdin string, args ...string) string {
		s.t.Helper()
		out := n.Must(stdin, args...)
		s.printed.WriteString(out)
		return out
	}
	run(s.secret("a password given to user add", "typed by the operator")+"\n", "user", "add", "--email", "grace@example.com", "--first-name", "Grace", "--last-name", "Hopper", "--password-stdin")
	run(s.secret("a password given to set-password", "typed by the operator again")+"\n", "user", "set-password", "--email", "grace@example.com", "--password-stdin")
	run("", "user", "list", "--json")
	run("", "user", "show", "--email", userEmail, "--json")
	run("", "session", "list", "--email", userEmail, "--json")
	run("", "key", "list", "--json")
	run("", "key", "rotate")
	run("", "mail", "list", "--json")
	run("", "audit", "list", "--json")
	run("", "audit", "database")
}

// outstanding leaves links unspent, one mail unsent and one in vain.
func (s *story) outstanding() {
	ctx := context.Background()
	s.link(userEmail)
	s.must(s.cl.RequestVerification(ctx, api.VerificationMailRequest{Email: "new@example.com"}))
	s.hidden.addToken("a verification code", s.post.AwaitCode("new@example.com", verifyPage, "", 20*time.Second))
	_, err := s.cl.ForgotPassword(ctx, api.ForgotPasswordRequest{Email: strayMailbox})
	s.must(err)
	await(s.t, "the outbox is empty", func() bool { return waitingMails(s.t, s.n) == 0 })
	for _, mail := range s.post.All() {
		if code := mail.Code(verifyPage); code != "" {
			s.hidden.addToken("a verification code", code)
		}
		for _, found := range endLink.FindAllStringSubmatch(mail.Text(), -1) {
			s.hidden.addToken("the token of a notice", found[1])
		}
	}
	s.post.Be(stage.Away)
	_, err = s.cl.ForgotPassword(ctx, api.ForgotPasswordRequest{Email: "grace@example.com"})
	s.must(err)
	await(s.t, "the mail has been tried, so its token is made", func() bool {
		var waiting []outgoing
		s.must(json.Unmarshal([]byte(s.n.Must("", "mail", "list", "--waiting", "--json")), &waiting))
		return len(waiting) == 1 && waiting[0].LastError != ""
	})
}

var endLink = regexp.MustCompile(`/end-session\?token=([A-Za-z0-9._%-]+)`)

// masterAndSigningKeys registers the keys themselves. The signing key is opened as the server opens it.
func (s *story) masterAndSigningKeys() {
	text := s.n.Settings["MASTER_KEY"]
	if text == "" {
		raw, err := os.ReadFile(filepath.Join(s.n.Data, "master.key"))
		s.must(err)
		text = strings.TrimSpace(string(raw))
	}
	s.secret("the master key's text", text)
	raw, err := base64.StdEncoding.DecodeString(text)
	s.must(err)
	s.hidden.add("the master key", raw)

	master, err := token.ParseMasterKeys(text)
	s.must(err)
	db := openDatabase(s.t, s.n)
	defer db.close()
	const oldest = " FROM signing_keys ORDER BY created_at, id LIMIT 1"
	kid, id := row[string](db, "SELECT kid"+oldest), row[string](db, "SELECT id"+oldest)
	der, err := master.Open(kid, "signing key v1", row[[]byte](db, "SELECT sealed"+oldest), []byte(id))
	s.must(err)
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	s.must(err)
	scalar, err := parsed.(*ecdsa.PrivateKey).Bytes()
	s.must(err)
	s.hidden.add("a signing key in PKCS #8", der)
	s.hidden.add("a signing key's scalar", scalar)
}

// searchAll searches all that a thief could copy.
func (s *story) searchAll() {
	t := s.t
	database := s.database()
	s.n.Stop()
	if s.n.Settings["DATABASE_URL"] == "" {
		maps.Copy(database, s.files("stopped: "))
	}
	told := map[string][]byte{"the log": []byte(s.n.Log()), "refusals": s.heard.refusals.Bytes()}
	told["metrics"] = database["metrics"]
	delete(database, "metrics")

	var control search // what is no secret is found: so would be what is one
	control.put("the address", "as it is", []byte(userEmail))
	control.put("a password hash", "as it is", []byte("$argon2id$"))
	var found []string
	size := 0
	for _, name := range slices.Sorted(maps.Keys(database)) {
		size += len(database[name])
		found = append(found, control.in(database[name])...)
		for _, what := range s.hidden.in(database[name]) {
			t.Errorf("%s holds %s", name, what)
		}
	}
	if !slices.Contains(found, "the address as it is") || !slices.Contains(found, "a password hash as it is") {
		t.Errorf("the search found only %q of what is there", found)
	}
	for name, hay := range told {
		if len(hay) == 0 {
			t.Errorf("%s: empty", name)
		}
		for _, what := range append(s.hidden.in(hay), s.private.in(hay)...) {
			t.Errorf("%s: %s", name, what)
		}
	}
	for _, what := range s.hidden.in(s.printed.Bytes()) {
		if what != "the address of a mailbox without account as it is" {
			t.Errorf("a command printed %s", what)
		}
	}
	forms := 0
	for _, same := range s.hidden.needles {
		forms += len(same)
	}
	t.Logf("searched %d bytes in %d places for %d spellings of secrets", size, len(database)+len(told)+1, forms)
}

// database copies the running server's database, and its metrics beside it.
func (s *story) database() map[string][]byte {
	s.t.Helper()
	var found map[string][]byte
	if s.n.Settings["DATABASE_URL"] == "" {
		found = s.files("running: ")
	} else {
		db := openDatabase(s.t, s.n)
		defer db.close()
		found = db.dump()
		maps.Copy(found, db.pages(filepath.Join(run.cluster.Dir, "data")))
	}
	found["metrics"] = s.n.Body(s.n.Admin + "/metrics")
	return found
}

// files reads the data folder, but for the master key that is kept there.
func (s *story) files(when string) map[string][]byte {
	s.t.Helper()
	found := map[string][]byte{}
	entries, err := os.ReadDir(s.n.Data)
	s.must(err)
	for _, e := range entries {
		if e.Name() == "master.key" {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(s.n.Data, e.Name()))
		s.must(err)
		found[when+e.Name()] = raw
	}
	return found
}
