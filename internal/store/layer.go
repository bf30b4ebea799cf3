package store

// A layer between a database and its callers: it sees every call, and each statement in it, on both engines. The rooms
// above use none. What a failing database must not do to them is proven through one (internal/authtest).

import (
	"context"
	"time"
)

// Layer stands between a database and its callers. What is nil lets everything pass as it is.
type Layer struct {
	// Call has a call's kind (read, write, single or joint) and answers the call. It carries it out by run, any number of
	// times, in the context that it gives.
	Call func(ctx context.Context, kind string, run func(context.Context, Hooks) error) error
	// Clock answers Store.Clock, which ask is.
	Clock func(ctx context.Context, ask func(context.Context) (now time.Time, shared bool, err error)) (time.Time, bool, error)
}

// Hooks are a layer's part while a call is carried out. An error ends it, and undoes it where it is a transaction.
type Hooks struct {
	Whole     bool         // run as a transaction, whatever the call's kind
	Statement func() error // before each statement, also one that is put by for the next
	End       func() error // when all statements have been given, before a commit
}

// Behind returns the same database behind a layer. Either may be closed, for both.
func (s *Store) Behind(l Layer) *Store {
	return &Store{engine: layered{s.engine, l}, writes: &writeHealth{}, opTimeout: s.opTimeout}
}

type layered struct {
	engine
	layer Layer
}

func (e layered) read(ctx context.Context, fn func(querier) error) error {
	return e.call(ctx, "read", e.engine.read, fn)
}

func (e layered) lookup(ctx context.Context, fn func(querier) error) error {
	return e.call(ctx, "read", e.engine.lookup, fn)
}

func (e layered) write(ctx context.Context, fn func(querier) error) error {
	return e.call(ctx, "write", e.engine.write, fn)
}

func (e layered) single(ctx context.Context, fn func(querier) error) error {
	return e.call(ctx, "single", e.engine.single, fn)
}

func (e layered) joint(ctx context.Context, fn func(querier) error) error {
	return e.call(ctx, "joint", e.engine.joint, fn)
}

func (e layered) clock(ctx context.Context) (time.Time, bool, error) {
	if e.layer.Clock == nil {
		return e.engine.clock(ctx)
	}
	return e.layer.Clock(ctx, e.engine.clock)
}

func (e layered) call(ctx context.Context, kind string, way runner, fn func(querier) error) error {
	if e.layer.Call == nil {
		return way(ctx, fn)
	}
	return e.layer.Call(ctx, kind, func(ctx context.Context, h Hooks) error {
		how := way
		if h.Whole {
			how = e.engine.write
		}
		return how(ctx, func(q querier) error {
			if err := fn(hooked{q, ctx, h}); err != nil || h.End == nil {
				return err
			}
			return h.End()
		})
	})
}

// hooked is a querier under a layer's eyes, in the context that the layer has given.
type hooked struct {
	querier
	ctx   context.Context
	hooks Hooks
}

func (q hooked) exec(_ context.Context, sql string, args ...any) (int64, error) {
	if err := q.next(); err != nil {
		return 0, err
	}
	return q.querier.exec(q.ctx, sql, args...)
}

func (q hooked) query(_ context.Context, row func(scanner) error, sql string, args ...any) error {
	if err := q.next(); err != nil {
		return err
	}
	return q.querier.query(q.ctx, row, sql, args...)
}

func (q hooked) execDeferred(_ context.Context, sql string, args ...any) error {
	if err := q.next(); err != nil {
		return err
	}
	return q.querier.execDeferred(q.ctx, sql, args...)
}

func (q hooked) next() error {
	if q.hooks.Statement == nil {
		return nil
	}
	return q.hooks.Statement()
}
