package sdk

// APIs in JavaScript: the programs that run them, all from npm, and the door of the server whose tokens they check.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

const packages = "../../sdk/js/node_modules/"

// jsRuntime is a program that runs JavaScript. Where it lies in npm's packages differs between machines.
type jsRuntime struct {
	name, program string
	arguments     []string
}

var (
	inNode    = jsRuntime{"Node", "node", nil}
	inDeno    = jsRuntime{"Deno", packages + "@deno/*/deno", []string{"run", "--allow-all", "--no-config"}}
	inBun     = jsRuntime{"Bun", packages + "@oven/bun-*/bin/bun", nil}
	inWorkerd = jsRuntime{"workerd", packages + "@cloudflare/workerd-*/bin/workerd", nil}
)

func (r jsRuntime) command(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	program := r.program
	if found, err := filepath.Glob(r.program); strings.Contains(r.program, "*") {
		if err != nil || len(found) == 0 {
			t.Fatalf("%s is part of the tests and is not there: make deps", r.name)
		}
		program = found[0]
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, slices.Concat(r.arguments, arguments)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NO_COLOR=1"}
	return cmd
}

// script is one of runtimes with all that it imports, in one file.
func script(t *testing.T, name string) string {
	t.Helper()
	if err := bundle(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(scripts, name)
}

var scripts string // a folder, which the run removes

var bundle = sync.OnceValue(func() error {
	entry, err := filepath.Abs("../../sdk/js/src/verify/index.ts")
	if err != nil {
		return err
	}
	out, err := exec.Command(packages+".bin/esbuild", "runtimes/api.mjs", "runtimes/host.mjs", "runtimes/ends.mjs",
		"--bundle", "--format=esm", "--platform=neutral", "--external:node:*", "--out-extension:.js=.mjs",
		"--alias:latchkey-client/verify="+entry, "--outdir="+scripts).CombinedOutput()
	if err != nil {
		return fmt.Errorf("bundle the scripts (make deps brings npm's packages): %w\n%s", err, out)
	}
	return nil
})

// jsAPI is a running api.mjs.
type jsAPI struct {
	t    *testing.T
	url  string
	http *http.Client
}

// serve starts an API, which ends with the test.
func (r jsRuntime) serve(t *testing.T, settings map[string]string) *jsAPI {
	t.Helper()
	port, err := authtest.FreePort(t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	var cmd *exec.Cmd
	if r.name == inWorkerd.name {
		cmd = r.command(t, "serve", workerdConfig(t, port, settings))
	} else {
		cmd = r.command(t, script(t, "host.mjs"))
		for name, value := range settings {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		cmd.Env = append(cmd.Env, "PORT="+port)
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := stage.Guard(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", r.name, err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	a := &jsAPI{t, "http://127.0.0.1:" + port, &http.Client{Transport: transport, Timeout: stage.Patience}}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed
		close(exited)
	}()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = cmd.Process.Kill() // it may have ended
		<-exited
		if t.Failed() {
			t.Logf("%s says:\n%s", r.name, said.String())
		}
	})
	for end := time.Now().Add(stage.Patience); ; time.Sleep(5 * time.Millisecond) {
		res, err := a.http.Get(a.url + "/ready")
		if err == nil {
			_ = res.Body.Close()
			return a
		}
		select {
		case <-exited:
			t.Fatalf("%s ended instead of starting", r.name)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not answer: %v", r.name, err)
		}
	}
}

// workerdConfig has api.mjs served there. Its own network would not reach this machine.
func workerdConfig(t *testing.T, port string, settings map[string]string) string {
	t.Helper()
	code, err := os.ReadFile(script(t, "api.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	bindings := ""
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		bindings += fmt.Sprintf("(name = %q, text = %q), ", name, settings[name])
	}
	config := fmt.Sprintf(`using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "api", worker = (modules = [(name = "api.mjs", esModule = embed "api.mjs")], compatibilityDate = "2026-01-01", bindings = [%s])),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:%s", http = (), service = "api")],
);
`, bindings, port)
	for name, content := range map[string][]byte{"api.mjs": code, "config.capnp": []byte(config)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "config.capnp")
}

// get asks with an access token. An answer that is not 200 has a code in its body.
func (a *jsAPI) get(ctx context.Context, path, token string) (status int, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+path, nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := a.http.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

// says is how a token is answered: "200 ada@example.com", "401 invalid_token".
func (a *jsAPI) says(path, token string) string {
	a.t.Helper()
	status, body, err := a.get(a.t.Context(), path, token)
	if err != nil {
		a.t.Fatal(err)
	}
	return fmt.Sprint(status, " ", body)
}

const letIn = "200 " + email

// move moves the API's clock.
func (a *jsAPI) move(by time.Duration) {
	a.t.Helper()
	a.says(fmt.Sprintf("/clock?ms=%d", by.Milliseconds()), "")
}

// becomes waits until a token is answered so.
func (a *jsAPI) becomes(token, want string) {
	a.t.Helper()
	a.until(want, func() bool { return a.says("/", token) == want })
}

func (a *jsAPI) until(what string, holds func() bool) {
	a.t.Helper()
	for end := time.Now().Add(stage.Patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			a.t.Fatalf("not within %v: %s", stage.Patience, what)
		}
	}
}

// door is where APIs find the server: its address is the issuer. It counts what it lets through.
type door struct {
	*httptest.Server
	inside  atomic.Pointer[http.Handler]
	asked   atomic.Int64                  // for keys
	hold    atomic.Pointer[chan struct{}] // what asks for keys waits for
	waiting atomic.Int64                  // polls of the feed that may wait
}

func newDoor(t *testing.T) *door {
	d := &door{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/waiting": // answered when a poll waits
			for d.waiting.Load() == 0 && r.Context().Err() == nil {
				time.Sleep(5 * time.Millisecond)
			}
			return
		case r.URL.Path == "/.well-known/jwks.json":
			d.asked.Add(1)
			if hold := d.hold.Load(); hold != nil {
				select {
				case <-*hold:
				case <-r.Context().Done():
				}
			}
		case r.URL.Query().Has("after"):
			d.waiting.Add(1)
			defer d.waiting.Add(-1)
		}
		(*d.inside.Load()).ServeHTTP(w, r)
	}))
	t.Cleanup(d.Close)
	return d
}

// holdUp has what asks for keys wait until release is called.
func (d *door) holdUp() (release func()) {
	hold := make(chan struct{})
	d.hold.Store(&hold)
	return sync.OnceFunc(func() {
		d.hold.CompareAndSwap(&hold, nil)
		close(hold)
	})
}

// leadsTo is for a server that runs by itself.
func (d *door) leadsTo(t *testing.T, address string) {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	var proxy http.Handler = &httputil.ReverseProxy{
		Transport:    transport,
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // as if there were no door
	}
	d.inside.Store(&proxy)
}
