package apps

// The server as an OpenID Provider: the applications that its operator registered, and the account that signs in.

import (
	"encoding/json"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// registration is a [[client]] of the operator's file.
type registration struct {
	Alias     string   `toml:"alias"`
	URL       string   `toml:"url"`
	Redirects []string `toml:"redirect_uris"`
	SignedOut []string `toml:"post_logout_redirect_uris"`
	Ended     string   `toml:"backchannel_logout_uri,omitempty"`
	Audiences []string `toml:"audiences,omitempty"`
	Secrets   []string `toml:"secrets,omitempty"` // none: a public client

	callback string // as the application sends it
}

// secret has what HTTP Basic sends otherwise than it is, where a library encodes it (RFC 6749 §2.3.1).
const secret = "100% of it, and / or + more = 1 & only 1"

// onServer is an application that runs on a server of its own and keeps a secret.
func onServer(t *testing.T, alias string) registration {
	t.Helper()
	at := "http://" + net.JoinHostPort("localhost", freePort(t))
	return registration{
		Alias: alias, URL: at, Redirects: []string{at + "/callback"}, SignedOut: []string{at + "/signed-out"},
		Secrets: []string{secret}, callback: at + "/callback",
	}
}

// onDesktop is a program that a person runs: it has no secret, and listens on whichever port of loopback is free (RFC
// 8252 §7.3).
func onDesktop(t *testing.T, alias string) registration {
	t.Helper()
	at := "http://" + net.JoinHostPort("127.0.0.1", freePort(t))
	return registration{
		Alias: alias, URL: "https://" + alias + ".example", Redirects: []string{"http://127.0.0.1/callback"},
		SignedOut: []string{at + "/signed-out"}, callback: at + "/callback",
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	port, err := authtest.FreePort(t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// provider is a server that knows the applications, with one account.
type provider struct {
	node   *stage.Node
	issuer string
	person account
}

// account is the one that signs in.
type account struct {
	ID       string `json:"id"`
	Email    string `json:"email"`
	password string
}

const (
	firstName = "Ada"
	lastName  = "Lovelace"
)

func newProvider(t *testing.T, db authtest.Database, extra stage.Settings, apps ...registration) *provider {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clients.toml")
	text, err := toml.Marshal(map[string][]registration{"client": apps})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	settings := stage.Settings{"CLIENTS_FILE": file}
	if db.Options.URL != "" {
		settings["DATABASE_URL"] = db.Options.URL
	} else {
		settings["DATA_DIR"] = filepath.Dir(db.Options.Path)
	}
	maps.Copy(settings, extra)
	node := stage.StartNode(t, settings)
	return &provider{node, node.Settings["PUBLIC_URL"], newAccount(t, node)}
}

func newAccount(t *testing.T, node *stage.Node) account {
	t.Helper()
	a := account{Email: "ada@example.com", password: authtest.Password}
	shown := node.Must(a.password+"\n", "user", "add", "--email", a.Email, "--first-name", firstName, "--last-name", lastName, "--password-stdin", "--json")
	if err := json.Unmarshal([]byte(shown), &a); err != nil || a.ID == "" {
		t.Fatalf("no id of the account in %s: %v", shown, err)
	}
	return a
}

// tokenRoute is where codes and refresh tokens go.
const tokenRoute = "POST /oauth/token"

// answered is how often a route has answered with each status so far.
func (p *provider) answered(t *testing.T, route string) map[string]int {
	t.Helper()
	line := regexp.MustCompile(`(?m)^latchkey_http_requests_total\{route="` + regexp.QuoteMeta(route) + `",status="(\d+)"\} (\d+)$`)
	counted := map[string]int{}
	for _, found := range line.FindAllStringSubmatch(string(p.node.Body(p.node.Admin+"/metrics")), -1) {
		n, err := strconv.Atoi(found[2])
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			counted[found[1]] = n
		}
	}
	return counted
}

// hasAnswered asserts how often a route has answered with each status. An answer is counted when it has been written,
// which may be a moment after its reader has it.
func (p *provider) hasAnswered(t *testing.T, route string, want map[string]int) {
	t.Helper()
	diff := ""
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if diff = cmp.Diff(want, p.answered(t, route)); diff == "" {
			return
		}
	}
	t.Errorf("answers of %s by status, want and got:\n%s", route, diff)
}
