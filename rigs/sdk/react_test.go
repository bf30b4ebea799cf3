package sdk

import (
	"bytes"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// An app of React signs in by RequireSession and Callback, in both versions of React and under StrictMode, whose double
// effects must not double anything: pages/react.
func TestReact(t *testing.T) {
	for _, react := range []string{"react", "react18"} {
		t.Run(react, func(t *testing.T) { testReact(t, react) })
	}
}

func testReact(t *testing.T, react string) {
	app := newReactApp(t, react)
	tab := stage.NewTab(t)

	tab.Open(app.url + "/orders?page=2")
	tab.SignIn(email, authtest.Password)
	tab.Await("document.querySelector('#name')?.textContent === 'Ada Lovelace'")
	app.shows(tab, "signed in", "[location.pathname + location.search, sessionStorage.begun, exchanges(), shop.navigated]", `["/orders?page=2","1",1,1]`)

	tab.Open(app.url + "/orders")
	tab.Await("shop.settled === '/orders signedIn'")
	if statuses := stage.Evaluate[[]string](tab, "shop.statuses"); slices.Contains(statuses, "signedOut") {
		t.Errorf("a reload of a page that is signed in commits %v", statuses)
	}

	session := stage.Evaluate[string](tab, "JSON.stringify(auth.session)")
	app.session.Store(&session)
	tab.Open(app.url + "/orders/rendered")
	tab.Await("shop.settled && auth.session")
	app.shows(tab, "hydrated", "[shop.statuses, document.querySelector('#name').rendered, document.querySelector('#name').textContent]", `[["signedIn"],true,"Ada Lovelace"]`)

	tab.Click("#out")
	tab.Await("window.shop?.settled === '/ signedOut'")
	app.shows(tab, "signed out", "[sessionStorage.begun, auth.session]", `["1",null]`)

	stage.Evaluate[bool](tab, `auth.signIn({ prompt: "none", returnTo: "/orders" }) && true`)
	tab.Await("window.shop?.settled === '/orders signedOut'")
	app.shows(tab, "refused", "[sessionStorage.begun, shop.navigated, document.querySelector('#fallback').textContent]", `["2",1,"Sign in first"]`)

	tab.Open(app.url + "/callback?code=c&state=s&iss=" + app.issuer)
	tab.Await("document.querySelector('#error')")
	app.shows(tab, "of a sign-in that this browser did not begin", "[document.querySelector('#error').textContent, shop.navigated]", `["state_unknown",0]`)

	tab.Open(app.url + "/orders") // signed out at the server as well: it asks
	tab.SignIn(email, authtest.Password)
	tab.Await("document.querySelector('#name')?.textContent === 'Ada Lovelace'")
}

// reactApp is the app as it is served, with what its server rendered for a session at /orders/rendered.
type reactApp struct {
	t           *testing.T
	url, issuer string
	session     atomic.Pointer[string]
}

func newReactApp(t *testing.T, react string) *reactApp {
	t.Helper()
	dir := buildReact(t, react)
	url, node := newNode(t, nil)
	app := &reactApp{t: t, url: url, issuer: node.Settings["PUBLIC_URL"]}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /page.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, filepath.Join(dir, "page.js")) })
	for _, path := range []string{"/{$}", "/orders", "/callback"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { app.page(w, "null", "") })
	}
	mux.HandleFunc("GET /orders/rendered", func(w http.ResponseWriter, _ *http.Request) {
		session := *app.session.Load()
		var rendered, said bytes.Buffer
		render := exec.Command("node", filepath.Join(dir, "render.cjs"))
		render.Stdin, render.Stdout, render.Stderr = strings.NewReader(session), &rendered, &said
		if err := render.Run(); err != nil || said.Len() > 0 {
			t.Errorf("render on the server: %v %s", err, said.String())
		}
		app.page(w, session, rendered.String())
	})
	stage.ServeAt(t, url, mux)
	return app
}

// buildReact builds pages/react for a version of React, and answers with the folder.
func buildReact(t *testing.T, react string) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("node", filepath.Join("pages", "react", "build.mjs"), react, dir)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the app (`make deps` installs what it needs): %v\n%s", err, out)
	}
	return dir
}

// page is the document of every page, with what React's server rendered. What anybody complains of is collected.
func (app *reactApp) page(w http.ResponseWriter, session, rendered string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Shop</title>
<link rel="icon" href="data:,">
<div id="root">%s</div>
<script>
window.shop = { statuses: [], complaints: [], settled: null, navigated: 0 };
window.issuer = %q;
window.initialSession = %s;
for (const level of ["error", "warn"]) console[level] = (...said) => shop.complaints.push(said.join(" "));
const name = document.querySelector("#name");
if (name) name.rendered = true;
const exchanges = () => performance.getEntriesByName(issuer + "/oauth/token").length;
</script>
<script type="module" src="/page.js"></script>
`, rendered, app.issuer, session)
}

// shows compares what the page says with what it should, and that nothing was complained of.
func (app *reactApp) shows(tab *stage.Tab, when, expression, want string) {
	app.t.Helper()
	if got := stage.Evaluate[string](tab, "JSON.stringify("+expression+")"); got != want {
		app.t.Errorf("%s: %s is %s, want %s", when, expression, got, want)
	}
	if complaints := stage.Evaluate[[]string](tab, "shop.complaints"); len(complaints) > 0 {
		app.t.Errorf("%s: React complains: %s", when, complaints)
	}
}
