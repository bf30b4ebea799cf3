// Package authtest holds what tests of the whole need: both engines, a clock that can be set, a
// mailbox, a running server. Real parts only. It is imported by tests alone.
package authtest

import (
	"context"
	"path/filepath"
	"testing"

	"latchkey/internal/store"
)

// Database is a place for a database, which tests may open more than once: two nodes, or a restart.
type Database struct {
	Engine  string
	Options store.Options
}

// Engines runs a test once on each engine, with an empty database.
func Engines(t *testing.T, test func(t *testing.T, db Database)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// SQLite is a database file in a folder of the test's own.
func SQLite(t testing.TB) Database {
	return Database{"sqlite", store.Options{Path: filepath.Join(t.TempDir(), "latchkey.db")}}
}

// Postgres is a database in the cluster that the package's tests share. The package needs Main.
func Postgres(t testing.TB) Database {
	return Database{"postgres", store.Options{URL: newPostgresURL(t)}}
}

// Open opens the database, with the current schema. It is closed with the test.
func (db Database) Open(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), db.Options)
	if err != nil {
		t.Fatalf("open %s: %v", db.Engine, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close %s: %v", db.Engine, err)
		}
	})
	if _, err := s.Migrate(context.Background()); err != nil {
		t.Fatalf("migrate %s: %v", db.Engine, err)
	}
	return s
}
