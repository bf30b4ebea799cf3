package store_test

// Mailed links: each request has its own, and each has one winner.

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

func drop(t store.OneTimeToken) func(*store.Tx) error {
	return func(tx *store.Tx) error { tx.DropOneTime(t.Purpose, t.Email); return nil }
}

func oneTime(t *testing.T, s *store.Store, token store.OneTimeToken) store.OneTimeToken {
	t.Helper()
	return read(t, s, func(tx *store.Tx) (store.OneTimeToken, error) {
		return tx.OneTime(token.Purpose, token.Email, token.Hash)
	})
}

// Each request's link lives, in whatever order the requests are carried out, and one is not another's.
func TestPutOneTimeKeepsEach(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		const email = "ada@example.com"
		var all []store.OneTimeToken
		for _, c := range []struct {
			id string
			at time.Time
		}{
			{"b", now}, {"z", now.Add(-time.Microsecond)}, {"a", now}, {"c", now}, {"aa", now.Add(time.Microsecond)},
		} {
			token := newToken(email, c.id, c.at)
			write(t, s, put(token))
			all = append(all, token)
		}
		other := newToken(email, "v", now.Add(time.Hour))
		other.Purpose = "verify"
		write(t, s, put(other))
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

// The last showing counts, from wherever it is.
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
			return read(t, s, func(tx *store.Tx) ([]string, error) {
				return store.Column[string](tx, `SELECT email FROM one_time_links ORDER BY email`)
			})
		}
		write(t, s, drop(store.OneTimeToken{Purpose: "verify", Email: "d@example.com"}))
		write(t, s, drop(store.OneTimeToken{Purpose: "reset", Email: "d@example.com"}))
		if diff := cmp.Diff([]string{"a@example.com", "b@example.com", "c@example.com"}, left()); diff != "" {
			t.Errorf("dropped (-want +got):\n%s", diff)
		}
		sweep := func(limit int64) (n int64) {
			write(t, s, func(tx *store.Tx) (err error) {
				n, err = tx.SweepOneTime(now.Add(time.Hour+2*time.Minute), limit)
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

// The spending statement itself asks whether the account has changed since, whoever forgot to drop the link.
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
