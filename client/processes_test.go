package client_test

// Processes that share a session: real ones, all at work at once, killed at any moment.

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/client"
	"latchkey/internal/auth"
)

const (
	// processEnv has an order for a copy of this program.
	processEnv = "LATCHKEY_TEST_PROCESS"
	processes  = 8
	lasts      = 3 * time.Minute // a process at most, on a busy machine
)

// order is what a process is told.
type order struct {
	Issuer, File, Name string
	Tokens             int // to ask for; 0: until somebody signs out
}

// asProcess is such a process. It prints a line for each token, and the error that ends it.
func asProcess(raw string) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	defer cancel()
	var o order
	if err := json.Unmarshal([]byte(raw), &o); err != nil {
		panic(err) // the parent is wrong
	}
	s, err := client.SignIn(ctx, client.App{
		Issuer: o.Issuer, ClientID: "cli", File: o.File, Open: nobody, HTTP: &http.Client{Transport: naming{o.Name, http.DefaultTransport}},
	})
	for i := 0; err == nil && (o.Tokens == 0 || i < o.Tokens); i++ {
		if _, err = s.Token(ctx); err == nil {
			fmt.Println("token")
		}
	}
	switch {
	case errors.Is(err, client.ErrSignedOut):
		fmt.Println("signed out")
	case err != nil:
		fmt.Println(err)
	}
	return 0
}

// process starts one, hands each token to got, and kills it where that says so. It returns the error that has ended it,
// as it was printed: "" for none.
func (o order) process(t *testing.T, got func() (kill bool)) (said string) {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), processEnv+"="+string(raw)), os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return err.Error()
	}
	killed := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() != "token" {
			said = lines.Text()
		} else if !killed && got() {
			killed = true
			_ = cmd.Process.Kill() // it may have ended
		}
	}
	if err := cmd.Wait(); err != nil && !killed {
		t.Errorf("process %s: %v", o.Name, err)
	}
	return said
}

// atOnce is a node whose tokens are to be refreshed at once.
func atOnce(t *testing.T) *node {
	n := newNode(t, func(o *auth.Options) { o.AccessTTL = time.Millisecond })
	n.ahead = 10 * time.Second
	return n
}

// Eight processes refresh one session at once, fifty times each and more, while each is killed several times at whatever
// it does. Nobody is signed out. (R1, R2, R4, R6, R10, R12)
func TestProcessesShareASession(t *testing.T) {
	t.Parallel()
	n := atOnce(t)
	app, s := n.signedIn(t)
	const tokens, kills = 50, 3
	var all sync.WaitGroup
	var killed atomic.Int64
	for i := range processes {
		all.Go(func() {
			left := tokens
			for life := 0; left > 0; life++ {
				until := tokens + 1 // tokens after which it is killed
				if life < kills {
					until = 1 + rand.IntN(tokens/kills)
				}
				o := order{n.issuer, app.File, fmt.Sprint(i, ".", life), left}
				if said := o.process(t, func() bool {
					left, until = left-1, until-1
					if until == 0 {
						time.Sleep(rand.N(5 * time.Millisecond)) // somewhere in its next refresh
						killed.Add(1)
					}
					return until == 0
				}); said != "" {
					t.Errorf("process %s ends with %q", o.Name, said)
					return
				}
			}
		})
	}
	all.Wait()
	mustToken(t, s)
	counts := map[int]int{}
	for _, a := range n.refreshes("") {
		counts[a.status]++
	}
	t.Logf("%d processes were killed; refreshes by status: %v", killed.Load(), counts)
	if counts[http.StatusOK] < tokens || counts[http.StatusBadRequest] > 0 || killed.Load() != processes*kills {
		t.Error("it was no session that is shared, or not all were killed")
	}
	answeredOnce(t, n)
}

// A sign-out in one process ends all, whatever they are doing, and none brings the session back (R11).
func TestR11ASignOutEndsAllProcesses(t *testing.T) {
	t.Parallel()
	n := atOnce(t)
	for range 3 {
		app, s := n.signedIn(t)
		var all, busy sync.WaitGroup
		for i := range processes {
			busy.Add(1)
			all.Go(func() {
				atWork := sync.OnceFunc(busy.Done)
				defer atWork()
				o := order{n.issuer, app.File, fmt.Sprint(i), 0}
				if said := o.process(t, func() bool { atWork(); return false }); said != "signed out" {
					t.Errorf("process %d ends with %q", i, said)
				}
			})
		}
		busy.Wait()
		if err := s.SignOut(soon(t)); err != nil {
			t.Error(err)
		}
		all.Wait()
		if names := namesIn(t, filepath.Dir(app.File)); !slices.Equal(names, []string{"session.json.ended"}) {
			t.Errorf("there are %v", strings.Join(names, ", "))
		}
	}
}
