package store_test

// Ended sessions: what is kept of them, and that they are in nobody's way.

import (
	"slices"
	"testing"
	"time"

	"latchkey/internal/store"
)

// endMany gives a user n sessions like the one given that ended a second after another, the last at now.
func endMany(t testing.TB, s *store.Store, like store.Session, n int64) {
	t.Helper()
	const bite = 10_000
	for from := int64(0); from < n; from += bite {
		write(t, s, func(tx *store.Tx) error {
			_, err := tx.Exec(`
				WITH RECURSIVE counted (i) AS (SELECT CAST($2 AS BIGINT) UNION ALL SELECT i + 1 FROM counted WHERE i + 1 < $3)
				INSERT INTO sessions (id, user_id, client, kind, generation, rotated_at, kid, prev_kid, burst_from, burst_at,
					prev_from, prev_at, late_now, late_run, idle_expires_at, overall_expires_at, created_at, ended_at, end_reason,
					browser, browser_version, os, device_type, user_agent, addr)
				SELECT 'ended-' || user_id || '-' || CAST(i AS TEXT), user_id, client, kind, generation, rotated_at, kid, prev_kid, burst_from, burst_at,
					prev_from, prev_at, late_now, late_run, idle_expires_at, overall_expires_at, created_at,
					$4 - ($5 - 1 - i) * 1000000, 'signed_out', browser, browser_version, os, device_type, user_agent, addr
				FROM counted, sessions
				WHERE id = $1`, like.ID, from, min(n, from+bite), now, n)
			return err
		})
	}
}

func endedIDs(t *testing.T, s *store.Store, userID string) (whole []string) {
	t.Helper()
	for _, x := range read(t, s, func(tx *store.Tx) ([]store.Session, error) { return tx.AllSessions(userID) }) {
		if !x.EndedAt.IsZero() {
			whole = append(whole, x.ID)
		}
	}
	return whole
}

func TestTrimEnded(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user, other := addUser(t, s).ID, addUser(t, s).ID
		live := addSession(t, s, user)
		endMany(t, s, live, 60)
		endMany(t, s, addSession(t, s, other), 60)
		reused := addSession(t, s, user, func(x *store.Session) { x.EndedAt, x.EndReason = now.Add(-2*time.Hour), "refresh_reuse" })
		trim := func(keep, limit int64, before time.Time) (n int64) {
			t.Helper()
			write(t, s, func(tx *store.Tx) (err error) {
				n, err = tx.TrimEnded(user, keep, limit, before)
				return err
			})
			return n
		}
		agree := func(what string, got, want int64) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %d, want %d", what, got, want)
			}
		}
		agree("fewer than are kept", trim(61, 100, now.Add(time.Hour)), 0)
		agree("a bite", trim(20, 5, now), 5)
		if x := read(t, s, func(tx *store.Tx) (store.Session, error) { return tx.SessionEverByID(reused.ID) }); x != (store.Session{ID: reused.ID, UserID: user, EndedAt: reused.EndedAt, EndReason: "refresh_reuse"}) {
			t.Errorf("what is kept: %+v", x)
		}
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { _, err := tx.SessionByID(reused.ID); return err })
		agree("those that ended before", trim(20, 100, now.Add(-50*time.Second)), 5)
		agree("the rest", trim(20, 100, now.Add(time.Hour)), 31)
		agree("no more", trim(20, 100, now.Add(time.Hour)), 0)
		whole := endedIDs(t, s, user)
		agree("whole rows", int64(len(whole)), 20)
		if !slices.Contains(whole, "ended-"+user+"-59") || !slices.Contains(whole, "ended-"+user+"-40") {
			t.Errorf("the newest are not among %q", whole)
		}
		agree("another user's", int64(len(endedIDs(t, s, other))), 60)
		if !read(t, s, func(tx *store.Tx) (store.Session, error) { return tx.SessionByID(live.ID) }).EndedAt.IsZero() {
			t.Error("a live session has ended")
		}
		swept := func(before time.Time) (n int64) {
			t.Helper()
			write(t, s, func(tx *store.Tx) (err error) { n, err = tx.SweepEnded(before, 10); return err })
			return n
		}
		agree("swept", swept(now.Add(-59*time.Second)), 1)
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { _, err := tx.SessionEverByID(reused.ID); return err })
		agree("swept by bites", swept(now), 10)
	})
}

