package client_test

// To whom HTTPClient shows the token.

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"latchkey/client"
)

// resource is a resource server that notes what it is shown, and redirects /to?… there.
type resource struct {
	*httptest.Server
	mu    sync.Mutex
	shown []string // "path: Authorization"
}

func newResource(t *testing.T, start func(http.Handler) *httptest.Server) *resource {
	t.Helper()
	a := &resource{}
	a.Server = start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.shown = append(a.shown, strings.TrimSpace(r.URL.Path+" "+r.Header.Get("Authorization")))
		a.mu.Unlock()
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *resource) saw(t *testing.T, want ...string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if fmt.Sprint(a.shown) != fmt.Sprint(want) {
		t.Errorf("it saw %v, want %v", a.shown, want)
	}
	a.shown = nil
}

func TestHTTPClient(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, s := n.signedIn(t)
	bearer := "Bearer " + mustToken(t, s)
	home, other := newResource(t, httptest.NewServer), newResource(t, httptest.NewServer)
	secure := newResource(t, func(h http.Handler) *httptest.Server { return httptest.NewTLSServer(h) })
	ask := func(c *http.Client, address string) error {
		r, err := http.NewRequest(http.MethodPost, address, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(r)
		if err == nil {
			_ = res.Body.Close()
		}
		if r.Header.Get("Authorization") != "" {
			t.Error("the caller's request was changed")
		}
		return err
	}
	must := func(c *http.Client, address string) {
		t.Helper()
		if err := ask(c, address); err != nil {
			t.Error(err)
		}
	}

	for _, c := range []*http.Client{
		s.HTTPClient(), s.HTTPClient(home.URL), s.HTTPClient(home.URL, other.URL),
		s.HTTPClient("https://api.example", strings.ToUpper(home.URL)+"/"),
	} {
		must(c, home.URL+"/a")
		home.saw(t, "/a "+bearer)
		must(c, home.URL+"/a?to=/b")
		home.saw(t, "/a "+bearer, "/b "+bearer)
		must(c, home.URL+"/a?to="+other.URL+"/b") // named or not: nobody has asked it
		home.saw(t, "/a "+bearer)
		other.saw(t, "/b")
		must(c, home.URL+"/a?to="+other.URL+"/b?to="+home.URL+"/c") // nor has anybody chosen where it leads back to
		home.saw(t, "/a "+bearer, "/c")
		other.saw(t, "/b")
		must(c, home.URL+"/a?to="+other.URL+"/b?to="+other.URL+"/c")
		home.saw(t, "/a "+bearer)
		other.saw(t, "/b", "/c")
		must(c, home.URL+"/a?to=//"+strings.TrimPrefix(other.URL, "http://")+"/b")
		home.saw(t, "/a "+bearer)
		other.saw(t, "/b")
		must(c, home.URL+"/a?to="+strings.Replace(home.URL, "127.0.0.1", "localhost", 1)+"/b")
		home.saw(t, "/a "+bearer, "/b")
	}

	trusting := app
	trusting.HTTP = secure.Client()
	c := mustStart(t, trusting).HTTPClient()
	must(c, secure.URL+"/a?to="+home.URL+"/b") // not by http, either
	secure.saw(t, "/a "+bearer)
	home.saw(t, "/b")

	for _, tt := range []struct {
		c             *http.Client
		address, says string
	}{
		{s.HTTPClient(home.URL), other.URL, "the token is not for " + other.URL},
		{s.HTTPClient(home.URL), strings.Replace(home.URL, "127.0.0.1", "localhost", 1), "the token is not for"},
		{s.HTTPClient(home.URL), strings.Replace(home.URL, "http:", "https:", 1), "the token is not for"},
		{s.HTTPClient(), "http://api.example/", "in the clear"},
		{s.HTTPClient(), "http://127.0.0.1.api.example/", "in the clear"},
		{s.HTTPClient("http://api.example"), "http://api.example/", "in the clear"},
		{s.HTTPClient(), "ftp://api.example/", "in the clear"},
		{s.HTTPClient(), strings.Replace(home.URL, "http://", "http://ada:secret@", 1), "has an Authorization header"},
		{s.HTTPClient("api.example"), home.URL, `"api.example" is not an origin`},
		{s.HTTPClient(home.URL, "https://api.example/v1"), home.URL, `"https://api.example/v1" is not an origin`},
		{s.HTTPClient("https://ada@api.example"), home.URL, "is not an origin"},
	} {
		if err := ask(tt.c, tt.address); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", tt.address, err, tt.says)
		}
	}
	home.saw(t)
	other.saw(t)

	// It refreshes, and stops where nobody is signed in.
	c = s.HTTPClient(home.URL)
	n.pass(n.until(t, app.File, 0))
	must(c, home.URL+"/a")
	home.saw(t, "/a Bearer "+readFile(t, app.File).AccessToken)
	if err := s.SignOut(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := ask(c, home.URL+"/a"); !errors.Is(err, client.ErrSignedOut) {
		t.Errorf("%v", err)
	}
	home.saw(t)
	c.CloseIdleConnections()
}
