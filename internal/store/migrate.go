package store

// The schema: numbered files, applied forward only, each once, in order, one transaction, with every
// other migrating process kept out.

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// ErrNewerSchema: the database was migrated by a newer release than this binary.
var ErrNewerSchema = errors.New("the database's schema is newer than this binary")

type migration struct {
	version  int64
	name     string
	sql      string
	checksum string
}

// Plan names what Migrate would apply, the schema's version now (0: none) and this binary's.
// ErrNewerSchema when the database is ahead; an error, too, when an applied file has changed since.
func (s *Store) Plan(ctx context.Context) (pending []string, have, want int, err error) {
	err = s.Read(ctx, func(tx *Tx) error {
		var todo []migration
		todo, have, want, err = tx.pending()
		pending = names(todo)
		return err
	})
	return pending, have, want, err
}

// Migrate brings the schema up to this binary's version and names what it applied. A database that
// is up to date is left alone. Each file is a transaction of its own, so that what one of them locks is not locked
// while the next one works; after an error those before it stay applied.
func (s *Store) Migrate(ctx context.Context) (applied []string, err error) {
	if pending, _, _, err := s.Plan(ctx); err != nil || len(pending) == 0 {
		return nil, err
	}
	for {
		// Without a time limit: a large table takes as long as it takes.
		var done []migration
		err := s.engine.migrate(ctx, func(q querier) error {
			tx := &Tx{ctx: ctx, q: q}
			todo, _, _, err := tx.pending() // again: another process may have been faster
			if done = todo[:min(1, len(todo))]; err != nil || len(done) == 0 {
				return err
			}
			if err := tx.apply(done[0]); err != nil {
				return fmt.Errorf("apply %s: %w", done[0].name, err)
			}
			return nil
		})
		if err != nil || len(done) == 0 {
			return applied, err
		}
		applied = append(applied, names(done)...)
	}
}

func (tx *Tx) pending() (todo []migration, have, want int, err error) {
	all, err := readMigrations()
	if err != nil {
		return nil, 0, 0, err
	}
	applied, err := tx.appliedMigrations()
	if err != nil {
		return nil, 0, 0, err
	}
	have, want = len(applied), len(all)
	if have > want {
		return nil, have, want, fmt.Errorf("%w: it is at %d, this binary knows %d; start the newer release", ErrNewerSchema, have, want)
	}
	for i, m := range applied {
		if m != all[i].checksum {
			return nil, have, want, fmt.Errorf("migration %s is not the one that made this database: restore the released file", all[i].name)
		}
	}
	return all[have:], have, want, nil
}

// appliedMigrations returns their checksums in order; none where there is no schema.
func (tx *Tx) appliedMigrations() ([]string, error) {
	found, err := tx.q.hasTable(tx.ctx, "schema_migrations")
	if err != nil || !found {
		return nil, err
	}
	return many(tx, column[string], `SELECT checksum FROM schema_migrations ORDER BY version`)
}

func (tx *Tx) apply(m migration) error {
	const bookkeeping = `CREATE TABLE IF NOT EXISTS schema_migrations (
  version    BIGINT NOT NULL PRIMARY KEY,
  name       TEXT   NOT NULL,
  checksum   TEXT   NOT NULL,
  applied_at BIGINT NOT NULL
)`
	for _, sql := range []string{bookkeeping, m.sql} {
		if err := tx.q.script(tx.ctx, sql); err != nil {
			return err
		}
	}
	_, err := tx.exec(`INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)`,
		m.version, m.name, m.checksum, time.Now())
	return err
}

// readMigrations lists the embedded files, which must be numbered 0001, 0002, … without a gap.
func readMigrations() ([]migration, error) {
	entries, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	var all []migration
	for i, entry := range entries {
		number, _, _ := strings.Cut(entry.Name(), "_")
		if v, err := strconv.Atoi(number); err != nil || v != i+1 {
			return nil, fmt.Errorf("migration %s is out of order: want number %04d", entry.Name(), i+1)
		}
		sql, err := migrationFiles.ReadFile("migrations/" + entry.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(sql)
		all = append(all, migration{int64(i + 1), entry.Name(), string(sql), hex.EncodeToString(sum[:])})
	}
	return all, nil
}

func names(list []migration) []string {
	var out []string
	for _, m := range list {
		out = append(out, m.name)
	}
	return out
}
