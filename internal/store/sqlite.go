package store

// SQLite through ncruces/go-sqlite3's own API: one file, one connection that writes and several that read.
// Writing, and so group commit, is sqlite_writer.go.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"
)

type sqlite struct {
	path    string
	writer  *sqliteWriter
	keeper  *sqliteKeeper
	readers chan *sqliteConn
	opened  int          // readers, in use ones included
	closing func() error // letGo, once
}

func openSQLite(path string) (*sqlite, error) {
	// The file is made here, so that nobody but its owner can ever read it.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	conn, err := openSQLiteConn(path)
	if err != nil {
		return nil, err
	}
	own, err := ownFiles(conn, path)
	if err != nil {
		return nil, errors.Join(err, conn.close())
	}
	e := &sqlite{path: path, writer: newSQLiteWriter(conn, own), readers: make(chan *sqliteConn, max(4, 2*runtime.GOMAXPROCS(0)))}
	e.closing = sync.OnceValue(e.letGo)
	if e.keeper, err = newSQLiteKeeper(path, &e.writer.commits); err != nil {
		return nil, errors.Join(err, e.close())
	}
	for range cap(e.readers) {
		conn, err := openSQLiteConn(path)
		if err != nil {
			return nil, errors.Join(err, e.close())
		}
		e.readers <- conn
		e.opened++
	}
	return e, nil
}

func (e *sqlite) write(ctx context.Context, fn func(querier) error) error {
	return e.writer.submit(ctx, fn)
}

func (e *sqlite) single(ctx context.Context, fn func(querier) error) error {
	return e.writer.submit(ctx, fn)
}

func (e *sqlite) lookup(ctx context.Context, fn func(querier) error) error {
	return e.read(ctx, fn)
}

func (e *sqlite) joint(ctx context.Context, fn func(querier) error) error {
	return e.writer.submit(ctx, fn)
}

// migrate needs no lock of its own: BEGIN IMMEDIATE keeps other writers out. It waits for as long as another
// process migrates, which may take longer than busy_timeout.
func (e *sqlite) migrate(ctx context.Context, fn func(querier) error) error {
	for {
		err := e.writer.submit(ctx, fn)
		if !errors.Is(err, sqlite3.BUSY) || ctx.Err() != nil {
			return err
		}
	}
}

func (e *sqlite) read(ctx context.Context, fn func(querier) error) error {
	select {
	case conn, open := <-e.readers:
		if !open {
			return fmt.Errorf("%w: it is closed", ErrUnavailable)
		}
		defer func() { e.readers <- conn }()
		return fn(conn)
	case <-ctx.Done():
		return fmt.Errorf("%w: wait for a reader: %w", ErrUnavailable, ctx.Err())
	}
}

func (e *sqlite) clock(context.Context) (time.Time, bool, error) { return time.Time{}, false, nil }

func (e *sqlite) load() (inUse, most int) { return e.opened - len(e.readers), e.opened }

func (e *sqlite) checkpoint() error { return e.keeper.checkpoint() }

func (e *sqlite) backup(ctx context.Context, file string) error {
	if _, err := os.Stat(file); err == nil {
		return fmt.Errorf("%s exists: name a file that does not", file)
	}
	partial := file + ".partial"
	if err := os.Remove(partial); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	err = e.read(ctx, func(q querier) error { return q.script(ctx, "VACUUM INTO "+sqlite3.Quote(partial)) })
	if err != nil {
		return errors.Join(err, os.Remove(partial))
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync copy: %w", err)
	}
	if err := os.Rename(partial, file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

// syncDir makes a new name in a folder durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (e *sqlite) close() error { return e.closing() }

func (e *sqlite) letGo() error {
	err := e.writer.close()
	if e.keeper != nil {
		err = errors.Join(err, e.keeper.close())
	}
	for range e.opened {
		select {
		case conn := <-e.readers:
			err = errors.Join(err, conn.close())
		case <-time.After(opTimeout):
			return errors.Join(err, errors.New("a reader did not finish"))
		}
	}
	close(e.readers)
	return err
}
