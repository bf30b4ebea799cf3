package apps

// coreos/go-oidc with golang.org/x/oauth2, as an application on a server and as a program on a desktop.

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"latchkey/internal/authtest"
)

func TestGoOIDC(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		server, desktop := onServer(t, "go-oidc"), onDesktop(t, "go-oidc-desktop")
		p := newProvider(t, db, nil, server, desktop)
		want := map[string]int{}
		for _, app := range []registration{server, desktop} {
			t.Run(app.Alias, func(t *testing.T) { p.holds(t, app, newGoApp(t, p, app).live(p.person)) })
			for status, n := range tokenAnswers(app) {
				want[status] += n
			}
		}
		p.hasAnswered(t, tokenRoute, want)
	})
}

// goApp is the application.
type goApp struct {
	t        *testing.T
	ctx      context.Context // with the client that go-oidc and x/oauth2 use
	requests *requestCount
	issuer   *oidc.Provider
	config   *oauth2.Config
	visitor  *visitor
	metadata struct { // what neither of the two reads
		Issuer  string `json:"issuer"`
		SignOut string `json:"end_session_endpoint"`
	}
	signedOutPage string
}

// requestCount counts the requests to each path.
type requestCount struct {
	http.Transport
	mu   sync.Mutex
	seen map[string]int
}

func (c *requestCount) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.seen[r.URL.Path]++
	c.mu.Unlock()
	return c.Transport.RoundTrip(r)
}

func (c *requestCount) to(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[path]
}

func newGoApp(t *testing.T, p *provider, app registration) *goApp {
	t.Helper()
	count := &requestCount{seen: map[string]int{}}
	t.Cleanup(count.CloseIdleConnections)
	ctx := oidc.ClientContext(context.Background(), &http.Client{Transport: count})
	issuer, err := oidc.NewProvider(ctx, p.issuer)
	if err != nil {
		t.Fatalf("discover: %v", err)
	}
	config := &oauth2.Config{
		ClientID: app.Alias, Endpoint: issuer.Endpoint(), RedirectURL: app.callback,
		Scopes: []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess},
	}
	if app.Secrets != nil {
		config.ClientSecret = app.Secrets[0]
	}
	a := &goApp{
		t: t, ctx: ctx, requests: count, issuer: issuer, config: config,
		visitor: newVisitor(t, strings.TrimSuffix(app.callback, "callback")), signedOutPage: app.SignedOut[0],
	}
	if err := issuer.Claims(&a.metadata); err != nil {
		t.Fatal(err)
	}
	return a
}

// live is the application's life with one person.
func (a *goApp) live(who account) (s story) {
	a.t.Helper()
	first := a.enter(who)
	if first.fault != nil {
		a.t.Fatalf("the way in ended with %+v", first.fault)
	}
	s.Pages, s.IDToken = first.pages, a.idToken(first.token)
	s.UserInfo, s.Access = a.userInfo(first.token), a.accessToken(first.token)

	one, two := a.refreshTwice(first.token.RefreshToken)
	s.SameSuccessor, s.Renewed = one.RefreshToken == two.RefreshToken, a.idToken(one)
	newest := a.mustRefresh(one.RefreshToken)
	before := a.requests.to("/oauth/token")
	_, s.Superseded.Fault = a.refresh(first.token.RefreshToken)
	s.Superseded.Requests = a.requests.to("/oauth/token") - before
	newest = a.mustRefresh(newest.RefreshToken)
	s.StillIn = a.idToken(newest).Subject == s.IDToken.Subject

	s.Silent = a.enter(who, oauth2.SetAuthURLParam("prompt", "none")).fault
	if second := a.enter(who); second.fault == nil {
		s.Again = again{second.pages, a.idToken(second.token).Subject}
	}
	s.SignedOut = a.leave(newest)
	_, s.AfterSignOut = a.refresh(newest.RefreshToken)
	return s
}

// entry is how a sign-in went: tokens, or what the application was told instead.
type entry struct {
	pages []string
	token *oauth2.Token
	fault *fault
}

