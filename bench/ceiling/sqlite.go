package ceiling

// Group commit on the server's own SQLite driver, as short as it can be written: whoever waits when a
// commit begins is part of it.

import (
	"context"
	"errors"
	"fmt"
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
	conn    *sqlite3.Conn
	turn    *sqlite3.Stmt
	waiting changes
	ending  chan struct{}
	stopped chan error
	tidied  chan error
}

type change struct {
	id         string
	now        int64
	generation int64
	err        error
	done       chan struct{}
}

// errNoRow: a change that changes nothing costs less, and must not count.
var errNoRow = errors.New("there is no such row")

// changes are asked for by many and carried out in groups.
type changes chan *change

func (asked changes) ask(id string, now int64) (generation int64, err error) {
	c := &change{id: id, now: now, done: make(chan struct{})}
	asked <- c
	<-c.done
	return c.generation, c.err
}

const maxGroup = 128

func openSQLite(path string, rows int) (*sqliteRows, error) {
	conn, err := sqlite3.OpenFlags(path, sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE)
	if err != nil {
		return nil, err
	}
	for _, script := range []string{pragmas, `
		CREATE TABLE sessions (id TEXT NOT NULL PRIMARY KEY, generation BIGINT NOT NULL, rotated_at BIGINT NOT NULL, rest TEXT NOT NULL)`,
		fmt.Sprintf(`
		WITH RECURSIVE counted(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counted WHERE n + 1 < %d)
		INSERT INTO sessions
		SELECT printf('0199aaaa-%%04x-7000-8000-%%012x', (n >> 16) & 65535, n), 1, 0, hex(zeroblob(%d)) FROM counted`, rows, sessionBytes/2),
		`PRAGMA wal_checkpoint(TRUNCATE)`,
	} {
		if err := conn.Exec(script); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	if err := assertDurable(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	turn, _, err := conn.Prepare(`UPDATE sessions SET generation = generation + 1, rotated_at = ?2 WHERE id = ?1 RETURNING generation`)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	r := &sqliteRows{conn: conn, turn: turn, waiting: make(changes, 4096), ending: make(chan struct{}), stopped: make(chan error, 1), tidied: make(chan error, 1)}
	go func() { r.stopped <- r.run() }()
	go func() { r.tidied <- r.checkpoint(path) }()
	return r, nil
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

func (r *sqliteRows) update(_ context.Context, id string, now int64) (int64, error) {
	return r.waiting.ask(id, now)
}

func (r *sqliteRows) close() error {
	close(r.waiting)
	close(r.ending)
	return errors.Join(<-r.stopped, <-r.tidied, r.turn.Close(), r.conn.Close())
}

func (r *sqliteRows) run() error {
	for first := range r.waiting {
		group := takeGroup(first, r.waiting)
		if err := r.commit(group); err != nil {
			for _, c := range group {
				c.err = err
			}
		}
		for _, c := range group {
			close(c.done)
		}
	}
	return nil
}

// takeGroup is the first and all that wait behind it.
func takeGroup(first *change, waiting <-chan *change) []*change {
	group := []*change{first}
	for len(group) < maxGroup {
		select {
		case next, open := <-waiting:
			if !open {
				return group
			}
			group = append(group, next)
		default:
			return group
		}
	}
	return group
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
