package store_test

// Migrations: forward only, each once, whole or not at all, by one process at a time.

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

// open opens a database as it is.
func open(t *testing.T, db authtest.Database) *store.Store {
	t.Helper()
	s, err := store.Open(ctx, db.Options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// embedded names the migrations there are.
func embedded(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func recorded(tx *store.Tx) ([]string, error) {
	return store.Column[string](tx, `SELECT name FROM schema_migrations ORDER BY version`)
}

func TestMigrateAnEmptyDatabase(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		s, all := open(t, db), embedded(t)
		pending, have, want, err := s.Plan(ctx)
		if err != nil || have != 0 || want != len(all) {
			t.Errorf("plan: %d of %d, %v", have, want, err)
		}
		if diff := cmp.Diff(all, pending); diff != "" {
			t.Errorf("pending (-want +got):\n%s", diff)
		}
		if found := read(t, s, func(tx *store.Tx) (bool, error) { return tx.HasTable("schema_migrations") }); found {
			t.Error("planning made a table")
		}
		applied, err := s.Migrate(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all, applied); diff != "" {
			t.Errorf("applied (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(all, read(t, s, recorded)); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
		addSession(t, s, addUser(t, s).ID)
		if applied, err = s.Migrate(ctx); err != nil || len(applied) != 0 {
			t.Errorf("the second time: applied %q, %v", applied, err)
		}
		if pending, have, _, err = s.Plan(ctx); err != nil || len(pending) != 0 || have != len(all) {
			t.Errorf("plan when current: %q, %d, %v", pending, have, err)
		}
	})
}

// Several processes start on one empty database: one makes the schema, the others wait and find it.
func TestMigrateAtOnce(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		const processes = 6
		type outcome struct {
			applied []string
			err     error
		}
		done := make(chan outcome, processes)
		for range processes {
			go func() {
				s, err := store.Open(ctx, db.Options)
				if err != nil {
					done <- outcome{nil, err}
					return
				}
				applied, err := s.Migrate(ctx)
				if err == nil {
					err = s.Write(ctx, func(tx *store.Tx) error { return tx.InsertUser(newUser()) })
				}
				done <- outcome{applied, errors.Join(err, s.Close())}
			}()
		}
		var applied []string
		for range processes {
			o := <-done
			if o.err != nil {
				t.Errorf("a process: %v", o.err)
			}
			applied = append(applied, o.applied...)
		}
		slices.Sort(applied) // each by whoever came first
		if diff := cmp.Diff(embedded(t), applied); diff != "" {
			t.Errorf("applied by all of them (-want +got):\n%s", diff)
		}
	})
}

func TestMigrateRefuses(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		s := db.Open(t)
		both := func() (error, error) {
			_, _, _, plan := s.Plan(ctx)
			_, migrate := s.Migrate(ctx)
			return plan, migrate
		}
		change := func(sql string) {
			write(t, s, func(tx *store.Tx) error { _, err := tx.Exec(sql); return err })
		}
		// A newer release has been here.
		change(`INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (9999, '9999_later.sql', 'sum', 0)`)
		if plan, migrate := both(); !errors.Is(plan, store.ErrNewerSchema) || !errors.Is(migrate, store.ErrNewerSchema) {
			t.Errorf("newer schema: plan %v, migrate %v", plan, migrate)
		}
		change(`DELETE FROM schema_migrations WHERE version = 9999`)
		// The file is not the one that made this database.
		change(`UPDATE schema_migrations SET checksum = 'another' WHERE version = 1`)
		plan, migrate := both()
		for _, err := range []error{plan, migrate} {
			if err == nil || !strings.Contains(err.Error(), embedded(t)[0]) || errors.Is(err, store.ErrNewerSchema) {
				t.Errorf("changed file: got %v", err)
			}
		}
	})
}

// A migration that fails half-way leaves nothing, neither tables nor a record, and the store usable.
func TestMigrateWholeOrNotAtAll(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		s := db.Open(t)
		err := s.ApplyMigration(ctx, 9999, "9999_broken.sql", `
			CREATE TABLE half_done (id TEXT NOT NULL PRIMARY KEY);
			INSERT INTO half_done (id) VALUES ('a');
			UPDATE users SET epoch = 0;
			INSERT INTO no_such_table (id) VALUES ('b');`)
		if err == nil || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v, want a defect of ours", err)
		}
		if found := read(t, s, func(tx *store.Tx) (bool, error) { return tx.HasTable("half_done") }); found {
			t.Error("its table stayed")
		}
		if got := read(t, s, recorded); slices.Contains(got, "9999_broken.sql") {
			t.Error("its record stayed")
		}
		addUser(t, s)
		if err := s.ApplyMigration(ctx, 9999, "9999_repaired.sql", `CREATE TABLE half_done (id TEXT NOT NULL PRIMARY KEY)`); err != nil {
			t.Errorf("repaired: %v", err)
		}
	})
}

// On PostgreSQL a migration, and the wait for its turn, take as long as they take.
func TestPostgresMigrationsAreNotCutOff(t *testing.T) {
	s := authtest.Postgres(t).Open(t)
	err := s.ApplyMigration(ctx, 9999, "9999_look.sql", `
		CREATE TABLE limits AS SELECT current_setting('statement_timeout') || ' ' || current_setting('lock_timeout') AS both_of_them`)
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, s, func(tx *store.Tx) ([]string, error) {
		return store.Column[string](tx, `SELECT both_of_them FROM limits`)
	})
	if diff := cmp.Diff([]string{"0 0"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := read(t, s, setting("lock_timeout")); got != "4s" {
		t.Errorf("afterwards lock_timeout is %q, want 4s", got)
	}
}

// On PostgreSQL whoever reads is shut out for a moment at most: in no file does work on rows come after a statement
// that keeps readers of an older table away, but on a table that is as good as empty.
func TestMigrationsShutReadersOutLast(t *testing.T) {
	long := regexp.MustCompile(`(?m)^(?:CREATE INDEX \w+ ON (\w+)|INSERT INTO (\w+))`)
	shuts := regexp.MustCompile(`(?m)^(?:ALTER TABLE|DROP INDEX)`)
	made := regexp.MustCompile(`(?m)^(?:CREATE TABLE|DELETE FROM) (\w+)`)
	small := map[string]bool{}
	for _, name := range embedded(t) {
		file, err := os.ReadFile("migrations/" + name)
		if err != nil {
			t.Fatal(err)
		}
		sql := string(file)
		for _, m := range made.FindAllStringSubmatch(sql, -1) {
			small[m[1]] = true
		}
		first := shuts.FindStringIndex(sql)
		if name < "0004" { // released
			small = map[string]bool{}
			continue
		}
		if first == nil {
			continue
		}
		for _, m := range long.FindAllStringSubmatchIndex(sql, -1) {
			statement := sql[m[0]:m[1]]
			words := strings.Fields(statement)
			if m[0] > first[0] && !small[words[len(words)-1]] {
				t.Errorf("%s: %q comes after %q", name, statement, sql[first[0]:first[1]])
			}
		}
	}
}
