package auth_test

// What is kept of ended sessions beyond a user's newest, on both engines.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/peer"
	"latchkey/internal/store"
)

// pastID is the id of a user's i-th ended session.
func pastID(user byte, i int) string {
	return fmt.Sprintf("00000000-0000-7000-8000-%02x%010x", user, i)
}

// pastOf gives a user n sessions that ended a minute after another, the last at the given time, for the reason.
func pastOf(t *testing.T, r *authtest.Rig, user byte, userID string, n int, last time.Time, reason string) {
	t.Helper()
	err := r.Store.Write(context.Background(), func(tx *store.Tx) error {
		for i := range n {
			at := last.Add(time.Duration(i+1-n) * time.Minute)
			s := store.Session{
				ID: pastID(user, i), UserID: userID, Client: "latchkey", Kind: "auth", CreatedAt: at.Add(-time.Hour),
				OverallExpiresAt: at.Add(time.Hour), EndedAt: at, EndReason: reason,
			}
			s.Generation, s.BurstFrom, s.PrevFrom = 1, 1, 1
			s.RotatedAt, s.IdleExpiresAt, s.BurstAt, s.PrevAt = at, at, at, at
			tx.InsertSession(s)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wholeRows are the ended sessions of an account whose whole row is kept, the oldest first.
func wholeRows(t *testing.T, r *authtest.Rig, email string) (ids []string) {
	t.Helper()
	all, err := r.Service.UserSessions(context.Background(), email, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if !s.EndedAt.IsZero() {
			ids = append(ids, s.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// A sign-in shrinks at most ten, the sweep the rest; what is shrunk still says why it ended and whose it was, so
// that signing in over and over washes no reuse away. What has just ended stays whole.
func TestEndedSessionsShrink(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		ada, eve := r.AddUser(t, "ada@example.com"), r.AddUser(t, "eve@example.com")
		now := r.Clock.Now()
		pastOf(t, r, 1, ada.ID, 450, now.Add(-20*time.Minute), "refresh_reuse")
		pastOf(t, r, 2, eve.ID, 450, now.Add(-20*time.Minute), "signed_out")
		in := r.In(t, "ada@example.com")
		whole := wholeRows(t, r, "ada@example.com")
		if len(whole) != 440 || whole[0] != pastID(1, 10) {
			t.Fatalf("after one sign-in %d whole rows, the oldest %s", len(whole), whole[0])
		}
		if n := len(wholeRows(t, r, "eve@example.com")); n != 450 {
			t.Errorf("one user's sign-in left another %d of 450", n)
		}
		e, err := r.Service.ExplainSession(ctx, pastID(1, 0))
		if err != nil || e.Alive || e.Reason != "refresh_reuse" || e.Session.UserID != ada.ID ||
			!e.Session.EndedAt.Equal(now.Add(-20*time.Minute-449*time.Minute).Truncate(time.Microsecond)) {
			t.Errorf("explained: %+v, %v", e, err)
		}
		caller, err := r.Service.Authenticate(ctx, in.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		agreeCode(t, "an own id that shrank", r.Service.EndSession(ctx, caller, pastID(1, 0), peer.Peer{}), "")
		agreeCode(t, "in a list", r.Service.SignOut(ctx, caller, auth.SignOut{Listed: true, Sessions: []string{pastID(1, 1), pastID(1, 449)}}, peer.Peer{}), "")
		agreeCode(t, "by the operator", r.Service.RevokeSession(ctx, pastID(1, 0)), "")
		sweepAll(t, r.Service)
		for user, email := range map[byte]string{1: "ada@example.com", 2: "eve@example.com"} {
			if whole := wholeRows(t, r, email); len(whole) != 200 || whole[0] != pastID(user, 250) {
				t.Errorf("after a sweep %s has %d whole rows, the oldest %s", email, len(whole), whole[0])
			}
		}
		agreeCode(t, "another's that shrank", r.Service.EndSession(ctx, caller, pastID(2, 0), peer.Peer{}), auth.CodeForbidden)
		agreeCode(t, "nobody's", r.Service.EndSession(ctx, caller, pastID(3, 0), peer.Peer{}), auth.CodeForbidden)
		late := authtest.New(t, db)
		late.Clock.Advance(31 * 24 * time.Hour)
		sweepAll(t, late.Service)
		if _, err := r.Service.ExplainSession(ctx, pastID(1, 0)); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("after 31 days: %v, want that it is forgotten", err)
		}
	})
}

// Nothing shrinks while an access token of it may still be shown, however many there are.
func TestWhatHasJustEndedStaysWhole(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ada := r.AddUser(t, "ada@example.com")
		pastOf(t, r, 1, ada.ID, 300, r.Clock.Now(), "signed_out") // five hours
		for range 10 {                                            // ten rows each
			r.In(t, "ada@example.com")
		}
		if n := len(wholeRows(t, r, "ada@example.com")); n != 200 {
			t.Fatalf("%d whole rows", n)
		}
		pastOf(t, r, 2, ada.ID, 5, r.Clock.Now().Add(time.Minute), "signed_out")
		late := authtest.New(t, db, func(o *auth.Options) { o.AccessTTL = 400 * time.Minute })
		late.In(t, "ada@example.com")
		if n := len(wholeRows(t, r, "ada@example.com")); n != 205 {
			t.Errorf("%d whole rows, want 205: access tokens live for 400 minutes here", n)
		}
	})
}
