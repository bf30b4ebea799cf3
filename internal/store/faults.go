package store

// A database that misbehaves on demand, so that rigs can prove what its callers keep when it does. It is
// made for tests: no configuration reaches it.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Moment is a point of a call at which a Rig may step in.
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

// What a Rig may answer besides errors of its own.
var (
	// ErrLate: the call's deadline passes at this moment. What comes of that is the engine's to find out.
	ErrLate = fmt.Errorf("%w: %w", ErrUnavailable, context.DeadlineExceeded)
	// ErrUnordered is what PostgreSQL says when it cannot order a transaction among the others.
	ErrUnordered = postgresError(&pgconn.PgError{Code: serializationFailure, Message: "rigged"})
)

// Rig says how a database is to misbehave. What is nil leaves it as it is.
type Rig struct {
	Fail     func(Moment) error // an error is the call's, and rolls it back but at Answering
	Rehearse func() bool        // true: the call is undone, and answered as if it had not been
	Twice    func() bool        // true: what the call runs is run twice, and undone the first time
	Clock    func() time.Time   // in the place of the time that nodes share
}

// Rigged returns the same database, misbehaving. Either may be closed, for both.
func (s *Store) Rigged(r Rig) *Store {
	return &Store{engine: rigged{s.engine, r}, writes: &writeHealth{}, opTimeout: s.opTimeout}
}

type rigged struct {
	engine
	rig Rig
}

func (e rigged) read(ctx context.Context, fn func(querier) error) error {
	return e.call(ctx, "read", e.engine.read, fn)
}

func (e rigged) lookup(ctx context.Context, fn func(querier) error) error {
	return e.call(ctx, "read", e.engine.lookup, fn)
}

func (e rigged) write(ctx context.Context, fn func(querier) error) error {
	return e.call(ctx, "write", e.engine.write, fn)
}

func (e rigged) single(ctx context.Context, fn func(querier) error) error {
	if e.rehearsing() {
		return e.call(ctx, "single", e.engine.write, fn) // outside a transaction nothing can be undone
	}
	return e.call(ctx, "single", e.engine.single, fn)
}

func (e rigged) joint(ctx context.Context, fn func(querier) error) error {
	if e.rehearsing() {
		return e.call(ctx, "joint", e.engine.write, fn)
	}
	return e.call(ctx, "joint", e.engine.joint, fn)
}

func (e rigged) clock(ctx context.Context) (now time.Time, shared bool, err error) {
	if err := e.fail("clock", Calling); err != nil {
		return time.Time{}, false, err
	}
	now, shared, err = e.engine.clock(ctx)
	if shared && e.rig.Clock != nil {
		now = e.rig.Clock()
	}
	return now, shared, err
}

// errUndone rolls a rehearsed call back.
var errUndone = errors.New("rehearsed")

func (e rigged) call(ctx context.Context, name string, how runner, fn func(querier) error) error {
	d, cancel := withDeadline(ctx)
	defer cancel()
	if err := e.reach(d, name, Calling); err != nil {
		return err
	}
	if e.rig.Twice != nil && e.rig.Twice() {
		if err := e.undone(d, fn); err != nil {
			return err
		}
	}
	rehearsed := e.rehearsing()
	err := how(d, func(q querier) error {
		err := fn(riggedQuerier{q, e, d, name})
		if err == nil && rehearsed {
			return errUndone
		}
		if err == nil && name == "write" {
			return e.reach(d, name, Committing)
		}
		return err
	})
	if err != nil && !errors.Is(err, errUndone) {
		return err
	}
	return e.fail(name, Answering)
}

// undone runs fn and takes back what it did, at no moment at which a Rig may step in.
func (e rigged) undone(ctx context.Context, fn func(querier) error) error {
	err := e.engine.write(ctx, func(q querier) error {
		if err := fn(q); err != nil {
			return err
		}
		return errUndone
	})
	if errors.Is(err, errUndone) {
		return nil
	}
	return err
}

func (e rigged) rehearsing() bool { return e.rig.Rehearse != nil && e.rig.Rehearse() }

// reach is fail at a moment at which a deadline may pass.
func (e rigged) reach(d deadline, call string, at Stage) error {
	err := e.fail(call, at)
	if errors.Is(err, ErrLate) {
		d.pass()
		return nil
	}
	return err
}

