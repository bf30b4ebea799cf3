package store

// What the tests of this package's promises must reach below its surface.

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

const (
	MaxWaiting = maxWaiting
	MaxGroup   = maxGroup
)

// Engine names the database: "sqlite" or "postgres".
func (s *Store) Engine() string {
	if _, ok := s.engine.(*sqlite); ok {
		return "sqlite"
	}
	return "postgres"
}

// Exec runs one statement of the test's own.
func (tx *Tx) Exec(sql string, args ...any) (int64, error) { return tx.exec(sql, args...) }

// Script runs several statements of the test's own.
func (tx *Tx) Script(sql string) error { return tx.q.script(tx.ctx, sql) }

// Column reads one column by a statement of the test's own.
func Column[T any](tx *Tx, sql string, args ...any) ([]T, error) {
	return many(tx, column[T], sql, args...)
}

// HasTable says whether there is such a table.
func (tx *Tx) HasTable(name string) (bool, error) { return tx.q.hasTable(tx.ctx, name) }

// Explain runs fn and returns how the engine answers each of its statements.
func Explain(tx *Tx, fn func(*Tx) error) (plan string, err error) {
	e := &explainer{querier: tx.q, prefix: "EXPLAIN "}
	if _, ok := tx.q.(*sqliteConn); ok {
		e.prefix, e.detail = "EXPLAIN QUERY PLAN ", 3
	}
	err = (&Tx{ctx: tx.ctx, q: e}).do(fn)
	return strings.Join(e.lines, "\n"), err
}

// explainer explains each statement before it runs it.
type explainer struct {
	querier
	prefix string
	detail int // the column of the explanation; those before are numbers
	lines  []string
}

func (e *explainer) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if err := e.explain(ctx, sql, args); err != nil {
		return 0, err
	}
	return e.querier.exec(ctx, sql, args...)
}

func (e *explainer) query(ctx context.Context, row func(scanner) error, sql string, args ...any) error {
	if err := e.explain(ctx, sql, args); err != nil {
		return err
	}
	return e.querier.query(ctx, row, sql, args...)
}

func (e *explainer) execDeferred(ctx context.Context, sql string, args ...any) error {
	_, err := e.exec(ctx, sql, args...)
	return err
}

func (e *explainer) explain(ctx context.Context, sql string, args []any) error {
	args = append([]any(nil), args...) // an engine may rewrite them in place
	return e.querier.query(ctx, func(scan scanner) error {
		var line string
		dest := []any{&line}
		for range e.detail {
			dest = append([]any{new(int64)}, dest...)
		}
		err := scan(dest...)
		e.lines = append(e.lines, line)
		return err
	}, e.prefix+sql, args...)
}

// ApplyMigration applies one migration of the test's own, as Migrate does.
func (s *Store) ApplyMigration(ctx context.Context, version int64, name, sql string) error {
	return s.engine.migrate(ctx, func(q querier) error {
		return (&Tx{ctx: ctx, q: q}).apply(migration{version, name, sql, "checksum"})
	})
}

// EachConn runs fn on every connection of a SQLite store, the writer's first. Nothing else may use
// the store meanwhile.
func (s *Store) EachConn(ctx context.Context, fn func(*Tx) error) error {
	e := s.engine.(*sqlite)
	if err := (&Tx{ctx: ctx, q: e.writer.conn}).do(fn); err != nil {
		return err
	}
	for range e.opened {
		conn := <-e.readers
		err := (&Tx{ctx: ctx, q: conn}).do(fn)
		e.readers <- conn
		if err != nil {
			return err
		}
	}
	return nil
}

// Submit is Write without the store's own timeout: ctx alone ends the wait.
func (s *Store) Submit(ctx context.Context, fn func(*Tx) error) error {
	return s.engine.write(ctx, func(q querier) error { return (&Tx{ctx: ctx, q: q}).do(fn) })
}

