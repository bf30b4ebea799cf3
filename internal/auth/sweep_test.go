package auth_test

// Forgetting: everything old goes, in bites, and nothing else does.

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

// sweepAll takes bites until there is nothing left, and says how many it took.
func sweepAll(t *testing.T, s *auth.Service) (bites int) {
	t.Helper()
	for {
		bites++
		more, err := s.Upkeep().Sweep(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return bites
		}
	}
}

// addEnded adds sessions that ended long ago, whose ids come before all that are made now.
func addEnded(t *testing.T, r *authtest.Rig, userID string, n int) (ids []string) {
	t.Helper()
	long := r.Clock.Now().Add(-40 * 24 * time.Hour)
	err := r.Store.Write(context.Background(), func(tx *store.Tx) error {
		ids = nil
		for i := range n {
			s := store.Session{
				ID: fmt.Sprintf("00000000-0000-7000-8000-%012x", i), UserID: userID, Client: "latchkey",
				CreatedAt: long, OverallExpiresAt: long, EndedAt: long, EndReason: "admin",
			}
			s.Generation, s.RotatedAt, s.IdleExpiresAt, s.BurstAt, s.PrevAt = 1, long, long, long, long
			ids = append(ids, s.ID)
			tx.InsertSession(s)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func remembers(t *testing.T, r *authtest.Rig, id string) bool {
	t.Helper()
	err := r.Store.Read(context.Background(), func(tx *store.Tx) error { _, err := tx.SessionByID(id); return err })
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func TestSweepTakesSmallBites(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		r.AddUser(t, "ada@example.com")
		live := r.In(t, "ada@example.com")
		const old = 250
		ids := addEnded(t, r, "somebody", old)
		if bites := sweepAll(t, r.Service); bites < old/100 {
			t.Errorf("%d sessions were forgotten in %d bites of at most 100", old, bites)
		}
		for _, id := range ids {
			if remembers(t, r, id) {
				t.Fatalf("session %s is still there", id)
			}
		}
		if !remembers(t, r, live.SessionID) {
			t.Error("a live session was forgotten")
		}

		// The walk over all sessions begins anew once an hour, not at each sweep.
		ids = addEnded(t, r, "somebody", 1)
		if sweepAll(t, r.Service); !remembers(t, r, ids[0]) {
			t.Error("the walk began anew at once")
		}
		for range 61 { // a clock that is set forward more than a minute sweeps nothing
			r.Clock.Advance(time.Minute - time.Second)
			sweepAll(t, r.Service)
		}
		r.Clock.Advance(time.Minute - time.Second)
		if sweepAll(t, r.Service); remembers(t, r, ids[0]) {
			t.Error("an hour later it is still there")
		}
	})
}
