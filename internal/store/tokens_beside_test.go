package store_test

// Mailed links while nodes of v0.0.1 run beside this release. They keep the newest link of a purpose and address in
// one_time_tokens as well, read both tables, and before each change insert into one_time_links what they miss there.
// Their statements are played as v0.0.1 sends them.

import (
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/store"
)

const columnsThere = `purpose, email, hash, request_id, requested_at, expires_at, client, used_at, verified_at, verified_from`

func adoptThere(tx *store.Tx, purpose, email string) error {
	_, err := tx.Exec(`
		INSERT INTO one_time_links (`+columnsThere+`)
		SELECT `+columnsThere+`
		FROM one_time_tokens
		WHERE purpose = $1 AND email = $2
		ON CONFLICT (hash) DO UPDATE
		SET used_at = COALESCE(one_time_links.used_at, excluded.used_at),
			verified_at = COALESCE(excluded.verified_at, one_time_links.verified_at),
			verified_from = CASE WHEN excluded.verified_at IS NULL THEN one_time_links.verified_from ELSE excluded.verified_from END`,
		purpose, email)
	return err
}

func putThere(t store.OneTimeToken) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		if err := adoptThere(tx, t.Purpose, t.Email); err != nil {
			return err
		}
		for _, sql := range []string{`
			INSERT INTO one_time_links (` + columnsThere + `)
			VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, NULL, '')
			ON CONFLICT (hash) DO NOTHING`, `
			INSERT INTO one_time_tokens (` + columnsThere + `)
			VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, NULL, '')
			ON CONFLICT (purpose, email) DO UPDATE
			SET hash = excluded.hash,
				request_id = excluded.request_id,
				requested_at = excluded.requested_at,
				expires_at = excluded.expires_at,
				client = excluded.client,
				used_at = CASE WHEN one_time_tokens.request_id = excluded.request_id THEN one_time_tokens.used_at END,
				verified_at = CASE WHEN one_time_tokens.request_id = excluded.request_id THEN one_time_tokens.verified_at END,
				verified_from = CASE WHEN one_time_tokens.request_id = excluded.request_id THEN one_time_tokens.verified_from ELSE '' END
			WHERE one_time_tokens.requested_at < excluded.requested_at
				OR (one_time_tokens.requested_at = excluded.requested_at AND one_time_tokens.request_id <= excluded.request_id)`,
		} {
			if _, err := tx.Exec(sql, t.Purpose, t.Email, t.Hash, t.RequestID, t.RequestedAt, t.ExpiresAt, t.Client); err != nil {
				return err
			}
		}
		return nil
	}
}

func spendThere(t store.OneTimeToken, at time.Time) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		if err := adoptThere(tx, t.Purpose, t.Email); err != nil {
			return err
		}
		n, err := tx.Exec(`
			UPDATE one_time_links
			SET used_at = $4
			WHERE purpose = $1 AND email = $2 AND hash = $3 AND used_at IS NULL AND expires_at > $4
				AND NOT EXISTS (
					SELECT 1
					FROM users
					WHERE users.email = one_time_links.email AND users.id <> $5 AND users.changed_at >= one_time_links.requested_at)`,
			t.Purpose, t.Email, t.Hash, at, "")
		if err != nil {
			return err
		}
		if n == 0 {
			return store.ErrNotFound
		}
		_, err = tx.Exec(`
			UPDATE one_time_tokens
			SET used_at = $4
			WHERE purpose = $1 AND email = $2 AND hash = $3 AND used_at IS NULL`, t.Purpose, t.Email, t.Hash, at)
		return err
	}
}

// bothThere runs a statement on either table, as v0.0.1 spends all links of an address, and drops them.
func bothThere(before, after string, args ...any) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		for _, table := range []string{"one_time_links", "one_time_tokens"} {
			if _, err := tx.Exec(before+table+after, args...); err != nil {
				return err
			}
		}
		return nil
	}
}

// aliveThere says whether v0.0.1 shows a form for the link: it is in a table, and in none spent.
func aliveThere(t *testing.T, s *store.Store, token store.OneTimeToken) bool {
	t.Helper()
	used := read(t, s, func(tx *store.Tx) ([]bool, error) {
		return store.Column[bool](tx, `
			SELECT used_at IS NOT NULL FROM one_time_links WHERE purpose = $1 AND email = $2 AND hash = $3
			UNION ALL
			SELECT used_at IS NOT NULL FROM one_time_tokens WHERE purpose = $1 AND email = $2 AND hash = $3`,
			token.Purpose, token.Email, token.Hash)
	})
	for _, is := range used {
		if is {
			return false
		}
	}
	return len(used) > 0
}

