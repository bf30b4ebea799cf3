package client_test

// Signing in through the browser, and what may go wrong there.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/client"
	"latchkey/internal/oidc"
)

func TestSignInByTheBrowser(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	p := newPerson(t, ada)
	app := n.app(t, p)
	s := mustStart(t, app)
	token := mustToken(t, s)
	if got := n.whose(t, token); got != ada {
		t.Errorf("signed in is %q", got)
	}

	asked := p.asked[0].Query()
	for name, want := range map[string]string{"response_type": "code", "client_id": "cli", "scope": "openid email profile", "code_challenge_method": "S256"} {
		if got := asked.Get(name); got != want {
			t.Errorf("it asks with %s %q, want %q", name, got, want)
		}
	}
	exchange := n.grants("authorization_code")[0].form
	if asked.Get("code_challenge") != oidc.ChallengeOf(exchange.Get("code_verifier")) || asked.Get("redirect_uri") != exchange.Get("redirect_uri") {
		t.Errorf("it asks with %v and exchanges with %v", asked, exchange)
	}
	if !strings.HasPrefix(asked.Get("redirect_uri"), "http://127.0.0.1:") || exchange.Has("client_secret") {
		t.Errorf("it asks with %v and exchanges with %v", asked, exchange)
	}
	for name, bytes := range map[string]int{asked.Get("state"): 16, asked.Get("nonce"): 16, exchange.Get("code_verifier"): 32} {
		if len(name) != (8*bytes+5)/6 {
			t.Errorf("%q is not base64url of %d bytes", name, bytes)
		}
	}
	p.busy.Wait()
	if !strings.Contains(p.saw[0], "You are signed in") {
		t.Errorf("the browser shows %s", p.saw[0])
	}

	for path, mode := range map[string]os.FileMode{filepath.Dir(app.File): os.ModeDir | 0o700, app.File: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, mode)
		}
	}
	k := readFile(t, app.File)
	if k.Version != 1 || k.Kind != "oauth" || k.Issuer != n.issuer || k.ClientID != "cli" || k.AccessToken != token || k.IDToken == "" {
		t.Errorf("the file has %+v", k)
	}

	app.Open = nobody
	if again := mustStart(t, app); mustToken(t, again) != token || len(n.refreshes("")) != 0 {
		t.Error("the next start asks the server")
	}
	if names := namesIn(t, filepath.Dir(app.File)); !slices.Equal(names, []string{"session.json"}) {
		t.Errorf("in the folder there are %v", names)
	}
}

