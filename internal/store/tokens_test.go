package store_test

// Mailed links: each request has its own, each has one winner, and the release before sees the newest.

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/store"
)

func newToken(email, requestID string, at time.Time) store.OneTimeToken {
	return store.OneTimeToken{
		Purpose:     "reset",
		Email:       email,
		Hash:        []byte("hash of " + requestID),
		RequestID:   requestID,
		RequestedAt: at,
		ExpiresAt:   at.Add(time.Hour),
		Client:      "web",
	}
}

func put(token store.OneTimeToken) func(*store.Tx) error {
	return func(tx *store.Tx) error { return tx.PutOneTime(token) }
}

func spend(token store.OneTimeToken, at time.Time) func(*store.Tx) error {
	return func(tx *store.Tx) error { return tx.SpendOneTime(token.Purpose, token.Email, token.Hash, "", at) }
}

func oneTime(t *testing.T, s *store.Store, token store.OneTimeToken) store.OneTimeToken {
	t.Helper()
	return read(t, s, func(tx *store.Tx) (store.OneTimeToken, error) {
		return tx.OneTime(token.Purpose, token.Email, token.Hash)
	})
}

// newest is the hash that a node of the release before knows.
func newest(t *testing.T, s *store.Store, purpose, email string) []byte {
	t.Helper()
	found := read(t, s, func(tx *store.Tx) ([][]byte, error) {
		return store.Column[[]byte](tx, `SELECT hash FROM one_time_tokens WHERE purpose = $1 AND email = $2`, purpose, email)
	})
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// The release before knows the newest request's link, in whatever order they are carried out; at the same
// instant the greater id's. Here each lives.
func TestPutOneTimeNewestWins(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		const email = "ada@example.com"
		var all []store.OneTimeToken
		for _, c := range []struct {
			id     string
			at     time.Time
			newest string
		}{
			{"b", now, "b"}, {"z", now.Add(-time.Microsecond), "b"}, {"a", now, "b"}, {"c", now, "c"}, {"aa", now.Add(time.Microsecond), "aa"},
		} {
			token := newToken(email, c.id, c.at)
			write(t, s, put(token))
			all = append(all, token)
			if got := newest(t, s, "reset", email); string(got) != "hash of "+c.newest {
				t.Errorf("after %q the newest is %q, want %q", c.id, got, c.newest)
			}
		}
		other := newToken(email, "v", now.Add(time.Hour))
		other.Purpose = "verify"
		write(t, s, put(other))
		if got := newest(t, s, "reset", email); string(got) != "hash of aa" {
			t.Errorf("after another purpose's the newest is %q", got)
		}
		for _, token := range append(all, other) {
			if diff := cmp.Diff(token, oneTime(t, s, token)); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		}
		for _, token := range all {
			write(t, s, spend(token, now))
		}
	})
}

// A mail that is tried again makes its token again: that revives nothing.
func TestPutOneTimeAgainChangesNothing(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		token := newToken("ada@example.com", "a", now)
		write(t, s, put(token))
		write(t, s, func(tx *store.Tx) error {
			return tx.NoteVerified(token.Purpose, token.Email, token.Hash, "203.0.113.7", now.Add(time.Second))
		})
		write(t, s, spend(token, now.Add(time.Minute)))
		want := token
		want.VerifiedAt, want.VerifiedFrom, want.UsedAt = now.Add(time.Second), "203.0.113.7", now.Add(time.Minute)
		write(t, s, put(token))
		if diff := cmp.Diff(want, oneTime(t, s, token)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		wantErr(t, s, store.ErrNotFound, spend(token, now.Add(time.Minute)))
		newer := newToken(token.Email, "b", now.Add(time.Second))
		write(t, s, put(newer))
		if diff := cmp.Diff(newer, oneTime(t, s, newer)); diff != "" {
			t.Errorf("a newer one starts unspent (-want +got):\n%s", diff)
		}
	})
}

