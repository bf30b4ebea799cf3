package sdk

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// What the components do where a server is seldom: pages/react/cases.jsx, in both versions of React.
func TestReactCases(t *testing.T) {
	want := map[string]string{
		"while storage has not answered the status is loading":                                        `[["loading"],["loading","signedOut"]]`,
		"a client that is ready shows its session at once":                                            `["Ada"]`,
		"a session that the server ends is one to sign in again for, one that the person ends is not": `[["ended","/"],["signed_out"]]`,
		"each mount starts once, also after a sign-out that was not under it":                         `[1,1]`,
		"after a refusal none starts, until something has changed":                                    `[["/"],0,1]`,
		"nor where the refusal came before the client was ready":                                      `[["loading","signedOut"],[]]`,
		"nor where the back end says so in the address":                                               `[]`,
		"a sign-in that cannot begin is thrown to the boundary":                                       `true`,
		"what failed is shown by error, or thrown to the boundary":                                    `true`,
		"a Callback that is gone neither navigates nor throws":                                        `[]`,
		"the navigate of the last rendering is called, and once":                                      `["new"]`,
		"what is told twice renders once, and nothing is told to who is gone":                         `[0,["Ada","Bob"]]`,
		"another client is another session":                                                           `["Ada","Bob"]`,
	}
	for _, react := range []string{"react", "react18"} {
		t.Run(react, func(t *testing.T) {
			dir := buildReact(t, react)
			port, err := authtest.FreePort(t.Cleanup)
			if err != nil {
				t.Fatal(err)
			}
			url := "http://localhost:" + port
			mux := http.NewServeMux()
			mux.HandleFunc("GET /cases.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, filepath.Join(dir, "cases.js")) })
			mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				_, _ = w.Write([]byte(`<!doctype html><link rel="icon" href="data:,"><body><script type="module" src="/cases.js"></script>`))
			})
			stage.ServeAt(t, url, mux)
			tab := stage.NewTab(t)
			tab.Open(url + "/")
			tab.Await("window.cases")
			if names := stage.Evaluate[[]string](tab, "Object.keys(cases)"); len(names) != len(want) {
				t.Errorf("the page has the cases %q", names)
			}
			for _, name := range slices.Sorted(maps.Keys(want)) {
				if got := stage.Evaluate[string](tab, fmt.Sprintf("cases[%q]().then(JSON.stringify)", name)); got != want[name] {
					t.Errorf("%s: %s, want %s", name, got, want[name])
				}
			}
		})
	}
}
