package rigs

// A server as an operator runs it: a process with an environment, a data folder and a log file.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"latchkey/client"
	"latchkey/internal/authtest"
)

// settings are environment variables without their prefix: {"SMTP_URL": "smtp://…"}.
type settings map[string]string

// node is one server, which may be started, killed and started again.
type node struct {
	t          testing.TB
	Data       string // folder
	URL, Admin string
	settings   settings
	race       bool // run the binary that was built with the race detector
	logFile    string
	process    *os.Process
	exited     chan struct{} // closed when the process is gone
	state      *os.ProcessState
	http       *http.Client
}

// newNode prepares a server on free ports and a folder of its own; it is not started yet. Password
// hashing is made cheap, since its cost is not what is tested here, and callers may be told apart by
// X-Forwarded-For.
func newNode(t testing.TB, extra settings) *node {
	t.Helper()
	dir := t.TempDir()
	n := &node{t: t, Data: filepath.Join(dir, "data"), logFile: filepath.Join(t.ArtifactDir(), "server-"+strconv.Itoa(rand.IntN(1e6))+".log")}
	public, admin := freePort(t), freePort(t)
	n.URL, n.Admin = "http://127.0.0.1:"+public, "http://127.0.0.1:"+admin
	n.settings = settings{
		"ADDR":            "127.0.0.1:" + public,
		"ADMIN_ADDR":      "127.0.0.1:" + admin,
		"PUBLIC_URL":      "http://localhost:" + public,
		"DATA_DIR":        n.Data,
		"HASH_MEMORY_KIB": "1024",
		"HASH_TIME":       "1",
		"TRUSTED_PROXIES": "127.0.0.1/32",
	}
	if extra["DATABASE_URL"] != "" {
		n.settings["MASTER_KEY"] = authtest.Master
	}
	maps.Copy(n.settings, extra)
	transport := &http.Transport{MaxIdleConnsPerHost: 200}
	n.http = &http.Client{Timeout: 30 * time.Second, Transport: elsewhere{transport}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if n.running() {
			n.kill()
		}
		if t.Failed() {
			t.Logf("the end of the server's log:\n%s", tail(n.log(), 30))
		}
	})
	return n
}

// startNode is newNode, started.
func startNode(t testing.TB, extra settings) *node {
	t.Helper()
	n := newNode(t, extra)
	n.start()
	return n
}

// elsewhere gives every request a client address of its own, as a proxy would: limits by address are
// not what the rigs are about.
type elsewhere struct{ http.RoundTripper }

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", rand.IntN(256), rand.IntN(256), 1+rand.IntN(254)))
	return e.RoundTripper.RoundTrip(r)
}

// CloseIdleConnections is looked for by http.Client.
func (e elsewhere) CloseIdleConnections() { e.RoundTripper.(*http.Transport).CloseIdleConnections() }

// freePort finds a port below those that the system gives to outgoing connections: while a server is
// down nobody else takes its port.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(15000 + rand.IntN(15000))
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("found no free port")
	return ""
}

func (n *node) environment() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + n.Data}
	for _, key := range slices.Sorted(maps.Keys(n.settings)) {
		env = append(env, "LATCHKEY_"+key+"="+n.settings[key])
	}
	return env
}

// spawn starts the process and does not wait for it to be ready. It runs under a umask that forbids
// nothing: the modes of its files are its own doing.
func (n *node) spawn() {
	n.t.Helper()
	group, err := wardenGroup()
	if err != nil {
		n.t.Fatal(err)
	}
	out, err := os.OpenFile(n.logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command("/bin/sh", "-c", `umask 0; exec "$0" serve`, serverBinary(n.t, n.race))
	cmd.Env, cmd.Stdout, cmd.Stderr = n.environment(), out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
	if err := cmd.Start(); err != nil {
		n.t.Fatalf("start server: %v", err)
	}
	n.process, n.exited = cmd.Process, make(chan struct{})
	go func(exited chan struct{}) {
		_ = cmd.Wait() // how it ended is in the state
		n.state = cmd.ProcessState
		close(exited)
	}(n.exited)
}

// start starts the server and waits until it is ready.
func (n *node) start() {
	n.t.Helper()
	n.spawn()
	n.awaitReady()
}

const readyWithin = 20 * time.Second

func (n *node) awaitReady() {
	n.t.Helper()
	for end := time.Now().Add(readyWithin); time.Now().Before(end); time.Sleep(3 * time.Millisecond) {
		if !n.running() {
			n.t.Fatalf("the server ended instead of starting (%v):\n%s", n.state, tail(n.log(), 5))
		}
		if n.status(n.Admin+"/readyz") == http.StatusOK {
			return
		}
	}
	n.t.Fatalf("the server was not ready within %v:\n%s", readyWithin, tail(n.log(), 5))
}

// status GETs a URL over a new connection and returns the status, 0 for none.
func (n *node) status(url string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func (n *node) running() bool {
	if n.process == nil {
		return false
	}
	select {
	case <-n.exited:
		return false
	default:
		return true
	}
}

func (n *node) signal(s os.Signal) {
	n.t.Helper()
	if err := n.process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.t.Fatalf("signal server: %v", err)
	}
}

// kill ends the process as a power cut would, and waits until it is gone.
func (n *node) kill() {
	n.t.Helper()
	n.signal(syscall.SIGKILL)
	<-n.exited
	n.http.CloseIdleConnections()
}

// stop ends the process the way an operator does and returns its exit code.
func (n *node) stop() int {
	n.t.Helper()
	n.signal(syscall.SIGTERM)
	return n.awaitExit(20 * time.Second)
}

func (n *node) awaitExit(within time.Duration) int {
	n.t.Helper()
	select {
	case <-n.exited:
	case <-time.After(within):
		n.t.Fatalf("the server still ran after %v", within)
	}
	n.http.CloseIdleConnections()
	return n.state.ExitCode()
}

// client calls the server through package client.
func (n *node) client() *client.Client { return client.New(n.URL, n.http) }

func (n *node) log() string {
	raw, err := os.ReadFile(n.logFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		n.t.Fatal(err)
	}
	return string(raw)
}

// command runs another of the binary's commands in the server's environment.
func (n *node) command(stdin string, args ...string) (stdout, stderr string, code int) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", slices.Concat([]string{"-c", `umask 0; exec "$0" "$@"`, serverBinary(n.t, n.race)}, args)...)
	var out, said bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = n.environment(), bytes.NewBufferString(stdin), &out, &said
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		n.t.Fatalf("latchkey %v: %v", args, err)
	}
	return out.String(), said.String(), cmd.ProcessState.ExitCode()
}

// must is command for what has to succeed.
func (n *node) must(stdin string, args ...string) string {
	n.t.Helper()
	out, said, code := n.command(stdin, args...)
	if code != 0 {
		n.t.Fatalf("latchkey %v: exit code %d: %s", args, code, said)
	}
	return out
}

// body GETs a URL that must answer 200.
func (n *node) body(url string) []byte {
	n.t.Helper()
	res, err := http.Get(url)
	if err != nil {
		n.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		n.t.Fatalf("GET %s: %s, %v", url, res.Status, err)
	}
	return raw
}

// tail is the last lines of a text.
func tail(text string, lines int) string {
	all := slices.Collect(bytes.Lines([]byte(text)))
	return string(bytes.Join(all[max(0, len(all)-lines):], nil))
}
