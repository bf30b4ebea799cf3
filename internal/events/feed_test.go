package events_test

// What a poll is told: all ends of the window, whatever the order in which they came.

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/api"
	"latchkey/internal/authtest"
	"latchkey/internal/events"
	"latchkey/internal/store"
)

func TestPollAnswersAtOnce(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		n := newNode(t, db)
		first := n.poll("")
		want := api.Revocations{
			Issuer: n.Options.Issuer, Audience: "shop", IssuedAt: first.IssuedAt, ExpiresAt: first.IssuedAt + 60,
			Cursor: first.Cursor, SessionIDs: []string{},
		}
		if diff := cmp.Diff(want, first); diff != "" || first.Cursor == "" {
			t.Errorf("nothing has ended (-want +got):\n%s", diff)
		}
		if age := n.Clock.Now().Unix() - first.IssuedAt; age < 0 || age > 5 {
			t.Errorf("it was issued %d s ago", age)
		}
		for _, unknown := range []string{"", "x", first.Cursor + "x", first.Cursor[1:]} {
			if got := n.poll(unknown); got.Cursor != first.Cursor {
				t.Errorf("%q: the cursor is %q", unknown, got.Cursor)
			}
		}
		if other := n.pollAs(t.Context(), "other", ""); other.Audience != "other" || other.Cursor != first.Cursor {
			t.Errorf("another client: %+v", other)
		}
	})
}

// A waiting poll hears of an end soon. How soon the fastest of a few tells, since the machine may be busy.
func TestWaitingPollHearsOfAnEnd(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		n := newNode(t, db)
		n.AddUser(t, "ada@example.com")
		fastest, known := patience, n.poll("")
		for range 3 {
			tokens := n.In(t, "ada@example.com")
			answers := n.waiting(t.Context(), 2, known.Cursor)
			if err := n.SignOut(t.Context(), tokens.AccessToken, api.SignOutRequest{}); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			for range 2 {
				got := <-answers
				if got.err != nil || len(got.SessionIDs) == 0 || got.SessionIDs[0] != tokens.SessionID {
					t.Fatalf("told %+v, want %s first", got, tokens.SessionID)
				}
				known = got.Revocations
			}
			fastest = min(fastest, time.Since(began))
		}
		if fastest > 2*time.Second {
			t.Errorf("an end is told after %s at the earliest", fastest)
		}
		if len(known.SessionIDs) != 3 {
			t.Errorf("not all ends are told: %q", known.SessionIDs)
		}
	})
}

// Commit order is not time order: an end that comes late with an earlier time is told with the others, and wakes whoever
// waits.
func TestLateCommitsAreTold(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		n := newNode(t, db)
		n.AddUser(t, "ada@example.com")
		user, late := n.In(t, "ada@example.com"), n.In(t, "ada@example.com")
		userID := n.userOf(late.SessionID)
		end := func(id string, at time.Time) {
			t.Helper()
			err := n.Store.Write(t.Context(), func(tx *store.Tx) error {
				_, err := tx.EndSession(id, userID, "signed_out", at)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		now := n.Clock.Now()
		end(user.SessionID, now)
		known := n.until("the first end", func(r api.Revocations) bool { return len(r.SessionIDs) == 1 })
		answers := n.waiting(t.Context(), 1, known.Cursor)
		end(late.SessionID, now.Add(-4*time.Second))
		got := <-answers
		if diff := cmp.Diff([]string{user.SessionID, late.SessionID}, got.SessionIDs); diff != "" || got.err != nil {
			t.Errorf("%v (-want +got):\n%s", got.err, diff)
		}
	})
}

func (n *node) userOf(sessionID string) (userID string) {
	n.t.Helper()
	session, err := n.Store.SessionByID(n.t.Context(), sessionID)
	if err != nil {
		n.t.Fatal(err)
	}
	return session.UserID
}

// Where more have ended than are told, the floor is the time of the newest that is not, rounded up.
func TestMoreEndsThanAreTold(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		n := newNode(t, db)
		ids := n.addEnded("ada", events.MostTold, time.Second)
		slices.Reverse(ids)
		got := n.until("as many as are told", func(r api.Revocations) bool { return len(r.SessionIDs) == events.MostTold })
		if diff := cmp.Diff(ids, got.SessionIDs); diff != "" || got.Floor != 0 {
			t.Errorf("the floor is %d (-want +got):\n%s", got.Floor, diff)
		}
		session, err := n.Store.SessionByID(t.Context(), ids[len(ids)-1])
		if err != nil {
			t.Fatal(err)
		}
		newest := n.addEnded("bob", 1, 0)
		got = n.until("one more", func(r api.Revocations) bool { return r.SessionIDs[0] == newest[0] })
		floor := session.EndedAt.Truncate(time.Second)
		if floor.Before(session.EndedAt) {
			floor = floor.Add(time.Second)
		}
		if diff := cmp.Diff(append(newest, ids[:len(ids)-1]...), got.SessionIDs); diff != "" || got.Floor != floor.Unix() {
			t.Errorf("the floor is %d, want %d (-want +got):\n%s", got.Floor, floor.Unix(), diff)
		}
	})
}

// What ended in the window stays told, however much of it is one user's and whatever upkeep shrinks; later it goes.
func TestTheWindowIsTold(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		n := newNode(t, db)
		n.Clock.Stop()
		user := n.AddUser(t, "ada@example.com")
		window := n.Options.AccessTTL + 5*time.Minute
		before := n.addEnded(user.ID+"-before", 1, window+2*time.Minute)
		ids := n.addEnded(user.ID, 250, window-10*time.Second)
		for more := true; more; {
			var err error
			if more, err = n.Service.Upkeep().Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		n.In(t, "ada@example.com") // a sign-in shrinks, too
		if got := n.poll(""); len(got.SessionIDs) != len(ids) || slices.Contains(got.SessionIDs, before[0]) {
			t.Errorf("%d sessions are told, want %d", len(got.SessionIDs), len(ids))
		}
		n.Clock.Advance(2 * time.Minute)
		n.until("none is told any more", func(r api.Revocations) bool { return len(r.SessionIDs) == 0 })
	})
}

// Every node tells the same, names it by the same cursor, and hears of the others' ends.
func TestNodesTellTheSame(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		here, there := newNode(t, db), newNode(t, db)
		here.AddUser(t, "ada@example.com")
		if a, b := here.poll("").Cursor, there.poll("").Cursor; a != b {
			t.Errorf("nothing is %q here and %q there", a, b)
		}
		for _, x := range []struct{ ends, waits *node }{{here, there}, {there, here}} {
			tokens := x.ends.In(t, "ada@example.com")
			answers := x.waits.waiting(t.Context(), 1, x.waits.poll("").Cursor)
			if err := x.ends.SignOut(t.Context(), tokens.AccessToken, api.SignOutRequest{}); err != nil {
				t.Fatal(err)
			}
			got := <-answers
			if got.err != nil || !slices.Contains(got.SessionIDs, tokens.SessionID) {
				t.Fatalf("told %+v, want %s", got, tokens.SessionID)
			}
			x.ends.until("the same", func(r api.Revocations) bool { return r.Cursor == got.Cursor })
		}
	})
}
