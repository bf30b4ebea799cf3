package store_test

// The counters of the throttle, and what is counted instead of written a row each.

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/store"
)

var key = []byte("key")

func attempts(t *testing.T, s *store.Store, key []byte) store.Attempts {
	t.Helper()
	return read(t, s, func(tx *store.Tx) (store.Attempts, error) { return tx.Attempts(key) })
}

func TestCountFailure(t *testing.T) {
	const day = 24 * time.Hour
	engines(t, func(t *testing.T, s *store.Store) {
		count := func(at time.Time) (n int64) {
			write(t, s, func(tx *store.Tx) (err error) {
				n, err = tx.CountFailure(key, at.Add(-day), 3, 4, at)
				return err
			})
			return n
		}
		if got := attempts(t, s, key); got != (store.Attempts{}) {
			t.Errorf("none yet: got %+v", got)
		}
		at := now
		for i, step := range []struct {
			after time.Duration
			want  int64
		}{
			{0, 1},
			{day, 2}, // not a microsecond more than a day: not forgotten
			{day + time.Microsecond, 1},
			{0, 2},
			{0, 3},
			{2 * day, 4}, // at the stop nothing is forgotten
			{0, 4},       // nor counted beyond the most
		} {
			at = at.Add(step.after)
			if got := count(at); got != step.want {
				t.Errorf("failure %d: counted %d, want %d", i, got, step.want)
			}
		}
		write(t, s, func(tx *store.Tx) error { return tx.DelayAttempts(key, at.Add(time.Hour)) })
		want := store.Attempts{Failures: 4, NotBefore: at.Add(time.Hour), LastAt: at}
		if diff := cmp.Diff(want, attempts(t, s, key)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.DelayAttempts([]byte("other"), now) })
		write(t, s, func(tx *store.Tx) error { tx.ClearAttempts(key); return nil })
		if got := attempts(t, s, key); got != (store.Attempts{}) {
			t.Errorf("cleared: got %+v", got)
		}
	})
}

// I8: no failure is lost, however many come at once.
func TestCountFailureAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		race(t, 64, func() error {
			return s.Write(ctx, func(tx *store.Tx) error {
				n, err := tx.CountFailure(key, now.Add(-time.Hour), 1000, 1000, now)
				if err != nil {
					return err
				}
				return tx.DelayAttempts(key, now.Add(time.Duration(n)*time.Second))
			})
		})
		want := store.Attempts{Failures: 64, NotBefore: now.Add(64 * time.Second), LastAt: now}
		if diff := cmp.Diff(want, attempts(t, s, key)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// takeRate takes from one counter.
func takeRate(tx *store.Tx, key []byte, every time.Duration, latest, now time.Time) (bool, error) {
	taken, err := tx.TakeRates(latest, now, store.Rate{Key: key, EmissionInterval: every})
	return len(taken) == 1, err
}

// Three counters are taken from in one statement, each by its own pace; those that are full are left as they are, and
// what was taken can be given back.
func TestTakeRatesOfSeveral(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		of := []store.Rate{{Key: []byte("narrow"), EmissionInterval: time.Minute}, {Key: []byte("wide"), EmissionInterval: 20 * time.Second}, {Key: []byte("widest"), EmissionInterval: 6 * time.Second}}
		rates := func(of ...store.Rate) map[string]time.Time {
			return read(t, s, func(tx *store.Tx) (map[string]time.Time, error) { return tx.Rates(of...) })
		}
		for i, want := range []int{3, 3, 2} {
			write(t, s, func(tx *store.Tx) error {
				taken, err := tx.TakeRates(now.Add(2*time.Minute), now, of...)
				if len(taken) != want {
					t.Errorf("event %d was taken by %q, want %d", i, taken, want)
				}
				return err
			})
		}
		write(t, s, func(tx *store.Tx) error { tx.GiveRate(of[1]); return nil })
		want := map[string]time.Time{"narrow": now.Add(2 * time.Minute), "wide": now.Add(40 * time.Second), "widest": now.Add(18 * time.Second)}
		if diff := cmp.Diff(want, rates(of...)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := rates(store.Rate{Key: []byte("none")}); len(got) != 0 {
			t.Errorf("of a counter that is not there: %v", got)
		}
	})
}

// What a network added is taken back and nothing of others'; a counter that began anew forgets what was before, and
// what is swept or cleared leaves nothing.
func TestTakeBack(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		here, there := []byte("here"), []byte("there")
		fail := func(network []byte, decayed time.Time, times int) {
			t.Helper()
			for range times {
				write(t, s, func(tx *store.Tx) error {
					n, err := tx.CountFailure(key, decayed, 100, 1000, now)
					if err != nil {
						return err
					}
					tx.NoteNetwork(key, network, n)
					return nil
				})
			}
		}
		left := func(what string, want, networks int64) {
			t.Helper()
			got, byNetworks := attempts(t, s, key).Failures, failuresIn(t, s, "attempt_networks")
			if got != want || byNetworks != networks {
				t.Errorf("%s: %d failures are left, %d by networks; want %d and %d", what, got, byNetworks, want, networks)
			}
		}
		takeBack := func(network []byte) {
			t.Helper()
			write(t, s, func(tx *store.Tx) error { tx.TakeBack(key, network); return nil })
		}
		takeBack(here)
		left("nothing there", 0, 0)
		fail(here, never, 3)
		fail(there, never, 2)
		takeBack([]byte("elsewhere"))
		left("another network", 5, 5)
		takeBack(here)
		takeBack(here)
		left("one network", 2, 2)
		fail(here, never, 1)
		fail(there, now.Add(time.Second), 1) // it began anew
		left("begun anew", 1, 1)
		takeBack(there)
		left("both networks", 0, 0)
		fail(here, never, 2)
		write(t, s, func(tx *store.Tx) error { tx.ClearAttempts(key); return nil })
		left("cleared", 0, 0)
		fail(here, never, 2)
		write(t, s, func(tx *store.Tx) error { _, err := tx.SweepAttempts(now.Add(time.Second), 100, 10); return err })
		left("swept", 0, 0)
	})
}

