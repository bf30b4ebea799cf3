package store

// A connection to SQLite: its settings, the statements on it, and what its errors mean.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// pragmas hold on every connection; assertPragmas reads them back, since drivers differ in their
// defaults and a misspelt pragma is silently ignored.
var pragmas = []struct{ name, set, reads string }{
	{"busy_timeout", "2000", "2000"},
	{"journal_mode", "WAL", "wal"},
	{"synchronous", "FULL", "2"}, // acknowledged means durable
	{"foreign_keys", "ON", "1"},
	{"wal_autocheckpoint", "15000", "15000"}, // the net below sqlite_checkpoint.go
	{"temp_store", "MEMORY", "2"},
	{"secure_delete", "ON", "1"}, // what is deleted is gone from the file, not only from the tables
}

// sqliteConn is one connection with its prepared statements. One goroutine at a time.
type sqliteConn struct {
	conn        *sqlite3.Conn
	statements  map[string]*sqliteStmt
	transacting bool // a transaction's function has it
}

// sqliteStmt is a prepared statement. SQLite numbers $1, $2 … by first appearance; place[i] is where
// argument i goes.
type sqliteStmt struct {
	*sqlite3.Stmt
	place []int
}

func openSQLiteConn(path string) (*sqliteConn, error) {
	conn, err := sqlite3.OpenFlags(path, sqlite3.OPEN_READWRITE)
	if err != nil {
		return nil, sqliteError(err)
	}
	for _, p := range pragmas {
		if err := setPragma(conn, p.name+"="+p.set); err != nil {
			return nil, errors.Join(fmt.Errorf("set %s: %w", p.name, sqliteError(err)), conn.Close())
		}
	}
	c := &sqliteConn{conn: conn, statements: map[string]*sqliteStmt{}}
	if err := c.assertPragmas(); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// setPragma tries again while the file is busy: where two processes open a new one together, SQLite
// refuses the second its switch to WAL at once, whatever busy_timeout says.
func setPragma(conn *sqlite3.Conn, setting string) error {
	for range 1000 {
		err := conn.Exec("PRAGMA " + setting)
		if !errors.Is(err, sqlite3.BUSY) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return conn.Exec("PRAGMA " + setting)
}

func (c *sqliteConn) assertPragmas() error {
	for _, p := range pragmas {
		stmt, _, err := c.conn.Prepare("PRAGMA " + p.name)
		if err != nil {
			return err
		}
		got := ""
		if stmt.Step() {
			got = stmt.ColumnText(0)
		}
		if err := stmt.Close(); err != nil {
			return err
		}
		if got != p.reads {
			return fmt.Errorf("PRAGMA %s is %q, not %q", p.name, got, p.reads)
		}
	}
	return nil
}

func (c *sqliteConn) close() error {
	var err error
	for _, s := range c.statements {
		err = errors.Join(err, s.Close())
	}
	return errors.Join(err, c.conn.Close())
}

func (c *sqliteConn) script(_ context.Context, sql string) error {
	return sqliteError(c.conn.Exec(sql))
}

func (c *sqliteConn) hasTable(ctx context.Context, name string) (found bool, err error) {
	err = c.query(ctx, func(scan scanner) error { return scan(&found) },
		`SELECT count(*) > 0 FROM sqlite_schema WHERE type = 'table' AND name = $1`, name)
	return found, err
}

func (c *sqliteConn) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	before := c.conn.TotalChanges()
	err := c.query(ctx, func(scanner) error { return nil }, sql, args...)
	return c.conn.TotalChanges() - before, err
}

func (c *sqliteConn) execDeferred(ctx context.Context, sql string, args ...any) error {
	_, err := c.exec(ctx, sql, args...)
	return err
}

func (c *sqliteConn) query(_ context.Context, row func(scanner) error, sql string, args ...any) error {
	if c.transacting && c.conn.GetAutocommit() {
		// Some errors end the whole transaction. Whoever goes on after one would write outside of any.
		return fmt.Errorf("%w: the transaction was lost", ErrUnavailable)
	}
	stmt, err := c.prepared(sql, len(args))
	if err != nil {
		return sqliteError(fmt.Errorf("prepare: %w", err))
	}
	defer stmt.Reset()
	for i, arg := range args {
		if err := stmt.bind(stmt.place[i], arg); err != nil {
			return sqliteError(fmt.Errorf("bind $%d: %w", i+1, err))
		}
	}
	for stmt.Step() {
		if err := row(stmt.scan); err != nil {
			return err
		}
	}
	return sqliteError(stmt.Err())
}

func (c *sqliteConn) prepared(sql string, args int) (*sqliteStmt, error) {
	if s, ok := c.statements[sql]; ok {
		return s, nil
	}
	stmt, tail, err := c.conn.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, err
	}
	s := &sqliteStmt{Stmt: stmt, place: make([]int, args)}
	if strings.TrimSpace(tail) != "" || stmt.BindCount() != args {
		return nil, errors.Join(fmt.Errorf("want one statement with %d arguments, not %q", args, sql), stmt.Close())
	}
	for i := range args {
		s.place[i] = stmt.BindIndex("$" + strconv.Itoa(i+1))
	}
	c.statements[sql] = s
	return s, nil
}

func (s *sqliteStmt) bind(place int, arg any) error {
	switch v := arg.(type) {
	case string:
		return s.BindText(place, v)
	case int64:
		return s.BindInt64(place, v)
	case bool:
		return s.BindBool(place, v)
	case []byte:
		if v == nil {
			return s.BindNull(place)
		}
		return s.BindBlob(place, v)
	case time.Time:
		if v.IsZero() {
			return s.BindNull(place)
		}
		return s.BindInt64(place, v.UnixMicro())
	}
	return fmt.Errorf("cannot bind a %T", arg)
}

func (s *sqliteStmt) scan(dest ...any) error {
	for i, d := range dest {
		switch v := d.(type) {
		case *string:
			*v = s.ColumnText(i)
		case *int64:
			*v = s.ColumnInt64(i)
		case *bool:
			*v = s.ColumnBool(i)
		case *[]byte:
			*v = s.ColumnBlob(i, nil)
		case *time.Time:
			*v = time.Time{}
			if s.ColumnType(i) != sqlite3.NULL {
				*v = time.UnixMicro(s.ColumnInt64(i)).UTC()
			}
		default:
			return fmt.Errorf("cannot scan into a %T", d)
		}
	}
	return nil
}

// sqliteError gives a driver's error its meaning. What is neither a conflict nor a defect of ours is
// the database's trouble: locked, full, unreadable, out of memory.
func sqliteError(err error) error {
	code, ok := errors.AsType[sqlite3.ErrorCode](err)
	switch {
	case !ok: // none, or not the driver's
		return err
	case errors.Is(err, sqlite3.CONSTRAINT_UNIQUE), errors.Is(err, sqlite3.CONSTRAINT_PRIMARYKEY):
		return fmt.Errorf("%w: %w", ErrConflict, err)
	case slices.Contains([]sqlite3.ErrorCode{sqlite3.ERROR, sqlite3.CONSTRAINT, sqlite3.MISMATCH, sqlite3.MISUSE, sqlite3.RANGE, sqlite3.TOOBIG}, code):
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