// Without a file the session is in memory, and the next start knows nothing of it.
func TestSignInWithoutAFile(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app := n.app(t, newPerson(t, ada))
	app.File = ""
	s := mustStart(t, app)
	mustToken(t, s)
	n.pass(10 * time.Minute)
	if mustToken(t, s); len(n.refreshes("")) != 1 {
		t.Errorf("it is refreshed %d times", len(n.refreshes("")))
	}
	app.Open = nobody
	if _, err := client.SignIn(soon(t), app); err == nil {
		t.Error("the next start is signed in")
	}
	if err := s.SignOut(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := s.Token(t.Context()); !errors.Is(err, client.ErrSignedOut) {
		t.Errorf("after the sign-out: %v", err)
	}
}

// What comes back is matched by its state, then its issuer; of it nothing else is used before both hold (Q2).
func TestWhatComesBackIsMatched(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	codes := func() (sent int) { return len(n.grants("authorization_code")) }
	begin := func(t *testing.T) (app client.App, back chan *url.URL) {
		p := newPerson(t, ada)
		p.back = make(chan *url.URL, 1)
		return n.app(t, p), p.back
	}
	result := func(app client.App) chan error {
		over := make(chan error, 1)
		go func() {
			_, err := client.SignIn(soon(t), app)
			over <- err
		}()
		return over
	}
	t.Run("another's state", func(t *testing.T) {
		app, back := begin(t)
		over, before := result(app), codes()
		mine := <-back
		for _, state := range []string{"", "of-another-request"} {
			forged := *mine
			query := forged.Query()
			query.Set("state", state)
			forged.RawQuery = query.Encode()
			if status, text := get(t, forged.String()); status != http.StatusBadRequest || !strings.Contains(text, "not the sign-in") {
				t.Errorf("state %q: %d %s", state, status, text)
			}
		}
		if codes() != before {
			t.Error("a code of another state was sent")
		}
		if status, text := get(t, mine.String()); status != http.StatusOK || !strings.Contains(text, "You are signed in") {
			t.Errorf("the right one after that: %d %s", status, text)
		}
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	for name, issuer := range map[string]string{"another issuer": "https://evil.example", "no issuer": ""} {
		t.Run(name, func(t *testing.T) {
			app, back := begin(t)
			over, before := result(app), codes()
			mine := <-back
			query := mine.Query()
			query.Set("iss", issuer)
			mine.RawQuery = query.Encode()
			if status, text := get(t, mine.String()); status != http.StatusBadRequest || !strings.Contains(text, "You are not signed in") {
				t.Errorf("%d %s", status, text)
			}
			if err := <-over; err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", issuer)) || codes() != before {
				t.Errorf("%v; %d codes were sent", err, codes()-before)
			}
		})
	}
}

// The browser comes twice, as by a double click: the code is sent once, and both are answered alike (Q3).
func TestASecondCallback(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for range 5 { // the second one may come too late on a busy machine
		p := newPerson(t, ada)
		p.back = make(chan *url.URL, 1)
		var address string
		second := make(chan string, 1)
		n.answers(func(_ asking, server func() *httptest.ResponseRecorder) *httptest.ResponseRecorder {
			sent := make(chan struct{})
			go func() { second <- getAfter(address, func() { close(sent) }) }()
			<-sent
			time.Sleep(100 * time.Millisecond)
			return server()
		})
		first := make(chan string, 1)
		go func() {
			address = (<-p.back).String()
			first <- getAfter(address, func() {})
		}()
		before := len(n.grants("authorization_code"))
		mustStart(t, n.app(t, p))
		if sent := len(n.grants("authorization_code")) - before; sent != 1 {
			t.Fatalf("codes were sent %d times", sent)
		}
		one, two := <-first, <-second
		if !strings.Contains(one, "You are signed in") {
			t.Fatalf("the browser shows %s", one)
		}
		if one == two {
			return
		}
		t.Logf("the second time the browser shows %q", two)
	}
	t.Error("they were never answered alike")
}

// A code whose answer is lost is never sent again: the browser is sent for another one, once (Q4).
func TestAnExchangeIsNeverSentAgain(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for name, how := range map[string]answer{
		"the answer is lost":     lost,
		"the request is lost":    func(asking, func() *httptest.ResponseRecorder) *httptest.ResponseRecorder { return nil },
		"a proxy's page":         always(502, "<h1>Bad Gateway</h1>"),
		"half an answer":         always(200, `{"access_token":"`),
		"the server is too busy": always(503, "Later.\n", "X-Latchkey-Code", "unavailable"),
	} {
		for _, times := range []int{1, 2} {
			t.Run(fmt.Sprint(name, " ", times), func(t *testing.T) {
				before := len(n.grants("authorization_code"))
				n.answers(func(a asking, server func() *httptest.ResponseRecorder) *httptest.ResponseRecorder {
					if len(n.grants("authorization_code"))-before <= times {
						return how(a, server)
					}
					return server()
				})
				p := newPerson(t, ada)
				s, err := client.SignIn(soon(t), n.app(t, p))
				if (err == nil) != (times == 1) {
					t.Fatalf("lost %d times: %v", times, err)
				}
				if err == nil {
					mustToken(t, s)
				}
				codes, requests := map[string]bool{}, n.grants("authorization_code")[before:]
				for _, a := range requests {
					codes[a.form.Get("code")] = true
				}
				if len(codes) != 2 || len(requests) != 2 {
					t.Errorf("%d codes were sent in %d requests", len(codes), len(requests))
				}
				p.busy.Wait()
				if len(p.asked) != 1 || len(p.saw) != 1 || strings.Contains(p.saw[0], "You are signed in") != (times == 1) {
					t.Errorf("opened were %v, which ended with %v", p.asked, p.saw)
				}
			})
		}
	}
}

// Nobody comes back: SignIn ends with its context, and listens no more.
func TestABrowserThatNeverComesBack(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	ctx, cancel := context.WithCancel(t.Context())
	app := n.app(t, newPerson(t, ada))
	var at *url.URL
	app.Open = func(address string) (err error) {
		defer cancel()
		at, err = url.Parse(address)
		return err
	}
	_, err := client.SignIn(ctx, app)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "nobody has come back") {
		t.Errorf("it ends with %v", err)
	}
	if res, err := http.Get(at.Query().Get("redirect_uri")); err == nil {
		_ = res.Body.Close()
		t.Error("it still listens")
	}
	if exists(app.File) {
		t.Error("there is a file")
	}
}

// What the server refuses in the browser the program is told by its code.
func TestARefusalInTheBrowser(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	p := newPerson(t, ada)
	p.extra = "&prompt=none"
	_, err := client.SignIn(soon(t), n.app(t, p))
	if client.CodeOf(err) != "login_required" || strings.Contains(err.Error(), "request )") {
		t.Errorf("it ends with %v", err)
	}
	p.busy.Wait()
	if !strings.Contains(p.saw[0], "You are not signed in") {
		t.Errorf("the browser shows %s", p.saw[0])
	}
}

// Tokens that are of another issuer, client, request, person or session are not taken, and the code is not sent again.
func TestTokensOfAnother(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	theirs := readFile(t, func() string { app := n.app(t, newPerson(t, grace)); mustStart(t, app); return app.File }())
	for name, swap := range map[string]func(tokens map[string]any){
		"nonce": func(tokens map[string]any) { tokens["id_token"] = altered(t, tokens["id_token"], "nonce", "another") },
		"issuer": func(tokens map[string]any) {
			tokens["id_token"] = altered(t, tokens["id_token"], "iss", "https://evil.example")
		},
		"audience": func(tokens map[string]any) { tokens["id_token"] = altered(t, tokens["id_token"], "aud", "other") },
		"audiences": func(tokens map[string]any) {
			tokens["id_token"] = altered(t, tokens["id_token"], "aud", []string{"cli", "other"})
		},
		"person":          func(tokens map[string]any) { tokens["id_token"] = altered(t, tokens["id_token"], "sub", "another") },
		"session":         func(tokens map[string]any) { tokens["id_token"] = altered(t, tokens["id_token"], "sid", "another") },
		"no ID token":     func(tokens map[string]any) { delete(tokens, "id_token") },
		"access token":    func(tokens map[string]any) { tokens["access_token"] = theirs.AccessToken },
		"refresh token":   func(tokens map[string]any) { tokens["refresh_token"] = theirs.RefreshToken },
		"no access token": func(tokens map[string]any) { delete(tokens, "access_token") },
	} {
		t.Run(name, func(t *testing.T) {
			n.answers(changed(t, swap))
			before := len(n.grants("authorization_code"))
			app := n.app(t, newPerson(t, ada))
			if _, err := client.SignIn(soon(t), app); err == nil {
				t.Error("they are taken")
			}
			if exists(app.File) || len(n.grants("authorization_code")) != before+1 {
				t.Error("there is a file, or the code was sent again")
			}
		})
	}
	n.answers(changed(t, func(tokens map[string]any) {
		tokens["id_token"] = altered(t, tokens["id_token"], "aud", []string{"cli"})
	}))
	mustStart(t, n.app(t, newPerson(t, ada))) // a list of one is the same
}

func TestAnAppIsChecked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		app  client.App
		says string
	}{
		{client.App{ClientID: "cli"}, `App.Issuer "" is not the URL`},
		{client.App{Issuer: "id.example", ClientID: "cli"}, `App.Issuer "id.example" is not the URL`},
		{client.App{Issuer: "https://id.example?x", ClientID: "cli"}, "is not the URL"},
		{client.App{Issuer: "http://id.example", ClientID: "cli"}, "write https"},
		{client.App{Issuer: "ftp://id.example", ClientID: "cli"}, "write https"},
		{client.App{Issuer: "https://id.example"}, "App.ClientID is not set"},
	} {
		if _, err := client.SignIn(soon(t), tt.app); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v, want %q", tt.app, err, tt.says)
		}
	}
	n := newNode(t)
	app := n.app(t, newPerson(t, ada))
	app.Issuer += "/"
	mustToken(t, mustStart(t, app))
}

