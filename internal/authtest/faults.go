package authtest

// A database that misbehaves on demand, so that tests can prove what its callers keep when it does.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"latchkey/internal/store"
)

// Moment is a point of a call at which Faults may step in.
type Moment struct {
	Call string // read, write, single, joint or clock
	At   Stage
}

// Stage is how far a call has come.
type Stage string

// The stages of a call, in their order.
const (
	Calling    Stage = "calling"    // nothing has happened
	Running    Stage = "running"    // its next statement is about to run, or to be put by for the one after it
	Committing Stage = "committing" // its commit is about to run, with what was put by until then
	Answering  Stage = "answering"  // it has taken effect, and its caller has not been told
)

// What Faults may answer besides errors of their own.
var (
	// ErrLate: the call's deadline passes at this moment. What comes of that is the engine's to find out.
	ErrLate = fmt.Errorf("%w: %w", store.ErrUnavailable, context.DeadlineExceeded)
	// ErrUnordered is what PostgreSQL says when it cannot order a transaction among the others (serialization_failure).
	ErrUnordered = fmt.Errorf("%w: %w", store.ErrUnavailable, &pgconn.PgError{Code: "40001", Message: "on demand"})
)

// Faults say how a database is to misbehave. What is nil leaves it as it is.
type Faults struct {
	Fail     func(Moment) error // an error is the call's, and rolls it back but at Answering
	Rehearse func() bool        // true: the call is undone, and answered as if it had not been
	Twice    func() bool        // true: what the call runs is run twice, and undone the first time
	Clock    func() time.Time   // in the place of the time that nodes share
}

// On returns the same database, misbehaving. Either may be closed, for both.
func (f Faults) On(s *store.Store) *store.Store {
	return s.Behind(store.Layer{Call: f.call, Clock: f.clock})
}

// errUndone rolls a call back that is to have no effect.
var errUndone = errors.New("undone on demand")

func undone() error { return errUndone }

func (f Faults) call(ctx context.Context, kind string, run func(context.Context, store.Hooks) error) error {
	d, cancel := withDeadline(ctx)
	defer cancel()
	if err := f.reach(d, kind, Calling); err != nil {
		return err
	}
	if f.Twice != nil && f.Twice() { // the first time at no moment at which a fault may come
		if err := run(d, store.Hooks{Whole: true, End: undone}); err != nil && !errors.Is(err, errUndone) {
			return err
		}
	}
	h := store.Hooks{Statement: func() error { return f.reach(d, kind, Running) }}
	switch {
	case f.Rehearse != nil && f.Rehearse():
		h.Whole, h.End = kind != "read", undone // outside a transaction nothing can be undone
	case kind == "write":
		h.End = func() error { return f.reach(d, kind, Committing) }
	}
	if err := run(d, h); err != nil && !errors.Is(err, errUndone) {
		return err
	}
	return f.fail(kind, Answering)
}

func (f Faults) clock(ctx context.Context, ask func(context.Context) (time.Time, bool, error)) (now time.Time, shared bool, err error) {
	if err := f.fail("clock", Calling); err != nil {
		return time.Time{}, false, err
	}
	now, shared, err = ask(ctx)
	if shared && f.Clock != nil {
		now = f.Clock()
	}
	return now, shared, err
}

// reach is fail at a moment at which a deadline may pass.
func (f Faults) reach(d deadline, call string, at Stage) error {
	err := f.fail(call, at)
	if errors.Is(err, ErrLate) {
		d.pass()
		return nil
	}
	return err
}

func (f Faults) fail(call string, at Stage) error {
	if f.Fail == nil {
		return nil
	}
	return f.Fail(Moment{call, at})
}

// deadline is a call's context, whose deadline can be made to pass.
type deadline struct {
	context.Context
	pass context.CancelFunc
}

func withDeadline(ctx context.Context) (deadline, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	return deadline{ctx, cancel}, cancel
}

func (d deadline) Err() error {
	if d.Context.Err() != nil {
		return context.DeadlineExceeded
	}
	return nil
}
