package store_test

// Sessions: found, listed, ended, evicted, swept.

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/store"
)

func ids(list []store.Session) []string {
	var out []string
	for _, s := range list {
		out = append(out, s.ID)
	}
	return out
}

func live(t *testing.T, s *store.Store, userID string, at time.Time) []string {
	t.Helper()
	return ids(read(t, s, func(tx *store.Tx) ([]store.Session, error) { return tx.LiveSessions(userID, at) }))
}

// A row comes back as it went in, NULLs and all.
func TestSessionRoundTrip(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		for _, edit := range []func(*store.Session){
			func(*store.Session) {},
			func(x *store.Session) {
				x.Rotation = store.Rotation{
					Generation: 9, RotatedAt: now.Add(time.Microsecond), KeyID: "k9", PrevKeyID: "k8", BurstFrom: 7, BurstAt: now.Add(time.Second),
					PrevFrom: 5, PrevAt: now.Add(2 * time.Second), LateNow: true, LateRun: 2, IdleExpiresAt: now.Add(3 * time.Second),
				}
				x.EndedAt, x.EndReason, x.UserAgent, x.Addr = now.Add(time.Hour), "admin", "Ünïcode 'quoted' \"agent\"", "2001:db8::1"
			},
		} {
			want := addSession(t, s, newID(), edit)
			if diff := cmp.Diff(want, sessionByID(t, s, want.ID)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { _, err := tx.SessionByID(newID()); return err })
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { _, err := tx.RefreshStateByID(newID()); return err })
		first := addSession(t, s, newID())
		wantErr(t, s, store.ErrConflict, func(tx *store.Tx) error { tx.InsertSession(first); return nil })
	})
}

func TestLiveSessions(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user, other := newID(), newID()
		a := addSession(t, s, user)
		addSession(t, s, user, func(x *store.Session) { x.EndedAt, x.EndReason = now, "admin" })
		addSession(t, s, user, func(x *store.Session) { x.IdleExpiresAt = now })
		addSession(t, s, user, func(x *store.Session) { x.OverallExpiresAt = now })
		addSession(t, s, other)
		b := addSession(t, s, user, func(x *store.Session) { x.IdleExpiresAt = now.Add(time.Microsecond) })
		if diff := cmp.Diff([]string{b.ID, a.ID}, live(t, s, user, now)); diff != "" {
			t.Errorf("newest first (-want +got):\n%s", diff)
		}
		all := read(t, s, func(tx *store.Tx) ([]store.Session, error) { return tx.AllSessions(user) })
		if len(all) != 5 || all[0].ID != b.ID || all[4].ID != a.ID {
			t.Errorf("all sessions: got %q", ids(all))
		}
		for _, x := range all {
			if got, want := x.AliveAt(now), x.ID == a.ID || x.ID == b.ID; got != want {
				t.Errorf("session %s: AliveAt and LiveSessions disagree", x.ID)
			}
		}
	})
}

// Is it the caller's own, and does it live: both asked in the statement that ends it.
func TestEndSessionIsTheOwners(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user := newID()
		session := addSession(t, s, user)
		end := func(id, userID, reason string) func(*store.Tx) error {
			return func(tx *store.Tx) error { _, err := tx.EndSession(id, userID, reason, now); return err }
		}
		wantErr(t, s, store.ErrNotFound, end(session.ID, newID(), "revoked"))
		wantErr(t, s, store.ErrNotFound, end(newID(), user, "revoked"))
		write(t, s, end(session.ID, user, "signed_out"))
		wantErr(t, s, store.ErrNotFound, end(session.ID, user, "revoked"))
		want := session
		want.EndedAt, want.EndReason = now, "signed_out"
		if diff := cmp.Diff(want, sessionByID(t, s, session.ID)); diff != "" {
			t.Errorf("ended (-want +got):\n%s", diff)
		}
	})
}

// Reuse ends the generation that was judged, no other.
func TestEndReused(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		session := addSession(t, s, newID(), func(x *store.Session) { x.Generation = 5 })
		end := func(judged int64) func(*store.Tx) error {
			return func(tx *store.Tx) error { return tx.EndReused(session.ID, judged, "refresh_reuse", now) }
		}
		wantErr(t, s, store.ErrNotFound, end(4))
		wantErr(t, s, store.ErrNotFound, end(6))
		if won := race(t, 16, func() error { return s.Write(ctx, end(5)) }); won != 1 {
			t.Errorf("ended %d times, want once", won)
		}
		if got := sessionByID(t, s, session.ID); got.EndReason != "refresh_reuse" || !got.EndedAt.Equal(now) {
			t.Errorf("ended at %v for %q", got.EndedAt, got.EndReason)
		}
	})
}

