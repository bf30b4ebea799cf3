package rigs

// Looking at a server's database from outside, past all rules.

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/ncruces/go-sqlite3"

	"latchkey/rigs/stage"
)

// database is a connection of the rig's own to a node's database.
type database struct {
	t    testing.TB
	lite *sqlite3.Conn
	pg   *pgx.Conn
}

func openDatabase(t testing.TB, n *stage.Node) *database {
	t.Helper()
	db := &database{t: t}
	var err error
	if url := n.Settings["DATABASE_URL"]; url != "" {
		db.pg, err = pgx.Connect(context.Background(), url)
	} else {
		db.lite, err = sqlite3.OpenFlags(filepath.Join(n.Data, "latchkey.db"), sqlite3.OPEN_READWRITE)
	}
	if err != nil {
		t.Fatalf("open the database: %v", err)
	}
	t.Cleanup(db.close)
	return db
}

// close may be called twice.
func (db *database) close() {
	if db.lite != nil {
		_ = db.lite.Close()
	}
	if db.pg != nil {
		_ = db.pg.Close(context.Background())
	}
}

// exec runs a statement.
func (db *database) exec(sql string) {
	db.t.Helper()
	var err error
	if db.pg != nil {
		_, err = db.pg.Exec(context.Background(), sql)
	} else {
		err = db.lite.Exec(sql)
	}
	if err != nil {
		db.t.Fatalf("%s: %v", sql, err)
	}
}

// row reads the first row's first column; arguments are texts.
func row[T int64 | string | []byte](db *database, sql string, args ...string) (value T) {
	db.t.Helper()
	if db.pg != nil {
		given := make([]any, len(args))
		for i := range args {
			given[i] = args[i]
		}
		if err := db.pg.QueryRow(context.Background(), sql, given...).Scan(&value); err != nil {
			db.t.Fatalf("%s: %v", sql, err)
		}
		return value
	}
	stmt, _, err := db.lite.Prepare(sql)
	if err != nil {
		db.t.Fatalf("%s: %v", sql, err)
	}
	defer stmt.Close()
	for i, arg := range args {
		if err := stmt.BindText(i+1, arg); err != nil {
			db.t.Fatal(err)
		}
	}
	if !stmt.Step() {
		db.t.Fatalf("%s: no row (%v)", sql, stmt.Err())
	}
	switch v := any(&value).(type) {
	case *int64:
		*v = stmt.ColumnInt64(0)
	case *string:
		*v = stmt.ColumnText(0)
	case *[]byte:
		*v = bytes.Clone(stmt.ColumnRawBlob(0))
	}
	return value
}

func (db *database) number(sql string, args ...string) int64 { return row[int64](db, sql, args...) }

// dump is every row of every table on PostgreSQL, as text and as it is stored.
func (db *database) dump() map[string][]byte {
	db.t.Helper()
	ctx := context.Background()
	rows, err := db.pg.Query(ctx, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
	if err != nil {
		db.t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		db.t.Fatal(err)
	}
	if !slices.Contains(tables, "users") {
		db.t.Fatalf("found tables %v", tables)
	}
	found := map[string][]byte{}
	for _, table := range tables {
		for _, format := range []string{"text", "binary"} {
			var out bytes.Buffer
			_, err := db.pg.PgConn().CopyTo(ctx, &out, "COPY "+pgx.Identifier{table}.Sanitize()+" TO STDOUT WITH (FORMAT "+format+")")
			if err != nil {
				db.t.Fatalf("dump %s: %v", table, err)
			}
			found["table "+table+" as "+format] = out.Bytes()
		}
	}
	return found
}

// pages are the files that hold a PostgreSQL database, and the server's journal, as they lie on the disk.
func (db *database) pages(dataDir string) map[string][]byte {
	db.t.Helper()
	if _, err := db.pg.Exec(context.Background(), "CHECKPOINT"); err != nil {
		db.t.Fatal(err)
	}
	oid := db.number("SELECT oid::bigint FROM pg_database WHERE datname = current_database()")
	found := map[string][]byte{}
	for _, dir := range []string{filepath.Join("base", strconv.FormatInt(oid, 10)), "pg_wal"} {
		entries, err := os.ReadDir(filepath.Join(dataDir, dir))
		if err != nil {
			db.t.Fatal(err)
		}
		for _, e := range entries {
			if !e.Type().IsRegular() {
				continue
			}
			name := filepath.Join(dir, e.Name())
			raw, err := os.ReadFile(filepath.Join(dataDir, name))
			if err != nil {
				db.t.Fatal(err)
			}
			found[name] = raw
		}
	}
	return found
}
