package rigs

// The part of TestStolenDatabase in an app: codes, what flows and browsers are known by, and an app's tokens.

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/oidc"
)

// storyClients registers the client that introspects, and the app.
func storyClients(t *testing.T) string {
	t.Helper()
	both := filepath.Join(t.TempDir(), "clients.toml")
	var text []byte
	for _, file := range []string{clientsFile(t), appFile(t)} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(text, raw...), '\n')
	}
	if err := os.WriteFile(both, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return both
}

// apps signs in to an app, right and wrong, and leaves one code and one flow of a mail unused.
func (s *story) apps() {
	const password, verifier = "a fifth one, also on the pages", "the-verifier-of-this-very-story-0123456789abc"
	state := s.secret("a state", "the-state-of-this-very-story")
	s.secret("a verifier", verifier)
	page := inPages(s.t, s.n, userEmail, password)
	s.hidden.addToken("a page token", page)
	var browser *http.Cookie // the newest
	ask := func(cookie string, more ...string) *url.URL {
		s.t.Helper()
		query := url.Values{
			"response_type": {"code"}, "client_id": {appAlias}, "redirect_uri": {appURI}, "scope": {"openid email"}, "state": {state},
			"code_challenge": {oidc.ChallengeOf(verifier)}, "code_challenge_method": {"S256"},
		}
		for i := 0; i < len(more); i += 2 {
			query.Set(more[i], more[i+1])
		}
		res := onPage(s.t, s.n, "/oauth/authorize?"+query.Encode(), cookie, nil)
		to, err := res.Location()
		s.must(err)
		for _, c := range res.Cookies() {
			if c.Name == "latchkey-browser" {
				secretOf, _, _ := strings.Cut(c.Value, ".")
				s.hidden.addToken("the name of a browser", secretOf)
				browser = c
			}
		}
		return to
	}
	code := func() string {
		raw := ask(page).Query().Get("code")
		s.hidden.addToken("a code", raw)
		return raw
	}
	spent := code()
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {appAlias}, "redirect_uri": {appURI}, "code": {spent}, "code_verifier": {verifier}}
	form.Set("code_verifier", s.secret("a wrong verifier", "another-verifier-of-this-story-0123456789abcd"))
	s.token(form, 400)
	form.Set("code_verifier", verifier)
	tokens := s.token(form, 200)
	s.token(form, 400)
	s.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {appAlias}, "refresh_token": {tokens.RefreshToken}}, 200)
	onPage(s.t, s.n, "/oauth/token?"+form.Encode(), page, nil)
	s.hidden.addToken("a flow", ask(page, "prompt", "login").Query().Get("flow"))
	onPage(s.t, s.n, "/oauth/logout?"+url.Values{"id_token_hint": {tokens.IDToken}, "state": {state}}.Encode(), "", nil)

	up := ask("", "prompt", "create").Query().Get("flow")
	s.hidden.addToken("a flow", up)
	const newcomer = "newcomer@example.com"
	onPage(s.t, s.n, "/signup", "", url.Values{"email": {newcomer}, "flow": {up}}, browser)
	s.hidden.addToken("a verification code", s.post.AwaitCode(newcomer, verifyPage, "", 20*time.Second))
	code() // and is not exchanged
}

// token posts to the token endpoint, and registers what comes.
func (s *story) token(form url.Values, want int) (got api.AppTokens) {
	s.t.Helper()
	res, err := (&http.Client{Transport: &s.heard}).PostForm(s.n.URL+"/oauth/token", form)
	s.must(err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	s.must(err)
	if res.StatusCode != want {
		s.t.Fatalf("%s: %s, want %d", form.Get("grant_type"), res.Status, want)
	}
	if want != 200 {
		return got
	}
	s.must(json.Unmarshal(raw, &got))
	for what, token := range map[string]string{"an app's access token": got.AccessToken, "an app's refresh token": got.RefreshToken, "an ID token": got.IDToken} {
		s.hidden.addToken(what, token)
	}
	return got
}