func TestEndSessions(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user, other := newID(), newID()
		keep, a, b := addSession(t, s, user), addSession(t, s, user), addSession(t, s, user)
		ended := addSession(t, s, user, func(x *store.Session) { x.EndedAt, x.EndReason = now, "revoked" })
		foreign := addSession(t, s, other)
		end := func(keep string) (ids []string) {
			write(t, s, func(tx *store.Tx) (err error) {
				ids, err = tx.EndSessions(user, keep, "password_changed", now.Add(time.Second))
				return err
			})
			return slices.Sorted(slices.Values(ids))
		}
		if diff := cmp.Diff([]string{a.ID, b.ID}, end(keep.ID)); diff != "" {
			t.Errorf("ended (-want +got):\n%s", diff)
		}
		for id, want := range map[string]string{keep.ID: "", a.ID: "password_changed", b.ID: "password_changed", ended.ID: "revoked", foreign.ID: ""} {
			if got := sessionByID(t, s, id).EndReason; got != want {
				t.Errorf("session %s ended for %q, want %q", id, got, want)
			}
		}
		if diff := cmp.Diff([]string{keep.ID}, end("")); diff != "" {
			t.Errorf("with none to keep: ended (-want +got):\n%s", diff)
		}
	})
}

func TestEndSessionsBefore(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user := newID()
		made := func(at time.Time) func(*store.Session) { return func(x *store.Session) { x.CreatedAt = at } }
		early, at, late := addSession(t, s, user, made(never)), addSession(t, s, user), addSession(t, s, user, made(now.Add(time.Microsecond)))
		ahead := addSession(t, s, user, made(now.Add(time.Hour+time.Minute+time.Microsecond))) // of a clock that was
		foreign := addSession(t, s, newID())
		ended := addSession(t, s, user, func(x *store.Session) { x.EndedAt, x.EndReason = now, "admin" })
		var ids []string
		write(t, s, func(tx *store.Tx) (err error) {
			ids, err = tx.EndSessionsBefore(user, "", now, "revoked", time.Minute, now.Add(time.Hour))
			return err
		})
		slices.Sort(ids)
		if diff := cmp.Diff([]string{early.ID, at.ID, ahead.ID}, ids); diff != "" {
			t.Errorf("ended (-want +got):\n%s", diff)
		}
		for id, want := range map[string]string{early.ID: "revoked", at.ID: "revoked", ahead.ID: "revoked", late.ID: "", foreign.ID: "", ended.ID: "admin"} {
			if got := sessionByID(t, s, id).EndReason; got != want {
				t.Errorf("session %s ended for %q, want %q", id, got, want)
			}
		}
	})
}

// The least recently used goes, whatever its age, and never the one just made.
func TestEvictBrowsersOfOne(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user, other := newID(), newID()
		used := func(ago time.Duration) func(*store.Session) {
			return func(x *store.Session) { x.RotatedAt = now.Add(-ago) }
		}
		made := addSession(t, s, user, used(time.Hour)) // the clock was set back meanwhile
		oldest := addSession(t, s, user, used(50*time.Minute))
		newer := addSession(t, s, user, used(10*time.Minute))
		older := addSession(t, s, user, used(40*time.Minute))
		addSession(t, s, user, func(x *store.Session) { x.EndedAt, x.EndReason = now, "admin" })
		addSession(t, s, user, func(x *store.Session) { x.IdleExpiresAt = now })
		foreign := addSession(t, s, other, used(time.Hour))
		evict := func(most int64) (ids []string) {
			write(t, s, func(tx *store.Tx) (err error) {
				ids, err = tx.EvictBrowsers(user, made.ID, most, "evicted", now)
				return err
			})
			return ids
		}
		for _, step := range []struct {
			most    int64
			evicted []string
			left    []string
		}{
			{5, nil, []string{older.ID, newer.ID, oldest.ID, made.ID}},
			{4, nil, []string{older.ID, newer.ID, oldest.ID, made.ID}},
			{3, []string{oldest.ID}, []string{older.ID, newer.ID, made.ID}},
			{2, []string{older.ID}, []string{newer.ID, made.ID}},
			{1, []string{newer.ID}, []string{made.ID}},
		} {
			if diff := cmp.Diff(step.evicted, evict(step.most)); diff != "" {
				t.Errorf("at most %d: evicted (-want +got):\n%s", step.most, diff)
			}
			if diff := cmp.Diff(step.left, live(t, s, user, now)); diff != "" {
				t.Errorf("at most %d (-want +got):\n%s", step.most, diff)
			}
		}
		if got := sessionByID(t, s, oldest.ID); got.EndReason != "evicted" || !got.EndedAt.Equal(now) {
			t.Errorf("evicted at %v for %q", got.EndedAt, got.EndReason)
		}
		if got := sessionByID(t, s, foreign.ID); !got.EndedAt.IsZero() {
			t.Error("another user's session was evicted")
		}
	})
}

