package store

// The one place that writes to SQLite. Transactions that wait together share one commit, and so one
// fdatasync: each runs in a savepoint of its own, and all are answered after the commit. A lone
// caller never waits for company. No goroutine serves the queue: the first in it leads, carries out
// everybody's transaction, and hands the lead on.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

const (
	maxWaiting = 4096 // transactions in the queue; beyond, the database counts as unavailable
	maxGroup   = 128  // transactions in one commit
)

type sqliteWriter struct {
	conn *sqliteConn

	mu      sync.Mutex
	queue   []*writing
	leading bool // someone leads, or has been told to
	closed  bool
}

// writing is one transaction on its way.
type writing struct {
	fn   func(querier) error
	err  error
	lead chan struct{} // closed: carry out the queue
	done chan struct{} // closed: err is set
}

func newSQLiteWriter(conn *sqliteConn) *sqliteWriter { return &sqliteWriter{conn: conn} }

// submit carries out fn in a transaction and returns when it is durable or undone.
func (w *sqliteWriter) submit(ctx context.Context, fn func(querier) error) error {
	t := &writing{fn: fn, lead: make(chan struct{}), done: make(chan struct{})}
	if err := w.enqueue(t); err != nil {
		return err
	}
	select {
	case <-t.done:
		return t.err
	case <-t.lead:
	case <-ctx.Done():
		if w.withdraw(t) {
			return fmt.Errorf("%w: wait to write: %w", ErrUnavailable, ctx.Err())
		}
		select { // under way: its outcome is near
		case <-t.done:
			return t.err
		case <-t.lead:
		}
	}
	w.carryOut()
	return t.err
}

func (w *sqliteWriter) enqueue(t *writing) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.queue) >= maxWaiting {
		return fmt.Errorf("%w: %d transactions wait", ErrUnavailable, len(w.queue))
	}
	w.queue = append(w.queue, t)
	if !w.leading {
		w.leading = true
		close(t.lead)
	}
	return nil
}

// withdraw takes t back; false when it is under way, done, or told to lead.
func (w *sqliteWriter) withdraw(t *writing) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-t.lead:
		return false
	default:
	}
	i := slices.Index(w.queue, t)
	if i < 0 {
		return false
	}
	w.queue = slices.Delete(w.queue, i, i+1)
	return true
}

// carryOut runs the head of the queue, whose first is the caller's own, and hands the lead on.
func (w *sqliteWriter) carryOut() {
	w.mu.Lock()
	n := min(len(w.queue), maxGroup)
	group := slices.Clone(w.queue[:n])
	w.queue = slices.Delete(w.queue, 0, n)
	w.mu.Unlock()

	w.commit(group)

	w.mu.Lock()
	if w.leading = len(w.queue) > 0; w.leading {
		close(w.queue[0].lead)
	}
	w.mu.Unlock()
	for _, t := range group {
		close(t.done)
	}
}

// commit runs the group in one transaction. Some errors (SQLITE_FULL, IOERR, NOMEM) roll back the
// whole transaction, not the savepoint: then the one who met it has failed, and its neighbours run
// again.
func (w *sqliteWriter) commit(group []*writing) {
	group = slices.Clone(group) // the caller answers them all
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
	return -1
}

func (w *sqliteWriter) inSavepoint(t *writing) error {
	ctx := context.Background() // a caller who gives up ends its wait, never a statement
	if _, err := w.conn.exec(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	w.conn.transacting = true
	err := guarded(t.fn, w.conn)
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

// guarded runs fn; a panic in one caller's function must not take its neighbours along.
func guarded(fn func(querier) error, q querier) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("transaction panicked: %v", p)
		}
	}()
	return fn(q)
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
	last := &writing{fn: func(querier) error { return nil }, lead: make(chan struct{}), done: make(chan struct{})}
	w.mu.Lock()
	w.closed = true
	w.queue = append(w.queue, last)
	if !w.leading {
		w.leading = true
		close(last.lead)
	}
	w.mu.Unlock()
	select {
	case <-last.done:
	case <-last.lead:
		w.carryOut()
	}
	return w.conn.close()
}
