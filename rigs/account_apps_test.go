package rigs

// What the owner of an account does in browsers: signs in on the server's pages, and from there in an app, whose sessions
// end with the page session that they came from.

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/oidc"
)

// way is how a device is signed in.
type way string

const (
	byAPI  way = "the API"
	byPage way = "a page" // a browser; its tokens are a cookie
	byApp  way = "an app"
)

// The app that the accounts' owners use.
const (
	appAlias    = "shop"
	appURI      = "https://shop.example/callback"
	appVerifier = "a-verifier-of-forty-three-characters-or-more"
)

// appFile registers it.
func appFile(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clients.toml")
	text := "[[client]]\nalias = \"" + appAlias + "\"\nname = \"Shop\"\nurl = \"https://shop.example\"\nredirect_uris = [\"" + appURI + "\"]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// website is the server as browsers reach it.
type website struct {
	url       string
	transport http.RoundTripper
}

// ask sends what a browser or a form does, with the cookie of a page session or without, and follows no redirect. What
// is neither a page nor a redirect is a *client.Error.
func (w website) ask(ctx context.Context, method, path, cookie string, form url.Values) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: pageCookie, Value: cookie})
	}
	res, err := w.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	if closing := res.Body.Close(); err == nil {
		err = closing
	}
	if err == nil && res.StatusCode >= 400 {
		err = &client.Error{Status: res.StatusCode, Code: res.Header.Get(api.CodeHeader), Message: res.Status + " at " + path}
	}
	return res, err
}

// authorize is an app's request with the cookie of a page session, which is enough: the code that the app is sent.
func (w website) authorize(ctx context.Context, cookie string) (code string, err error) {
	query := url.Values{
		"response_type": {"code"}, "client_id": {appAlias}, "redirect_uri": {appURI}, "scope": {"openid email"},
		"code_challenge": {oidc.ChallengeOf(appVerifier)}, "code_challenge_method": {"S256"},
	}
	res, err := w.ask(ctx, http.MethodGet, "/oauth/authorize?"+query.Encode(), cookie, nil)
	if err != nil {
		return "", err
	}
	back, err := url.Parse(res.Header.Get("Location"))
	if err == nil {
		code = back.Query().Get("code")
	}
	if code == "" {
		return "", &client.Error{Status: res.StatusCode, Message: "no code, but to " + res.Header.Get("Location")}
	}
	return code, nil
}

// code is an authorization code whose exchange is not acknowledged.
type code struct {
	raw  string
	page *device
	made time.Time
}

// all are the live devices that are signed in one way.
func (a *account) all(by way) []*device {
	return slices.DeleteFunc(slices.Clone(a.live), func(d *device) bool { return d.way != by })
}

// family is a device with what ends when its user ends it: a browser's apps.
func (a *account) family(d *device) []*device {
	return append([]*device{d}, slices.DeleteFunc(slices.Clone(a.live), func(e *device) bool { return e.page != d })...)
}

// enter signs in on one more device.
func (a *account) enter() error {
	pages := slices.DeleteFunc(a.all(byPage), func(d *device) bool { return d.asks || len(a.family(d)) > 6 })
	switch dice := rand.IntN(5); {
	case a.web == nil || dice == 0:
		return a.signIn()
	case len(pages) == 0 || dice == 1:
		if err := a.signInOnPage(); err != nil {
			return err
		}
		pages = a.live[len(a.live)-1:]
	}
	return a.signInApp(pages[rand.IntN(len(pages))])
}

func (a *account) signInOnPage() error {
	a.shown++
	cookie := ""
	err := a.call("page sign-in", "", func(ctx context.Context) error {
		res, err := a.web.ask(ctx, http.MethodPost, "/signin", "", url.Values{"email": {a.email}, "password": {a.password}})
		if err != nil {
			return err
		}
		for _, c := range res.Cookies() {
			if c.Name == pageCookie {
				cookie = c.Value
			}
		}
		if cookie == "" {
			return &client.Error{Status: res.StatusCode, Message: "no cookie"}
		}
		return nil
	})
	if err == nil {
		id, _, _ := strings.Cut(cookie, ".")
		a.live = append(a.live, &device{way: byPage, id: id, cookie: cookie})
	}
	return err
}

// signInApp is an app's sign-in: the page session is enough, and the browser comes back with a code.
func (a *account) signInApp(page *device) error {
	raw := ""
	err := a.call("authorize", page.id, func(ctx context.Context) (err error) {
		raw, err = a.web.authorize(ctx, page.cookie)
		return err
	})
	if err != nil {
		return err
	}
	a.code = &code{raw: raw, page: page, made: time.Now()}
	return a.call("exchange", page.id, func(ctx context.Context) error {
		_, err := a.exchange(ctx)
		return err
	})
}

