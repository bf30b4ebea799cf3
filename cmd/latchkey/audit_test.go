package main

// Following the audit log.

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

// An event that commits after a younger one is printed all the same; each is printed once, and without
// --since only what comes to light from then on.
func TestTailMissesNothing(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		add := func(id string, ago time.Duration) {
			t.Helper()
			err := r.Store.Write(ctx, func(tx *store.Tx) error {
				tx.InsertAudit(store.AuditEvent{ID: id, At: time.Now().Add(-ago), Kind: "sign_in", Outcome: "ok"})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		follow := func(since time.Time) *follower {
			t.Helper()
			f, err := newFollower(ctx, r.Service, audit.Query{Since: since, Limit: 2})
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		look := func(f *follower, want ...string) {
			t.Helper()
			var got []string
			err := f.look(ctx, func(h happening) error {
				got = append(got, h.ID)
				return nil
			})
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("came to light: %q, %v, want %q", got, err, want)
			}
		}
		add("ancient", time.Hour)
		add("before", time.Second)
		fresh, all := follow(time.Time{}), follow(time.Now().Add(-2*time.Hour))
		look(fresh)
		look(all, "ancient", "before")
		add("young", 0)
		look(fresh, "young")
		look(all, "young")
		add("late", 2*time.Second)
		add("younger", 0)
		for _, f := range []*follower{fresh, all} {
			look(f, "late", "younger")
			look(f)
			if n := len(f.seen); n > 4 {
				t.Errorf("%d events are remembered: the ancient is among them", n)
			}
		}
	})
}

// Exports that go on after the last id of the one before have every event once, those of one moment too, and leave
// out what an event that has yet to commit could come before.
func TestExportGoesOn(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		now := time.Now()
		add := func(id string, ago time.Duration) {
			t.Helper()
			err := r.Store.Write(ctx, func(tx *store.Tx) error {
				tx.InsertAudit(store.AuditEvent{ID: id, At: now.Add(-ago), Kind: "sign_in", Outcome: "ok"})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		export := func(after string, want ...string) {
			t.Helper()
			var got []string
			q, err := goOn(ctx, r.Service, audit.Query{Limit: 2}, after)
			if err == nil {
				_, err = eachEvent(ctx, r.Service, q, func(h happening) error {
					got = append(got, h.ID)
					return nil
				})
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("after %q: %q, %v, want %q", after, got, err, want)
			}
		}
		add("a", time.Hour)
		add("b", time.Hour)
		add("c", time.Hour)
		add("d", time.Minute)
		add("f", time.Second)
		export("", "a", "b", "c", "d")
		export("a", "b", "c", "d")
		export("d")
		add("e", 30*time.Second) // it committed late, but it is younger than the end of the export before
		export("d", "e")
		if _, err := goOn(ctx, r.Service, audit.Query{Limit: 2}, "nothing"); !errors.Is(err, audit.ErrNoEvent) {
			t.Errorf("an id that is not there: %v", err)
		}
	})
}
