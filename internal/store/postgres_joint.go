package store

// Statements of callers who wait together: one round trip for all of them, and one commit where they
// change something. A refresh and a bearer check are one statement each, and most of what PostgreSQL does
// for a lone one is not the statement itself.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// jointLanes is how many groups are under way at once: one is executed while the other's commit
	// waits for the disk. More make the groups smaller and gain nothing (docs/performance.md).
	jointLanes = 2

	// jointLockTimeout is how long a group waits for a row that somebody else is changing. Its
	// neighbours wait along, so that is short; then each goes alone, on a connection of the pool.
	jointLockTimeout = "50ms"
)

// errBatchAborted: a neighbour's statement failed and took the group along. Nothing of it lasts.
var errBatchAborted = errors.New("the group was rolled back")

// joiner is a carrier that sends the statements of callers who wait together over connections of its own:
// they wait for no other transaction's.
type joiner struct {
	pool  *pgxpool.Pool
	queue *queue[*statement]
}

func openJoiner(ctx context.Context, config *pgxpool.Config) (*joiner, error) {
	config = config.Copy()
	config.MaxConns = jointLanes
	config.ConnConfig.RuntimeParams["lock_timeout"] = jointLockTimeout
	pool, err := newPool(ctx, config)
	if err != nil {
		return nil, err
	}
	j := &joiner{pool: pool}
	j.queue = newQueue(jointLanes, j.serve)
	return j, nil
}

// joint runs fn, whose one statement changes the row that its first argument names, together with those
// of other callers.
func (e *postgres) joint(ctx context.Context, fn func(querier) error) error {
	return e.together(ctx, e.changes, fn)
}

// lookup runs fn, whose statements find rows by their keys, together with those of other callers. They
// do not wait with changes, whose commits take their time.
func (e *postgres) lookup(ctx context.Context, fn func(querier) error) error {
	return e.together(ctx, e.lookups, fn)
}

// together runs fn again, alone, when a neighbour's failure undid the group.
func (e *postgres) together(ctx context.Context, j *joiner, fn func(querier) error) error {
	err := fn(pgQuerier{j})
	if errors.Is(err, errBatchAborted) {
		return e.single(ctx, fn)
	}
	return err
}

func (j *joiner) carry(ctx context.Context, s *statement) error { return j.queue.submit(ctx, s) }

// script is for one caller alone: what it changes of the connection would be its neighbours', too.
func (j *joiner) script(context.Context, string) error { return errors.ErrUnsupported }

// serve carries a group out.
func (j *joiner) serve(group []*waiter[*statement]) {
	// Two groups that take their rows in the same order never wait for each other in a circle.
	slices.SortFunc(group, func(a, b *waiter[*statement]) int { return cmp.Compare(a.work.key(), b.work.key()) })
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	if err := j.serveAll(ctx, group); err != nil {
		for _, t := range group {
			t.err = err
		}
	}
}

func (s *statement) key() string {
	if len(s.args) == 0 {
		return ""
	}
	key, _ := s.args[0].(string)
	return key
}

// serveAll runs the group as one implicit transaction: the statements are sent in one go, and the
// server commits when it has run the last. What it answers before that is provisional.
func (j *joiner) serveAll(ctx context.Context, group []*waiter[*statement]) (err error) {
	defer func() {
		if p := recover(); p != nil { // in one caller's reading of a row: the lane and its neighbours go on
			err = fmt.Errorf("%w: joint statement panicked: %v", ErrUnavailable, p)
		}
	}()
	conn, err := acquire(ctx, j.pool)
	if err != nil {
		return err
	}
	defer conn.Release()
	statements := make([]*statement, len(group))
	for i, t := range group {
		statements[i] = t.work
	}
	read, outcome := roundTrip(ctx, conn, statements)
	switch {
	case read != nil:
		return harmed(read)
	case outcome != nil:
		return fmt.Errorf("%w: commit: %w", ErrUnavailable, outcome) // nobody knows
	}
	return nil
}

// harmed tells a statement that failed from a connection that did: then nobody knows what lasts.
func harmed(err error) error {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.SeverityUnlocalized == "ERROR" {
		return fmt.Errorf("%w: %w", errBatchAborted, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