// exchange makes the session that the account's code stands for.
func (a *account) exchange(ctx context.Context) (*device, error) {
	tokens, err := a.cl.ExchangeCode(ctx, api.CodeTokenRequest{ClientID: appAlias, Code: a.code.raw, RedirectURI: appURI, CodeVerifier: appVerifier})
	if err != nil {
		return nil, err
	}
	d := newDevice(ofApp(tokens))
	d.way, d.page = byApp, a.code.page
	a.live = append(a.live, d)
	a.code = nil
	return d, nil
}

// ofApp is an app's tokens in the shape of all others.
func ofApp(t api.AppTokens) api.Tokens {
	return api.Tokens{SessionID: sessionOf(t.AccessToken), AccessToken: t.AccessToken, RefreshToken: t.RefreshToken}
}

// sessionOf reads an access token's claim; empty when it cannot be read.
func sessionOf(accessToken string) string {
	var claims struct {
		Session string `json:"sid"`
	}
	if parts := strings.Split(accessToken, "."); len(parts) == 3 {
		raw, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil || json.Unmarshal(raw, &claims) != nil {
			return ""
		}
	}
	return claims.Session
}

// refresh presents a refresh token where it belongs.
func (a *account) refresh(ctx context.Context, d *device, raw string) (api.Tokens, error) {
	if d.way != byApp {
		return a.cl.Refresh(ctx, raw)
	}
	tokens, err := a.cl.RefreshApp(ctx, api.RefreshTokenRequest{ClientID: appAlias, RefreshToken: raw})
	return ofApp(tokens), err
}

// visit looks at the page that only who is signed in sees.
func (a *account) visit(ctx context.Context, d *device) (seen bool, err error) {
	res, err := a.web.ask(ctx, http.MethodGet, "/account", d.cookie, nil)
	return err == nil && res.StatusCode == http.StatusOK, err
}

// leave signs a device out by its own means.
func (a *account) leave(ctx context.Context, d *device) error {
	var err error
	switch d.way {
	case byAPI:
		err = a.cl.SignOut(ctx, d.access, api.SignOutRequest{})
	case byPage:
		_, err = a.web.ask(ctx, http.MethodPost, "/signout", d.cookie, url.Values{})
	case byApp:
		_, err = a.web.ask(ctx, http.MethodPost, "/oauth/revoke", "", url.Values{"token": {d.refresh}, "client_id": {appAlias}})
	}
	return err
}

// verifyCode shows the code again whose exchange was not answered: either nothing had happened, and it makes the session
// now; or it was spent, and then there is a session that it was spent for (I10).
func (a *account) verifyCode() {
	if a.code == nil {
		return
	}
	_, err := a.exchange(a.here())
	if err == nil {
		a.history = append(a.history, "  (the unanswered exchange had not happened)")
		return
	}
	fresh := time.Since(a.code.made) < 10*time.Second // else showing it again told of a copy, and ended its session
	a.code = nil
	if client.CodeOf(err) != "invalid_grant" {
		a.complain("exchange after the restart: %v", err)
		return
	}
	if found := a.stranger(); found != "" {
		a.history = append(a.history, "  (the unanswered exchange had happened)")
		a.strangers = append(a.strangers, found)
	} else if fresh {
		a.complain("a code was spent, and no session was made of it")
	}
}

// stranger is a live session of the account's with the app that we know nothing of, since its tokens never reached us.
func (a *account) stranger() string {
	a.shown++
	tokens, err := a.cl.SignIn(a.here(), api.SignInRequest{Email: a.email, Password: a.password})
	var user api.UserInfo
	if err == nil {
		user, err = a.cl.UserInfo(a.here(), tokens.AccessToken)
	}
	var list []api.Session
	if err == nil {
		list, err = a.cl.Sessions(a.here(), tokens.AccessToken, user.Subject)
	}
	if err == nil {
		err = a.cl.SignOut(a.here(), tokens.AccessToken, api.SignOutRequest{})
	}
	if err != nil {
		a.complain("list the sessions after the restart: %v", err)
	}
	for _, s := range list {
		known := slices.Contains(a.strangers, s.ID) || slices.ContainsFunc(a.live, func(d *device) bool { return d.id == s.ID })
		if s.Via == "oauth" && !known {
			return s.ID
		}
	}
	return ""
}
