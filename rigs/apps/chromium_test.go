package apps

// oidc-client-ts in Chromium: an application that is one page on an origin of its own and calls the server from there,
// so that CORS, cookies and Content-Security-Policy are the browser's.

import (
	"encoding/json"
	"net/http"
	"testing"

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
		w := stage.NewTab(t)

		w.Open(app.URL + "/")
		w.Await("window.shop?.ready")
		w.Click("#in")
		w.SignIn(p.person.Email, p.person.password)
		w.Await("window.shop?.ready && shop.profile")
		want := profile{p.person.ID, p.person.Email, true, firstName + " " + lastName, firstName, lastName}
		if diff := cmp.Diff(want, stage.Evaluate[profile](w, "shop.profile")); diff != "" {
			t.Errorf("the page's profile, want and got:\n%s", diff)
		}

		w.Await("shop.renewals > 1") // by the library's own timer
		if !stage.Evaluate[bool](w, "shop.twice()") {
			t.Error("two renewals at once got different refresh tokens")
		}
		if failed := stage.Evaluate[[]string](w, "shop.errors"); len(failed) > 0 {
			t.Errorf("renewing failed: %v", failed)
		}
		w.Open(app.URL + "/")
		w.Await("window.shop?.ready && shop.profile") // still signed in

		w.Click("#out")
		w.Await("window.shop?.signedOut && shop.ready")
		w.Open(p.issuer + "/account")
		w.Await("document.querySelector('input[type=password]')") // signed out there as well
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
	stage.ServeAt(t, app.URL, mux)
}
