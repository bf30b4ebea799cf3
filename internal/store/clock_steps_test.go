package store_test

// What a clock ahead has written is found without reading what a right one has: every server looks each 30 s, in
// the writer.

import (
	"testing"
	"time"

	"latchkey/internal/store"
)

func TestSettlingReadsOnlyWhatLiesAhead(t *testing.T) {
	const minute = time.Minute
	engines(t, func(t *testing.T, s *store.Store) {
		const rows = int64(5_000)
		counted := `WITH RECURSIVE counted (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM counted WHERE i < $1) `
		for sql, args := range map[string][]any{
			`INSERT INTO users (id, email, first_name, last_name, password_hash, epoch, changed_at, created_at)
			SELECT CAST(i AS TEXT), CAST(i AS TEXT) || '@example.com', '', '', '', 1, $2, $2 FROM counted`: {now},
			`INSERT INTO rates (key, tat, reach) SELECT CAST(CAST(i AS TEXT) AS BYTEA), $2, $3 FROM counted`:                          {now.Add(50 * minute), time.Hour.Microseconds()},
			`INSERT INTO attempts (key, failures, not_before, last_at) SELECT CAST(CAST(i AS TEXT) AS BYTEA), 1, $2, $2 FROM counted`: {now},
			`INSERT INTO mail_budgets (key, sent_1, sent_2, sent_3, sent_4, sent_5)
			SELECT CAST(CAST(i AS TEXT) AS BYTEA), $2, 0, 0, 0, 0 FROM counted`: {now},
			`INSERT INTO one_time_links (hash, purpose, email, request_id, requested_at, expires_at, client, verified_from)
			SELECT CAST(CAST(i AS TEXT) AS BYTEA), 'reset', '', '', $2, $3, '', '' FROM counted`: {now, now.Add(time.Hour)},
			`INSERT INTO outbox (id, kind, kid, address_mac, created_at, expires_at, next_try_at, tries, outcome, last_error)
			SELECT CAST(i AS TEXT), 'reset', '', CAST('' AS BYTEA), $2, $3, $2, 0, '', '' FROM counted`: {now, now.Add(time.Hour)},
			`INSERT INTO nodes (id, settings, seen_at) SELECT CAST(i AS TEXT), '', $2 FROM counted`: {now},
		} {
			write(t, s, func(tx *store.Tx) error {
				_, err := tx.Exec(counted+sql, append([]any{rows}, args...)...)
				return err
			})
		}
		write(t, s, func(tx *store.Tx) error { // and one of each that lies ahead
			for _, sql := range []string{
				`UPDATE users SET changed_at = $1 WHERE id = '7'`,
				`UPDATE rates SET tat = $1 WHERE key = CAST('7' AS BYTEA)`,
				`UPDATE attempts SET last_at = $1 WHERE key = CAST('7' AS BYTEA)`,
				`UPDATE mail_budgets SET sent_1 = $1 WHERE key = CAST('7' AS BYTEA)`,
				`UPDATE one_time_links SET requested_at = $1 WHERE hash = CAST('7' AS BYTEA)`,
				`UPDATE outbox SET created_at = $1, next_try_at = $1 WHERE id = '7'`,
				`UPDATE nodes SET seen_at = $1 WHERE id = '7'`,
			} {
				if _, err := tx.Exec(sql, now.Add(6*time.Hour)); err != nil {
					return err
				}
			}
			return nil
		})
		analyze(t, s)
		most := map[string]int64{"sqlite": 1_000, "postgres": 50}[s.Engine()]
		after := now.Add(minute)
		for name, settle := range map[string]func(*store.Tx) (int64, error){
			"accounts": func(tx *store.Tx) (int64, error) {
				ahead, err := tx.AccountsAhead(after, 100)
				return int64(len(ahead)), err
			},
			"attempts": func(tx *store.Tx) (int64, error) {
				ahead, err := tx.AttemptsAhead(after, 100)
				return int64(len(ahead)), err
			},
			"rates":        func(tx *store.Tx) (int64, error) { return tx.SettleRates(minute, now, 100) },
			"mail budgets": func(tx *store.Tx) (int64, error) { return tx.SettleMailBudgets(after, now, 100) },
			"requests":     func(tx *store.Tx) (int64, error) { return tx.SettleRequests(after, now, 100) },
			"links":        func(tx *store.Tx) (int64, error) { return tx.SettleLinks(after, now, 100) },
			"mails":        func(tx *store.Tx) (int64, error) { return tx.SettleMail(after, after, 100) },
			"nodes":        func(tx *store.Tx) (int64, error) { return tx.SettleNodes(after, now, 100) },
		} {
			write(t, s, func(tx *store.Tx) error {
				work, err := store.Work(tx, func(tx *store.Tx) error {
					n, err := settle(tx)
					if n != 1 {
						t.Errorf("%s: %d lie ahead, want the one", name, n)
					}
					return err
				})
				for sql, n := range work {
					if n > most {
						t.Errorf("%s: reads %d, at most %d is right:\n%s", name, n, most, sql)
					}
				}
				return err
			})
		}
	})
}
