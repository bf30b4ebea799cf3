package stage

// A server as an operator runs it: a process with an environment, a data folder and a log file.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"latchkey/client"
	"latchkey/internal/authtest"
)

// Settings are environment variables without their prefix: {"SMTP_URL": "smtp://…"}.
type Settings map[string]string

// Node is one server, which may be started, killed and started again.
type Node struct {
	t          testing.TB
	Data       string // folder
	URL, Admin string
	Settings   Settings
	Race       bool   // run the binary that was built with the race detector
	Binary     string // another release's; empty: this one's
	LogFile    string
	Process    *os.Process
	Exited     chan struct{} // closed when the process is gone
	State      *os.ProcessState
	HTTP       *http.Client
}

// NewNode prepares a server on free ports and a folder of its own; it is not started yet. Password
// hashing is made cheap, since its cost is not what is tested here, and callers may be told apart by
// X-Forwarded-For.
func NewNode(t testing.TB, extra Settings) *Node {
	t.Helper()
	dir := t.TempDir()
	n := &Node{t: t, Data: filepath.Join(dir, "data"), LogFile: filepath.Join(t.ArtifactDir(), "server-"+strconv.Itoa(rand.IntN(1e6))+".log")}
	public, admin := freePort(t), freePort(t)
	n.URL, n.Admin = "http://127.0.0.1:"+public, "http://127.0.0.1:"+admin
	n.Settings = Settings{
		"ADDR":            "127.0.0.1:" + public,
		"ADMIN_ADDR":      "127.0.0.1:" + admin,
		"PUBLIC_URL":      "http://localhost:" + public,
		"DATA_DIR":        n.Data,
		"HASH_MEMORY_KIB": "1024",
		"HASH_TIME":       "1",
		"TRUSTED_PROXIES": "127.0.0.1/32",
	}
	if extra["DATABASE_URL"] != "" {
		n.Settings["MASTER_KEY"] = authtest.Master
	}
	maps.Copy(n.Settings, extra)
	transport := &http.Transport{MaxIdleConnsPerHost: 200}
	n.HTTP = &http.Client{Timeout: 30 * time.Second, Transport: Elsewhere{transport}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if n.Running() {
			n.Kill()
		}
		if t.Failed() {
			t.Logf("the end of the server's log:\n%s", Tail(n.Log(), 30))
		}
	})
	return n
}

// StartNode is newNode, started.
func StartNode(t testing.TB, extra Settings) *Node {
	t.Helper()
	n := NewNode(t, extra)
	n.Start()
	return n
}

// At gives the requests of a context one client address, as somebody at home has.
func At(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, home{}, address)
}

type home struct{}

// Elsewhere gives every request a client address of its own, as a proxy would, but for those that are At one:
// limits by address are not what the rigs are about.
type Elsewhere struct{ http.RoundTripper }

func (e Elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	address, settled := r.Context().Value(home{}).(string)
	if !settled {
		address = fmt.Sprintf("10.%d.%d.%d", rand.IntN(256), rand.IntN(256), 1+rand.IntN(254))
	}
	r.Header.Set("X-Forwarded-For", address)
	return e.RoundTripper.RoundTrip(r)
}

// CloseIdleConnections is looked for by http.Client.
func (e Elsewhere) CloseIdleConnections() { e.RoundTripper.(*http.Transport).CloseIdleConnections() }

func freePort(t testing.TB) string {
	t.Helper()
	port, err := authtest.FreePort(t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func (n *Node) environment() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + n.Data}
	for _, key := range slices.Sorted(maps.Keys(n.Settings)) {
		env = append(env, "LATCHKEY_"+key+"="+n.Settings[key])
	}
	return env
}

func (n *Node) binary() string {
	if n.Binary != "" {
		return n.Binary
	}
	return serverBinary(n.t, n.Race)
}

