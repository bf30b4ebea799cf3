package store

// The one place that writes to SQLite. A group of transactions shares one commit, and so one fdatasync:
// each runs in a savepoint of its own, and all are answered after the commit.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

type sqliteWriter struct {
	conn    *sqliteConn
	files   files
	queue   *queue[transaction]
	commits atomic.Int64
}

// transaction is one caller's function; it may run more than once.
type transaction = func(querier) error

type writing = waiter[transaction]

func newSQLiteWriter(conn *sqliteConn, files files) *sqliteWriter {
	w := &sqliteWriter{conn: conn, files: files}
	w.queue = newQueue(1, w.commit)
	return w
}

// submit carries out fn in a transaction and returns when it is durable or undone.
func (w *sqliteWriter) submit(ctx context.Context, fn transaction) error {
	return w.queue.submit(ctx, fn)
}

// commit runs the group in one transaction. Some errors (SQLITE_FULL, IOERR, NOMEM) roll back the
// whole transaction, not the savepoint: then the one who met it has failed, and its neighbours run
// again.
func (w *sqliteWriter) commit(group []*writing) {
	for len(group) > 0 {
		lost := w.attempt(group)
		if lost < 0 {
			return
		}
		group = slices.Delete(group, lost, lost+1)
	}
}

// attempt returns the index of the one during whose turn the transaction was lost, or -1.
func (w *sqliteWriter) attempt(group []*writing) int {
	if err := w.files.inPlace(); err != nil {
		return w.fail(group, err)
	}
	if err := w.conn.conn.Exec("BEGIN IMMEDIATE"); err != nil {
		return w.fail(group, fmt.Errorf("begin: %w", err))
	}
	for i, t := range group {
		t.err = w.inSavepoint(t)
		if w.conn.conn.GetAutocommit() {
			if t.err == nil {
				t.err = fmt.Errorf("%w: the transaction was lost", ErrUnavailable)
			}
			return i
		}
	}
	if err := w.conn.conn.Exec("COMMIT"); err != nil {
		if !w.conn.conn.GetAutocommit() {
			err = errors.Join(err, w.conn.conn.Exec("ROLLBACK"))
		}
		return w.fail(group, fmt.Errorf("commit: %w", err))
	}
	w.commits.Add(1)
	return -1
}

func (w *sqliteWriter) inSavepoint(t *writing) error {
	ctx := context.Background() // a caller who gives up ends its wait, never a statement
	if _, err := w.conn.exec(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	w.conn.transacting = true
	err := guarded(t.work, w.conn)
	w.conn.transacting = false
	if w.conn.conn.GetAutocommit() {
		return err
	}
	if err != nil {
		if _, undo := w.conn.exec(ctx, "ROLLBACK TO one"); undo != nil {
			// What cannot be undone alone must not be committed with the neighbours.
			return errors.Join(err, undo, w.conn.conn.Exec("ROLLBACK"))
		}
	}
	if _, release := w.conn.exec(ctx, "RELEASE one"); release != nil && err == nil {
		return release
	}
	return err
}

// fail tells the group that nothing of it lasts. That includes whoever was refused: what it was
// refused for may be a neighbour's change that is gone now.
func (w *sqliteWriter) fail(group []*writing, cause error) int {
	for _, t := range group {
		t.err = fmt.Errorf("%w: %w", ErrUnavailable, cause)
	}
	return -1
}

// close lets what waits finish, then closes the connection.
func (w *sqliteWriter) close() error {
	err := w.queue.close(func(querier) error { return nil })
	return errors.Join(err, w.conn.close())
}
