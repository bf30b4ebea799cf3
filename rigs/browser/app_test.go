package browser

// Applications that sign people in here: web servers as a developer writes them, each on an address of its own.

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"latchkey/internal/oidc"
	"latchkey/rigs/stage"
)

// app is one of them. Its page / begins a sign-in with whatever parameters it is opened with, /out begins a sign-out, and
// /callback spends the code.
type app struct {
	t       *testing.T
	house   *house
	alias   string
	url     string
	entry   string // its part of the clients file
	secret  string // empty: a public client
	mu      sync.Mutex
	answer  url.Values // of the last sign-in
	refresh string     // the newest refresh token; empty: none
}

// appVerifier is each sign-in's PKCE verifier: what guards it is not looked at here.
const appVerifier = "a-verifier-of-forty-three-characters-or-more"

// newApp listens on a port of a host. Registered are its callback and whatever the clients file says besides.
func newApp(t *testing.T, host, alias, name, more string) *app {
	t.Helper()
	listener, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	a := &app{t: t, alias: alias, url: "http://" + listener.Addr().String()}
	if strings.Contains(more, "secret") {
		a.secret = strings.Repeat("a secret of "+alias+" ", 3)
		more = strings.ReplaceAll(more, "secret", fmt.Sprintf("secrets = [%q]", a.secret))
	}
	a.entry = fmt.Sprintf("[[client]]\nalias = %q\nname = %q\nurl = %q\nredirect_uris = [%q, \"com.example.%[1]s:/callback\"]\n"+
		"post_logout_redirect_uris = [%[5]q]\n%[6]s\n", alias, name, a.url, a.url+"/callback", a.url+"/signed-out", more)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.signIn)
	mux.HandleFunc("/callback", a.callback)
	mux.HandleFunc("GET /out", a.signOut)
	mux.HandleFunc("GET /signed-out", func(w http.ResponseWriter, r *http.Request) { a.says(w, "signed out "+r.FormValue("state")) })
	server := httptest.NewUnstartedServer(mux)
	_ = server.Listener.Close() // of its own choosing
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return a
}

// newMall is a house that knows the applications.
func newMall(t *testing.T, apps ...*app) *house {
	t.Helper()
	file, text := filepath.Join(t.TempDir(), "clients.toml"), ""
	for _, a := range apps {
		text += a.entry
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, stage.Settings{"CLIENTS_FILE": file})
	for _, a := range apps {
		a.house = h
	}
	return h
}

// asks is the address of an authorization request; more stands in for what it has by itself.
func (a *app) asks(more url.Values) string {
	query := url.Values{
		"response_type": {"code"}, "client_id": {a.alias}, "redirect_uri": {a.url + "/callback"}, "scope": {"openid email offline_access"},
		"state": {"of " + a.alias}, "code_challenge": {oidc.ChallengeOf(appVerifier)}, "code_challenge_method": {"S256"},
	}
	maps.Copy(query, more)
	return a.house.url + "/oauth/authorize?" + query.Encode()
}

func (a *app) signIn(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, a.asks(r.URL.Query()), http.StatusSeeOther)
}

func (a *app) signOut(w http.ResponseWriter, r *http.Request) {
	query := url.Values{"client_id": {a.alias}, "post_logout_redirect_uri": {a.url + "/signed-out"}, "state": {"for now"}}
	http.Redirect(w, r, a.house.url+"/oauth/logout?"+query.Encode(), http.StatusSeeOther)
}

func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // what cannot be read is an answer without a code
	a.mu.Lock()
	a.answer = maps.Clone(r.Form)
	a.mu.Unlock()
	if code := r.Form.Get("code"); code == "" {
		a.says(w, r.Form.Get("error"))
	} else {
		a.says(w, a.token(url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.url + "/callback"}, "code_verifier": {appVerifier},
		}))
	}
}

// says writes a page with a heading.
func (a *app) says(w http.ResponseWriter, heading string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, "<!doctype html><html lang=en><title>%s</title><h1>%[1]s</h1>", html.EscapeString(heading))
}

// token asks for tokens and keeps the refresh token. What came of it is "signed in", or OAuth's word for why not.
func (a *app) token(form url.Values) string {
	form.Set("client_id", a.alias)
	if a.secret != "" {
		form.Set("client_secret", a.secret)
	}
	res, err := a.house.node.HTTP.PostForm(a.house.node.URL+"/oauth/token", form)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	var got struct {
		Refresh string `json:"refresh_token"`
		Error   string `json:"error"`
	}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		return fmt.Sprintf("status %d: %v", res.StatusCode, err)
	}
	if got.Error != "" {
		return got.Error
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refresh = cmp.Or(got.Refresh, a.refresh)
	return "signed in"
}

// lives asserts whether the application's newest session is alive, as its refresh finds out.
func (a *app) lives(want bool) {
	a.t.Helper()
	a.mu.Lock()
	token := a.refresh
	a.mu.Unlock()
	expected := map[bool]string{true: "signed in", false: "invalid_grant"}[want]
	if got := a.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}); got != expected {
		a.t.Errorf("a refresh of %s: %s, want %s", a.alias, got, expected)
	}
}

// answered asserts that the last answer came from this house, with the state of its request, and returns it.
func (a *app) answered() url.Values {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.answer.Get("state") != "of "+a.alias || a.answer.Get("iss") != a.house.url {
		a.t.Errorf("the answer to %s: %v", a.alias, a.answer)
	}
	return a.answer
}

// arrives waits until a person is back at the application, and reads its heading.
func (a *app) arrives(p *person, want string) {
	p.t.Helper()
	p.await(fmt.Sprintf("location.href.startsWith(%q) && document.readyState === 'complete'", a.url+"/"))
	if got := eval[string](p, "document.querySelector('h1').textContent"); got != want {
		p.t.Fatalf("the application says %q, want %q\n%s", got, want, p.shown())
	}
}
