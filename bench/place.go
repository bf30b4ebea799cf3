package main

// Where a database is: a folder with SQLite in it, or a database in a PostgreSQL cluster of this
// program's own, with PostgreSQL's own defaults.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/ncruces/go-sqlite3"

	"latchkey/bench/report"
	"latchkey/internal/authtest"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// place is a database that servers may be started on, one after another.
type place struct {
	engine  string // report.SQLite or report.PostgreSQL
	dir     string // SQLite: the data folder
	url     string // PostgreSQL
	cluster *authtest.Cluster
	key     string // the master key
	master  *token.MasterKeys
}

func newPlace(engine, name, work string, cluster *authtest.Cluster) (p place, err error) {
	p = place{engine: engine, cluster: cluster, key: token.NewMasterKey()}
	if p.master, err = token.ParseMasterKeys(p.key); err != nil {
		return p, err
	}
	if engine == report.PostgreSQL {
		p.url, err = cluster.CreateDatabase(name)
		return p, err
	}
	p.dir = filepath.Join(work, name)
	return p, os.Mkdir(p.dir, 0o700)
}

func (p place) env() []string {
	env := []string{"LATCHKEY_MASTER_KEY=" + p.key}
	if p.url != "" {
		return append(env, "LATCHKEY_DATABASE_URL="+p.url)
	}
	return append(env, "LATCHKEY_DATA_DIR="+p.dir)
}

func (p place) file() string { return filepath.Join(p.dir, "latchkey.db") }

func (p place) open(ctx context.Context) (*store.Store, error) {
	return store.Open(ctx, store.Options{URL: p.url, Path: p.file()})
}

// remove gives the disk back.
func (p place) remove(ctx context.Context) error {
	if p.url == "" {
		return os.RemoveAll(p.dir)
	}
	config, err := pgx.ParseConfig(p.url)
	if err != nil {
		return err
	}
	return p.sql(ctx, p.cluster.URL("postgres"), "DROP DATABASE "+pgx.Identifier{config.Database}.Sanitize())
}

// settle tidies up after a bulk load, so that no vacuum runs into what is measured.
func (p place) settle(ctx context.Context) error {
	if p.url == "" {
		return nil
	}
	return errors.Join(p.sql(ctx, p.url, "VACUUM (ANALYZE)"), p.sql(ctx, p.url, "CHECKPOINT"))
}

func (p place) sql(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// size is what the database takes on the disk, without SQLite's log.
func (p place) size(ctx context.Context) (int64, error) {
	if p.url == "" {
		db, err := os.Stat(p.file())
		if err != nil {
			return 0, err
		}
		return db.Size(), nil
	}
	return p.number(ctx, "SELECT pg_database_size(current_database())")
}

// log is SQLite's log beside the database. While a server runs it keeps the size of its largest moment.
func (p place) log() int64 {
	info, err := os.Stat(p.file() + "-wal")
	if p.url != "" || err != nil {
		return 0
	}
	return info.Size()
}

// number asks the database for one.
func (p place) number(ctx context.Context, query string) (n int64, err error) {
	if p.url == "" {
		return p.numberOfFile(query)
	}
	conn, err := pgx.Connect(ctx, p.url)
	if err != nil {
		return 0, err
	}
	err = conn.QueryRow(ctx, query).Scan(&n)
	return n, errors.Join(err, conn.Close(ctx))
}

func (p place) numberOfFile(query string) (n int64, err error) {
	conn, err := sqlite3.OpenFlags(p.file(), sqlite3.OPEN_READWRITE)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	stmt, _, err := conn.Prepare(query)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	if stmt.Step() {
		n = stmt.ColumnInt64(0)
	}
	return n, stmt.Err()
}

// postmaster is the process id of PostgreSQL's first process, 0 on SQLite.
func (p place) postmaster() (int, error) {
	if p.url == "" {
		return 0, nil
	}
	raw, err := os.ReadFile(filepath.Join(p.cluster.Dir, "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return 0, fmt.Errorf("read postmaster.pid: %w", err)
	}
	return pid, nil
}
