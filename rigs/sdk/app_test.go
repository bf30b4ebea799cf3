package sdk

// The app: a page on another port than the server's, which is registered with it.

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// clientsFile registers the app. It keeps no secret: whatever a page knows its visitors know.
const clientsFile = `
[[client]]
alias = "shop"
url = %[1]q
redirect_uris = ["%[1]s/callback"]
post_logout_redirect_uris = ["%[1]s/"]
`

// email is of the account that signs in, with authtest.Password.
const email = "ada@example.com"

// newApp starts a server that knows the app, and serves one of pages as the app, at / and at its callback. The page asks
// for /settings.json to learn its issuer. The app has an API, /api, and /moved redirects to where "to" says.
func newApp(t *testing.T, page string, extra stage.Settings) (url string, node *stage.Node) {
	t.Helper()
	url, node = newNode(t, extra)
	mux := http.NewServeMux()
	for _, path := range []string{"/{$}", "/callback"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, filepath.Join("pages", page)) })
	}
	mux.HandleFunc("GET /shim.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "pages/shim.js") })
	mux.HandleFunc("GET /api", echo)
	mux.HandleFunc("GET /moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.FormValue("to"), http.StatusFound) })
	mux.HandleFunc("GET /settings.json", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer": %q}`, node.Settings["PUBLIC_URL"])
	})
	stage.ServeAt(t, url, mux)
	return url, node
}

// newNode starts a server that knows an app, and the address at which that is to be served.
func newNode(t *testing.T, extra stage.Settings) (url string, node *stage.Node) {
	t.Helper()
	port, err := authtest.FreePort(t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	url = "http://localhost:" + port
	clients := filepath.Join(t.TempDir(), "clients.toml")
	if err := os.WriteFile(clients, fmt.Appendf(nil, clientsFile, url), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := stage.Settings{"CLIENTS_FILE": clients}
	maps.Copy(settings, extra)
	node = stage.StartNode(t, settings)
	node.Must(authtest.Password+"\n", "user", "add", "--email", email, "--first-name", "Ada", "--last-name", "Lovelace", "--password-stdin")
	return url, node
}

// echo answers with the authorization that it was sent, to pages of any origin.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization")
	_, _ = fmt.Fprint(w, r.Header.Get("Authorization"))
}
