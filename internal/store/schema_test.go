package store_test

// The schema as the engines themselves describe it: what refreshing may touch, and which statements
// may not walk a table.

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/store"
)

// regexpInSources finds a pattern in this package's own code.
func regexpInSources(t *testing.T, pattern string) (found []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(pattern).FindAllString(string(source), -1) {
			found = append(found, file+": "+match)
		}
	}
	return found
}

// An index on a column that a refresh changes costs two thirds of the refresh rate.
func TestNoIndexOnWhatARefreshChanges(t *testing.T) {
	const catalogueSQLite = `
		SELECT DISTINCT info.name
		FROM pragma_index_list('sessions') AS list, pragma_index_xinfo(list.name) AS info
		WHERE info.cid >= 0`
	const cataloguePostgres = `
		SELECT DISTINCT attname::text
		FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND (attnum = ANY (indkey) OR pg_get_indexdef(indexrelid) LIKE '%' || attname || '%')
		WHERE indrelid = 'sessions'::regclass AND attnum > 0`
	engines(t, func(t *testing.T, s *store.Store) {
		catalogue := catalogueSQLite
		if s.Engine() == "postgres" {
			catalogue = cataloguePostgres
		}
		indexed := read(t, s, func(tx *store.Tx) ([]string, error) { return store.Column[string](tx, catalogue) })
		if !slices.Contains(indexed, "user_id") || !slices.Contains(indexed, "id") {
			t.Fatalf("indexed columns %q lack the two that are: the catalogue was misread", indexed)
		}
		for _, column := range changedByRotate(t, s) {
			if slices.Contains(indexed, column) {
				t.Errorf("sessions.%s is indexed, and a refresh changes it", column)
			}
		}
	})
}

// changedByRotate names the columns that may differ after a rotation.
func changedByRotate(t *testing.T, s *store.Store) (changed []string) {
	columns := []string{
		"id", "user_id", "client", "generation", "rotated_at", "kid", "prev_kid", "burst_from", "burst_at", "prev_from", "prev_at",
		"late_now", "late_run", "idle_expires_at", "overall_expires_at", "created_at", "ended_at", "end_reason",
	}
	session := addSession(t, s, addUser(t, s).ID, func(x *store.Session) {
		x.Generation, x.BurstFrom, x.PrevFrom, x.LateNow = 3, 2, 1, true
		x.RotatedAt, x.IdleExpiresAt = now.Add(-time.Hour), now.Add(time.Hour)
	})
	values := func(name string) string {
		v := read(t, s, func(tx *store.Tx) ([]string, error) {
			return store.Column[string](tx, `SELECT COALESCE(CAST(`+name+` AS TEXT), '') FROM sessions WHERE id = $1`, session.ID)
		})
		return fmt.Sprint(v)
	}
	before := map[string]string{}
	for _, name := range columns {
		before[name] = values(name)
	}
	for at := now; at.Before(now.Add(3 * time.Minute)); at = at.Add(time.Minute) { // a run must end, too
		write(t, s, func(tx *store.Tx) error {
			_, err := tx.Rotate(turn(session.ID, session.Generation, session.Generation, at), at)
			return err
		})
		session.Generation++
	}
	for _, name := range columns {
		if values(name) != before[name] {
			changed = append(changed, name)
		}
	}
	for _, name := range []string{"generation", "kid", "burst_at", "prev_at", "late_now", "idle_expires_at"} {
		if !slices.Contains(changed, name) {
			t.Errorf("a rotation did not change %s: %q", name, changed)
		}
	}
	return changed
}

