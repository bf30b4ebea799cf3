package store_test

// The audit log: append-only, counted where a row each would be too many, read in pages.

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/store"
)

func newEvent(userID string, at time.Time) store.AuditEvent {
	return store.AuditEvent{
		ID: newID(), At: at, Kind: "sign_in", Outcome: "ok", UserID: userID, SessionID: "s",
		Addr: "::1", UserAgent: "curl", RequestID: "r", Times: 1,
	}
}

func TestAuditInPages(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		third := newEvent("a", now.Add(time.Hour)) // made first, and so with the smallest id: a clock was set
		early, first, second := newEvent("a", now), newEvent("a", now.Add(time.Second)), newEvent("b", now.Add(time.Second))
		write(t, s, func(tx *store.Tx) error {
			for _, e := range []store.AuditEvent{third, second, first, early} {
				tx.InsertAudit(e)
			}
			return nil
		})
		wantErr(t, s, store.ErrConflict, func(tx *store.Tx) error { tx.InsertAudit(first); return nil })
		page := func(at time.Time, id, userID string, limit int64) []store.AuditEvent {
			return read(t, s, func(tx *store.Tx) ([]store.AuditEvent, error) {
				if userID == "" {
					return tx.AuditEvents(at, id, limit)
				}
				return tx.AuditEventsOf(userID, at, id, limit)
			})
		}
		for _, c := range []struct {
			name string
			got  []store.AuditEvent
			want []store.AuditEvent
		}{
			{"all, oldest first", page(never, "", "", 10), []store.AuditEvent{early, first, second, third}},
			{"from a time on", page(first.At, "", "", 10), []store.AuditEvent{first, second, third}},
			{"after an event", page(first.At, first.ID, "", 10), []store.AuditEvent{second, third}},
			{"one user's", page(never, "", "a", 10), []store.AuditEvent{early, first, third}},
			{"one user's, from a time on", page(first.At, "", "a", 10), []store.AuditEvent{first, third}},
			{"one user's, after an event", page(first.At, first.ID, "a", 10), []store.AuditEvent{third}},
			{"one user's, at most two", page(never, "", "a", 2), []store.AuditEvent{early, first}},
			{"at most two", page(never, "", "", 2), []store.AuditEvent{early, first}},
			{"at the end", page(third.At, third.ID, "", 10), nil},
		} {
			if diff := cmp.Diff(c.want, c.got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
		}
		sweep := func(limit int64) (n int64) {
			write(t, s, func(tx *store.Tx) (err error) {
				n, err = tx.SweepAudit(third.At, limit)
				return err
			})
			return n
		}
		if a, b, c := sweep(2), sweep(2), sweep(2); a != 2 || b != 1 || c != 0 {
			t.Errorf("swept %d, %d, %d, want 2, 1, 0", a, b, c)
		}
		if diff := cmp.Diff([]store.AuditEvent{third}, page(never, "", "", 10)); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	})
}

// An event that cannot be written takes along what it tells, although nobody waits for its answer.
func TestAuditUndoesWhatItTells(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		u, e := addUser(t, s), newEvent("a", now)
		write(t, s, func(tx *store.Tx) error { tx.InsertAudit(e); return nil })
		wantErr(t, s, store.ErrConflict, func(tx *store.Tx) error {
			if err := tx.SetNames(u.ID, "Half", "Done"); err != nil {
				return err
			}
			tx.InsertAudit(e)
			return nil
		})
		if got := userByID(t, s, u.ID); got.FirstName != u.FirstName {
			t.Errorf("%q was not acknowledged, but stayed", got.FirstName)
		}
	})
}

// One row stands for many, and keeps the words of the first.
func TestCountAudit(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		first := newEvent("a", now)
		first.Times = 3
		again := first
		again.At, again.Outcome, again.Times = now.Add(time.Second), "another", 4
		for _, e := range []store.AuditEvent{first, again} {
			write(t, s, func(tx *store.Tx) error { tx.CountAudit(e); return nil })
		}
		want := first
		want.Times = 7
		got := read(t, s, func(tx *store.Tx) ([]store.AuditEvent, error) { return tx.AuditEvents(never, "", 10) })
		if diff := cmp.Diff([]store.AuditEvent{want}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A user's events are found by an index of theirs, however long the log is.
func TestAuditOfAUserHasItsIndex(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		u, _ := fill(t, s)
		plan := read(t, s, func(tx *store.Tx) (string, error) {
			return store.Explain(tx, func(tx *store.Tx) error { _, err := tx.AuditEventsOf(u.ID, never, "", 100); return err })
		})
		if !strings.Contains(plan, "audit_events_by_user") {
			t.Errorf("it is not used:\n%s", plan)
		}
	})
}