// The sweep walks the table in bites, from where it stopped, and says when it is through.
func TestSweepSessionsWalks(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user := newID()
		endedBefore, expiredBefore := now.Add(-30*24*time.Hour), now.Add(-time.Hour)
		add := func(edit func(*store.Session)) string { return addSession(t, s, user, edit).ID }
		early := func(d time.Duration) time.Time { return expiredBefore.Add(-d) }
		gone := add(func(x *store.Session) { x.EndedAt, x.EndReason = endedBefore.Add(-time.Microsecond), "admin" })
		kept := add(func(x *store.Session) { x.EndedAt, x.EndReason = endedBefore, "admin" })
		idle := add(func(x *store.Session) { x.IdleExpiresAt = early(time.Second) })
		overall := add(func(x *store.Session) { x.OverallExpiresAt = early(time.Second) })
		both := add(func(x *store.Session) {
			x.IdleExpiresAt, x.OverallExpiresAt = early(time.Second), early(time.Minute)
		})
		recent := add(func(x *store.Session) { x.IdleExpiresAt = expiredBefore })
		alive := add(func(*store.Session) {})
		over := add(func(x *store.Session) { x.EndedAt, x.EndReason, x.IdleExpiresAt = now, "admin", early(time.Second) })

		old := store.Age{Expired: expiredBefore, Ended: endedBefore}
		type step struct {
			Last  string
			Stale []string
		}
		walk := func(stride, limit int64) (steps []step) {
			for after := ""; ; {
				next := read(t, s, func(tx *store.Tx) (next step, err error) {
					next.Last, next.Stale, err = tx.WalkSessions(after, stride, limit, old)
					return next, err
				})
				if next.Last == "" {
					return steps
				}
				steps, after = append(steps, next), next.Last
			}
		}
		want := []step{{kept, []string{gone}}, {overall, []string{idle, overall}}, {recent, []string{both}}, {over, nil}}
		if diff := cmp.Diff(want, walk(2, 10)); diff != "" {
			t.Errorf("walked (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]step{{over, []string{gone, idle}}}, walk(10, 2)); diff != "" {
			t.Errorf("walked in one stride (-want +got):\n%s", diff)
		}
		write(t, s, func(tx *store.Tx) error { return tx.SweepSessions(gone, both, old) })
		if diff := cmp.Diff([]step{{over, nil}}, walk(10, 10)); diff != "" {
			t.Errorf("after the sweep (-want +got):\n%s", diff)
		}
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { _, err := tx.SessionByID(gone); return err })
		for id, want := range map[string]struct {
			reason string
			at     time.Time
		}{
			kept:    {"admin", endedBefore},
			idle:    {"expired_idle", early(time.Second)},
			overall: {"expired_overall", early(time.Second)},
			both:    {"expired_overall", early(time.Minute)},
			recent:  {},
			alive:   {},
			over:    {"admin", now},
		} {
			got := sessionByID(t, s, id)
			if got.EndReason != want.reason || !got.EndedAt.Equal(want.at) {
				t.Errorf("session %s: ended at %v for %q, want %v for %q", id, got.EndedAt, got.EndReason, want.at, want.reason)
			}
		}
	})
}

// However many sessions there are and however few are looked for, a step reads no more than its stride, and the
// steps together read all.
func TestWalksReadAStride(t *testing.T) {
	const stride = 100
	engines(t, func(t *testing.T, s *store.Store) {
		var want []string
		for range 7 {
			u := newID()
			for range 3 {
				want = append(want, addSession(t, s, u).ID)
			}
			endMany(t, s, addSession(t, s, u, func(x *store.Session) { x.EndedAt, x.EndReason = now, "admin" }), 500)
			addSession(t, s, u, func(x *store.Session) { x.IdleExpiresAt = now }) // has run out, and not ended
		}
		analyze(t, s)
		most := map[string]int64{"sqlite": 3_000, "postgres": 2 * stride}[s.Engine()]
		walk := func(name string, step func(*store.Tx) (more bool, err error)) {
			t.Helper()
			for more := true; more; {
				write(t, s, func(tx *store.Tx) error {
					work, err := store.Work(tx, func(tx *store.Tx) (err error) {
						more, err = step(tx)
						return err
					})
					for sql, n := range work {
						if n > most {
							t.Errorf("%s reads %d, at most %d is right:\n%s", name, n, most, sql)
							more = false
						}
					}
					return err
				})
			}
		}
		var sum int64
		var at string
		walk("count", func(tx *store.Tx) (bool, error) {
			last, live, err := tx.CountLiveSessions(at, stride, now)
			sum, at = sum+live, last
			return at != "", err
		})
		if sum != int64(len(want)) {
			t.Errorf("counted %d live sessions, want %d", sum, len(want))
		}
		var after store.SignedIn
		var seen []string
		walk("signed in", func(tx *store.Tx) (bool, error) {
			found, err := tx.WalkSignedIn(after, "", now, time.Minute, now, 5)
			for _, x := range found {
				after = x
				seen = append(seen, x.ID)
			}
			return len(found) > 0, err
		})
		if len(seen) != len(want)+7 || !slices.IsSorted(seen) {
			t.Errorf("saw %d sessions that have not ended, want %d in their order", len(seen), len(want)+7)
		}
	})
}