// What every request does must find its rows by an index, whatever the tables' size.
func TestHotStatementsScanNoTable(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		u, session := fill(t, s)
		token := store.OneTimeToken{Purpose: "reset", Email: u.Email, Hash: []byte("h"), RequestID: newID(), RequestedAt: now, ExpiresAt: now.Add(time.Hour)}
		var claimed store.Mail
		hot := []struct {
			name string
			run  func(*store.Tx) error
		}{
			{"rotate", func(tx *store.Tx) error {
				_, err := tx.Rotate(turn(session.ID, 1, 1, now), now)
				return err
			}},
			{"refreshed by id", func(tx *store.Tx) error { _, err := tx.RefreshedByID(session.ID); return err }},
			{"mark late", func(tx *store.Tx) error { return tx.MarkLate(session.ID, 2) }},
			{"session by id", func(tx *store.Tx) error { _, err := tx.SessionByID(session.ID); return err }},
			{"live sessions", func(tx *store.Tx) error { _, err := tx.LiveSessions(u.ID, now); return err }},
			{"user by email", func(tx *store.Tx) error { _, err := tx.UserByEmail(u.Email); return err }},
			{"user by id", func(tx *store.Tx) error { _, err := tx.UserByID(u.ID); return err }},
			{"take user", func(tx *store.Tx) error { _, err := tx.TakeUser(u.ID, 1); return err }},
			{"hold user", func(tx *store.Tx) error { _, err := tx.HoldUser(u.ID); return err }},
			{"hold user by email", func(tx *store.Tx) error { _, err := tx.HoldUserByEmail(u.Email); return err }},
			{"evict", func(tx *store.Tx) error { _, err := tx.EvictSessions(u.ID, session.ID, 50, "evicted", now); return err }},
			{"end reused", func(tx *store.Tx) error { return tx.EndReused(session.ID, 2, "refresh_reuse", now) }},
			{"end session", func(tx *store.Tx) error {
				if err := tx.EndSession(session.ID, u.ID, "revoked", now); !isNotFound(err) {
					return err
				}
				return nil
			}},
			{"end sessions", func(tx *store.Tx) error { _, err := tx.EndSessions(u.ID, "", "revoked", now); return err }},
			{"walk sessions", func(tx *store.Tx) error {
				_, _, err := tx.WalkSessions(session.ID, 10, 10, store.Age{Expired: now, Ended: now})
				return err
			}},
			{"sweep sessions", func(tx *store.Tx) error {
				return tx.SweepSessions(session.ID, session.ID, store.Age{Expired: now, Ended: now})
			}},
			{"put one-time", func(tx *store.Tx) error { return tx.PutOneTime(token) }},
			{"one-time", func(tx *store.Tx) error { _, err := tx.OneTime("reset", u.Email); return err }},
			{"note verified", func(tx *store.Tx) error { return tx.NoteVerified("reset", u.Email, token.Hash, "net", now) }},
			{"spend one-time", func(tx *store.Tx) error { return tx.SpendOneTime("reset", u.Email, token.Hash, now) }},
			{"drop one-time", func(tx *store.Tx) error { return tx.DropOneTime("reset", u.Email) }},
			{"take mail budget", func(tx *store.Tx) error {
				_, err := tx.TakeMailBudget([]byte("key"), time.Minute, time.Hour, now)
				return err
			}},
			{"clear mail budget", func(tx *store.Tx) error { return tx.ClearMailBudget([]byte("key")) }},
			{"attempts", func(tx *store.Tx) error { _, err := tx.Attempts(key); return err }},
			{"count failure", func(tx *store.Tx) error { _, err := tx.CountFailure(key, now, 100, now); return err }},
			{"delay attempts", func(tx *store.Tx) error { return tx.DelayAttempts(key, now) }},
			{"clear attempts", func(tx *store.Tx) error { return tx.ClearAttempts(key) }},
			{"rate", func(tx *store.Tx) error { _, err := tx.Rate(key); return err }},
			{"take rate", func(tx *store.Tx) error { _, err := tx.TakeRate(key, time.Minute, now, now); return err }},
			{"count audit", func(tx *store.Tx) error { return tx.CountAudit(newEvent(u.ID, now)) }},
			{"seen devices", func(tx *store.Tx) error { _, err := tx.SeenDevices(u.ID, ""); return err }},
			{"note sign-in", func(tx *store.Tx) error { return tx.NoteSignIn(u.ID, now) }},
			{"note notified", func(tx *store.Tx) error { _, err := tx.NoteNotified(u.ID, now, now); return err }},
			{"claim mail", func(tx *store.Tx) (err error) {
				claimed, err = tx.ClaimMail(now, now.Add(time.Minute))
				return err
			}},
			{"end mail", func(tx *store.Tx) error { return tx.EndMail(claimed, "sent", "", now) }},
		}
		for _, c := range hot {
			var plan string
			write(t, s, func(tx *store.Tx) (err error) {
				plan, err = store.Explain(tx, c.run)
				return err
			})
			if scans := regexp.MustCompile(`(?m)^.*(Seq Scan|SCAN (users|sessions|one_time_tokens|outbox|mail_budgets|attempts|rates|audit_events)\b).*$`).FindAllString(plan, -1); needless(scans) {
				t.Errorf("%s walks a table:\n%s", c.name, plan)
			}
		}
		slow := read(t, s, func(tx *store.Tx) (string, error) {
			return store.Explain(tx, func(tx *store.Tx) error { _, err := tx.KeyUse("k1", now); return err })
		})
		if !strings.Contains(slow, "Seq Scan") && !strings.Contains(slow, "SCAN sessions") {
			t.Errorf("counting all sessions walks no table? The plans were misread:\n%s", slow)
		}
	})
}

// needless leaves out what is a walk along an index that gives the order asked for.
func needless(scans []string) bool {
	return slices.ContainsFunc(scans, func(line string) bool { return !strings.Contains(line, "USING") })
}

// fill makes tables large enough that PostgreSQL thinks before it chooses, and returns one user with
// one of its sessions.
func fill(t *testing.T, s *store.Store) (u store.User, session store.Session) {
	t.Helper()
	const rows = 1000
	for range 4 {
		write(t, s, func(tx *store.Tx) error {
			for i := range rows / 4 {
				u = newUser()
				session = newSession(u.ID)
				mail := newMail(now.Add(time.Duration(i) * time.Second))
				token := store.OneTimeToken{Purpose: "reset", Email: u.Email, Hash: []byte("h"), RequestID: mail.ID, RequestedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour)}
				if _, err := tx.CountFailure([]byte(u.ID), now, 100, now); err != nil {
					return err
				}
				if _, err := tx.TakeRate([]byte(u.ID), time.Minute, now.Add(time.Hour), now); err != nil {
					return err
				}
				if _, err := tx.TakeMailBudget([]byte(u.ID), time.Minute, time.Hour, now); err != nil {
					return err
				}
				for _, err := range []error{tx.InsertUser(u), tx.InsertSession(session), tx.InsertSession(newSession(u.ID)), tx.InsertMail(mail), tx.PutOneTime(token), tx.InsertAudit(newEvent(u.ID, now))} {
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	write(t, s, func(tx *store.Tx) error { _, err := tx.Exec("ANALYZE"); return err })
	return u, session
}
