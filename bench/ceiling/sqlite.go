package ceiling

// Group commit on the server's own SQLite driver.

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// pragmas: as durable as the server, and otherwise as fast as is known. The log is copied back into the
// database beside the commits, by a connection of its own; only when that falls behind, by a commit.
const pragmas = `
	PRAGMA busy_timeout = 2000;
	PRAGMA journal_mode = WAL;
	PRAGMA synchronous = FULL;
	PRAGMA cache_size = -65536;
	PRAGMA wal_autocheckpoint = 15000`

// durable are what must hold on the connection that commits: a misspelt pragma is silently ignored.
var durable = []struct{ pragma, value string }{{"journal_mode", "wal"}, {"synchronous", "2"}}

const checkpointEvery = 200 * time.Millisecond // every 10 ms takes half as much CPU time again: pages are copied more often

// sessionBytes fills a row to about the size of one of Latchkey's.
const sessionBytes = 330

type sqliteRows struct {
	changes
	conn    *sqlite3.Conn
	turn    *sqlite3.Stmt
	running sync.WaitGroup
	ending  chan struct{}
	tidied  chan error
}

func openSQLite(path string, rows int) (*sqliteRows, error) {
	conn, err := sqlite3.OpenFlags(path, sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE)
	if err != nil {
		return nil, err
	}
	r := &sqliteRows{changes: make(changes, 4096), conn: conn, ending: make(chan struct{}), tidied: make(chan error, 1)}
	if err := r.fill(rows); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	r.running.Go(func() { r.serve(r.commit) })
	go func() { r.tidied <- r.checkpoint(path) }()
	return r, nil
}

func (r *sqliteRows) fill(rows int) (err error) {
	for _, script := range []string{pragmas, `
		CREATE TABLE sessions (id TEXT NOT NULL PRIMARY KEY, generation BIGINT NOT NULL, rotated_at BIGINT NOT NULL, rest TEXT NOT NULL)`,
		fmt.Sprintf(`
		WITH RECURSIVE counted(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counted WHERE n + 1 < %d)
		INSERT INTO sessions
		SELECT printf('0199aaaa-%%04x-7000-8000-%%012x', (n >> 16) & 65535, n), 1, 0, hex(zeroblob(%d)) FROM counted`, rows, sessionBytes/2),
		`PRAGMA wal_checkpoint(TRUNCATE)`,
	} {
		if err := r.conn.Exec(script); err != nil {
			return err
		}
	}
	r.turn, _, err = r.conn.Prepare(`UPDATE sessions SET generation = generation + 1, rotated_at = ?2 WHERE id = ?1 RETURNING generation`)
	return errors.Join(err, assertDurable(r.conn))
}

// assertDurable reads the pragmas back.
func assertDurable(conn *sqlite3.Conn) error {
	for _, d := range durable {
		stmt, _, err := conn.Prepare("PRAGMA " + d.pragma)
		if err != nil {
			return err
		}
		got := ""
		if stmt.Step() {
			got = stmt.ColumnText(0)
		}
		if err := errors.Join(stmt.Err(), stmt.Close()); err != nil {
			return err
		}
		if got != d.value {
			return fmt.Errorf("PRAGMA %s of the ceiling is %q, not %q", d.pragma, got, d.value)
		}
	}
	return nil
}

// checkpoint copies the log back until the server ends.
func (r *sqliteRows) checkpoint(path string) error {
	conn, err := sqlite3.OpenFlags(path, sqlite3.OPEN_READWRITE)
	if err != nil {
		return err
	}
	every := time.NewTicker(checkpointEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			if err := conn.Exec("PRAGMA wal_checkpoint(PASSIVE)"); err != nil && !errors.Is(err, sqlite3.BUSY) {
				return errors.Join(err, conn.Close())
			}
		case <-r.ending:
			return conn.Close()
		}
	}
}

func (r *sqliteRows) close() error {
	close(r.changes)
	close(r.ending)
	r.running.Wait()
	return errors.Join(<-r.tidied, r.turn.Close(), r.conn.Close())
}

func (r *sqliteRows) commit(group []*change) error {
	if err := r.conn.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, c := range group {
		if err := r.one(c); err != nil {
			return errors.Join(err, r.conn.Exec("ROLLBACK"))
		}
	}
	return r.conn.Exec("COMMIT")
}

func (r *sqliteRows) one(c *change) error {
	if err := errors.Join(r.turn.BindText(1, c.id), r.turn.BindInt64(2, c.now)); err != nil {
		return err
	}
	found := r.turn.Step()
	if found {
		c.generation = r.turn.ColumnInt64(0)
		r.turn.Step() // to the end, so that the statement takes effect
	}
	if err := errors.Join(r.turn.Err(), r.turn.Reset()); err != nil {
		return err
	}
	if !found {
		return errNoRow
	}
	return nil
}
