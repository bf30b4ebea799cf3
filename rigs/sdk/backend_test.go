package sdk

// The back end's half, latchkey-client/server: programs of Node.js beside a server. Each of their tests is one here.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/server"
	"latchkey/rigs/stage"
)

const backendFile = `
[[client]]
alias = %[1]q
url = %[2]q
redirect_uris = ["%[2]s/auth/callback"]
post_logout_redirect_uris = ["%[2]s/"]
backchannel_logout_uri = "%[2]s/auth/backchannel"
secret = %[3]q
`

// backendSettings are what a program is told of the server, of its apps and of the people.
type backendSettings struct {
	Issuer   string                `json:"issuer"`
	Admin    string                `json:"admin"`
	Control  string                `json:"control"` // moves the server's clock
	Life     float64               `json:"life"`    // of access tokens, in seconds
	Wait     float64               `json:"wait"`    // of the slow handler, in seconds
	Apps     map[string]backendApp `json:"apps"`
	People   []string              `json:"people"`
	Password string                `json:"password"`
}

type backendApp struct {
	BaseURL      string `json:"baseUrl"`
	ClientSecret string `json:"clientSecret"`
}

// newBackendApps gives each app an address and writes the clients file.
func newBackendApps(t *testing.T, aliases ...string) (file string, apps map[string]backendApp) {
	t.Helper()
	text, apps := "", map[string]backendApp{}
	for _, alias := range aliases {
		port, err := authtest.FreePort(t.Cleanup)
		if err != nil {
			t.Fatal(err)
		}
		apps[alias] = backendApp{"http://localhost:" + port, "the secret of " + alias + ", 100% + more & = /"}
		text += fmt.Sprintf(backendFile, alias, apps[alias].BaseURL, apps[alias].ClientSecret)
	}
	file = filepath.Join(t.TempDir(), "clients.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, apps
}

func TestBackEnd(t *testing.T) {
	file, apps := newBackendApps(t, "sealed", "stored")
	node := stage.StartNode(t, stage.Settings{"CLIENTS_FILE": file, "ACCESS_TTL": "6s"})
	runBackend(t, "real.mjs", onNode(t, node, apps))
}

// Real time passes: a handler of 70 seconds in the long lane.
func TestBackEndSlowly(t *testing.T) {
	file, apps := newBackendApps(t, "sealed")
	life := stage.Lane(t, 12*time.Second, time.Minute, time.Minute)
	node := stage.StartNode(t, stage.Settings{"CLIENTS_FILE": file, "ACCESS_TTL": life.String()})
	settings := onNode(t, node, apps)
	settings.Life = life.Seconds()
	settings.Wait = stage.Lane(t, 24*time.Second, 70*time.Second, 70*time.Second).Seconds()
	runBackend(t, "slow.mjs", settings)
}

// The server's clock stands still but for what the program lets pass, and its answers say so.
func TestBackEndClocks(t *testing.T) {
	for _, life := range []time.Duration{time.Minute, 10 * time.Minute} {
		t.Run(life.String(), func(t *testing.T) {
			_, apps := newBackendApps(t, "sealed")
			app := apps["sealed"]
			set, err := clients.New([]clients.Client{{
				Alias: "sealed", URL: app.BaseURL, RedirectURIs: []string{app.BaseURL + "/auth/callback"}, Secret: app.ClientSecret,
			}})
			if err != nil {
				t.Fatal(err)
			}
			port, err := authtest.FreePort(t.Cleanup)
			if err != nil {
				t.Fatal(err)
			}
			issuer := "http://localhost:" + port
			rig := authtest.New(t, authtest.SQLite(t), func(o *auth.Options) {
				o.Issuer, o.Audience, o.Clients, o.AccessTTL = issuer, issuer, set, life
			})
			rig.Clock.Stop()
			rig.AddUser(t, email)
			handler := server.New(rig.ServerOptions())
			mux := http.NewServeMux()
			mux.HandleFunc("POST /control", func(w http.ResponseWriter, r *http.Request) {
				ms, err := strconv.Atoi(r.URL.Query().Get("ms"))
				if err != nil {
					http.Error(w, err.Error(), http.StatusBadRequest)
					return
				}
				rig.Clock.Advance(time.Duration(ms) * time.Millisecond)
			})
			mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", rig.Clock.Now().UTC().Format(http.TimeFormat))
				handler.ServeHTTP(w, r)
			})
			stage.ServeAt(t, issuer, mux)
			runBackend(t, "clocks.mjs", backendSettings{
				Issuer: issuer, Control: issuer + "/control", Life: life.Seconds(), Apps: apps, People: []string{email}, Password: authtest.Password,
			})
		})
	}
}

func onNode(t *testing.T, node *stage.Node, apps map[string]backendApp) backendSettings {
	t.Helper()
	people := []string{"ada@example.com", "bob@example.com"}
	for _, address := range people {
		node.Must(authtest.Password+"\n", "user", "add", "--email", address, "--first-name", "Ada", "--last-name", "Lovelace", "--password-stdin")
	}
	return backendSettings{Issuer: node.Settings["PUBLIC_URL"], Admin: node.Admin, Apps: apps, People: people, Password: authtest.Password}
}

var tapLine = regexp.MustCompile(`(?m)^(not )?ok \d+ - (.*)$`)

// runBackend compiles the package, runs a program and reports each of its tests.
func runBackend(t *testing.T, program string, settings backendSettings) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	const sdk = "../../sdk/js"
	compile := exec.CommandContext(ctx, sdk+"/node_modules/.bin/tsc", "-p", sdk+"/tsconfig.json", "--outDir", sdk+"/build/rig")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compile sdk/js, whose packages of npm `make deps` brings: %v\n%s", err, out)
	}
	in, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", "--dns-result-order=ipv4first", "--test-reporter=tap", "backend/"+program)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &said
	err = cmd.Run()
	tests := tapLine.FindAllStringSubmatch(out.String(), -1)
	failed := false
	for _, test := range tests {
		t.Run(strings.ReplaceAll(test[2], `\#`, "#"), func(t *testing.T) {
			if test[1] != "" {
				failed = true
				t.Fail()
			}
		})
	}
	if failed || err != nil || len(tests) == 0 {
		t.Fatalf("%s: %v\n%s\n%s", program, err, out.String(), said.String())
	}
	for _, told := range regexp.MustCompile(`(?m)^# (?:told: )(.*)$`).FindAllStringSubmatch(out.String(), -1) {
		t.Log(told[1])
	}
}