// QueueLength says how many transactions wait for a SQLite store's writer.
func (s *Store) QueueLength() int {
	q := s.engine.(*sqlite).writer.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

var (
	SQLiteError   = sqliteError
	PostgresError = postgresError
)

// JointLanes is how many groups of changes, or of lookups, PostgreSQL works on at once.
const JointLanes = jointLanes

// Joiner is what gathers the changes, or the lookups, of callers who wait together.
type Joiner = joiner

// Changes gathers what Joint was given.
func Changes(s *Store) *Joiner { return s.engine.(*postgres).changes }

// Lookups gathers what Lookup was given.
func Lookups(s *Store) *Joiner { return s.engine.(*postgres).lookups }

// Waiting says how many callers wait for a lane.
func (j *joiner) Waiting() int {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	return len(j.queue.waiting)
}

// HoldLane takes a free lane, as a leader does who carries a group out; release hands the lead on. Callers
// wait while all lanes are held, and nobody but they decides who goes with whom.
func (j *joiner) HoldLane() (release func(), held bool) {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	if j.queue.leaders == j.queue.lanes {
		return nil, false
	}
	j.queue.leaders++
	return j.queue.handOn, true
}

// EachRow runs a statement of the test's own and calls do for each of its rows.
func EachRow(tx *Tx, do func(), sql string, args ...any) error {
	return tx.q.query(tx.ctx, func(scanner) error { do(); return nil }, sql, args...)
}

// Work runs fn and returns, by statement, how much of the tables it read: rows on PostgreSQL, steps of its
// program on SQLite, which are several a row.
func Work(tx *Tx, fn func(*Tx) error) (work map[string]int64, err error) {
	m := &meter{querier: tx.q, work: map[string]int64{}}
	err = (&Tx{ctx: tx.ctx, q: m}).do(fn)
	return m.work, err
}

// meter runs each statement and notes what that took. PostgreSQL tells it of a run that is undone.
type meter struct {
	querier
	work map[string]int64
}

func (m *meter) exec(ctx context.Context, sql string, args ...any) (changed int64, err error) {
	if err := m.explain(ctx, sql, args); err != nil {
		return 0, err
	}
	changed, err = m.querier.exec(ctx, sql, args...)
	m.count(sql)
	return changed, err
}

func (m *meter) query(ctx context.Context, row func(scanner) error, sql string, args ...any) error {
	if err := m.explain(ctx, sql, args); err != nil {
		return err
	}
	err := m.querier.query(ctx, row, sql, args...)
	m.count(sql)
	return err
}

func (m *meter) execDeferred(ctx context.Context, sql string, args ...any) error {
	_, err := m.exec(ctx, sql, args...)
	return err
}

func (m *meter) count(sql string) {
	if c, ok := m.querier.(*sqliteConn); ok {
		m.work[sql] += int64(c.statements[sql].Status(sqlite3.STMTSTATUS_VM_STEP, true))
	}
}

var rowsRead = regexp.MustCompile(`(Scan.*\(actual rows=(\d+) loops=(\d+)\)|Rows Removed by (?:Filter|Index Recheck): (\d+))`)

func (m *meter) explain(ctx context.Context, sql string, args []any) error {
	if _, ok := m.querier.(*sqliteConn); ok {
		return nil
	}
	if _, err := m.querier.exec(ctx, "SAVEPOINT measured"); err != nil {
		return err
	}
	err := m.querier.query(ctx, func(scan scanner) error {
		var line string
		err := scan(&line)
		for _, found := range rowsRead.FindAllStringSubmatch(line, -1) {
			rows, _ := strconv.ParseInt(found[2]+found[4], 10, 64)
			loops := int64(1)
			if found[3] != "" {
				loops, _ = strconv.ParseInt(found[3], 10, 64)
			}
			m.work[sql] += rows * loops
		}
		return err
	}, "EXPLAIN (ANALYZE, TIMING OFF) "+sql, append([]any(nil), args...)...)
	if err != nil {
		return err
	}
	_, err = m.querier.exec(ctx, "ROLLBACK TO measured")
	return err
}

// Single runs fn of one statement.
func (s *Store) Single(ctx context.Context, fn func(*Tx) error) error { return s.single(ctx, fn) }

// Joint runs fn that changes one row by its key.
func (s *Store) Joint(ctx context.Context, fn func(*Tx) error) error { return s.joint(ctx, fn) }

// Lookup runs fn that finds a few rows by their keys.
func (s *Store) Lookup(ctx context.Context, fn func(*Tx) error) error {
	_, err := lookup(ctx, s, func(tx *Tx) (struct{}, error) { return struct{}{}, fn(tx) })
	return err
}
