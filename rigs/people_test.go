package rigs

// Users as the rigs make them: through the front door.

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/rigs/stage"
)

const (
	resetPage  = "reset-password"
	verifyPage = "verify-email-success"
)

// member signs an address up through its mailbox.
func member(t testing.TB, cl *client.Client, p *stage.Post, email, password string) (userID string) {
	t.Helper()
	ctx := context.Background()
	known := p.NewestCode(email, verifyPage)
	if err := cl.RequestVerification(ctx, api.VerificationMailRequest{Email: email}); err != nil {
		t.Fatalf("ask for a verification mail: %v", err)
	}
	code := p.AwaitCode(email, verifyPage, known, 20*time.Second)
	if code == "" {
		t.Fatalf("no verification mail to %s", email)
	}
	id, err := cl.SignUp(ctx, api.SignUpRequest{Email: email, Password: password, FirstName: "Ada", LastName: "Lovelace", VerificationCode: code})
	if err != nil {
		t.Fatalf("sign up: %v", err)
	}
	return id
}

// signIn signs in where that must work.
func signIn(t testing.TB, cl *client.Client, email, password string) api.Tokens {
	t.Helper()
	tokens, err := cl.SignIn(context.Background(), api.SignInRequest{Email: email, Password: password})
	if err != nil {
		t.Fatalf("sign in as %s: %v", email, err)
	}
	return tokens
}

// refresh refreshes where that must work.
func refresh(t testing.TB, cl *client.Client, token string) api.Tokens {
	t.Helper()
	tokens, err := cl.Refresh(context.Background(), token)
	if err != nil {
		t.Fatalf("refresh: %v", err)
	}
	return tokens
}

// alive says whether a Bearer is accepted; anything but yes and invalid_token fails the test.
func alive(t testing.TB, cl *client.Client, access string) bool {
	t.Helper()
	_, err := cl.UserInfo(context.Background(), access)
	if err != nil && client.CodeOf(err) != "invalid_token" {
		t.Fatalf("ask whether a session lives: %v", err)
	}
	return err == nil
}

// refused fails the test unless err carries the code.
func refused(t testing.TB, err error, code string) {
	t.Helper()
	if err == nil || client.CodeOf(err) != code {
		t.Fatalf("got %v, want a refusal with %s", err, code)
	}
}

// pageCookie is where the hosted pages keep who is signed in, on loopback.
const pageCookie = "latchkey-session"

// onPage posts a form of the pages, with the token of whoever is signed in, or without, and follows no redirect.
func onPage(t testing.TB, n *stage.Node, path, token string, form url.Values, more ...*http.Cookie) *http.Response {
	t.Helper()
	method, body := http.MethodPost, form.Encode()
	if form == nil {
		method = http.MethodGet
	}
	r, err := http.NewRequest(method, n.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if token != "" {
		r.AddCookie(&http.Cookie{Name: pageCookie, Value: token})
	}
	for _, c := range more {
		r.AddCookie(c)
	}
	res, err := n.HTTP.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, res.Body)
	if closing := res.Body.Close(); err != nil || closing != nil {
		t.Fatal(err, closing)
	}
	return res
}

// inPages signs in on the hosted pages where that must work, and returns the page token.
func inPages(t testing.TB, n *stage.Node, email, password string) (token string) {
	t.Helper()
	res := onPage(t, n, "/signin", "", url.Values{"email": {email}, "password": {password}})
	for _, c := range res.Cookies() {
		if c.Name == pageCookie {
			token = c.Value
		}
	}
	if res.StatusCode != http.StatusSeeOther || token == "" {
		t.Fatalf("sign in on a page as %s: %s", email, res.Status)
	}
	return token
}