// failuresIn sums the failures that a table counts.
func failuresIn(t *testing.T, s *store.Store, table string) int64 {
	t.Helper()
	return read(t, s, func(tx *store.Tx) ([]int64, error) {
		return store.Column[int64](tx, "SELECT CAST(COALESCE(sum(failures), 0) AS BIGINT) FROM "+table)
	})[0]
}

// No failure and no taking back is lost where they meet: what is left is what networks are said to have added.
func TestTakeBackAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		var nobodys atomic.Int64
		race(t, 64, func() error {
			var took bool
			err := s.Write(ctx, func(tx *store.Tx) error {
				n, err := tx.CountFailure(key, never, 1000, 1000, now)
				if err != nil {
					return err
				}
				if took = n%8 == 0; took {
					tx.TakeBack(key, []byte("here"))
					return nil
				}
				tx.NoteNetwork(key, []byte("here"), n)
				return nil
			})
			if took && err == nil {
				nobodys.Add(1)
			}
			return err
		})
		if a, b := failuresIn(t, s, "attempts"), failuresIn(t, s, "attempt_networks"); a != b+nobodys.Load() || nobodys.Load() == 0 {
			t.Errorf("%d failures are left, %d by networks", a, b)
		}
	})
}

// Three at once, then one a minute: the generic cell rate algorithm in one statement.
func TestTakeRate(t *testing.T) {
	const every, burst = time.Minute, 3 * time.Minute
	engines(t, func(t *testing.T, s *store.Store) {
		take := func(at time.Time) (ok bool) {
			write(t, s, func(tx *store.Tx) (err error) {
				ok, err = takeRate(tx, key, every, at.Add(burst), at)
				return err
			})
			return ok
		}
		rate := func() time.Time {
			return read(t, s, func(tx *store.Tx) (time.Time, error) {
				arrivals, err := tx.Rates(store.Rate{Key: key})
				return arrivals[string(key)], err
			})
		}
		if got := rate(); !got.IsZero() {
			t.Errorf("none yet: got %v", got)
		}
		for i, step := range []struct {
			after time.Duration
			want  bool
			rate  time.Duration // after now
		}{
			{0, true, time.Minute},
			{0, true, 2 * time.Minute},
			{0, true, 3 * time.Minute},
			{0, false, 3 * time.Minute},
			{time.Minute - time.Microsecond, false, 3 * time.Minute},
			{time.Minute, true, 4 * time.Minute},
			{time.Minute, false, 4 * time.Minute},
			{time.Hour, true, time.Hour + time.Minute}, // idle time is not saved up
			{time.Hour, true, time.Hour + 2*time.Minute},
			{time.Hour, true, time.Hour + 3*time.Minute},
			{time.Hour, false, time.Hour + 3*time.Minute},
		} {
			if got := take(now.Add(step.after)); got != step.want {
				t.Errorf("event %d: let through: %v, want %v", i, got, step.want)
			}
			if got := rate(); !got.Equal(now.Add(step.rate)) {
				t.Errorf("event %d: next arrival %v after the first, want %v", i, got.Sub(now), step.rate)
			}
		}
		won := race(t, 64, func() error {
			var ok bool
			err := s.Single(ctx, func(tx *store.Tx) (err error) {
				ok, err = takeRate(tx, []byte("another"), every, now.Add(burst), now)
				return err
			})
			if err == nil && !ok {
				err = store.ErrNotFound
			}
			return err
		})
		if won != 3 {
			t.Errorf("%d of 64 at once were let through, want 3", won)
		}
	})
}

func TestSweepThrottle(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		write(t, s, func(tx *store.Tx) error {
			for _, key := range []string{"old", "old and stopped", "old and stopped", "recent"} {
				at := now.Add(-time.Hour)
				if key == "recent" {
					at = now
				}
				if _, err := tx.CountFailure([]byte(key), never, 2, 2, at); err != nil {
					return err
				}
				if _, err := takeRate(tx, []byte(key), time.Minute, at.Add(time.Hour), at); err != nil {
					return err
				}
			}
			return nil
		})
		sweep := func(what string, want []int64, sweep func(*store.Tx) (int64, error)) {
			t.Helper()
			var got []int64
			for range want {
				write(t, s, func(tx *store.Tx) error {
					n, err := sweep(tx)
					got = append(got, n)
					return err
				})
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		sweep("attempts", []int64{1, 0}, func(tx *store.Tx) (int64, error) { return tx.SweepAttempts(now, 2, 10) })
		sweep("rates", []int64{1, 1, 0}, func(tx *store.Tx) (int64, error) { return tx.SweepRates(now, 1) })
		for key, want := range map[string]int64{"old": 0, "old and stopped": 2, "recent": 1} {
			if got := attempts(t, s, []byte(key)).Failures; got != want {
				t.Errorf("%s: %d failures left, want %d", key, got, want)
			}
		}
	})
}
