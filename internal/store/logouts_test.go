package store_test

// What apps are to be told: written where their sessions end, whatever ends them; and claimed by one deliverer at a time.

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/store"
)

// untold lists what waits, by session.
func untold(t testing.TB, s *store.Store) []string {
	t.Helper()
	list := read(t, s, func(tx *store.Tx) ([]store.Logout, error) { return tx.Logouts("", true, 1000) })
	var ids []string
	for _, l := range list {
		ids = append(ids, l.SessionID)
	}
	slices.Sort(ids)
	return ids
}

// endings are all statements that end sessions, of a user's page session and what came from it; and how many of the two
// apps' sessions, of shop and desk, each ends.
var endings = []struct {
	name string
	end  func(tx *store.Tx, user string, page, shop, desk store.Session) error
	ends int
}{
	{"by id", func(tx *store.Tx, user string, _, shop, _ store.Session) error {
		_, err := tx.EndSession(shop.ID, user, "revoked", now)
		return err
	}, 1},
	{"for reuse", func(tx *store.Tx, _ string, _, shop, _ store.Session) error {
		return tx.EndReused(shop.ID, shop.Generation, "refresh_reuse", now)
	}, 1},
	{"all", func(tx *store.Tx, user string, _, _, _ store.Session) error {
		_, err := tx.EndSessions(user, "", "user_disabled", now)
		return err
	}, 2},
	{"all but one", func(tx *store.Tx, user string, _, shop, _ store.Session) error {
		_, err := tx.EndSessions(user, shop.ID, "revoked", now)
		return err
	}, 1},
	{"those of before", func(tx *store.Tx, user string, _, _, _ store.Session) error {
		_, err := tx.EndSessionsBefore(user, "shop", now, "admin", time.Minute, now)
		return err
	}, 1},
	{"other browsers", func(tx *store.Tx, user string, _, _, _ store.Session) error {
		_, err := tx.EndOtherBrowsers(user, "another", "revoked", now)
		return err
	}, 2},
	{"those of a page session", func(tx *store.Tx, user string, page, _, _ store.Session) error {
		_, err := tx.EndChildren(user, page.ID, "signed_out_elsewhere", now)
		return err
	}, 2},
	{"those of one that was ended", func(tx *store.Tx, user string, page, _, _ store.Session) error {
		if _, err := tx.EndSession(page.ID, user, "signed_out", now); err != nil {
			return err
		}
		_, err := tx.EndOrphans(user, "signed_out_elsewhere", now)
		return err
	}, 2},
	{"a browser too many", func(tx *store.Tx, user string, _, _, _ store.Session) error {
		_, err := tx.EvictBrowsers(user, "another", 1, "evicted", now)
		return err
	}, 2},
	{"an app's too many", func(tx *store.Tx, user string, page, _, _ store.Session) error {
		_, err := tx.EvictChildren(user, page.ID, "desk", "another", 1, "evicted", now)
		return err
	}, 1},
	{"those of a client", func(tx *store.Tx, user string, _, _, _ store.Session) error {
		_, err := tx.EndSessionsOf(user, "desk", "oauth", "consent_revoked", now)
		return err
	}, 1},
	{"those of no use for long", func(tx *store.Tx, _ string, page, _, desk store.Session) error {
		return tx.SweepSessions(page.ID, desk.ID, store.Age{Expired: now.Add(15 * 24 * time.Hour), Ended: now.Add(-time.Hour), Now: now})
	}, 2},
	{"those that the release before left behind", func(tx *store.Tx, _ string, page, _, desk store.Session) error {
		if _, err := tx.Exec(`UPDATE sessions SET ended_at = $2, end_reason = 'signed_out' WHERE id = $1`, page.ID, now); err != nil {
			return err
		}
		return tx.SweepSessions(page.ID, desk.ID, store.Age{Expired: now, Ended: now.Add(-time.Hour), Now: now})
	}, 2},
	{"those that the release before ended", func(tx *store.Tx, user string, page, _, desk store.Session) error {
		if _, err := tx.Exec(`UPDATE sessions SET ended_at = $2, end_reason = 'user_disabled' WHERE user_id = $1`, user, now); err != nil {
			return err
		}
		return tx.SweepSessions(page.ID, desk.ID, store.Age{Expired: now, Ended: now.Add(-time.Hour), Now: now})
	}, 2},
}

