package store

// Copying SQLite's log back into the database beside the commits, so that no caller's commit pays for it.
// A commit does it only when this falls behind (wal_autocheckpoint), as while a backup reads.

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3"
)

// sqliteKeeper has a connection of its own: a checkpoint keeps neither the writer nor a reader waiting.
type sqliteKeeper struct {
	mu      sync.Mutex
	conn    *sqliteConn
	commits *atomic.Int64 // the writer's
	seen    int64         // as many of them when the log was last copied
}

func newSQLiteKeeper(path string, commits *atomic.Int64) (*sqliteKeeper, error) {
	conn, err := openSQLiteConn(path)
	if err != nil {
		return nil, err
	}
	return &sqliteKeeper{conn: conn, commits: commits}, nil
}

// checkpoint copies what no reader needs in the log any more. It does nothing where nothing was committed
// since the last time, and leaves what is in use to the next.
func (k *sqliteKeeper) checkpoint() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	commits := k.commits.Load()
	if commits == k.seen || k.conn == nil {
		return nil
	}
	if err := k.conn.conn.Exec("PRAGMA wal_checkpoint(PASSIVE)"); err != nil && !errors.Is(err, sqlite3.BUSY) {
		return sqliteError(err)
	}
	k.seen = commits
	return nil
}

func (k *sqliteKeeper) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	conn := k.conn
	k.conn = nil
	if conn == nil {
		return nil
	}
	return conn.close()
}
