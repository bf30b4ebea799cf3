// Package store keeps what Latchkey remembers: accounts, sessions, one-time tokens, the outbox, keys
// and the audit log, in SQLite or PostgreSQL.
//
// It promises: what was acknowledged is durable; a transaction takes effect whole or not at all; what is read shows
// every commit acknowledged before. Functions of several statements go through [Store.Read] or [Store.Write]; a
// statement that stands alone is a method of [Store] (doors.go). It never decides a rule and never reads the clock: the
// time of an operation is passed in. Only internal/auth, the rooms below it and the commands call it, and only this
// package knows a driver.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrNotFound: no row fits. Conditional changes answer it too, when their condition does not hold.
	ErrNotFound = errors.New("not found")
	// ErrConflict: a unique value is taken.
	ErrConflict = errors.New("already exists")
	// ErrUnavailable: the database cannot serve now (locked, full, gone, too slow). What was asked
	// may or may not have happened if it was a write; nothing was acknowledged.
	ErrUnavailable = errors.New("database unavailable")
)

// opTimeout bounds one operation, waiting included. A caller who hangs up does not shorten it: a
// statement that runs is never cut off half-way for that.
const opTimeout = 5 * time.Second

// How much one transaction of a long piece of work takes, so that callers wait for no longer than that.
const (
	Bite   = 100  // rows that it changes
	Stride = 2000 // rows that it looks at
)

// Options say where the database is.
type Options struct {
	URL  string // postgres://…; empty: SQLite
	Path string // the SQLite file
}

// Store is a database, ready for use by any number of goroutines.
type Store struct {
	engine    engine
	writes    *writeHealth
	opTimeout time.Duration // zero: what everybody has
}

// Within returns the same database, whose operations are given up after another time than others are.
func (s *Store) Within(limit time.Duration) *Store {
	return &Store{engine: s.engine, writes: s.writes, opTimeout: limit}
}

// Tx is one operation under way. It must not be kept after the function that was given it returns. A method that returns
// nothing reports its failure by whatever is asked of the Tx next, or by Write.
type Tx struct {
	ctx    context.Context
	q      querier
	failed error // of a deferred statement: everything after it fails alike
}

// do runs fn, and fails with it or with the first deferred statement that did.
func (tx *Tx) do(fn func(*Tx) error) error {
	if err := fn(tx); tx.failed == nil {
		return err
	}
	return tx.failed
}

// Open connects to the database and checks that it answers. It creates an empty SQLite file where
// there is none, and no schema: see Migrate.
func Open(ctx context.Context, o Options) (*Store, error) {
	switch {
	case strings.HasPrefix(o.URL, "postgres://"), strings.HasPrefix(o.URL, "postgresql://"):
		e, err := openPostgres(ctx, o.URL)
		if err != nil {
			return nil, fmt.Errorf("open PostgreSQL: %w", err)
		}
		return &Store{engine: e, writes: &writeHealth{}}, nil
	case o.URL == "":
		e, err := openSQLite(o.Path)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", o.Path, err)
		}
		return &Store{engine: e, writes: &writeHealth{}}, nil
	}
	return nil, errors.New("database URL must begin with postgres:// (leave it empty for SQLite in the data folder)")
}

// Close waits for what runs and lets the database go. What comes later is ErrUnavailable; closing
// again does nothing.
func (s *Store) Close() error { return s.engine.close() }

// Read runs fn, which changes nothing.
func (s *Store) Read(ctx context.Context, fn func(*Tx) error) error {
	return s.run(ctx, s.engine.read, fn)
}

// Write runs fn as one transaction: durable when Write returns nil, undone when fn or Write returns
// an error. A refusal that must leave traces is therefore a value fn sets, never an error. fn may
// run more than once, so it sets what it reports afresh each time and touches nothing outside the
// database; it neither hashes, waits nor talks to a network. Where a
// method that returns nothing has failed, such as InsertAudit, Write fails.
func (s *Store) Write(ctx context.Context, fn func(*Tx) error) error {
	return s.wrote(s.run(ctx, s.engine.write, fn))
}

func (s *Store) run(ctx context.Context, how runner, fn func(*Tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(s.opTimeout, opTimeout))
	defer cancel()
	return how(ctx, func(q querier) error { return (&Tx{ctx: ctx, q: q}).do(fn) })
}

// Clock returns the database's own time, where nodes share one; ok is false for SQLite.
func (s *Store) Clock(ctx context.Context) (now time.Time, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	return s.engine.clock(ctx)
}

// Load says how many connections are in use, and how many may be: of PostgreSQL all, of SQLite those that read.
func (s *Store) Load() (inUse, most int) { return s.engine.load() }

// Checkpoint moves what was committed from SQLite's log to its place in the file, in no caller's way; it
// is cheap where there is nothing to move. It does nothing on PostgreSQL.
func (s *Store) Checkpoint() error { return s.engine.checkpoint() }

// Backup writes a consistent copy of a SQLite database to file, which must not exist, while the
// database is in use. The copy is on the disk when Backup returns.
func (s *Store) Backup(ctx context.Context, file string) error { return s.engine.backup(ctx, file) }
