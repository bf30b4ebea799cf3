package node_test

// Servers have one time, notice who differs in the settings, and say that they end.

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/node"
	"latchkey/internal/store"
)

func TestMain(m *testing.M) { authtest.Main(m) }

// Nodes on one PostgreSQL server have its time, whatever their own clocks say; one that is far off is not ready. An
// SQLite file has no clock of its own.
func TestNodesHaveOneTime(t *testing.T) {
	ahead := func() time.Time { return time.Now().Add(time.Hour) }
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		n := node.New(node.Options{Store: db.Open(t), Now: ahead, Log: slog.New(slog.DiscardHandler)})
		if n.ClockTrusted() {
			t.Error("a clock is trusted before it was measured")
		}
		if err := n.MeasureClock(context.Background()); err != nil {
			t.Fatal(err)
		}
		off := time.Until(n.Now())
		if shared := db.Options.URL != ""; shared != !n.ClockTrusted() || shared != (off.Abs() < time.Minute) {
			t.Errorf("the clock is off by %v and trusted: %t", off, n.ClockTrusted())
		}
	})
}

// Two servers of other settings name what differs, once; the hashes hold no secret; who ends is forgotten.
func TestNodesNameWhatDiffers(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		logged := func(out *bytes.Buffer) func(*auth.Options) {
			return func(o *auth.Options) { o.Log = slog.New(slog.NewTextHandler(out, nil)) }
		}
		var first, second, third bytes.Buffer
		a := authtest.New(t, db, logged(&first), func(o *auth.Options) { o.Store = authtest.Faults{Clock: o.Now}.On(o.Store) })
		b := authtest.New(t, db, logged(&second), func(o *auth.Options) {
			o.Issuer, o.SessionsPerUser, o.TransportKey = "https://other.example.com", 7, "not for anybody's eyes"
		})
		alike := authtest.New(t, db, logged(&third))
		compare := func(rigs ...*authtest.Rig) {
			t.Helper()
			for _, r := range rigs {
				if err := r.Service.Node().Compare(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		compare(a, b, a, b, a, b)
		const differ = `differ="LATCHKEY_PUBLIC_URL, LATCHKEY_SESSIONS_PER_USER, LATCHKEY_TRANSPORT_KEY"`
		for name, out := range map[string]*bytes.Buffer{"first": &first, "second": &second} {
			if got := strings.Count(out.String(), "other settings"); got != 1 || !strings.Contains(out.String(), differ) {
				t.Errorf("%s node, %d lines, want one with %s:\n%s", name, got, differ, out)
			}
		}
		if err := b.Service.Node().Leave(ctx); err != nil {
			t.Fatal(err)
		}
		a.Clock.Advance(time.Second)
		alike.Clock.Advance(time.Second)
		compare(a, alike, a, alike)
		if third.Len() > 0 {
			t.Errorf("a node beside one of the same settings: %s", &third)
		}
		a.Clock.Advance(11 * time.Minute)
		later, err := auth.New(ctx, a.Options) // a running one does not trust such a clock
		if err != nil {
			t.Fatal(err)
		}
		if _, err := later.Upkeep().Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		var left []store.Node
		err = a.Store.Read(ctx, func(tx *store.Tx) (err error) {
			left, err = tx.NodesSeen(time.Unix(0, 0))
			return err
		})
		if err != nil || len(left) != 0 {
			t.Errorf("%d nodes are left when all are gone (%v)", len(left), err)
		}
	})
}

// A server that ends does not wait for a database that does not answer.
func TestLeavingIsShort(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		r := authtest.New(t, db)
		if err := r.Service.Node().Compare(ctx); err != nil {
			t.Fatal(err)
		}
		held, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			done <- r.Store.Write(ctx, func(tx *store.Tx) error {
				nodes, err := tx.NodesSeen(time.Unix(0, 0))
				if err != nil || len(nodes) != 1 {
					return fmt.Errorf("%d nodes, want one: %w", len(nodes), err)
				}
				if err := tx.PutNode(nodes[0]); err != nil {
					return err
				}
				close(held)
				<-release
				return nil
			})
		}()
		select {
		case <-held:
		case err := <-done:
			t.Fatal(err)
		}
		began := time.Now()
		if err := r.Service.Node().Leave(ctx); err == nil {
			t.Error("it left although its row is held")
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it waited for %v, want about one second", took)
		}
		close(release)
		if err := <-done; err != nil {
			t.Errorf("who held the row: %v", err)
		}
	})
}
