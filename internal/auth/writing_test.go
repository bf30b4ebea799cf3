package auth_test

// Readiness knows whether writing works.

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

// awaitReady waits until readiness is as wanted, for longer than a probe may be old.
func awaitReady(t *testing.T, svc *auth.Service, ready bool) (last error) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if last = svc.Ready(context.Background()); (last == nil) == ready {
			return last
		}
	}
	t.Fatalf("readiness is %v, want ready: %t", last, ready)
	return nil
}

// Writes fail and reads do not, as on a full disk: not ready, whether a request or nobody noticed; and ready
// again when they succeed.
func TestReadyKnowsWhetherWritingWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds until something is given up")
	}
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		var full atomic.Bool
		writes := func(m authtest.Moment) error {
			if full.Load() && m.Call != "read" && m.Call != "clock" {
				return fmt.Errorf("%w: database or disk is full", store.ErrUnavailable)
			}
			return nil
		}
		r := authtest.New(t, db, func(o *auth.Options) { o.Store = authtest.Faults{Fail: writes}.On(o.Store) })
		r.AddUser(t, "ada@example.com")
		awaitReady(t, r.Service, true)
		full.Store(true)
		if err := awaitReady(t, r.Service, false); !strings.Contains(err.Error(), "disk is full") {
			t.Errorf("nobody wrote: got %v, want the database's own words", err)
		}
		full.Store(false)
		awaitReady(t, r.Service, true)
		full.Store(true)
		if _, err := attempt(r, "ada@example.com", "wrong password", from("203.0.113.1")); auth.CodeOf(err) != auth.CodeUnavailable {
			t.Fatalf("a guess on a full disk: %v", err)
		}
		if err := r.Service.Ready(context.Background()); err == nil {
			t.Error("ready right after a request met the full disk")
		}
		if _, _, err := r.Service.Outbox().Waiting(context.Background()); err != nil {
			t.Errorf("reading: %v", err)
		}
		full.Store(false)
		if _, err := attempt(r, "ada@example.com", authtest.Password, from("203.0.113.1")); err != nil {
			t.Fatal(err)
		}
		awaitReady(t, r.Service, true)
	})
}

// A probe is made every few seconds at most, however often readiness is asked, and none where requests write.
func TestReadyProbesSeldom(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		var writes atomic.Int64
		count := func(m authtest.Moment) error {
			if m.Call == "single" && m.At == authtest.Calling {
				writes.Add(1)
			}
			return nil
		}
		r := authtest.New(t, db, func(o *auth.Options) { o.Store = authtest.Faults{Fail: count}.On(o.Store) })
		began := time.Now()
		before := writes.Load()
		for range 50 {
			if err := r.Service.Ready(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		most := 1 + int64(time.Since(began)/(3*time.Second))
		if probes := writes.Load() - before; probes > most {
			t.Errorf("%d probes in %v, want %d at most", probes, time.Since(began), most)
		}
	})
}

// A SQLite file that is removed under a running server takes no write, and readiness says which file.
func TestReadyMissesTheDataFile(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds until something is given up")
	}
	db := authtest.SQLite(t)
	r := authtest.New(t, db)
	awaitReady(t, r.Service, true)
	file := db.Options.Path
	if err := os.Rename(file, file+".aside"); err != nil {
		t.Fatal(err)
	}
	if err := awaitReady(t, r.Service, false); !strings.Contains(err.Error(), file) {
		t.Errorf("got %v, want an error that names %s", err, file)
	}
	if err := os.Rename(file+".aside", file); err != nil {
		t.Fatal(err)
	}
	awaitReady(t, r.Service, true)
}