// The walk finds every user with too many ended sessions, wherever a stride ends.
func TestWalkEnded(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		var want []string
		for _, n := range []int64{0, 3, 11, 1, 25, 10} {
			u := addUser(t, s).ID
			endMany(t, s, addSession(t, s, u), n)
			if n > 10 {
				want = append(want, u)
			}
		}
		slices.Sort(want)
		for _, stride := range []int64{11, 12, 14, 15, 16, 26, 100} {
			var found []string
			after := ""
			for range 20 {
				last := ""
				err := s.Read(ctx, func(tx *store.Tx) error {
					l, crowded, err := tx.WalkEnded(after, stride, 10)
					last = l
					found = append(found, crowded...)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				if after = last; after == "" {
					break
				}
			}
			if !slices.Equal(found, want) || after != "" {
				t.Errorf("stride %d: found %q up to %q, want %q", stride, found, after, want)
			}
		}
	})
}

// Whatever one user's past: what everybody's requests do in the writer reads no more rows than a user may have live,
// and than a sign-in may shrink.
func TestOneUsersPastIsNotRead(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		u := addUser(t, s)
		session := addSession(t, s, u.ID)
		endMany(t, s, session, 100_000)
		for range 50 {
			session = addSession(t, s, u.ID)
		}
		analyze(t, s)
		most := map[string]int64{"sqlite": 50_000, "postgres": 1_000}[s.Engine()]
		made := newSession(u.ID)
		for _, c := range []struct {
			name string
			run  func(*store.Tx) error
		}{
			{"sign in", func(tx *store.Tx) error {
				tx.InsertSession(made)
				if _, err := tx.EvictBrowsers(u.ID, made.ID, 50, "evicted", now); err != nil {
					return err
				}
				if _, err := tx.Devices(u.ID); err != nil {
					return err
				}
				tx.InsertDevice(newDevice(u.ID, now), 50)
				if n, err := tx.TrimEnded(u.ID, 200, 100, now.Add(-15*time.Minute)); err != nil || n != 100 {
					t.Errorf("shrank %d, %v", n, err)
				}
				return nil
			}},
			{"refresh", func(tx *store.Tx) error { _, err := tx.Rotate(rotateParams(made.ID, 1, 1, now), now); return err }},
			{"list", func(tx *store.Tx) error { _, err := tx.LiveSessions(u.ID, now); return err }},
			{"account page", func(tx *store.Tx) error {
				rows, err := tx.EndedSessions(u.ID, now.Add(-30*24*time.Hour), 20, now)
				if len(rows) != 20 || rows[0].ID != "ended-"+u.ID+"-99999" {
					t.Errorf("%d ended sessions are shown", len(rows))
				}
				return err
			}},
			{"sign out", func(tx *store.Tx) error { _, err := tx.EndSession(session.ID, u.ID, "signed_out", now); return err }},
			{"end those before", func(tx *store.Tx) error {
				_, err := tx.EndSessionsBefore(u.ID, "", now.Add(-time.Hour), "revoked", time.Minute, now)
				return err
			}},
			{"end others", func(tx *store.Tx) error { _, err := tx.EndSessions(u.ID, made.ID, "revoked", now); return err }},
			{"find a heap", func(tx *store.Tx) error { _, _, err := tx.WalkEnded("", 200, 200); return err }},
		} {
			write(t, s, func(tx *store.Tx) error {
				work, err := store.Work(tx, c.run)
				for sql, n := range work {
					if n > most {
						t.Errorf("%s reads %d, at most %d is right:\n%s", c.name, n, most, sql)
					}
				}
				return err
			})
		}
		write(t, s, func(tx *store.Tx) error {
			everything, err := store.Work(tx, func(tx *store.Tx) error {
				_, err := tx.Exec(`DELETE FROM sessions WHERE user_id = $1 AND os = 'none'`, u.ID)
				return err
			})
			for _, n := range everything {
				if n <= most {
					t.Errorf("reading all rows of the user counts as %d: the work was misread", n)
				}
			}
			return err
		})
	})
}
