package apps

// The recipes of /docs/verifier-recipes, run as the page shows them in front of access tokens of a real server: good ones,
// and others that have one fault each.

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"latchkey/api"
	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

func TestVerifierRecipes(t *testing.T) {
	db, app := authtest.SQLite(t), onServer(t, "shop")
	app.Audiences = []string{"https://other.example"}
	p := newProvider(t, db, stage.Settings{"AUDIENCE": "https://api.example"}, app)
	tokens, verifyGo := presented(t, p, app), buildVerifyGo(t)
	for _, r := range recipes {
		t.Run(r.name, func(t *testing.T) {
			at := r.start(t, p, verifyGo)
			if r.keyless {
				if code := p.node.Stop(); code != 0 {
					t.Fatalf("the server ended with %d", code)
				}
				if status, text := ask(t, at, "Bearer "+tokens[good]); status != http.StatusServiceUnavailable {
					t.Errorf("without the keys: %d, want 503: %s", status, text)
				}
				p.node.Start()
				letsIn(t, at, tokens[good])
			}
			if r.run == nil {
				checks(t, at, tokens[good], p.person.ID)
			}
			for name, token := range tokens {
				status, text := ask(t, at, "Bearer "+token)
				in := status == http.StatusOK && strings.Contains(text, p.person.ID)
				switch {
				case name == good || name == r.lenient:
					if !in {
						t.Errorf("%s: %d, want 200 and the user: %s", name, status, text)
					}
				case status != http.StatusUnauthorized || strings.Contains(text, p.person.ID):
					t.Errorf("%s: %d, want 401 and no word of the user: %s", name, status, text)
				}
			}
			for name, authorization := range map[string]string{
				"nothing": "", "a scheme alone": "Bearer", "no JWT": "Bearer x", "another scheme": "Basic " + tokens[good],
			} {
				if status, text := ask(t, at, authorization); status != http.StatusUnauthorized {
					t.Errorf("%s: %d, want 401: %s", name, status, text)
				}
			}
		})
	}
}

const (
	good      = "a good access token"
	otherType = "another type of token, with the claims of a good one"
)

// presented are the tokens that a verifier is shown, by what they are. All are signed by the key of one database.
func presented(t *testing.T, p *provider, app registration) map[string]string {
	t.Helper()
	visit := newGoApp(t, p, app)
	entered, elsewhere := visit.enter(p.person), visit.enter(p.person, oauth2.SetAuthURLParam("resource", app.Audiences[0]))
	id, _ := entered.token.Extra("id_token").(string)
	tokens := map[string]string{
		good:                               entered.token.AccessToken,
		"an ID token":                      id,
		"a refresh token":                  entered.token.RefreshToken,
		"an access token of another's":     elsewhere.token.AccessToken,
		otherType:                          signedInWith(t, p, stage.Settings{"ACCESS_TYP": "JWT"}),
		"an access token that has run out": signedInWith(t, p, stage.Settings{"ACCESS_TTL": "1s"}),
		"an access token of another issuer": signedInWith(t, p, stage.Settings{
			"PUBLIC_URL": strings.Replace(p.issuer, "localhost", "127.0.0.1", 1),
		}),
	}
	parts, others := strings.Split(tokens[good], "."), strings.Split(elsewhere.token.AccessToken, ".")
	tokens["claims under another's signature"] = parts[0] + "." + parts[1] + "." + others[2]
	tokens["claims that nobody signed"] = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + "."
	time.Sleep(time.Until(expiry(t, tokens["an access token that has run out"]).Add(time.Second)))
	return tokens
}

// signedInWith starts the server anew with other settings, signs in, and starts it again with its own.
func signedInWith(t *testing.T, p *provider, other stage.Settings) string {
	t.Helper()
	own := stage.Settings{}
	restart := func() {
		if code := p.node.Stop(); code != 0 {
			t.Fatalf("the server ended with %d", code)
		}
		p.node.Start()
	}
	for key, value := range other {
		own[key], p.node.Settings[key] = p.node.Settings[key], value
	}
	restart()
	in, err := p.node.Client().SignIn(context.Background(), api.SignInRequest{Email: p.person.Email, Password: p.person.password})
	if err != nil {
		t.Fatalf("sign in: %v", err)
	}
	for key, value := range own {
		if p.node.Settings[key] = value; value == "" {
			delete(p.node.Settings, key)
		}
	}
	restart()
	return in.AccessToken
}

func expiry(t *testing.T, token string) time.Time {
	t.Helper()
	var claims struct {
		Exp int64 `json:"exp"`
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &claims); err != nil || claims.Exp == 0 {
		t.Fatalf("no exp in %s: %v", text, err)
	}
	return time.Unix(claims.Exp, 0)
}

// ask asks an API as a program does that says it is somebody else.
func ask(t *testing.T, at, authorization string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, at+"/hello", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	r.Header.Set("X-User", "mallory")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("ask the API: %v", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// letsIn waits until a token is taken: what cannot have the keys does not ask for them at each request.
func letsIn(t *testing.T, at, token string) {
	t.Helper()
	for end := time.Now().Add(stage.Patience); ; time.Sleep(100 * time.Millisecond) {
		if status, text := ask(t, at, "Bearer "+token); status == http.StatusOK {
			return
		} else if time.Now().After(end) {
			t.Fatalf("not let in within %v of the server's start: %d, %s", stage.Patience, status, text)
		}
	}
}

// checks asks what proxies ask.
func checks(t *testing.T, at, token, userID string) {
	t.Helper()
	for authorization, want := range map[string]int{"Bearer " + token: http.StatusNoContent, "": http.StatusUnauthorized} {
		r, err := http.NewRequest(http.MethodGet, at+"/check", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Close = true
		r.Header.Set("Authorization", authorization)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want || (res.Header.Get("X-User") == userID) != (want == http.StatusNoContent) {
			t.Errorf("/check: %d, %v; want %d", res.StatusCode, res.Header, want)
		}
	}
}

// newUpstream is an API behind a proxy: it takes whom the proxy names for the caller.
func newUpstream(t *testing.T) *httptest.Server {
	t.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintln(w, "hello,", r.Header.Get("X-User"), r.Header.Get("X-Forwarded-User"))
	}))
	t.Cleanup(upstream.Close)
	return upstream
}