// An Open that cannot show the address ends SignIn.
func TestAProgramThatMustNotWait(t *testing.T) {
	t.Parallel()
	app := newNode(t).app(t, newPerson(t, ada))
	app.Open = func(string) error { return io.ErrUnexpectedEOF }
	if _, err := client.SignIn(soon(t), app); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("it ends with %v", err)
	}
}

// A file of another issuer or client is an error and stays as it is. One that is no session's is as none.
func TestWhatTheFileMayHold(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, _ := n.signedIn(t)
	own := readFile(t, app.File)
	with := func(change func(k *kept)) kept { k := own; change(&k); return k }
	for name, tt := range map[string]struct {
		content any
		says    string // "": it is as none
	}{
		"another client":         {with(func(k *kept) { k.ClientID = "other" }), `is of the client "other"`},
		"another issuer":         {with(func(k *kept) { k.Issuer = "https://id.example" }), "https://id.example"},
		"both, of a later v":     {with(func(k *kept) { k.Issuer, k.ClientID, k.Version = "https://id.example", "other", 2 }), "https://id.example"},
		"another's, odd":         {`{"v":"x","issuer":"https://id.example","clientId":"cli"}`, "https://id.example"},
		"no JSON":                {"half a reco", ""},
		"half of it":             {`{"v":1,"issuer":"` + n.issuer, ""},
		"nothing":                {"", ""},
		"another kind":           {`[1]`, ""},
		"another v":              {with(func(k *kept) { k.Version = 2 }), ""},
		"a field's type":         {`{"v":1,"issuer":"` + n.issuer + `","clientId":"cli","sid":7}`, ""},
		"another session":        {with(func(k *kept) { k.SessionID = "another" }), ""},
		"another's access token": {with(func(k *kept) { k.SessionID, k.RefreshToken = "another", "" }), ""},
		"no access token":        {with(func(k *kept) { k.AccessToken = "" }), ""},
		"no refresh token's":     {with(func(k *kept) { k.RefreshToken = "a.b.c" }), ""},
		"without an end":         {with(func(k *kept) { k.EndsAt = 0 }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPerson(t, ada)
			app := n.app(t, p)
			if err := os.MkdirAll(filepath.Dir(app.File), 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, app.File, tt.content)
			before, err := os.ReadFile(app.File)
			if err != nil {
				t.Fatal(err)
			}
			s, err := client.SignIn(soon(t), app)
			if tt.says == "" {
				if p.busy.Wait(); err != nil || len(p.saw) != 1 || readFile(t, app.File).AccessToken != mustToken(t, s) {
					t.Fatalf("it is not replaced: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), app.File) {
				t.Errorf("%v, want %q", err, tt.says)
			}
			after, err := os.ReadFile(app.File)
			if diff := cmp.Diff(string(before), string(after)); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}
