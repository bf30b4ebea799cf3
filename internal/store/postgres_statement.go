package store

// Statements on their way to PostgreSQL, and their answers. pgx prepares each text once per connection.

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// statement is one of a caller's statements. Those that a joiner carries are about what their first argument
// names.
type statement struct {
	sql     string
	args    []any
	row     func(scanner) error // nil: it returns none
	later   bool                // it may go with the one after it, and so may its error
	changed int64               // rows that it changed or returned, once answered
}

// carrier brings statements to the server.
type carrier interface {
	// carry returns when the statement is answered, or at once where it is left for later.
	carry(ctx context.Context, s *statement) error
	script(ctx context.Context, sql string) error
}

// pgQuerier hands statements to a carrier.
type pgQuerier struct{ carrier }

func (q pgQuerier) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	s := &statement{sql: sql, args: args}
	err := q.carry(ctx, s)
	return s.changed, err
}

func (q pgQuerier) query(ctx context.Context, row func(scanner) error, sql string, args ...any) error {
	return q.carry(ctx, &statement{sql: sql, args: args, row: row})
}

func (q pgQuerier) execDeferred(ctx context.Context, sql string, args ...any) error {
	return q.carry(ctx, &statement{sql: sql, args: args, later: true})
}

// hasTable reads the catalogue as a table. to_regclass may answer from a cache that does not know what
// was committed while the transaction waited for its lock.
func (q pgQuerier) hasTable(ctx context.Context, name string) (found bool, err error) {
	err = q.query(ctx, func(scan scanner) error { return scan(&found) }, `
		SELECT count(*) > 0
		FROM pg_catalog.pg_class
		WHERE relname = $1 AND relkind = 'r' AND pg_table_is_visible(oid)`, name)
	return found, err
}

// direct carries each statement by itself, as a transaction of its own.
type direct struct{ conn *pgxpool.Conn }

func (d direct) carry(ctx context.Context, s *statement) error {
	rows, err := d.conn.Query(ctx, s.sql, pgArgs(s.args)...)
	if err != nil {
		return postgresError(err)
	}
	return postgresError(s.answer(rows))
}

func (d direct) script(ctx context.Context, sql string) error {
	_, err := d.conn.Exec(ctx, sql)
	return postgresError(err)
}

// roundTrip carries statements out in one go, in their order: what comes after one that fails does not run.
// An error in reading leaves nothing unread; outcome is what became of them all in the end.
func roundTrip(ctx context.Context, conn *pgxpool.Conn, statements []*statement) (read, outcome error) {
	batch := &pgx.Batch{}
	for _, s := range statements {
		batch.Queue(s.sql, pgArgs(s.args)...)
	}
	results := conn.SendBatch(ctx, batch)
	for _, s := range statements {
		rows, err := results.Query()
		if err == nil {
			err = s.answer(rows)
		}
		if err != nil {
			return err, results.Close()
		}
	}
	return nil, results.Close()
}

// answer reads rows to their end.
func (s *statement) answer(rows pgx.Rows) error {
	defer rows.Close()
	scan := func(dest ...any) error { return rows.Scan(pgDest(dest)...) }
	for rows.Next() {
		if s.row == nil {
			continue
		}
		if err := s.row(scan); err != nil {
			return err
		}
	}
	s.changed = rows.CommandTag().RowsAffected()
	return rows.Err()
}

// pgArgs writes times as Unix microseconds and the zero time as NULL.
func pgArgs(args []any) []any {
	for i, arg := range args {
		if t, ok := arg.(time.Time); ok {
			args[i] = nil
			if !t.IsZero() {
				args[i] = t.UnixMicro()
			}
		}
	}
	return args
}

func pgDest(dest []any) []any {
	for i, d := range dest {
		if t, ok := d.(*time.Time); ok {
			dest[i] = (*pgTime)(t)
		}
	}
	return dest
}

// pgTime reads a BIGINT of Unix microseconds.
type pgTime time.Time

// ScanInt64 implements pgtype.Int64Scanner.
func (t *pgTime) ScanInt64(v pgtype.Int8) error {
	*t = pgTime{}
	if v.Valid {
		*t = pgTime(time.UnixMicro(v.Int64).UTC())
	}
	return nil
}