// Spawn starts the process and does not wait for it to be ready. It runs under a umask that forbids
// nothing: the modes of its files are its own doing.
func (n *Node) Spawn() {
	n.t.Helper()
	out, err := os.OpenFile(n.LogFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command("/bin/sh", "-c", `umask 0; exec "$0" serve`, n.binary())
	cmd.Env, cmd.Stdout, cmd.Stderr = n.environment(), out, out
	if err := Guard(cmd); err != nil {
		n.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		n.t.Fatalf("start server: %v", err)
	}
	n.Process, n.Exited = cmd.Process, make(chan struct{})
	go func(exited chan struct{}) {
		_ = cmd.Wait() // how it ended is in the state
		n.State = cmd.ProcessState
		close(exited)
	}(n.Exited)
}

// Start starts the server and waits until it is ready.
func (n *Node) Start() {
	n.t.Helper()
	n.Spawn()
	n.AwaitReady()
}

const ReadyWithin = 20 * time.Second

func (n *Node) AwaitReady() {
	n.t.Helper()
	for end := time.Now().Add(ReadyWithin); time.Now().Before(end); time.Sleep(3 * time.Millisecond) {
		if !n.Running() {
			n.t.Fatalf("the server ended instead of starting (%v):\n%s", n.State, Tail(n.Log(), 5))
		}
		if n.Status(n.Admin+"/readyz") == http.StatusOK {
			return
		}
	}
	n.t.Fatalf("the server was not ready within %v:\n%s", ReadyWithin, Tail(n.Log(), 5))
}

// Settle waits until the server is ready, and until it looks at each connection to its database before it
// uses it: one that died a moment ago costs whoever meets it a 503.
func (n *Node) Settle() {
	n.t.Helper()
	n.AwaitReady()
	time.Sleep(1200 * time.Millisecond)
}

// Status GETs a URL over a new connection and returns the Status, 0 for none.
func (n *Node) Status(url string) int {
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

func (n *Node) Running() bool {
	if n.Process == nil {
		return false
	}
	select {
	case <-n.Exited:
		return false
	default:
		return true
	}
}

func (n *Node) Signal(s os.Signal) {
	n.t.Helper()
	if err := n.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.t.Fatalf("signal server: %v", err)
	}
}

// Kill ends the process as a power cut would, and waits until it is gone.
func (n *Node) Kill() {
	n.t.Helper()
	n.Signal(syscall.SIGKILL)
	<-n.Exited
	n.HTTP.CloseIdleConnections()
}

// Stop ends the process the way an operator does and returns its exit code.
func (n *Node) Stop() int {
	n.t.Helper()
	n.Signal(syscall.SIGTERM)
	return n.AwaitExit(20 * time.Second)
}

func (n *Node) AwaitExit(within time.Duration) int {
	n.t.Helper()
	select {
	case <-n.Exited:
	case <-time.After(within):
		n.t.Fatalf("the server still ran after %v", within)
	}
	n.HTTP.CloseIdleConnections()
	return n.State.ExitCode()
}

// Client calls the server through package client, and shows no device token: a stranger at every sign-in.
func (n *Node) Client() *client.Client { return client.New(n.URL, n.HTTP).On(nil) }

func (n *Node) Log() string {
	raw, err := os.ReadFile(n.LogFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		n.t.Fatal(err)
	}
	return string(raw)
}

// Command runs another of the binary's commands in the server's environment.
func (n *Node) Command(stdin string, args ...string) (stdout, stderr string, code int) {
	n.t.Helper()
	binary := n.binary() // which may have to be built first
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", slices.Concat([]string{"-c", `umask 0; exec "$0" "$@"`, binary}, args)...)
	var out, said bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = n.environment(), bytes.NewBufferString(stdin), &out, &said
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		n.t.Fatalf("latchkey %v: %v", args, err)
	}
	return out.String(), said.String(), cmd.ProcessState.ExitCode()
}

// Must is command for what has to succeed. Where a busy machine has kept it from opening the database in time, nothing was
// done, and it is run again, for a minute.
func (n *Node) Must(stdin string, args ...string) string {
	n.t.Helper()
	for began := time.Now(); ; {
		out, said, code := n.Command(stdin, args...)
		if code == 0 {
			return out
		}
		if !strings.Contains(said, "open PostgreSQL: database unavailable") || time.Since(began) > time.Minute {
			n.t.Fatalf("latchkey %v: exit code %d: %s", args, code, said)
		}
	}
}

// Body GETs a URL that must answer 200.
func (n *Node) Body(url string) []byte {
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

// Tail is the last lines of a text.
func Tail(text string, lines int) string {
	all := slices.Collect(bytes.Lines([]byte(text)))
	return string(bytes.Join(all[max(0, len(all)-lines):], nil))
}
