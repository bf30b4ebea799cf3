package sdk

// latchkey-client/verify in an API, against the server: in each runtime the same.

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/server"
	"latchkey/rigs/stage"
)

const feedSecret = "a secret of more than thirty-two bytes"

const feedClients = `
[[client]]
alias = "verifier"
url = "https://api.example"
secrets = ["` + feedSecret + `"]
feed = true
`

// inEach runs a test in each of the runtimes.
func inEach(t *testing.T, runtimes []jsRuntime, test func(t *testing.T, r jsRuntime)) {
	for _, r := range runtimes {
		t.Run(r.name, func(t *testing.T) { test(t, r) })
	}
}

var (
	withSockets = []jsRuntime{inNode, inDeno, inBun}
	everywhere  = append(withSockets[:3:3], inWorkerd)
)

// newIssuer is a server, started, behind a door, with the account.
func newIssuer(t *testing.T) (*stage.Node, *door) {
	t.Helper()
	d, clients := newDoor(t), filepath.Join(t.TempDir(), "clients.toml")
	if err := os.WriteFile(clients, []byte(feedClients), 0o600); err != nil {
		t.Fatal(err)
	}
	n := stage.StartNode(t, stage.Settings{"CLIENTS_FILE": clients, "PUBLIC_URL": d.URL})
	d.leadsTo(t, n.URL)
	n.Must(authtest.Password+"\n", "user", "add", "--email", email, "--first-name", "Ada", "--last-name", "Lovelace", "--password-stdin")
	return n, d
}

// newClockedIssuer is a server in this process, whose clock can be set, behind a door.
func newClockedIssuer(t *testing.T) (*authtest.Rig, *door) {
	t.Helper()
	d := newDoor(t)
	rig := authtest.New(t, authtest.SQLite(t), func(o *auth.Options) { o.Issuer, o.Audience = d.URL, d.URL })
	rig.AddUser(t, email)
	inside := server.New(rig.ServerOptions())
	d.inside.Store(&inside)
	return rig, d
}

// in signs in, and returns the access token.
func in(t *testing.T, n *stage.Node) string {
	t.Helper()
	tokens, err := n.Client().SignIn(t.Context(), api.SignInRequest{Email: email, Password: authtest.Password})
	if err != nil {
		t.Fatal(err)
	}
	return tokens.AccessToken
}

func out(t *testing.T, n *stage.Node, token string) {
	t.Helper()
	if err := n.Client().SignOut(t.Context(), token, api.SignOutRequest{}); err != nil {
		t.Fatal(err)
	}
}

func TestRuntimesRefuseAttacks(t *testing.T) {
	inEach(t, everywhere, func(t *testing.T, r jsRuntime) {
		var told struct {
			Wrong []string
			Tried int
		}
		a := r.serve(t, nil)
		_, body, err := a.get(t.Context(), "/attacks", "")
		if err != nil || json.Unmarshal([]byte(body), &told) != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if len(told.Wrong) > 0 || told.Tried < 100 {
			t.Errorf("of %d tokens: %q", told.Tried, told.Wrong)
		}
	})
}

// Three times the signing key is exchanged as an operator does it, while many ask: hours, by the clock of server and API.
// Nobody is refused.
func TestRuntimesWhileKeysRotate(t *testing.T) {
	inEach(t, everywhere, func(t *testing.T, r jsRuntime) {
		rig, d := newClockedIssuer(t)
		a := r.serve(t, map[string]string{"ISSUER": d.URL})
		var current atomic.Pointer[string]
		renew := func() {
			token := rig.In(t, email).AccessToken
			current.Store(&token)
		}
		renew()
		var checked, refused atomic.Int64
		var all sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		defer all.Wait()
		defer stop()
		for range 8 {
			all.Go(func() {
				for ctx.Err() == nil && refused.Load() == 0 {
					if status, body, err := a.get(ctx, "/", *current.Load()); ctx.Err() == nil && (err != nil || status != http.StatusOK) {
						refused.Add(1)
						t.Errorf("a good token: %d %s %v", status, body, err)
					}
					checked.Add(1)
				}
			})
		}
		names := map[string]bool{}
		for range 3 {
			if _, err := rig.Service.Keys().Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
			for range 20 { // minutes: the successor is published for ten, then signs, and its predecessor retires
				rig.Clock.Advance(time.Minute)
				if err := rig.Service.Keys().Reload(t.Context()); err != nil {
					t.Fatal(err)
				}
				renew()
				a.move(time.Minute)
				head, _, _ := strings.Cut(*current.Load(), ".")
				names[head] = true
				before := checked.Load()
				a.until("checks go on", func() bool { return checked.Load() > before+8 || refused.Load() > 0 })
			}
		}
		if len(names) < 4 {
			t.Errorf("%d keys have signed", len(names))
		}
		if asked := d.asked.Load(); asked < 4 || asked > 40 {
			t.Errorf("asked for keys %d times in an hour", asked)
		}
		t.Logf("%d checks, asked for keys %d times", checked.Load(), d.asked.Load())
	})
}

// A sign-out is heard of within two seconds. How soon the fastest of a few tells, since the machine may be busy.
func TestRuntimesHearOfSignOuts(t *testing.T) {
	n, d := newIssuer(t)
	inEach(t, withSockets, func(t *testing.T, r jsRuntime) {
		a := r.serve(t, map[string]string{"ISSUER": d.URL, "SECRET": feedSecret, "OPEN_FOR": "300"})
		fastest := stage.Patience
		for range 3 {
			leaves, stays := in(t, n), in(t, n)
			if x, y := a.says("/", leaves), a.says("/", stays); x != letIn || y != letIn {
				t.Fatalf("before the end: %s, %s", x, y)
			}
			out(t, n, leaves)
			began := time.Now()
			a.becomes(leaves, "401 invalid_token")
			fastest = min(fastest, time.Since(began))
			if got := a.says("/", stays); got != letIn {
				t.Errorf("another session's token: %s", got)
			}
		}
		if fastest > 2*time.Second {
			t.Errorf("an end is heard of after %v at the earliest", fastest)
		}
		t.Logf("an end is heard of after %v", fastest)
	})
}

