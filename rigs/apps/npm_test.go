package apps

// The packages of npm: each script beside this file is an application built of one, and the browser that a person uses
// with it. It reads what it is on standard input and prints one line of what happened.

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// openid-client is certified by the OpenID Foundation. The application is one that keeps a secret.
func TestOpenIDClient(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		app := onServer(t, "openid-client")
		p := newProvider(t, db, nil, app)
		p.holds(t, app, run[story](t, p, app, "openid-client.mjs"))
		p.hasAnswered(t, tokenRoute, tokenAnswers(app))
	})
}

// oauth4webapi is certified, too, and leaves every step to the application, which here is one without a secret.
func TestOAuth4WebAPI(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		app := onDesktop(t, "oauth4webapi")
		p := newProvider(t, db, nil, app)
		p.holds(t, app, run[story](t, p, app, "oauth4webapi.mjs"))
		p.hasAnswered(t, tokenRoute, tokenAnswers(app))
	})
}

// authJS is what authjs.mjs tells: whom a session is of each time that it is asked, empty once it is signed out.
type authJS struct {
	Pages         []string `json:"pages"`
	AtOnce        []string `json:"atOnce"` // in two requests at once, each of which refreshes
	SameSuccessor bool     `json:"sameSuccessor"`
	Afterwards    []string `json:"afterwards"` // with the cookies that either of the two has set
	Late          string   `json:"late"`       // with the cookies from before both
	LateRequests  int      `json:"lateRequests"`
	Complaints    []string `json:"complaints"` // of Auth.js, in its log
}

// Auth.js keeps its tokens in a cookie and refreshes them whenever that is read, so that requests of one browser refresh
// the same token at once, and one that was under way for long brings a superseded one. Nobody is signed out by either.
func TestAuthJS(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		app := onServer(t, "authjs")
		app.callback = app.URL + "/auth/callback/latchkey"
		app.Redirects = []string{app.callback}
		p := newProvider(t, db, stage.Settings{"ACCESS_TTL": "30s"}, app) // the application refreshes a minute before
		email := p.person.Email
		want := authJS{
			Pages: []string{"/auth/signin", "/signin"}, AtOnce: []string{email, email}, SameSuccessor: true,
			Afterwards: []string{email, email}, Late: email, LateRequests: 1, Complaints: []string{},
		}
		if diff := cmp.Diff(want, run[authJS](t, p, app, "authjs.mjs")); diff != "" {
			t.Errorf("want and got:\n%s", diff)
		}
		p.hasAnswered(t, tokenRoute, map[string]int{"200": 5, "503": 1})
	})
}

// scriptSettings are what a script is told of itself, of the server and of the person.
type scriptSettings struct {
	Issuer        string `json:"issuer"`
	ClientID      string `json:"clientId"`
	ClientSecret  string `json:"clientSecret,omitempty"`
	RedirectURI   string `json:"redirectUri"`
	SignedOutPage string `json:"signedOutPage"`
	Email         string `json:"email"`
	Password      string `json:"password"`
}

// run runs a script and reads what it tells.
func run[T any](t *testing.T, p *provider, app registration, script string) (told T) {
	t.Helper()
	settings := scriptSettings{
		Issuer: p.issuer, ClientID: app.Alias, RedirectURI: app.callback, SignedOutPage: app.SignedOut[0],
		Email: p.person.Email, Password: p.person.password,
	}
	if app.Secrets != nil {
		settings.ClientSecret = app.Secrets[0]
	}
	in, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	needsPackages(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	// The server listens on 127.0.0.1, and Node.js 18 tries ::1 alone for localhost.
	cmd := exec.CommandContext(ctx, "node", "--dns-result-order=ipv4first", script)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, said.String())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s says:\n%s", script, said.String())
		}
	})
	if err := json.Unmarshal(out.Bytes(), &told); err != nil {
		t.Fatalf("%s: %v in %q", script, err, out.String())
	}
	return told
}

// needsPackages fails the test where npm has not brought its packages.
func needsPackages(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("node_modules/.package-lock.json"); err != nil {
		t.Fatalf("the packages of npm are part of the tests and are not there: make deps (%v)", err)
	}
}