// I4: what is spent or dropped at one node is dead at each, and stays so.
func TestLinksBesideTheReleaseBefore(t *testing.T) {
	type steps []func(*store.Tx) error
	soon := now.Add(time.Minute)
	for name, script := range map[string]func(link store.OneTimeToken) steps{
		"mailed there, spent here": func(l store.OneTimeToken) steps { return steps{putThere(l), spend(l, soon)} },
		"mailed here, spent there": func(l store.OneTimeToken) steps { return steps{put(l), spendThere(l, soon)} },
		"mailed there, spent here, and its mail tried again there": func(l store.OneTimeToken) steps {
			return steps{putThere(l), spend(l, soon), putThere(l)}
		},
		"mailed there, spent there, and its mail tried again here": func(l store.OneTimeToken) steps {
			return steps{putThere(l), spendThere(l, soon), put(l)}
		},
		"mailed there, all spent here": func(l store.OneTimeToken) steps {
			return steps{putThere(l), func(tx *store.Tx) error { tx.SpendOneTimes(l.Purpose, l.Email, soon); return nil }}
		},
		"mailed here, all spent there": func(l store.OneTimeToken) steps {
			return steps{put(l), bothThere(`UPDATE `, ` SET used_at = $3 WHERE purpose = $1 AND email = $2 AND used_at IS NULL`, l.Purpose, l.Email, soon)}
		},
		"mailed there, dropped here": func(l store.OneTimeToken) steps { return steps{putThere(l), drop(l)} },
		"mailed here, dropped there": func(l store.OneTimeToken) steps {
			return steps{put(l), bothThere(`DELETE FROM `, ` WHERE purpose = $1 AND email = $2`, l.Purpose, l.Email)}
		},
		"mailed there, spent here by a sign-up, the account deleted here": func(l store.OneTimeToken) steps {
			u := newUser()
			u.Email, u.ChangedAt = l.Email, soon
			return steps{
				putThere(l),
				func(tx *store.Tx) error {
					if err := tx.InsertUser(u); err != nil {
						return err
					}
					return tx.SpendOneTime(l.Purpose, l.Email, l.Hash, u.ID, soon)
				},
				drop(l),
				func(tx *store.Tx) error { return tx.DeleteUser(u.ID) },
			}
		},
		"mailed there by a clock ahead, spent here by a reset": func(l store.OneTimeToken) steps {
			u := newUser()
			u.Email = l.Email
			return steps{
				func(tx *store.Tx) error { return tx.InsertUser(u) },
				putThere(l),
				spend(l, soon),
				func(tx *store.Tx) error { return tx.SetPassword(u.ID, "another", l.RequestedAt.Add(-time.Microsecond)) },
				drop(l),
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			engines(t, func(t *testing.T, s *store.Store) {
				for _, purpose := range []string{"reset", "verify"} {
					link, newer := newToken(purpose+"@example.com", purpose+" a", now.Add(time.Second)), newToken(purpose+"@example.com", purpose+" b", soon)
					link.Purpose, newer.Purpose = purpose, purpose
					for _, step := range script(link) {
						write(t, s, step)
					}
					if aliveThere(t, s, link) {
						t.Errorf("%s: alive there", purpose)
					}
					wantErr(t, s, store.ErrNotFound, spendThere(link, soon))
					write(t, s, putThere(newer)) // which inserts here what is missed
					wantErr(t, s, store.ErrNotFound, spend(link, soon))
					wantErr(t, s, store.ErrNotFound, spendThere(link, soon))
					write(t, s, spend(newer, soon))
				}
			})
		})
	}
}

// I4: each link that was mailed lives, wherever it was and wherever it is opened; of many who spend it, at this
// release and at the one before, one wins.
func TestLinksLiveBesideTheReleaseBefore(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		const email = "ada@example.com"
		links := map[string]store.OneTimeToken{}
		for i, c := range []struct {
			id  string
			put func(store.OneTimeToken) func(*store.Tx) error
		}{{"there", putThere}, {"here", put}, {"there again", putThere}, {"here again", put}} {
			link := newToken(email, c.id, now.Add(time.Duration(i)*time.Second))
			write(t, s, c.put(link))
			links[c.id] = link
		}
		for id, link := range links {
			if !aliveThere(t, s, link) || !oneTime(t, s, link).UsedAt.IsZero() {
				t.Errorf("mailed %s: dead", id)
			}
			var callers atomic.Int64
			won := race(t, 16, func() error {
				if callers.Add(1)%2 == 0 {
					return s.Write(ctx, spend(link, now))
				}
				return s.Write(ctx, spendThere(link, now))
			})
			if won != 1 || aliveThere(t, s, link) || oneTime(t, s, link).UsedAt.IsZero() {
				t.Errorf("mailed %s: %d of 16 spent it, want 1, after which it is dead", id, won)
			}
		}
	})
}
