package store_test

// What docs/adr/0003-refresh-tokens.md has a row remember of its refreshes, statement by statement.

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/store"
)

// rotateParams are those of a rotation by the token of a generation.
func rotateParams(id string, expected, presented int64, at time.Time) store.RotateParams {
	return store.RotateParams{
		SessionID:          id,
		Kind:               "auth",
		ExpectedGeneration: expected,
		Presented:          presented,
		KeyID:              "k2",
		IdleExpiresAt:      at.Add(14 * 24 * time.Hour),
		Grace:              grace,
	}
}

func TestRotateBookkeeping(t *testing.T) {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	cases := []struct {
		name      string
		before    store.Rotation // zero: a session just signed in
		presented int64          // zero: the current generation
		want      store.Rotation // without what every rotation sets
	}{
		{
			name:   "first refresh opens a burst",
			before: store.Rotation{Generation: 1, BurstFrom: 1, BurstAt: never, PrevFrom: 1, PrevAt: never},
			want:   store.Rotation{Generation: 2, BurstFrom: 1, BurstAt: now, PrevFrom: 1, PrevAt: never},
		},
		{
			name:   "within the grace the burst stays",
			before: store.Rotation{Generation: 7, BurstFrom: 5, BurstAt: ago(10 * time.Second), PrevFrom: 3, PrevAt: ago(time.Hour)},
			want:   store.Rotation{Generation: 8, BurstFrom: 5, BurstAt: ago(10 * time.Second), PrevFrom: 3, PrevAt: ago(time.Hour)},
		},
		{
			name:   "at the very end of the grace the burst stays",
			before: store.Rotation{Generation: 7, BurstFrom: 5, BurstAt: ago(grace), PrevFrom: 3, PrevAt: ago(time.Hour)},
			want:   store.Rotation{Generation: 8, BurstFrom: 5, BurstAt: ago(grace), PrevFrom: 3, PrevAt: ago(time.Hour)},
		},
		{
			name:   "past the grace the burst becomes the previous one",
			before: store.Rotation{Generation: 7, BurstFrom: 5, BurstAt: ago(grace + time.Microsecond), PrevFrom: 3, PrevAt: ago(time.Hour)},
			want:   store.Rotation{Generation: 8, BurstFrom: 7, BurstAt: now, PrevFrom: 5, PrevAt: ago(grace + time.Microsecond)},
		},
		{
			name:   "a clock set back does not open a burst",
			before: store.Rotation{Generation: 7, BurstFrom: 5, BurstAt: now.Add(time.Hour), PrevFrom: 3, PrevAt: ago(time.Hour)},
			want:   store.Rotation{Generation: 8, BurstFrom: 5, BurstAt: now.Add(time.Hour), PrevFrom: 3, PrevAt: ago(time.Hour)},
		},
		{
			name:   "no late use: the run ends",
			before: store.Rotation{Generation: 2, BurstFrom: 1, BurstAt: now, PrevFrom: 1, PrevAt: never, LateRun: 2},
			want:   store.Rotation{Generation: 3, BurstFrom: 1, BurstAt: now, PrevFrom: 1, PrevAt: never, LateRun: 0},
		},
		{
			name:   "a late use: the run goes on, the mark is cleared",
			before: store.Rotation{Generation: 2, BurstFrom: 1, BurstAt: now, PrevFrom: 1, PrevAt: never, LateNow: true, LateRun: 2},
			want:   store.Rotation{Generation: 3, BurstFrom: 1, BurstAt: now, PrevFrom: 1, PrevAt: never, LateRun: 2},
		},
		{
			name:      "a token ahead of a database that was set back",
			before:    store.Rotation{Generation: 4, BurstFrom: 3, BurstAt: ago(time.Minute), PrevFrom: 2, PrevAt: ago(time.Hour)},
			presented: 9,
			want:      store.Rotation{Generation: 10, BurstFrom: 9, BurstAt: now, PrevFrom: 3, PrevAt: ago(time.Minute)},
		},
	}
	engines(t, func(t *testing.T, s *store.Store) {
		u := addUser(t, s)
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				before := addSession(t, s, u.ID, func(x *store.Session) {
					x.Rotation = c.before
					x.RotatedAt, x.KeyID, x.PrevKeyID, x.IdleExpiresAt = ago(time.Minute), "k1", "k0", now.Add(time.Second)
				})
				other := addSession(t, s, u.ID)
				presented := c.presented
				if presented == 0 {
					presented = before.Generation
				}
				want := store.RefreshState{Session: before, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName}
				want.Rotation = c.want
				want.RotatedAt, want.KeyID, want.PrevKeyID, want.IdleExpiresAt = now, "k2", "k1", now.Add(14*24*time.Hour)

				var got store.RefreshState
				err := s.Joint(ctx, func(tx *store.Tx) (err error) {
					got, err = tx.Rotate(rotateParams(before.ID, before.Generation, presented, now), now)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("returned row (-want +got):\n%s", diff)
				}
				kept := read(t, s, func(tx *store.Tx) (store.RefreshState, error) { return tx.RefreshStateByID(before.ID) })
				if diff := cmp.Diff(want, kept); diff != "" {
					t.Errorf("kept row (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(other, sessionByID(t, s, other.ID)); diff != "" {
					t.Errorf("another session changed (-want +got):\n%s", diff)
				}
			})
		}
	})
}

