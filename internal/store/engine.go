package store

// All that differs between the two databases, as seen by the rest of this package.

import (
	"context"
	"fmt"
	"time"
)

// runner runs a function with something to query. See Store.Read, Write and Single.
type runner func(ctx context.Context, fn func(querier) error) error

// engine is a database behind its own driver.
type engine interface {
	read(ctx context.Context, fn func(querier) error) error
	write(ctx context.Context, fn func(querier) error) error
	single(ctx context.Context, fn func(querier) error) error
	// lookup is read for rows found by their keys, together with those of other callers.
	lookup(ctx context.Context, fn func(querier) error) error
	// joint is single for the change of one row, together with those of other callers.
	joint(ctx context.Context, fn func(querier) error) error
	// migrate is write, with every other migrating process kept out.
	migrate(ctx context.Context, fn func(querier) error) error
	clock(ctx context.Context) (time.Time, bool, error)
	backup(ctx context.Context, file string) error
	// load says how many connections are in use, and how many may be.
	load() (inUse, most int)
	// checkpoint does what commits leave to later.
	checkpoint() error
	close() error
}

// querier runs the one SQL text. Arguments are string, int64, bool, []byte (nil: NULL) and time.Time
// (zero: NULL), destinations are pointers to these.
type querier interface {
	exec(ctx context.Context, sql string, args ...any) (changed int64, err error)
	query(ctx context.Context, row func(scan scanner) error, sql string, args ...any) error
	// execDeferred is exec for a statement whose one answer would be that it succeeded. In a transaction its error
	// may come with a later statement, or with the commit, which then commits nothing.
	execDeferred(ctx context.Context, sql string, args ...any) error
	// script runs several statements without arguments.
	script(ctx context.Context, sql string) error
	hasTable(ctx context.Context, name string) (bool, error)
}

// scanner copies the columns of the current row.
type scanner func(dest ...any) error

// guarded runs fn; a panic in one caller's function must not take its neighbours along.
func guarded(fn func(querier) error, q querier) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("transaction panicked: %v", p)
		}
	}()
	return fn(q)
}

// exec runs a statement that returns no rows.
func (tx *Tx) exec(sql string, args ...any) (changed int64, err error) {
	if tx.failed != nil {
		return 0, tx.failed
	}
	return tx.q.exec(tx.ctx, sql, args...)
}

// execDeferred runs a statement whose one answer would be that it succeeded. Where engines have round trips it
// goes along with the next one, or with the commit. Its failure is kept: whatever comes later fails with it, and nothing
// lasts.
func (tx *Tx) execDeferred(sql string, args ...any) {
	if tx.failed == nil {
		tx.failed = tx.q.execDeferred(tx.ctx, sql, args...)
	}
}

// query hands each row to a function.
func (tx *Tx) query(row func(scanner) error, sql string, args ...any) error {
	if tx.failed != nil {
		return tx.failed
	}
	return tx.q.query(tx.ctx, row, sql, args...)
}

// mustChange runs a conditional change of one row: ErrNotFound when its condition did not hold.
func (tx *Tx) mustChange(sql string, args ...any) error {
	n, err := tx.exec(sql, args...)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// many collects all rows.
func many[T any](tx *Tx, read func(scanner) (T, error), sql string, args ...any) ([]T, error) {
	var rows []T
	err := tx.query(func(scan scanner) error {
		row, err := read(scan)
		if err != nil {
			return fmt.Errorf("read row: %w", err)
		}
		rows = append(rows, row)
		return nil
	}, sql, args...)
	return rows, err
}

// one returns the first row, or ErrNotFound.
func one[T any](tx *Tx, read func(scanner) (T, error), sql string, args ...any) (T, error) {
	rows, err := many(tx, read, sql, args...)
	if err == nil && len(rows) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		var none T
		return none, err
	}
	return rows[0], nil
}

// column reads a row of one column.
func column[T any](scan scanner) (v T, err error) {
	err = scan(&v)
	return v, err
}