// While the server is away tokens are taken for as long as is configured, a minute, and no longer.
func TestRuntimesWhileTheFeedIsAway(t *testing.T) {
	inEach(t, withSockets, func(t *testing.T, r jsRuntime) {
		n, d := newIssuer(t)
		a := r.serve(t, map[string]string{"ISSUER": d.URL, "SECRET": feedSecret, "OPEN_FOR": "60"})
		leaves, stays := in(t, n), in(t, n)
		if x, y := a.says("/", leaves), a.says("/", stays); x != letIn || y != letIn {
			t.Fatalf("while it is there: %s, %s", x, y)
		}
		a.until("a poll waits", func() bool { return d.waiting.Load() > 0 })
		n.Kill()
		a.until("the poll has failed", func() bool { return d.waiting.Load() == 0 })
		a.move(30 * time.Second)
		if got := a.says("/", stays); got != letIn {
			t.Errorf("half a minute later: %s", got)
		}
		a.move(30 * time.Second)
		if got := a.says("/", stays); got != "503 feed_unavailable" {
			t.Errorf("a minute later: %s", got)
		}
		n.Start()
		out(t, n, leaves)
		a.becomes(stays, letIn)
		a.becomes(leaves, "401 invalid_token")
	})
}

// A program ends when it has nothing to do, though it polls; and it does not end while it waits for a check.
func TestRuntimesLetProgramsEnd(t *testing.T) {
	n, d := newIssuer(t)
	inEach(t, withSockets, func(t *testing.T, r jsRuntime) {
		cmd := r.command(t, script(t, "ends.mjs"))
		cmd.Env = append(cmd.Env, "ISSUER="+d.URL, "SECRET="+feedSecret, "TOKEN="+in(t, n))
		var said, complains bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &complains
		if err := stage.Guard(cmd); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			if err != nil || said.String() != email+"\nover\n" || complains.Len() > 0 {
				t.Errorf("%v: it says %q, %s", err, said.String(), complains.String())
			}
		case <-time.After(stage.Patience):
			_ = cmd.Process.Kill() // it may end just then
			<-ended
			t.Errorf("it does not end; it says %q", said.String())
		}
	})
}

// In workerd each request has its own I/O: what one has got all use, and none waits for another's.
func TestWorkerdSharesResults(t *testing.T) {
	rig, d := newClockedIssuer(t)
	a := inWorkerd.serve(t, map[string]string{"ISSUER": d.URL})
	token := rig.In(t, email).AccessToken
	release := d.holdUp()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got := a.says("/", token); got != letIn {
				t.Errorf("at the start: %s", got)
			}
		})
	}
	a.until("keys are asked for", func() bool { return d.asked.Load() > 0 })
	time.Sleep(200 * time.Millisecond) // for more that might ask
	release()
	all.Wait()
	if asked := d.asked.Load(); asked != 1 {
		t.Errorf("20 requests asked for keys %d times", asked)
	}

	// Stale keys are used while new ones are asked for beside the answer, or before it where nothing may go on after it.
	// That the new ones have come shows the token of a key that was dropped.
	for i, path := range []string{"/", "/wait"} {
		before := token
		if _, err := rig.Service.Keys().Replace(t.Context()); err != nil {
			t.Fatal(err)
		}
		rig.Clock.Advance(5 * time.Minute)
		a.move(5 * time.Minute)
		token = rig.In(t, email).AccessToken
		release, answered := d.holdUp(), make(chan string, 1)
		go func() { answered <- a.says(path, before) }()
		if path == "/" {
			if got := <-answered; got != letIn {
				t.Errorf("with stale keys: %s", got)
			}
		}
		asked := int64(i) + 2
		a.until("keys are asked for", func() bool { return d.asked.Load() == asked })
		release()
		if path == "/" {
			a.becomes(before, "401 invalid_token")
		} else if got := <-answered; got != letIn {
			t.Errorf("without waitUntil: %s", got)
		}
		if x, y := a.says("/", before), a.says("/", token); x != "401 invalid_token" || y != letIn {
			t.Errorf("%s: %s of the key before, %s of the new one", path, x, y)
		}
		if got := d.asked.Load(); got != asked+1 { // once more because of the key that nobody knows
			t.Errorf("%s: asked for keys %d times", path, got)
		}
		d.asked.Store(asked)
	}
}

// A request that is given up takes its asking with it: the next one asks anew.
func TestWorkerdForgetsWhoLeft(t *testing.T) {
	rig, d := newClockedIssuer(t)
	a := inWorkerd.serve(t, map[string]string{"ISSUER": d.URL})
	token, release := rig.In(t, email).AccessToken, d.holdUp()
	defer release()
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		if _, _, err := a.get(ctx, "/", token); err == nil {
			t.Error("answered without keys")
		}
	}()
	a.until("keys are asked for", func() bool { return d.asked.Load() == 1 })
	leave()
	<-left
	d.hold.Store(nil)
	a.move(6 * time.Second)
	a.becomes(token, letIn)
	if asked := d.asked.Load(); asked != 2 {
		t.Errorf("asked for keys %d times", asked)
	}
}

func TestWorkerdHasNoFeed(t *testing.T) {
	a := inWorkerd.serve(t, map[string]string{"ISSUER": "https://id.example"})
	if got := a.says("/feed", ""); got != "200 feed_unsupported" {
		t.Error(got)
	}
}
