package store_test

// The feed of ended sessions: what is in it, and that reading it costs what is in it, whatever else has ended.

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

func recentEnds(t testing.TB, s *store.Store, since time.Time, limit int64) (ids []string) {
	t.Helper()
	for _, e := range read(t, s, func(tx *store.Tx) ([]store.RecentEnd, error) { return tx.RecentEnds(since, limit) }) {
		ids = append(ids, e.SessionID)
	}
	return ids
}

func TestRecentEnds(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user := addUser(t, s).ID
		ended := func(ago time.Duration, kind, reason string) string {
			return addSession(t, s, user, func(x *store.Session) { x.Kind, x.EndedAt, x.EndReason = kind, now.Add(-ago), reason }).ID
		}
		addSession(t, s, user) // which lives
		first := ended(9*time.Minute, "auth", "signed_out")
		ended(10*time.Minute, "auth", "signed_out") // at the limit: not since then
		ended(time.Minute, "page", "signed_out")
		ended(time.Minute, "auth", "expired_idle")
		ended(time.Minute, "oauth", "expired_overall")
		second := ended(2*time.Minute, "oauth", "signed_out_elsewhere")
		third := ended(time.Minute, "auth", "refresh_reuse")
		fourth := ended(time.Minute, "oauth", "admin") // at the same moment: in the order of their ids, on every server
		ahead := ended(-time.Minute, "auth", "signed_out")
		want := []string{ahead, fourth, third, second, first}
		if diff := cmp.Diff(want, recentEnds(t, s, now.Add(-10*time.Minute), 100)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want[:2], recentEnds(t, s, now.Add(-10*time.Minute), 2)); diff != "" {
			t.Errorf("the newest two (-want +got):\n%s", diff)
		}
		late := addSession(t, s, user).ID
		write(t, s, func(tx *store.Tx) error { // commit order is not time order
			_, err := tx.EndSession(late, user, "signed_out", now.Add(-5*time.Minute))
			return err
		})
		if got := recentEnds(t, s, now.Add(-10*time.Minute), 100); len(got) != len(want)+1 {
			t.Errorf("an end that came late: %q", got)
		}
	})
}

// fillFeed ends n sessions of each kind, a second after another, the last at now.
func fillFeed(t testing.TB, s *store.Store, n int64) {
	t.Helper()
	for _, kind := range []string{"auth", "oauth", "page"} {
		endMany(t, s, addSession(t, s, addUser(t, s).ID, func(x *store.Session) { x.Kind = kind }), n)
	}
}

// What is read grows with what is asked for, and neither with what has ended before nor with what no token names.
func TestReadingTheFeedIsBounded(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		fillFeed(t, s, 10_000)
		expired := addUser(t, s).ID
		endMany(t, s, addSession(t, s, expired), 10_000)
		write(t, s, func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE sessions SET end_reason = 'expired_idle' WHERE user_id = $1 AND ended_at IS NOT NULL`, expired)
			return err
		})
		analyze(t, s)
		const limit = 500
		most := map[string]int64{"sqlite": 20 * limit, "postgres": limit}[s.Engine()]
		for name, since := range map[string]time.Time{"all of them": never, "none": now} {
			write(t, s, func(tx *store.Tx) error {
				work, err := store.Work(tx, func(tx *store.Tx) error {
					rows, err := tx.RecentEnds(since, limit)
					if want := map[bool]int{true: limit, false: 0}[since == never]; len(rows) != want {
						t.Errorf("%s: %d ends, want %d", name, len(rows), want)
					}
					return err
				})
				for sql, n := range work {
					if n > most {
						t.Errorf("%s reads %d, at most %d is right:\n%s", name, n, most, sql)
					}
				}
				return err
			})
		}
	})
}

// What a server reads in one second for all who poll: nothing new, and as much as is ever told.
func BenchmarkRecentEnds(b *testing.B) {
	for _, db := range []func(testing.TB) authtest.Database{authtest.SQLite, authtest.Postgres} {
		database := db(b)
		s := database.Open(b)
		fillFeed(b, s, 20_000)
		for _, c := range []struct {
			ends  int
			since time.Time
		}{{0, now}, {100, now.Add(-50 * time.Second)}, {10_001, never}} {
			b.Run(fmt.Sprintf("%s/ends=%d", database.Engine, c.ends), func(b *testing.B) {
				for b.Loop() {
					if got := len(recentEnds(b, s, c.since, 10_001)); got != c.ends {
						b.Fatalf("%d ends", got)
					}
				}
			})
		}
	}
}
