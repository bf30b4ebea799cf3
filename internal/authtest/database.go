// Package authtest holds what tests of the whole need: both engines, a clock that can be set, a
// mailbox, a running server. Real parts only. It is imported by tests alone.
package authtest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"latchkey/internal/store"
)

// Database is a place for a database, which tests may open more than once: two nodes, or a restart.
type Database struct {
	Engine  string
	Options store.Options
	fresh   bool // a SQLite file that Open may make
}

// Engines runs a test once on each engine, with an empty database, beside the package's other tests.
func Engines(t *testing.T, test func(t *testing.T, db Database)) {
	t.Helper()
	t.Parallel() // each has a database of its own
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// SQLite is a database file in a folder of the test's own, in memory if the system has such folders: no test
// that uses it loses power, and none needs to wait for the disk.
func SQLite(t testing.TB) Database {
	t.Helper()
	dir := t.TempDir()
	if inMemory := "/dev/shm"; roomy(inMemory) {
		var err error
		if dir, err = os.MkdirTemp(inMemory, "latchkey-"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		})
	}
	return Database{Engine: "sqlite", Options: store.Options{Path: filepath.Join(dir, "latchkey.db")}, fresh: true}
}

// roomy says whether a folder takes 1 GiB or more: that of a container may take 64 MiB.
func roomy(dir string) bool {
	var has syscall.Statfs_t
	return syscall.Statfs(dir, &has) == nil && uint64(has.Bavail)*uint64(has.Bsize) >= 1<<30
}

// Postgres is a database in the cluster that the package's tests share. The package needs Main.
func Postgres(t testing.TB) Database {
	return Database{Engine: "postgres", Options: store.Options{URL: newPostgresURL(t)}}
}

// Open opens the database, with the current schema. It is closed with the test.
func (db Database) Open(t testing.TB) *store.Store {
	t.Helper()
	if db.fresh {
		db.copyMigrated(t)
	}
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

// copyMigrated puts a copy of a migrated file where there is none yet: a fraction of the time of migrating.
func (db Database) copyMigrated(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(db.Options.Path); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	file, err := migrated()
	if err == nil {
		err = os.WriteFile(db.Options.Path, file, 0o600)
	}
	if err != nil {
		t.Fatalf("copy a migrated SQLite file: %v", err)
	}
}

// migrated is an empty SQLite file with the current schema, made once a process.
var migrated = sync.OnceValues(func() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "latchkey-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "latchkey.db")
	s, err := store.Open(context.Background(), store.Options{Path: path})
	if err != nil {
		return nil, err
	}
	_, err = s.Migrate(context.Background())
	if err := errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})
