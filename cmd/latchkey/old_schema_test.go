package main

// A database as an earlier release left it, to see what this one does about that.

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	"github.com/ncruces/go-sqlite3"
	"github.com/rogpeppe/go-internal/testscript"
)

// oldSchema applies the first migration and no other: on PostgreSQL where LATCHKEY_DATABASE_URL
// names it, else in data/latchkey.db.
func oldSchema(ts *testscript.TestScript, _ bool, _ []string) {
	files, err := filepath.Glob("../../internal/store/migrations/0001_*.sql")
	ts.Check(err)
	if len(files) != 1 {
		ts.Fatalf("first migrations: %v", files)
	}
	first, err := os.ReadFile(files[0])
	ts.Check(err)
	script := fmt.Sprintf(`CREATE TABLE schema_migrations (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL);
INSERT INTO schema_migrations VALUES (1, '%s', '%x', 0);
%s`, filepath.Base(files[0]), sha256.Sum256(first), first)
	if url := ts.Getenv("LATCHKEY_DATABASE_URL"); url != "" {
		ts.Check(execPostgres(url, script))
		return
	}
	ts.Check(os.MkdirAll(ts.MkAbs("data"), 0o700))
	ts.Check(execSQLite(ts.MkAbs("data/latchkey.db"), script))
}

func execPostgres(url, script string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.PgConn().Exec(ctx, script).ReadAll()
	return err
}

func execSQLite(file, script string) error {
	conn, err := sqlite3.Open(file)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Exec(script)
}