// enter signs a person in. State, issuer (RFC 9207 §2.4) and nonce are for the application to check.
func (a *goApp) enter(who account, extra ...oauth2.AuthCodeOption) (e entry) {
	a.t.Helper()
	state, nonce, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	address := a.config.AuthCodeURL(state, append(extra, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))...)
	end, pages := a.visitor.wayIn(a.visitor.open(address), who)
	answer := end.at.Query()
	if end.status != 0 || answer.Get("state") != state || answer.Get("iss") != a.metadata.Issuer {
		a.t.Fatalf("the way in ended at %s with status %d:\n%s", end.at, end.status, end.text)
	}
	if said := answer.Get("error"); said != "" {
		return entry{pages: pages, fault: &fault{said}}
	}
	token, err := a.config.Exchange(a.ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		a.t.Fatalf("exchange the code: %v", err)
	}
	if got := a.idToken(token).Nonce; got != nonce {
		a.t.Errorf("the ID token's nonce is %q, want %q", got, nonce)
	}
	return entry{pages: pages, token: token}
}

// idToken has go-oidc verify the ID token that came with an access token.
func (a *goApp) idToken(token *oauth2.Token) (c claims) {
	a.t.Helper()
	raw, _ := token.Extra("id_token").(string)
	id := a.verify(raw, a.config.ClientID, &c)
	if err := id.VerifyAccessToken(token.AccessToken); err != nil {
		a.t.Errorf("at_hash: %v", err)
	}
	return c
}

// accessToken is what a resource server reads that verifies with go-oidc.
func (a *goApp) accessToken(token *oauth2.Token) (c accessToken) {
	a.t.Helper()
	a.verify(token.AccessToken, a.metadata.Issuer, &c)
	return c
}

// verify reads a token that is for one audience.
func (a *goApp) verify(raw, audience string, claims any) *oidc.IDToken {
	a.t.Helper()
	token, err := a.issuer.VerifierContext(a.ctx, &oidc.Config{ClientID: audience}).Verify(a.ctx, raw)
	if err != nil {
		a.t.Fatalf("verify a token for %s: %v", audience, err)
	}
	if err := token.Claims(claims); err != nil {
		a.t.Fatal(err)
	}
	return token
}

func (a *goApp) userInfo(token *oauth2.Token) (u profile) {
	a.t.Helper()
	told, err := a.issuer.UserInfo(a.ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		a.t.Fatalf("ask for user info: %v", err)
	}
	if err := told.Claims(&u); err != nil {
		a.t.Fatal(err)
	}
	return u
}

// refresh refreshes with a token source of its own, as after a restart. The fault is nil when it succeeded.
func (a *goApp) refresh(refreshToken string) (*oauth2.Token, *fault) {
	a.t.Helper()
	token, err := a.config.TokenSource(a.ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
	if refusal, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return nil, &fault{refusal.ErrorCode}
	}
	if err != nil {
		a.t.Errorf("refresh: %v", err)
	}
	return token, nil
}

func (a *goApp) mustRefresh(refreshToken string) *oauth2.Token {
	a.t.Helper()
	token, refused := a.refresh(refreshToken)
	if refused != nil {
		a.t.Fatalf("refresh: refused with %q", refused.Error)
	}
	return token
}

// refreshTwice refreshes at once in two parts of the application that know nothing of each other.
func (a *goApp) refreshTwice(refreshToken string) (one, two *oauth2.Token) {
	a.t.Helper()
	var both sync.WaitGroup
	both.Go(func() { one, _ = a.refresh(refreshToken) })
	both.Go(func() { two, _ = a.refresh(refreshToken) })
	both.Wait()
	if one == nil || two == nil {
		a.t.Fatal("of two refreshes at once one was refused")
	}
	return one, two
}

// leave signs out by way of the browser (OpenID Connect RP-Initiated Logout §2) and returns where that ends.
func (a *goApp) leave(token *oauth2.Token) string {
	a.t.Helper()
	hint, _ := token.Extra("id_token").(string)
	state := oauth2.GenerateVerifier()
	query := url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {a.signedOutPage}, "state": {state}}
	end := a.visitor.open(a.metadata.SignOut + "?" + query.Encode())
	if got := end.at.Query().Get("state"); got != state {
		a.t.Errorf("signing out ended at %s with state %q, want %q\n%s", end.at, got, state, end.text)
	}
	end.at.RawQuery = ""
	return end.at.String()
}