func TestRotateOnlyTheLivingAndJudged(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		u := addUser(t, s)
		for _, c := range []struct {
			name   string
			edit   func(*store.Session)
			judged int64
		}{
			{"an earlier generation", func(x *store.Session) { x.Generation = 3 }, 2},
			{"a later generation", func(x *store.Session) { x.Generation = 3 }, 4},
			{"ended", func(x *store.Session) { x.EndedAt, x.EndReason = now, "signed_out" }, 1},
			{"idle for too long, to the microsecond", func(x *store.Session) { x.IdleExpiresAt = now }, 1},
			{"over the overall limit, to the microsecond", func(x *store.Session) { x.OverallExpiresAt = now }, 1},
		} {
			t.Run(c.name, func(t *testing.T) {
				before := addSession(t, s, u.ID, c.edit)
				wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error {
					_, err := tx.Rotate(rotateParams(before.ID, c.judged, c.judged, now), now)
					return err
				})
				if diff := cmp.Diff(before, sessionByID(t, s, before.ID)); diff != "" {
					t.Errorf("the row changed (-want +got):\n%s", diff)
				}
			})
		}
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error {
			_, err := tx.Rotate(rotateParams(newID(), 1, 1, now), now)
			return err
		})
	})
}

func TestRotateAfterTheUserIsGone(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		session := addSession(t, s, newID())
		var got store.RefreshState
		write(t, s, func(tx *store.Tx) (err error) {
			got, err = tx.Rotate(rotateParams(session.ID, 1, 1, now), now)
			return err
		})
		if got.Email != "" || got.FirstName != "" || got.Generation != 2 {
			t.Errorf("got %+v, want a rotated session of nobody", got)
		}
	})
}

// I2: of 64 uses of one generation at once, one rotates.
func TestRotateHasOneWinner(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		session := addSession(t, s, addUser(t, s).ID)
		won := race(t, 64, func() error {
			return s.Joint(ctx, func(tx *store.Tx) error {
				_, err := tx.Rotate(rotateParams(session.ID, 1, 1, now), now)
				return err
			})
		})
		if won != 1 {
			t.Errorf("%d rotations of one generation, want 1", won)
		}
		if got := sessionByID(t, s, session.ID); got.Generation != 2 {
			t.Errorf("generation %d, want 2", got.Generation)
		}
	})
}

func TestMarkLate(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		u := addUser(t, s)
		before := addSession(t, s, u.ID, func(x *store.Session) { x.Generation, x.LateRun = 5, 1 })
		mark := func(judged int64) func(*store.Tx) error {
			return func(tx *store.Tx) error { return tx.MarkLate(before.ID, judged) }
		}
		wantErr(t, s, store.ErrNotFound, mark(4))
		if won := race(t, 16, func() error { return s.Write(ctx, mark(5)) }); won != 1 {
			t.Errorf("%d marks of one generation, want 1", won)
		}
		want := before
		want.LateNow, want.LateRun = true, 2
		if diff := cmp.Diff(want, sessionByID(t, s, before.ID)); diff != "" {
			t.Errorf("marked (-want +got):\n%s", diff)
		}
		ended := addSession(t, s, u.ID, func(x *store.Session) { x.EndedAt = now })
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.MarkLate(ended.ID, 1) })
	})
}

// I16: nothing but the sign-in writes the overall limit.
func TestNoStatementMovesTheOverallLimit(t *testing.T) {
	assigned := regexpInSources(t, `overall_expires_at\s*=[^=]`)
	if len(assigned) > 0 {
		t.Errorf("overall_expires_at is assigned: %q", assigned)
	}
}

// race runs do n times at once and counts how often it succeeded; all other outcomes must be
// ErrNotFound.
func race(t testing.TB, n int, do func() error) int {
	t.Helper()
	var won atomic.Int64
	start := make(chan struct{})
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			<-start
			switch err := do(); {
			case err == nil:
				won.Add(1)
			case !isNotFound(err):
				t.Errorf("race: %v", err)
			}
		})
	}
	close(start)
	wg.Wait()
	return int(won.Load())
}
