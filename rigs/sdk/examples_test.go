package sdk

// The examples of /docs, by copy and paste: a reader who types what a page shows, and nothing else, ends with somebody
// signed in.

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"latchkey/internal/apidocs"
	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

func TestExamples(t *testing.T) {
	for _, app := range apidocs.Apps {
		t.Run(app.Name, func(t *testing.T) {
			r := newReader(t, app.Name)
			for _, c := range r.commands {
				r.types(c)
			}
			switch app.Name {
			case "express", "verify-go":
				r.reads(app.Steps[len(app.Steps)-1].Shows)
			case "cli-go":
				r.signsInAtTheAddressShown()
			default:
				r.signsInAt("http://localhost:4000/")
			}
		})
	}
}

// reader follows one page, with a terminal whose home folder is a fresh one.
type reader struct {
	t        *testing.T
	node     *stage.Node
	home     string
	commands []command
	terminal io.Writer
	printed  *output
}

// command is what a page has its reader type, and where.
type command struct{ where, text string }

var typed = regexp.MustCompile(`(?s)<pre class="run" data-where="(app|latchkey)" tabindex="0"><code>(.*?)</code></pre>`)

func newReader(t *testing.T, name string) *reader {
	t.Helper()
	for _, port := range []string{"4000", "8081"} { // the pages name them
		if conn, err := net.Dial("tcp", "localhost:"+port); err == nil {
			_ = conn.Close()
			t.Fatalf("port %s is taken: end what listens there", port)
		}
	}
	r := &reader{t: t, node: stage.StartNode(t, nil), home: t.TempDir(), printed: &output{}}
	for _, found := range typed.FindAllSubmatch(r.node.Body(r.node.Settings["PUBLIC_URL"]+"/docs/"+name), -1) {
		r.commands = append(r.commands, command{string(found[1]), html.UnescapeString(string(found[2]))})
	}
	if len(r.commands) == 0 {
		t.Fatalf("/docs/%s has nothing to type", name)
	}
	shell := exec.Command("bash", "-e")   // which ends at the first command that fails
	shell.Dir = filepath.Join("..", "..") // Latchkey's folder, where the reader begins
	shell.Env = append(os.Environ(), append(caches(t), "HOME="+r.home, "npm_config_prefer_offline=true")...)
	shell.Stdout, shell.Stderr = r.printed, r.printed
	stdin, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := stage.Guard(shell); err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		r.endAll()
		_ = shell.Wait()
		if t.Failed() {
			t.Logf("the terminal:\n%s", stage.Tail(r.printed.String(), 60))
		}
	})
	r.terminal = stdin
	return r
}

// caches are those that Go and npm have already: a reader has them, too, after the first time.
func caches(t *testing.T) []string {
	t.Helper()
	env := []string{"GOFLAGS=-mod=mod"}
	for name, ask := range map[string][]string{
		"GOCACHE": {"go", "env", "GOCACHE"}, "GOMODCACHE": {"go", "env", "GOMODCACHE"}, "GOPROXY": {"go", "env", "GOPROXY"},
		"npm_config_cache": {"npm", "config", "get", "cache"}, "npm_config_registry": {"npm", "config", "get", "registry"},
	} {
		out, err := exec.Command(ask[0], ask[1:]...).Output()
		if err != nil {
			t.Fatalf("%s: %v", ask, err)
		}
		env = append(env, name+"="+strings.TrimSpace(string(out)))
	}
	return env
}