// browserWithApps is a page session with a session of each of two apps.
func browserWithApps(t *testing.T, s *store.Store) (user string, parent, shop, desk store.Session) {
	t.Helper()
	user = newID()
	parent = addSession(t, s, user, page)
	old := func(x *store.Session) { x.RotatedAt = now.Add(-time.Hour) }
	shop, desk = addSession(t, s, user, child(parent, "shop"), old), addSession(t, s, user, child(parent, "desk"), old)
	return user, parent, shop, desk
}

// Whatever ends an app's session leaves one row for it, in the same transaction: none where that is rolled back, and none
// more however often it is ended and swept. Sessions of other kinds have none.
func TestEveryEndOfAnAppIsToldOnce(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		errBack := errors.New("roll it back")
		for _, tt := range endings {
			t.Run(tt.name, func(t *testing.T) {
				user, parent, shop, desk := browserWithApps(t, s)
				before := untold(t, s)
				wantErr(t, s, errBack, func(tx *store.Tx) error {
					return errors.Join(tt.end(tx, user, parent, shop, desk), errBack)
				})
				if got := untold(t, s); len(got) != len(before) {
					t.Errorf("rolled back, and %d rows more", len(got)-len(before))
				}
				write(t, s, func(tx *store.Tx) error { return tt.end(tx, user, parent, shop, desk) })
				var want []string
				for _, app := range []store.Session{shop, desk} {
					if row := sessionByID(t, s, app.ID); !row.EndedAt.IsZero() {
						want = append(want, app.ID)
					}
				}
				if len(want) != tt.ends {
					t.Fatalf("it ended %d apps' sessions, want %d", len(want), tt.ends)
				}
				slices.Sort(want)
				if diff := cmp.Diff(append(before, want...), untold(t, s)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				row := read(t, s, func(tx *store.Tx) (store.Logout, error) { return tx.LogoutByID(want[0]) })
				wantRow := store.Logout{SessionID: want[0], UserID: user, Client: sessionByID(t, s, want[0]).Client, CreatedAt: now, NextTryAt: now}
				if diff := cmp.Diff(wantRow, row); diff != "" {
					t.Errorf("the row (-want +got):\n%s", diff)
				}
				write(t, s, func(tx *store.Tx) error {
					return tx.SweepSessions(parent.ID, desk.ID, store.Age{Expired: now.Add(-time.Hour), Ended: now.Add(-time.Hour), Now: now.Add(time.Hour)})
				})
				if diff := cmp.Diff(append(before, want...), untold(t, s)); tt.ends == 2 && diff != "" {
					t.Errorf("swept after that (-want +got):\n%s", diff)
				}
			})
		}
		if found, err := s.Violations(ctx); err != nil || slices.ContainsFunc(found, func(v store.Violation) bool { return v.Invariant == "I13" }) {
			t.Errorf("the auditor finds %v, %v", found, err)
		}
	})
}

