package main

// Apps that sign people in: the refresh of an app's session beside the API's, and the way from a page session to an
// app's tokens.

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"latchkey/bench/load"
	"latchkey/bench/report"
)

const (
	appAlias    = "bench"
	appCallback = "https://app.bench.example.com/callback"
	appVerifier = "a-verifier-of-forty-three-characters-or-more"
	appCallers  = 64
)

// writeClients writes the clients file of every server here, and returns the setting that names it.
func (b *bench) writeClients() (string, error) {
	file := filepath.Join(b.dir, "clients.toml")
	text := fmt.Sprintf("[[client]]\nalias = %q\nurl = %q\nredirect_uris = [%q]\n", appAlias, "https://app.bench.example.com", appCallback)
	return "LATCHKEY_CLIENTS_FILE=" + file, os.WriteFile(file, []byte(text), 0o600)
}

// appChains are the sessions of an app, each refreshed once.
func (s *site) appChains(ctx context.Context) ([]*chain, error) {
	if s.apps != nil {
		return s.apps, nil
	}
	var chains []*chain
	for user := s.parts.apps.from; user < s.parts.apps.to; user++ {
		for round := range sessionsPerUser {
			c, err := s.chainOf(round*s.data.users + user)
			if err != nil {
				return nil, err
			}
			chains = append(chains, c)
		}
	}
	chains = chains[:min(len(chains), warmSessions)]
	if err := s.eachOnce(ctx, chains, (*chain).turnApp); err != nil {
		return nil, fmt.Errorf("warm an app's sessions up: %w", err)
	}
	s.apps = chains
	return chains, nil
}

// turnApp refreshes an app's session.
func (c *chain) turnApp(conn *load.Conn) error {
	a, err := ask(conn, load.Request{
		Method: http.MethodPost, Path: "/oauth/token",
		Form: "grant_type=refresh_token&client_id=" + appAlias + "&refresh_token=" + c.refresh,
	})
	if err != nil {
		return err
	}
	refresh, access := textField(a.Body, "refresh_token"), textField(a.Body, "access_token")
	if refresh == "" || access == "" || refresh == c.refresh {
		return fmt.Errorf("no new tokens in %s", a.Body)
	}
	c.refresh = refresh
	return nil
}

// refreshingApps is the refresh of an app's sessions, without an ID token.
func (s *site) refreshingApps(ctx context.Context) error {
	chains, err := s.appChains(ctx)
	if err != nil {
		return err
	}
	acts := each(chains, appCallers, "app refresh", func(conn *load.Conn, c *chain) error { return c.turnApp(conn) })
	s.closed(ctx, s.target, report.Key{Scenario: "app refresh", Engine: s.engine, Case: callersCase(appCallers)}, acts)
	return nil
}

// visitor is a browser that is signed in to the pages, and the app that sends it.
type visitor struct {
	cookie string
	chain  chain // the app's session with the scope openid that it made last
}

// visitors are as many browsers as there are callers: each has a password hashed once.
func (s *site) visitors(ctx context.Context) ([]*visitor, error) {
	if s.browsers != nil {
		return s.browsers, nil
	}
	conn := load.NewConn(s.addr, nil)
	defer conn.Close()
	var all []*visitor
	for i := range appCallers {
		form := url.Values{"email": {s.data.email(s.parts.signingIn.at(i))}, "password": {passwordText}}
		a, err := conn.Do(load.Request{Method: http.MethodPost, Path: "/signin", Form: form.Encode()})
		if err == nil {
			err = wantStatus(a, http.StatusSeeOther)
		}
		if err != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		all = append(all, &visitor{cookie: cookiesOf(a.Header)})
	}
	s.browsers = all
	return all, nil
}

func cookiesOf(header http.Header) string {
	var pairs []string
	for _, set := range header["Set-Cookie"] {
		pair, _, _ := strings.Cut(set, ";")
		pairs = append(pairs, pair)
	}
	return strings.Join(pairs, "; ")
}

// authorize goes from a page session to a code.
func (v *visitor) authorize(conn *load.Conn) (code string, err error) {
	sum := sha256.Sum256([]byte(appVerifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {appAlias}, "redirect_uri": {appCallback}, "scope": {"openid email"}, "state": {"s"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	a, err := conn.Do(load.Request{Method: http.MethodGet, Path: "/oauth/authorize?" + query.Encode(), Cookie: v.cookie})
	if err != nil {
		return "", err
	}
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.Status != http.StatusSeeOther || u.Query().Get("code") == "" {
		return "", fmt.Errorf("no code: status %d to %q", a.Status, a.Header.Get("Location"))
	}
	return u.Query().Get("code"), nil
}

// exchange trades a code for tokens.
func (v *visitor) exchange(conn *load.Conn, code string) error {
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {appAlias}, "redirect_uri": {appCallback}, "code": {code}, "code_verifier": {appVerifier},
	}
	a, err := ask(conn, load.Request{Method: http.MethodPost, Path: "/oauth/token", Form: form.Encode()})
	if err != nil {
		return err
	}
	v.chain.refresh = textField(a.Body, "refresh_token")
	if v.chain.refresh == "" || textField(a.Body, "id_token") == "" {
		return fmt.Errorf("no tokens in %s", a.Body)
	}
	return nil
}

// signingInToApps is authorize, exchange and one refresh with the scope openid, each timed by itself.
func (s *site) signingInToApps(ctx context.Context) error {
	visitors, err := s.visitors(ctx)
	if err != nil {
		return err
	}
	acts := make([]load.Act, len(visitors))
	for i, v := range visitors {
		acts[i] = v.act()
	}
	s.closed(ctx, s.target, report.Key{Scenario: "app sign-in", Engine: s.engine, Case: callersCase(appCallers)}, acts)
	return nil
}

// act goes round: authorize, exchange, refresh.
func (v *visitor) act() load.Act {
	next, code := 0, ""
	return func(conn *load.Conn) (op string, err error) {
		defer func() { next = (next + 1) % 3 }()
		switch next {
		case 0:
			code, err = v.authorize(conn)
			return "authorize", err
		case 1:
			return "exchange", v.exchange(conn, code)
		default:
			return "refresh with openid", v.chain.turnApp(conn)
		}
	}
}