// endAll ends everything that runs with the reader's home folder: what the terminal began, in the background too.
func (r *reader) endAll() {
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range environments {
		environment, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(append([]byte{0}, environment...), []byte("\x00HOME="+r.home+"\x00")) {
			continue // gone, or another's
		}
		var pid int
		if _, err := fmt.Sscanf(name, "/proc/%d/environ", &pid); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

var (
	started = regexp.MustCompile(`^LATCHKEY_CLIENTS_FILE=~/(\S+) make run$`)
	added   = regexp.MustCompile(`^echo '([^']+)' \| bin/latchkey (user add .*)$`)
)

// types does what a command says. Only what is about Latchkey itself is done by the rig's own means: it starts the server
// and makes the user on the server that the page came from.
func (r *reader) types(c command) {
	r.t.Helper()
	if found := started.FindStringSubmatch(c.text); c.where == "latchkey" && found != nil {
		r.node.Stop()
		r.node.Settings["CLIENTS_FILE"] = filepath.Join(r.home, found[1])
		r.node.Start()
		r.node.Must(authtest.Password+"\n", "user", "add", "--email", email, "--first-name", "Ada", "--last-name", "Lovelace", "--password-stdin")
		return
	}
	if c.where != "app" {
		r.t.Fatalf("nobody knows how to type %q in Latchkey's own terminal", c.text)
	}
	if found := added.FindStringSubmatch(c.text); found != nil {
		r.node.Must(found[1]+"\n", strings.Fields(found[2])...)
		return
	}
	_, _ = fmt.Fprintf(r.terminal, "%s\n", c.text)
	if strings.HasSuffix(c.text, "&") {
		r.listens("localhost:8081")
		return
	}
	if stays := regexp.MustCompile(`(?m)^(python3|npx|node|go run) `); stays.MatchString(c.text) {
		return // until the terminal is closed
	}
	done := fmt.Sprintf("<%d typed>", len(c.text))
	_, _ = fmt.Fprintf(r.terminal, "echo '%s'\n", done)
	r.awaits(done, func() bool { return strings.Contains(r.printed.String(), done) })
}

func (r *reader) listens(address string) {
	r.t.Helper()
	r.awaits(address, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// awaits gives npm and a first build five minutes, on a busy machine.
func (r *reader) awaits(what string, is func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("no %s", what)
		}
	}
}

// reads compares what the terminal printed last with what the page says: … stands for what differs each time.
func (r *reader) reads(shown string) {
	r.t.Helper()
	want := regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(shown), "…", ".+"))
	if got := r.printed.String(); !want.MatchString(got) {
		r.t.Errorf("the page says that this is printed:\n%s", shown)
	}
}

// signsInAt presses the app's own button or link, signs in on the server's page, and out again in the app.
func (r *reader) signsInAt(address string) {
	r.t.Helper()
	r.listens("localhost:4000")
	tab := stage.NewTab(r.t)
	tab.Open(address)
	press := func(name string) {
		find := fmt.Sprintf(`[...document.querySelectorAll("a, button")].find((it) => it.innerText.trim() === %q)`, name)
		tab.Await(find)
		stage.Evaluate[bool](tab, find+`.click() ?? true`)
	}
	press("Sign in")
	tab.SignIn(email, authtest.Password)
	tab.Await(fmt.Sprintf("location.origin === 'http://localhost:4000' && document.body?.innerText.includes(%q)", email))
	tab.Open(address)
	tab.Await(fmt.Sprintf("document.body?.innerText.includes(%q)", email)) // still
	press("Sign out")
	tab.Await(fmt.Sprintf("location.origin === 'http://localhost:4000' && !document.body.innerText.includes(%q)", email))
	press("Sign in") // is there again
}

var address = regexp.MustCompile(`http://localhost:\d+/oauth/authorize\S+`)

// signsInAtTheAddressShown does what whoever has no browser on that machine does.
func (r *reader) signsInAtTheAddressShown() {
	r.t.Helper()
	r.awaits("address to open", func() bool { return address.MatchString(r.printed.String()) })
	tab := stage.NewTab(r.t)
	tab.Open(address.FindString(r.printed.String()))
	tab.SignIn(email, authtest.Password)
	r.awaits(email+" in the terminal", func() bool { return strings.Contains(r.printed.String(), email) })
}

// output is what a terminal has printed.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