// The walk finds what the release before ended, and nothing of which a row is there.
func TestWalkFindsWhatIsNotTold(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user, parent, shop, desk := browserWithApps(t, s)
		old := store.Age{Expired: now.Add(-time.Hour), Ended: now.Add(-time.Hour), Now: now}
		stale := func() (ids []string) {
			write(t, s, func(tx *store.Tx) (err error) {
				_, ids, err = tx.WalkSessions("", 100, 100, old)
				return err
			})
			return ids
		}
		write(t, s, func(tx *store.Tx) error { _, err := tx.EndSession(shop.ID, user, "revoked", now); return err })
		if got := stale(); got != nil {
			t.Errorf("of one that is to be told: %v", got)
		}
		write(t, s, func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE sessions SET ended_at = $2, end_reason = 'admin' WHERE id = $1`, desk.ID, now)
			return err
		})
		if diff := cmp.Diff([]string{desk.ID}, stale()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		write(t, s, func(tx *store.Tx) error { return tx.SweepSessions(parent.ID, desk.ID, old) })
		if got := stale(); got != nil {
			t.Errorf("after the sweep: %v", got)
		}
	})
}

// Ending what is no app's costs no statement more; an app's costs one, which waits for the next or the commit.
func TestWhatTellingAppsCosts(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		statements := 0
		counting := s.Behind(store.Layer{Call: func(ctx context.Context, _ string, run func(context.Context, store.Hooks) error) error {
			return run(ctx, store.Hooks{Statement: func() error { statements++; return nil }})
		}})
		for kind, want := range map[string]int{"auth": 1, "page": 1, "oauth": 2} {
			user := newID()
			one, two := addSession(t, s, user, func(x *store.Session) { x.Kind = kind }), addSession(t, s, user, func(x *store.Session) { x.Kind = kind })
			for name, end := range map[string]func(tx *store.Tx) error{
				"by id":     func(tx *store.Tx) error { _, err := tx.EndSession(one.ID, user, "revoked", now); return err },
				"for reuse": func(tx *store.Tx) error { return tx.EndReused(two.ID, 1, "refresh_reuse", now) },
			} {
				statements = 0
				write(t, counting, end)
				if statements != want {
					t.Errorf("%s, %s: %d statements, want %d", kind, name, statements, want)
				}
			}
		}
	})
}

// addLogouts makes rows for sessions that ended so long ago.
func addLogouts(t *testing.T, s *store.Store, client string, ago ...time.Duration) (ids []string) {
	t.Helper()
	for _, d := range ago {
		x := addSession(t, s, newID(), func(x *store.Session) { x.Kind, x.Client = "oauth", client })
		write(t, s, func(tx *store.Tx) error { _, err := tx.EndSession(x.ID, x.UserID, "revoked", now.Add(-d)); return err })
		ids = append(ids, x.ID)
	}
	return ids
}

func TestClientsDue(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		due := func() []store.ClientDue {
			return read(t, s, func(tx *store.Tx) ([]store.ClientDue, error) { return tx.ClientsDue() })
		}
		if got := due(); got != nil {
			t.Errorf("of none: %v", got)
		}
		addLogouts(t, s, "b", time.Minute, time.Hour, time.Second)
		addLogouts(t, s, "a", time.Minute)
		addLogouts(t, s, "c", -time.Hour)
		gone := addLogouts(t, s, "d", time.Minute)
		write(t, s, func(tx *store.Tx) error { _, err := tx.EndLogoutsOf("d", "none", now, 10); return err })
		want := []store.ClientDue{{Client: "a", At: now.Add(-time.Minute)}, {Client: "b", At: now.Add(-time.Hour)}, {Client: "c", At: now.Add(time.Hour)}}
		if diff := cmp.Diff(want, due()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := read(t, s, func(tx *store.Tx) (store.Logout, error) { return tx.LogoutByID(gone[0]) }); got.Outcome != "none" || !got.EndedAt.Equal(now) || got.Tries != 0 {
			t.Errorf("of no client: %+v", got)
		}
	})
}

// A row belongs to its lease: who has lost it may say nothing about it.
func TestLogoutBelongsToItsLease(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ids := addLogouts(t, s, "shop", time.Minute, time.Hour)
		later := now.Add(time.Minute)
		claim := func(at time.Time) (store.Logout, error) { return s.ClaimLogout(ctx, "shop", at, at.Add(time.Minute)) }
		lost, err := claim(now)
		if err != nil || lost.SessionID != ids[1] || lost.Tries != 1 || !lost.NextTryAt.Equal(later) {
			t.Fatalf("the longest due: %+v, %v", lost, err)
		}
		if other, err := claim(now); err != nil || other.SessionID != ids[0] {
			t.Errorf("the next: %+v, %v", other, err)
		}
		if _, err := claim(now); !isNotFound(err) {
			t.Errorf("all are leased: %v", err)
		}
		if n := endOf(t, s, "shop", now); n != 0 {
			t.Errorf("%d were ended that are leased", n)
		}
		held, err := claim(later)
		if err != nil || held.Tries != 2 {
			t.Fatalf("the lease ran out: %+v, %v", held, err)
		}
		if held.SessionID != lost.SessionID { // both were due at the same moment
			held, err = claim(later)
		}
		if err != nil || held.SessionID != lost.SessionID {
			t.Fatalf("the lease ran out: %+v, %v", held, err)
		}
		for name, err := range map[string]error{
			"end": s.EndLogout(ctx, lost, "delivered", "", later), "postpone": s.PostponeLogout(ctx, lost, later, ""),
		} {
			if !isNotFound(err) {
				t.Errorf("%s without the lease: %v", name, err)
			}
		}
		if err := s.PostponeLogout(ctx, held, later.Add(time.Hour), "away"); err != nil {
			t.Fatal(err)
		}
		if err := s.EndLogout(ctx, held, "delivered", "", later); !isNotFound(err) {
			t.Errorf("ended after it was given back: %v", err)
		}
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.ReviveLogout(held.SessionID, later) })
		held, err = claim(later.Add(time.Hour))
		for err == nil && held.SessionID != lost.SessionID {
			held, err = claim(later.Add(time.Hour))
		}
		if err != nil || held.LastError != "away" || held.Tries != 3 {
			t.Fatalf("due again: %+v, %v", held, err)
		}
		if err := s.EndLogout(ctx, held, "refused", "400", later); err != nil {
			t.Fatal(err)
		}
		want := held
		want.EndedAt, want.Outcome, want.LastError = later, "refused", "400"
		look := func() store.Logout {
			return read(t, s, func(tx *store.Tx) (store.Logout, error) { return tx.LogoutByID(held.SessionID) })
		}
		if diff := cmp.Diff(want, look()); diff != "" {
			t.Errorf("ended (-want +got):\n%s", diff)
		}
		write(t, s, func(tx *store.Tx) error { return tx.ReviveLogout(held.SessionID, later) })
		if got := look(); got.Outcome != "" || !got.EndedAt.IsZero() || !got.NextTryAt.Equal(later) {
			t.Errorf("revived: %+v", got)
		}
	})
}

func endOf(t *testing.T, s *store.Store, client string, at time.Time) (n int64) {
	t.Helper()
	write(t, s, func(tx *store.Tx) (err error) {
		n, err = tx.EndLogoutsOf(client, "none", at, 10)
		return err
	})
	return n
}

// 16 deliverers on 100 rows: each is claimed once.
func TestClaimLogoutNeverTwice(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ago := make([]time.Duration, 100)
		for i := range ago {
			ago[i] = time.Duration(i) * time.Second
		}
		ids := addLogouts(t, s, "shop", ago...)
		var mu sync.Mutex
		claimed := map[string]int{}
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
					l, err := s.ClaimLogout(ctx, "shop", now, now.Add(time.Hour))
					mu.Lock()
					if err == nil {
						claimed[l.SessionID]++
					}
					done := len(claimed) == len(ids)
					mu.Unlock()
					if err != nil && !isNotFound(err) {
						t.Error(err)
						return
					}
					if done {
						return
					}
				}
			})
		}
		all.Wait()
		for _, id := range ids {
			if claimed[id] != 1 {
				t.Errorf("%s was claimed %d times", id, claimed[id])
			}
		}
	})
}

func TestLogoutsListedWaitingSettledSwept(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		shop, desk := addLogouts(t, s, "shop", time.Hour, time.Minute), addLogouts(t, s, "desk", time.Second, -2*time.Hour)
		if err := s.EndLogout(ctx, claimLogout(t, s, "shop"), "delivered", "", now); err != nil { // the one of an hour ago
			t.Fatal(err)
		}
		for _, q := range []struct {
			client  string
			waiting bool
			limit   int64
			want    []string
		}{
			{"", false, 10, []string{desk[1], desk[0], shop[1], shop[0]}}, {"", true, 10, []string{desk[1], desk[0], shop[1]}},
			{"shop", false, 10, []string{shop[1], shop[0]}}, {"shop", true, 10, []string{shop[1]}}, {"", false, 1, []string{desk[1]}},
		} {
			var got []string
			for _, l := range read(t, s, func(tx *store.Tx) ([]store.Logout, error) { return tx.Logouts(q.client, q.waiting, q.limit) }) {
				got = append(got, l.SessionID)
			}
			if diff := cmp.Diff(q.want, got); diff != "" {
				t.Errorf("%+v (-want +got):\n%s", q, diff)
			}
		}
		err := s.Read(ctx, func(tx *store.Tx) error {
			if depth, oldest, err := tx.WaitingLogouts(); err != nil || depth != 3 || !oldest.Equal(now.Add(-time.Minute)) {
				t.Errorf("%d wait since %v, %v", depth, oldest, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		count := func(fn func(tx *store.Tx) (int64, error)) (n int64) {
			write(t, s, func(tx *store.Tx) (err error) {
				n, err = fn(tx)
				return err
			})
			return n
		}
		settle := func(tx *store.Tx) (int64, error) {
			return tx.SettleLogouts(now.Add(time.Hour), now.Add(time.Minute), 10)
		}
		if a, b := count(settle), count(settle); a != 1 || b != 0 {
			t.Errorf("settled %d and %d, want 1 and 0", a, b)
		}
		if got := read(t, s, func(tx *store.Tx) (store.Logout, error) { return tx.LogoutByID(desk[1]) }); !got.NextTryAt.Equal(now.Add(time.Minute)) {
			t.Errorf("settled to %v", got.NextTryAt)
		}
		sweep := func(tx *store.Tx) (int64, error) { return tx.SweepLogouts(now.Add(24*time.Hour), 10) }
		if a, b := count(sweep), count(sweep); a != 1 || b != 0 {
			t.Errorf("swept %d and %d, want the one that has ended", a, b)
		}
	})
}

func claimLogout(t *testing.T, s *store.Store, client string) store.Logout {
	t.Helper()
	l, err := s.ClaimLogout(ctx, client, now, now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return l
}
