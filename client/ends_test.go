package client_test

// What ends a session, and what does not. The rules have the numbers of the package for browsers.

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
)

// E1: invalid_grant for the token that the file holds ends the session: it is marked, removed, and told with its code. So
// does nothing else (E2).
func TestE1WhatEndsASession(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, s := n.signedIn(t)
	sid := readFile(t, app.File).SessionID
	if err := n.Service.RevokeSession(t.Context(), sid); err != nil {
		t.Fatal(err)
	}
	mustToken(t, s) // it lives until it runs out
	n.pass(n.until(t, app.File, time.Minute))
	_, err := s.Token(soon(t))
	if !errors.Is(err, client.ErrSignedOut) || client.CodeOf(err) != api.CodeInvalidGrant {
		t.Errorf("%v", err)
	}
	if raw, err := os.ReadFile(app.File + ".ended"); exists(app.File) || err != nil || !strings.Contains(string(raw), sid) {
		t.Errorf("there is a file, or no mark: %s %v", raw, err)
	}
	app.Open = newPerson(t, ada).open
	if again := mustStart(t, app); readFile(t, app.File).SessionID == sid {
		t.Error("it is the old session", again)
	}
}

func TestE2WhatDoesNotEndASession(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	elsewhere := newResource(t, httptest.NewServer)
	answers := map[string]answer{
		"lost":                    lost,
		"half an answer":          always(200, `{"access_token":"`),
		"no tokens":               always(200, `{}`),
		"a page":                  always(200, `<h1>Sign in to the Wi-Fi</h1>`),
		"a redirect":              always(302, "", "Location", elsewhere.URL+"/a"),
		"a redirect that resends": always(307, "", "Location", elsewhere.URL+"/b"),
		"400 unread":              always(400, `invalid_grant`),
		"400 unread, with a code": always(400, `no JSON`, "X-Latchkey-Code", "invalid_grant"),
		"400 half":                always(400, `{"error":"invalid_grant`),
		"400 of another code":     always(400, `{"error":"invalid_request"}`),
		"401 invalid_client":      always(401, `{"error":"invalid_client"}`),
		"401 invalid_grant":       always(401, `{"error":"invalid_grant"}`),
		"401 of /auth":            always(401, `{"code":"invalid_refresh_token","message":"x"}`),
		"403":                     always(403, `{"error":"invalid_grant"}`),
		"404":                     always(404, `not found`),
		"409":                     always(409, `{"error":"invalid_grant"}`),
		"429":                     always(429, `{"error":"slow_down"}`, "Retry-After", "1"),
		"500":                     always(500, `{"error":"invalid_grant"}`),
		"503":                     always(503, "Later.", "X-Latchkey-Code", "unavailable"),
	}
	other, _ := n.signedIn(t)
	theirs := readFile(t, other.File)
	answers["tokens of another session"] = always(200, fmt.Sprintf(`{"access_token":%q,"refresh_token":%q}`, theirs.AccessToken, theirs.RefreshToken))
	sessions, apps := map[string]*client.Session{}, map[string]client.App{}
	for name := range answers {
		app, _ := n.signedIn(t)
		app.HTTP = calledBy(t, name)
		apps[name], sessions[name] = app, mustStart(t, app)
	}
	n.answers(func(a asking, server func() *httptest.ResponseRecorder) *httptest.ResponseRecorder {
		return answers[a.by](a, server)
	})
	each := func(do func(name string, s *client.Session, file string)) {
		var all sync.WaitGroup
		for name, s := range sessions {
			all.Go(func() { do(name, s, apps[name].File) })
		}
		all.Wait()
	}
	n.pass(9 * time.Minute)
	each(func(name string, s *client.Session, file string) {
		before := readFile(t, file)
		if token, err := s.Token(soon(t)); err != nil || token != before.AccessToken {
			t.Errorf("%s: %v", name, err)
		}
		if readFile(t, file) != before || exists(file+".ended") {
			t.Errorf("%s: the file has changed", name)
		}
	})
	n.pass(5 * time.Minute)
	each(func(name string, s *client.Session, _ string) {
		if _, err := s.Token(soon(t)); err == nil || errors.Is(err, client.ErrSignedOut) {
			t.Errorf("%s, when the token has run out: %v", name, err)
		}
	})
	elsewhere.saw(t) // no refresh token goes to where the server sends it
	n.answers(nil)
	for name, app := range apps { // the next process
		if n.whose(t, mustToken(t, mustStart(t, app))) != ada {
			t.Errorf("%s: nobody is signed in", name)
		}
	}
}

// A third party has no refresh token: its session lasts as long as the access token.
func TestASessionWithoutARefreshToken(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	p := newPerson(t, ada)
	app := n.app(t, p)
	app.ClientID = "third"
	s := mustStart(t, app)
	if readFile(t, app.File).RefreshToken != "" {
		t.Fatal("there is a refresh token")
	}
	mustToken(t, s)
	n.pass(n.until(t, app.File, time.Second))
	mustToken(t, s)
	n.pass(2 * time.Second)
	if _, err := s.Token(soon(t)); !errors.Is(err, client.ErrSignedOut) || len(n.refreshes("")) != 0 {
		t.Errorf("%v", err)
	}
}
