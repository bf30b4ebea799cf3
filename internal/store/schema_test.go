package store_test

// The schema as the engines themselves describe it: what refreshing may touch.

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
			t.Fatalf("indexed columns %q are without the two that are: the catalogue was misread", indexed)
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
			_, err := tx.Rotate(rotateParams(session.ID, session.Generation, session.Generation, at), at)
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
