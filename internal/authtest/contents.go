package authtest

// What a database holds, asked beside the store by statements of the tests' own.

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/ncruces/go-sqlite3"
)

// Tally counts what the database holds, by kind and state, in words that no id and no clock changes: a test tells by it
// whether an operation took effect whole, in part or not at all.
func (db Database) Tally(t testing.TB) map[string]int64 {
	t.Helper()
	c := db.connect(t)
	defer c.close(t)
	return c.tally(t)
}

// Counters names every counter there is, of attempts and of rates: a test sees by them that none can be tried out.
func (db Database) Counters(t testing.TB) (names [][]byte) {
	t.Helper()
	c := db.connect(t)
	defer c.close(t)
	var name []byte
	c.each(t, func() { names = append(names, name) }, `SELECT key FROM attempts UNION ALL SELECT key FROM rates`, &name)
	return names
}

// Tally is [Database.Tally] of the rig's database, on one connection for all its times.
func (r *Rig) Tally(t testing.TB) map[string]int64 {
	t.Helper()
	if r.contents == nil {
		r.contents = r.db.connect(r.t)
		r.t.Cleanup(func() { r.contents.close(r.t) })
	}
	return r.contents.tally(t)
}

// connection is of one engine or the other.
type connection struct {
	pg   *pgx.Conn
	lite *sqlite3.Conn
}

func (db Database) connect(t testing.TB) *connection {
	t.Helper()
	var c connection
	var err error
	if db.Engine == "postgres" {
		c.pg, err = pgx.Connect(context.Background(), db.Options.URL)
	} else {
		c.lite, err = sqlite3.OpenFlags(db.Options.Path, sqlite3.OPEN_READWRITE)
	}
	if err != nil {
		t.Fatalf("look into the database: %v", err)
	}
	return &c
}

func (c *connection) close(t testing.TB) {
	t.Helper()
	var err error
	if c.pg != nil {
		err = c.pg.Close(context.Background())
	} else {
		err = c.lite.Close()
	}
	if err != nil {
		t.Error(err)
	}
}

// each runs a query and calls do for each row, whose columns it has copied to *string, *int64 or *[]byte.
func (c *connection) each(t testing.TB, do func(), sql string, columns ...any) {
	t.Helper()
	eachRow := c.eachOfSQLite
	if c.pg != nil {
		eachRow = c.eachOfPostgres
	}
	if err := eachRow(do, sql, columns); err != nil {
		t.Fatalf("look into the database: %v", err)
	}
}

func (c *connection) eachOfPostgres(do func(), sql string, columns []any) error {
	rows, err := c.pg.Query(context.Background(), sql)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, columns, func() error { do(); return nil })
	return err
}

func (c *connection) eachOfSQLite(do func(), sql string, columns []any) error {
	query, _, err := c.lite.Prepare(sql)
	if err != nil {
		return err
	}
	defer func() { _ = query.Close() }()
	for query.Step() {
		for i, column := range columns {
			switch into := column.(type) {
			case *string:
				*into = query.ColumnText(i)
			case *int64:
				*into = query.ColumnInt64(i)
			case *[]byte:
				*into = query.ColumnBlob(i, nil)
			}
		}
		do()
	}
	return query.Err()
}

func (c *connection) tally(t testing.TB) map[string]int64 {
	t.Helper()
	counts := map[string]int64{}
	var what string
	var n int64
	c.each(t, func() { counts[what] = n }, `
		SELECT 'users', count(*) FROM users
		UNION ALL SELECT 'users: verified', count(*) FROM users WHERE verified_at IS NOT NULL
		UNION ALL SELECT 'users: disabled', count(*) FROM users WHERE disabled_at IS NOT NULL
		UNION ALL SELECT 'users: epochs', CAST(COALESCE(sum(epoch), 0) AS BIGINT) FROM users
		UNION ALL SELECT 'sessions: ' || COALESCE(NULLIF(end_reason, ''), 'live'), count(*) FROM sessions GROUP BY end_reason
		UNION ALL SELECT 'sessions: generations', CAST(COALESCE(sum(generation), 0) AS BIGINT) FROM sessions
		UNION ALL SELECT 'sessions: late', CAST(COALESCE(sum(late_run), 0) AS BIGINT) FROM sessions
		UNION ALL SELECT 'sessions: from a page', count(*) FROM sessions WHERE parent <> '' AND kind = 'oauth'
		UNION ALL SELECT 'codes: ' || CASE WHEN spent_at IS NULL THEN 'live' ELSE 'spent' END, count(*) FROM codes GROUP BY spent_at IS NULL
		UNION ALL SELECT 'consents', count(*) FROM consents
		UNION ALL SELECT 'apps ended', count(*) FROM app_ends
		UNION ALL SELECT 'flows', count(*) FROM flows
		UNION ALL SELECT 'links: ' || purpose, count(*) FROM one_time_links GROUP BY purpose
		UNION ALL SELECT 'links: used', count(*) FROM one_time_links WHERE used_at IS NOT NULL
		UNION ALL SELECT 'links: verified', count(*) FROM one_time_links WHERE verified_at IS NOT NULL
		UNION ALL SELECT 'ended sessions: ' || end_reason, count(*) FROM ended_sessions GROUP BY end_reason
		UNION ALL SELECT 'devices', count(*) FROM devices
		UNION ALL SELECT 'mail: ' || kind || ' ' || outcome, count(*) FROM outbox GROUP BY kind, outcome
		UNION ALL SELECT 'logouts: ' || client || ' ' || outcome, count(*) FROM logouts GROUP BY client, outcome
		UNION ALL SELECT 'mail budgets', count(*) FROM mail_budgets
		UNION ALL SELECT 'wrong passwords', CAST(COALESCE(sum(failures), 0) AS BIGINT) FROM attempts
		UNION ALL SELECT 'wrong passwords, by networks', CAST(COALESCE(sum(failures), 0) AS BIGINT) FROM attempt_networks
		UNION ALL SELECT 'rates', count(*) FROM rates
		UNION ALL SELECT 'signing keys', count(*) FROM signing_keys
		UNION ALL SELECT 'master keys', count(*) FROM master_keys WHERE id <> ''
		UNION ALL SELECT 'audit: ' || kind || ' ' || outcome, count(*) FROM audit_events GROUP BY kind, outcome`, &what, &n)
	return counts
}