// I4: one winner of 64, with the right token of the right purpose and address, in time.
func TestSpendOneTime(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		token := newToken("ada@example.com", "a", now)
		write(t, s, put(token))
		for name, edit := range map[string]func(*store.OneTimeToken){
			"another purpose": func(x *store.OneTimeToken) { x.Purpose = "verify" },
			"another address": func(x *store.OneTimeToken) { x.Email = "bob@example.com" },
			"another token":   func(x *store.OneTimeToken) { x.Hash = []byte("hash of b") },
		} {
			other := token
			edit(&other)
			if err := s.Write(ctx, spend(other, now)); !isNotFound(err) {
				t.Errorf("%s: got %v, want ErrNotFound", name, err)
			}
		}
		wantErr(t, s, store.ErrNotFound, spend(token, token.ExpiresAt))
		last := token.ExpiresAt.Add(-time.Microsecond)
		if won := race(t, 64, func() error { return s.Write(ctx, spend(token, last)) }); won != 1 {
			t.Errorf("%d of 64 won, want 1", won)
		}
		if got := oneTime(t, s, token); !got.UsedAt.Equal(last) {
			t.Errorf("used at %v, want %v", got.UsedAt, last)
		}
	})
}

// The first showing counts; later ones, from elsewhere perhaps, change nothing.
func TestNoteVerified(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		token := newToken("ada@example.com", "a", now)
		write(t, s, put(token))
		note := func(hash []byte, from string, at time.Time) func(*store.Tx) error {
			return func(tx *store.Tx) error { return tx.NoteVerified(token.Purpose, token.Email, hash, from, at) }
		}
		wantErr(t, s, store.ErrNotFound, note([]byte("wrong"), "net-0", now))
		wantErr(t, s, store.ErrNotFound, note(token.Hash, "net-0", token.ExpiresAt))
		write(t, s, note(token.Hash, "net-1", now.Add(time.Second)))
		write(t, s, note(token.Hash, "net-2", now.Add(time.Minute)))
		want := token
		want.VerifiedAt, want.VerifiedFrom = now.Add(time.Minute), "net-2"
		if diff := cmp.Diff(want, oneTime(t, s, token)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestDropAndSweepOneTime(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		for i, email := range []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"} {
			write(t, s, put(newToken(email, email[:1], now.Add(time.Duration(i)*time.Minute))))
		}
		left := func() []string {
			both := func(table string) []string {
				return read(t, s, func(tx *store.Tx) ([]string, error) {
					return store.Column[string](tx, `SELECT email FROM `+table+` ORDER BY email`)
				})
			}
			links := both("one_time_links")
			if diff := cmp.Diff(links, both("one_time_tokens")); diff != "" {
				t.Errorf("here, and as the release before sees it (-here +there):\n%s", diff)
			}
			return links
		}
		write(t, s, func(tx *store.Tx) error { tx.DropOneTime("verify", "d@example.com"); return nil })
		write(t, s, func(tx *store.Tx) error { tx.DropOneTime("reset", "d@example.com"); return nil })
		if diff := cmp.Diff([]string{"a@example.com", "b@example.com", "c@example.com"}, left()); diff != "" {
			t.Errorf("dropped (-want +got):\n%s", diff)
		}
		sweep := func(limit int64) (n int64) {
			write(t, s, func(tx *store.Tx) (err error) {
				if n, err = tx.SweepOneTime(now.Add(time.Hour+2*time.Minute), limit); err != nil {
					return err
				}
				same, err := tx.SweepNewest(now.Add(time.Hour+2*time.Minute), limit)
				if same != n {
					t.Errorf("swept %d there, %d here", same, n)
				}
				return err
			})
			return n
		}
		if n := sweep(1); n != 1 {
			t.Errorf("swept %d, want at most 1", n)
		}
		if n := sweep(10); n != 1 {
			t.Errorf("swept %d, want the other", n)
		}
		if diff := cmp.Diff([]string{"c@example.com"}, left()); diff != "" {
			t.Errorf("swept (-want +got):\n%s", diff)
		}
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error {
			_, err := tx.OneTime("reset", "a@example.com", []byte("hash of a"))
			return err
		})
	})
}

// The spending statement itself asks whether the account has changed since: a change at a node of the release
// before drops what that node knows, and no more.
func TestSpendOneTimeAsksForTheLastChange(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		u := addUser(t, s)
		for id, c := range map[string]struct {
			asked time.Time
			good  bool
		}{
			"before": {u.ChangedAt.Add(-time.Microsecond), false}, "at once": {u.ChangedAt, false}, "after": {u.ChangedAt.Add(time.Microsecond), true},
		} {
			token := newToken(u.Email, id, c.asked)
			write(t, s, put(token))
			if err := s.Write(ctx, spend(token, u.ChangedAt.Add(time.Minute))); isNotFound(err) == c.good || err != nil && !isNotFound(err) {
				t.Errorf("asked for %s the change: %v", id, err)
			}
			if !c.good { // by the account's own making
				write(t, s, func(tx *store.Tx) error {
					return tx.SpendOneTime(token.Purpose, token.Email, token.Hash, u.ID, u.ChangedAt.Add(time.Minute))
				})
			}
		}
	})
}

