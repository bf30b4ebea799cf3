package apps

// oidc-client-ts in Chromium: an application that is one page on an origin of its own and calls the server from there,
// so that CORS, cookies and Content-Security-Policy are the browser's.

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

func TestOIDCClientTS(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		app := onServer(t, "oidc-client-ts")
		app.Secrets = nil // whatever a page knows its visitors know
		p := newProvider(t, db, stage.Settings{"ACCESS_TTL": "8s"}, app)
		servePage(t, p, app)
		w := newWindow(t)

		w.open(app.URL + "/")
		w.await("window.shop?.ready")
		w.click("#in")
		w.signIn(p.person)
		w.await("window.shop?.ready && shop.profile")
		want := profile{p.person.ID, p.person.Email, true, firstName + " " + lastName, firstName, lastName}
		if diff := cmp.Diff(want, evaluate[profile](w, "shop.profile")); diff != "" {
			t.Errorf("the page's profile, want and got:\n%s", diff)
		}

		w.await("shop.renewals > 1") // by the library's own timer
		if !evaluate[bool](w, "shop.twice()") {
			t.Error("two renewals at once got different refresh tokens")
		}
		if failed := evaluate[[]string](w, "shop.errors"); len(failed) > 0 {
			t.Errorf("renewing failed: %v", failed)
		}
		w.open(app.URL + "/")
		w.await("window.shop?.ready && shop.profile") // still signed in

		w.click("#out")
		w.await("window.shop?.signedOut && shop.ready")
		w.open(p.issuer + "/account")
		w.await("document.querySelector('input[type=password]')") // signed out there as well
		if got := p.answered(t, tokenRoute); len(got) != 1 {
			t.Errorf("answers of %s by status: %v, want 200 alone", tokenRoute, got)
		}
	})
}

// servePage serves the application at the registration's address until the test ends.
func servePage(t *testing.T, p *provider, app registration) {
	t.Helper()
	needsPackages(t)
	mux := http.NewServeMux()
	file := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }
	}
	for _, path := range []string{"/{$}", "/callback", "/signed-out"} {
		mux.HandleFunc("GET "+path, file("oidc-client-ts.html"))
	}
	mux.HandleFunc("GET /app.mjs", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript") // whatever the system takes .mjs for
		http.ServeFile(w, r, "oidc-client-ts.mjs")
	})
	mux.HandleFunc("GET /oidc-client-ts.js", file("node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js"))
	mux.HandleFunc("GET /settings.json", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{ // OidcClientSettings
			"authority": p.issuer, "client_id": app.Alias, "redirect_uri": app.callback, "post_logout_redirect_uri": app.SignedOut[0],
		})
	})
	listener, err := net.Listen("tcp", strings.Replace(strings.TrimPrefix(app.URL, "http://"), "localhost", "127.0.0.1", 1))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(mux)
	_ = server.Listener.Close() // of its own choosing
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
}

// patience is how long something may take before the test gives up, on a busy machine too.
const patience = time.Minute

// window is a private one, with one tab.
type window struct {
	t   *testing.T
	ctx context.Context
}

func newWindow(t *testing.T) *window {
	t.Helper()
	said := &complaints{}
	ctx, cancel := chromedp.NewContext(stage.Chromium(t), chromedp.WithNewBrowserContext(), chromedp.WithListener(said.hear))
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a window: %v", err)
	}
	t.Cleanup(func() {
		for _, complaint := range said.all() {
			t.Errorf("the browser says: %s", complaint)
		}
		cancel()
	})
	return &window{t, ctx}
}

// complaints are what a browser says that no page may cause: script errors, and whatever it blocks or fails to load.
type complaints struct {
	mu   sync.Mutex
	said []string
}

func (c *complaints) hear(event any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		c.said = append(c.said, fmt.Sprintf("exception: %s %s:%d", e.ExceptionDetails.Text, e.ExceptionDetails.URL, e.ExceptionDetails.LineNumber+1))
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelInfo && e.Entry.Level != log.EntryLevelVerbose {
			c.said = append(c.said, fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	}
}

func (c *complaints) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.said)
}

func (w *window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		w.t.Fatalf("%v\n%s", err, w.shown())
	}
}

func (w *window) open(address string) {
	w.t.Helper()
	w.do(chromedp.Navigate(address))
}

// click clicks what may lead to another page, and does not wait for that.
func (w *window) click(css string) {
	w.t.Helper()
	w.do(chromedp.Click(chromedp.CSS(css)))
}

// signIn fills in the sign-in page of the server, once it is there.
func (w *window) signIn(who account) {
	w.t.Helper()
	w.await("document.querySelector('#email') && document.querySelector('#password')")
	w.do(chromedp.SendKeys(chromedp.ID("email"), who.Email), chromedp.SendKeys(chromedp.ID("password"), who.password))
	w.click("main form button:not([type=button])")
}

// await waits until an expression is true, over the end of one page and the beginning of the next.
func (w *window) await(expression string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		if met, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")")); err == nil && met {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.t.Fatalf("never became true: %s\n%s", expression, w.shown())
}

// evaluate evaluates an expression in the page, and waits for a promise.
func evaluate[T any](w *window, expression string) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Fatalf("evaluate %s: %v\n%s", expression, err, w.shown())
	}
	return got
}

// shown tells a failed test what was there to be seen.
func (w *window) shown() string {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	seen, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href + '\\n' + JSON.stringify(window.shop) + '\\n' + document.documentElement.outerHTML"))
	if err != nil {
		return err.Error()
	}
	return seen
}