func (e rigged) fail(call string, at Stage) error {
	if e.rig.Fail == nil {
		return nil
	}
	return e.rig.Fail(Moment{call, at})
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

type riggedQuerier struct {
	querier
	on       rigged
	deadline deadline
	call     string
}

func (q riggedQuerier) exec(_ context.Context, sql string, args ...any) (int64, error) {
	if err := q.on.reach(q.deadline, q.call, Running); err != nil {
		return 0, err
	}
	return q.querier.exec(q.deadline, sql, args...)
}

func (q riggedQuerier) query(_ context.Context, row func(scanner) error, sql string, args ...any) error {
	if err := q.on.reach(q.deadline, q.call, Running); err != nil {
		return err
	}
	return q.querier.query(q.deadline, row, sql, args...)
}

func (q riggedQuerier) execDeferred(_ context.Context, sql string, args ...any) error {
	if err := q.on.reach(q.deadline, q.call, Running); err != nil {
		return err
	}
	return q.querier.execDeferred(q.deadline, sql, args...)
}

// Tally counts what the database holds, by kind and state, in words that no id and no clock changes: a
// rig tells by it whether an operation took effect whole, in part or not at all.
func (tx *Tx) Tally() (map[string]int64, error) {
	counts := map[string]int64{}
	err := tx.q.query(tx.ctx, func(scan scanner) error {
		var what string
		var n int64
		err := scan(&what, &n)
		counts[what] = n
		return err
	}, `
		SELECT 'users', count(*) FROM users
		UNION ALL SELECT 'users: verified', count(*) FROM users WHERE verified_at IS NOT NULL
		UNION ALL SELECT 'users: disabled', count(*) FROM users WHERE disabled_at IS NOT NULL
		UNION ALL SELECT 'users: epochs', CAST(COALESCE(sum(epoch), 0) AS BIGINT) FROM users
		UNION ALL SELECT 'sessions: ' || COALESCE(NULLIF(end_reason, ''), 'live'), count(*) FROM sessions GROUP BY end_reason
		UNION ALL SELECT 'sessions: generations', CAST(COALESCE(sum(generation), 0) AS BIGINT) FROM sessions
		UNION ALL SELECT 'sessions: late', CAST(COALESCE(sum(late_run), 0) AS BIGINT) FROM sessions
		UNION ALL SELECT 'links: ' || purpose, count(*) FROM one_time_links GROUP BY purpose
		UNION ALL SELECT 'links: used', count(*) FROM one_time_links WHERE used_at IS NOT NULL
		UNION ALL SELECT 'links: verified', count(*) FROM one_time_links WHERE verified_at IS NOT NULL
		UNION ALL SELECT 'newest links: ' || purpose, count(*) FROM one_time_tokens GROUP BY purpose
		UNION ALL SELECT 'newest links: used', count(*) FROM one_time_tokens WHERE used_at IS NOT NULL
		UNION ALL SELECT 'newest links: verified', count(*) FROM one_time_tokens WHERE verified_at IS NOT NULL
		UNION ALL SELECT 'ended sessions: ' || end_reason, count(*) FROM ended_sessions GROUP BY end_reason
		UNION ALL SELECT 'devices', count(*) FROM devices
		UNION ALL SELECT 'mail: ' || kind || ' ' || outcome, count(*) FROM outbox GROUP BY kind, outcome
		UNION ALL SELECT 'mail budgets', count(*) FROM mail_budgets
		UNION ALL SELECT 'wrong passwords', CAST(COALESCE(sum(failures), 0) AS BIGINT) FROM attempts
		UNION ALL SELECT 'wrong passwords, by networks', CAST(COALESCE(sum(failures), 0) AS BIGINT) FROM attempt_networks
		UNION ALL SELECT 'rates', count(*) FROM rates
		UNION ALL SELECT 'signing keys', count(*) FROM signing_keys
		UNION ALL SELECT 'master keys', count(*) FROM master_keys WHERE id <> ''
		UNION ALL SELECT 'audit: ' || kind || ' ' || outcome, count(*) FROM audit_events GROUP BY kind, outcome`)
	return counts, err
}

// Counters names every counter there is, of attempts and of rates: a rig sees by them that none can be
// tried out.
func (tx *Tx) Counters() ([][]byte, error) {
	return many(tx, column[[]byte], `SELECT key FROM attempts UNION ALL SELECT key FROM rates`)
}