// The release before spends, shows, replaces and drops in the table that it knows. What it did there holds here,
// and what is done here holds there.
func TestLinksBesideTheReleaseBefore(t *testing.T) {
	const email = "ada@example.com"
	old := func(t *testing.T, s *store.Store, sql string, args ...any) {
		t.Helper()
		write(t, s, func(tx *store.Tx) error { _, err := tx.Exec(sql, args...); return err })
	}
	mail := func(t *testing.T, s *store.Store, token store.OneTimeToken) { // as the release before puts one
		t.Helper()
		old(t, s, `DELETE FROM one_time_tokens WHERE purpose = $1 AND email = $2`, token.Purpose, token.Email)
		old(t, s, `INSERT INTO one_time_tokens (purpose, email, hash, request_id, requested_at, expires_at, client, used_at, verified_at, verified_from)
			VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, NULL, '')`,
			token.Purpose, token.Email, token.Hash, token.RequestID, token.RequestedAt, token.ExpiresAt, token.Client)
	}
	used := func(t *testing.T, s *store.Store) int64 {
		t.Helper()
		return read(t, s, func(tx *store.Tx) (int64, error) {
			n, err := store.Column[int64](tx, `SELECT count(*) FROM one_time_tokens WHERE used_at IS NOT NULL`)
			return n[0], err
		})
	}
	first, second := newToken(email, "a", now), newToken(email, "b", now.Add(time.Minute))
	engines(t, func(t *testing.T, s *store.Store) {
		clear := func() { write(t, s, func(tx *store.Tx) error { tx.DropOneTime("reset", email); return nil }) }

		mail(t, s, first) // there, found and spent here
		if diff := cmp.Diff(first, oneTime(t, s, first)); diff != "" {
			t.Errorf("mailed there (-want +got):\n%s", diff)
		}
		write(t, s, spend(first, now))
		wantErr(t, s, store.ErrNotFound, spend(first, now))
		if used(t, s) != 1 {
			t.Error("spent here, and alive there")
		}
		clear()

		mail(t, s, first) // there, and a newer one here: both live
		write(t, s, put(second))
		write(t, s, spend(first, now))
		write(t, s, spend(second, now))
		if used(t, s) != 1 {
			t.Error("the newest is spent here, and alive there")
		}
		clear()

		write(t, s, put(first)) // here, and spent there
		old(t, s, `UPDATE one_time_tokens SET used_at = $1`, now)
		if got := oneTime(t, s, first); !got.UsedAt.Equal(now) {
			t.Errorf("spent there: %+v", got)
		}
		wantErr(t, s, store.ErrNotFound, spend(first, now))
		write(t, s, put(first)) // its mail is tried again
		wantErr(t, s, store.ErrNotFound, spend(first, now))
		clear()

		write(t, s, put(first)) // here, and shown there
		old(t, s, `UPDATE one_time_tokens SET verified_at = $1, verified_from = 'net-1'`, now)
		shown := read(t, s, func(tx *store.Tx) ([]store.OneTimeToken, error) { return tx.ShownOneTimes("reset", email) })
		if len(shown) != 1 || !shown[0].VerifiedAt.Equal(now) || shown[0].VerifiedFrom != "net-1" {
			t.Errorf("shown there: %+v", shown)
		}
		write(t, s, put(second)) // which takes its place there
		if got := oneTime(t, s, first); got.VerifiedFrom != "net-1" {
			t.Errorf("shown there, once it is replaced: %+v", got)
		}
		write(t, s, func(tx *store.Tx) error { return tx.NoteVerified("reset", email, second.Hash, "net-2", now) })
		if from := read(t, s, func(tx *store.Tx) ([]string, error) {
			return store.Column[string](tx, `SELECT verified_from FROM one_time_tokens`)
		}); from[0] != "net-2" {
			t.Errorf("shown here, and there from %q", from)
		}
		write(t, s, func(tx *store.Tx) error { tx.SpendOneTimes("reset", email, now); return nil })
		if used(t, s) != 1 || oneTime(t, s, first).UsedAt.IsZero() || oneTime(t, s, second).UsedAt.IsZero() {
			t.Error("one of all is not spent")
		}
		clear()
		if newest(t, s, "reset", email) != nil {
			t.Error("dropped here, and kept there")
		}
	})
}
