package store_test

// PostgreSQL's own: a server that goes away and comes back, settings that would lose what was
// acknowledged, transactions that the server could not order.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

func setting(name string) func(*store.Tx) (string, error) {
	return func(tx *store.Tx) (string, error) {
		v, err := store.Column[string](tx, `SELECT current_setting($1)`, name)
		return strings.Join(v, ""), err
	}
}

// The server's defaults may be weaker, or other, than what acknowledged means here.
func TestPostgresSettings(t *testing.T) {
	t.Parallel() // it mostly waits
	authtest.NeedsPostgres(t)
	c, err := authtest.StartCluster()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	url, err := c.CreateDatabase("latchkey")
	if err != nil {
		t.Fatal(err)
	}
	db := authtest.Database{Engine: "postgres", Options: store.Options{URL: url}}

	restart := func(settings ...string) {
		t.Helper()
		if err := errors.Join(c.Stop(), c.Start(settings...)); err != nil {
			t.Fatal(err)
		}
	}
	restart("synchronous_commit=off", "default_transaction_isolation=serializable", "timezone=Asia/Tokyo")
	s := db.Open(t)
	for name, want := range map[string]string{"synchronous_commit": "on", "transaction_isolation": "read committed", "TimeZone": "UTC"} {
		if got := read(t, s, setting(name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	u := addUser(t, s)

	// Gone: everything says so in time, and nothing succeeds.
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for name, do := range map[string]func() error{
		"read": func() error {
			return s.Read(ctx, func(tx *store.Tx) error { _, err := tx.UserByID(u.ID); return err })
		},
		"write":  func() error { return s.Write(ctx, func(tx *store.Tx) error { return tx.SetNames(u.ID, "A", "B") }) },
		"single": func() error { return s.Single(ctx, func(tx *store.Tx) error { return tx.SetNames(u.ID, "A", "B") }) },
		"joint":  func() error { return s.Joint(ctx, func(tx *store.Tx) error { return tx.SetNames(u.ID, "A", "B") }) },
		"clock":  func() error { _, _, err := s.Clock(ctx); return err },
		"plan":   func() error { _, _, _, err := s.Plan(ctx); return err },
		"open": func() error {
			s, err := store.Open(ctx, db.Options)
			if err == nil {
				err = s.Close()
			}
			return err
		},
	} {
		if err := do(); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s of a stopped server: got %v, want ErrUnavailable", name, err)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the refusals took %v", took)
	}

	// Back: without reopening.
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	write(t, s, func(tx *store.Tx) error { return tx.SetNames(u.ID, "Back", "Again") })
	if got := userByID(t, s, u.ID); got.FirstName != "Back" {
		t.Errorf("after the restart: %q", got.FirstName)
	}

	restart("fsync=off")
	refused, err := store.Open(ctx, db.Options)
	if err == nil {
		_ = refused.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "fsync=on") {
		t.Errorf("a server that loses what it acknowledged: got %v, want to be told of fsync", err)
	}
	if err := s.Write(ctx, func(tx *store.Tx) error { return tx.SetNames(u.ID, "A", "B") }); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a server that was restarted with fsync=off: got %v, want ErrUnavailable", err)
	}
}

// Two that lock the same rows in opposite order: the server ends one, which is run again.
func TestPostgresDeadlockIsRetried(t *testing.T) {
	t.Parallel() // it mostly waits
	s := authtest.Postgres(t).Open(t)
	a, b := addUser(t, s), addUser(t, s)
	var runs atomic.Int64
	met := make(chan struct{}, 2)
	crossed := func(first, second string) error {
		return s.Write(ctx, func(tx *store.Tx) error {
			if err := tx.SetPassword(first, "new", now); err != nil {
				return err
			}
			if runs.Add(1) <= 2 { // both hold their first row before either asks for the second
				met <- struct{}{}
				for len(met) < 2 {
					time.Sleep(time.Millisecond)
				}
			}
			return tx.SetPassword(second, "new", now)
		})
	}
	done := make(chan error, 1)
	go func() { done <- crossed(a.ID, b.ID) }()
	if err := errors.Join(crossed(b.ID, a.ID), <-done); err != nil {
		t.Fatal(err)
	}
	if runs.Load() < 3 {
		t.Error("nothing was run again: there was no deadlock")
	}
	for _, u := range []store.User{a, b} {
		if got := userByID(t, s, u.ID); got.Epoch != 3 {
			t.Errorf("epoch %d, want 3: each change once", got.Epoch)
		}
	}
}

// What SERIALIZABLE cannot order is run again, too.
func TestPostgresSerializationFailureIsRetried(t *testing.T) {
	s := authtest.Postgres(t).Open(t)
	u := addUser(t, s)
	runs := 0
	write(t, s, func(tx *store.Tx) error {
		runs++
		if err := tx.Script("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"); err != nil {
			return err
		}
		if _, err := tx.UserByID(u.ID); err != nil {
			return err
		}
		if runs == 1 { // somebody else is faster
			if err := s.Write(ctx, func(tx *store.Tx) error { return tx.SetPassword(u.ID, "theirs", now) }); err != nil {
				return err
			}
		}
		return tx.SetPassword(u.ID, "mine", now)
	})
	if got := userByID(t, s, u.ID); got.Epoch != 3 || got.PasswordHash != "mine" || runs != 2 {
		t.Errorf("epoch %d, password %q after %d runs, want 3, mine, 2", got.Epoch, got.PasswordHash, runs)
	}
}

// It is tried again a few times, not for ever; then it is the database's trouble.
func TestPostgresRetriesEnd(t *testing.T) {
	t.Parallel() // it mostly waits
	s := authtest.Postgres(t).Open(t)
	runs := 0
	err := s.Write(ctx, func(*store.Tx) error {
		runs++
		return store.PostgresError(&pgconn.PgError{Code: "40001"})
	})
	if !errors.Is(err, store.ErrUnavailable) || runs < 2 || runs > 10 {
		t.Errorf("after %d runs: %v", runs, err)
	}
}

// A backend that dies takes its own transaction along; the next one finds another connection.
func TestPostgresKilledBackend(t *testing.T) {
	s := authtest.Postgres(t).Open(t)
	u := addUser(t, s)
	err := s.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetNames(u.ID, "Half", "Done"); err != nil {
			return err
		}
		pid, err := store.Column[int64](tx, `SELECT pg_backend_pid()::bigint`)
		if err != nil {
			return err
		}
		return s.Read(ctx, func(other *store.Tx) error {
			_, err := other.Exec(`SELECT pg_terminate_backend($1::bigint::int, 5000)`, pid[0])
			return err
		})
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if got := userByID(t, s, u.ID); got.FirstName != u.FirstName {
		t.Errorf("%q was not acknowledged, but stayed", got.FirstName)
	}
	write(t, s, func(tx *store.Tx) error { return tx.SetNames(u.ID, "Whole", "Again") })
}

// A COMMIT after a failure that a caller passed over would commit nothing, and say that it succeeded.
func TestPostgresFailurePassedOver(t *testing.T) {
	s := authtest.Postgres(t).Open(t)
	u := addUser(t, s)
	err := s.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetNames(u.ID, "Half", "Done"); err != nil {
			return err
		}
		_, _ = tx.Exec(`SELECT 1/0`)
		return nil
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	err = s.Write(ctx, func(tx *store.Tx) error {
		_, _ = tx.Exec(`SELECT nothing FROM users`) // refused before even BEGIN has run
		_ = tx.SetNames(u.ID, "Half", "Done")
		return nil
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a first statement: got %v, want ErrUnavailable", err)
	}
	if got := userByID(t, s, u.ID); got.FirstName != u.FirstName {
		t.Errorf("%q was not acknowledged, but stayed", got.FirstName)
	}
}

// A row that stays locked costs a caller the time of one operation at most, and no connection for good.
func TestPostgresLockedRow(t *testing.T) {
	t.Parallel() // it mostly waits
	s := authtest.Postgres(t).Open(t)
	u := addUser(t, s)
	began := time.Now()
	write(t, s, func(tx *store.Tx) error {
		if _, err := tx.HoldUser(u.ID); err != nil {
			return err
		}
		err := s.Write(ctx, func(tx *store.Tx) error { _, err := tx.HoldUser(u.ID); return err })
		if !errors.Is(err, store.ErrUnavailable) {
			return fmt.Errorf("a locked row: got %w, want ErrUnavailable", err)
		}
		return nil
	})
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("took %v", took)
	}
	write(t, s, func(tx *store.Tx) error { _, err := tx.HoldUser(u.ID); return err })
}

func TestPostgresErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want error
	}{
		{&pgconn.PgError{Code: "23505"}, store.ErrConflict},    // unique_violation
		{&pgconn.PgError{Code: "23502"}, nil},                  // not_null_violation
		{&pgconn.PgError{Code: "22021"}, nil},                  // character_not_in_repertoire
		{&pgconn.PgError{Code: "42P01"}, nil},                  // undefined_table
		{&pgconn.PgError{Code: "40001"}, store.ErrUnavailable}, // serialization_failure
		{&pgconn.PgError{Code: "53100"}, store.ErrUnavailable}, // disk_full
		{&pgconn.PgError{Code: "53300"}, store.ErrUnavailable}, // too_many_connections
		{&pgconn.PgError{Code: "55P03"}, store.ErrUnavailable}, // lock_not_available
		{&pgconn.PgError{Code: "57014"}, store.ErrUnavailable}, // query_canceled
		{&pgconn.PgError{Code: "57P01"}, store.ErrUnavailable}, // admin_shutdown
		{&pgconn.PgError{Code: "57P03"}, store.ErrUnavailable}, // cannot_connect_now
		{&pgconn.PgError{Code: "25006"}, store.ErrUnavailable}, // read_only_sql_transaction: a standby
		{fmt.Errorf("read: %w", io.EOF), store.ErrUnavailable}, // the connection is gone
		{context.DeadlineExceeded, store.ErrUnavailable},       // too slow
	} {
		got := store.PostgresError(c.err)
		for _, meaning := range []error{store.ErrConflict, store.ErrUnavailable} {
			if is, want := errors.Is(got, meaning), errors.Is(c.want, meaning); is != want {
				t.Errorf("%v: is %v: %v, want %v", c.err, meaning, is, want)
			}
		}
	}
}

func TestPostgresIsNotBackedUpHere(t *testing.T) {
	s := authtest.Postgres(t).Open(t)
	if err := s.Backup(ctx, "unused"); err == nil || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("got %v, want to be told of pg_dump", err)
	}
}
