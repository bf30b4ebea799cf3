package store

// What a connection to PostgreSQL must keep: settings, the isolation that every rule is made for, durability. They
// are set when it is made and read back, since a pooler between may lose them without a word.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	errPooledTransactions = errors.New("a pooler between Latchkey and PostgreSQL hands its connections on after each transaction: connect directly, or give Latchkey a pool in session mode (pgbouncer: pool_mode=session)")
	errSettingsLost       = errors.New("a pooler between Latchkey and PostgreSQL does not keep the settings of a connection")
	errPoolTooSmall       = errors.New("the pooler between Latchkey and PostgreSQL gave no second connection: let its pool hold as many as pool_max_conns and four more (pgbouncer: default_pool_size)")
)

// newPool makes a pool whose connections have the settings of config.
func newPool(ctx context.Context, config *pgxpool.Config) (*pgxpool.Pool, error) {
	config = config.Copy()
	config.AfterConnect = applySettings(takeSettings(config.ConnConfig.RuntimeParams))
	return pgxpool.NewWithConfig(ctx, config)
}

// takeSettings takes out of params what is set after the start: of parameters in the start packet a pooler refuses
// all but the few that it knows itself.
func takeSettings(params map[string]string) map[string]string {
	atStart := []string{"application_name", "timezone", "client_encoding", "datestyle", "standard_conforming_strings", "options"}
	later := maps.Clone(params)
	for name := range params {
		if slices.Contains(atStart, strings.ToLower(name)) {
			delete(later, name)
		} else {
			delete(params, name)
		}
	}
	return later
}

// applySettings sets settings on a new connection, and sees in a transaction of its own that they are there: it asks the
// same server process, and gets the same values.
func applySettings(settings map[string]string) func(context.Context, *pgx.Conn) error {
	names := slices.Sorted(maps.Keys(settings))
	values := make([]string, len(names))
	for i, name := range names {
		values[i] = settings[name]
	}
	return func(ctx context.Context, conn *pgx.Conn) error {
		var set, kept []string
		var first, second uint32
		err := conn.QueryRow(ctx, `
			SELECT pg_backend_pid(), array_agg(set_config(name, value, false))
			FROM unnest($1::text[], $2::text[]) AS settings (name, value)`, pgx.QueryExecModeExec, names, values).Scan(&first, &set)
		if err != nil {
			return pooled(err)
		}
		err = conn.QueryRow(ctx, `
			SELECT pg_backend_pid(), array_agg(current_setting(name))
			FROM unnest($1::text[]) AS settings (name)`, pgx.QueryExecModeExec, names).Scan(&second, &kept)
		if err != nil {
			return pooled(err)
		}
		if first != second {
			return errPooledTransactions
		}
		if !slices.Equal(set, kept) {
			return errSettingsLost
		}
		return assertDurable(ctx, conn)
	}
}

// pooled gives an error that only a pooler causes its meaning.
func pooled(err error) error {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if ok && (pg.Code == "42P05" || pg.Code == "26000") { // a prepared statement that is another client's, or is gone
		return fmt.Errorf("%w: %w", errPooledTransactions, err)
	}
	return err
}

// assertDurable sees to it that COMMIT waits for the disk on this connection: acknowledged means
// durable. A stricter setting of the server's (remote_apply) stays.
func assertDurable(ctx context.Context, conn *pgx.Conn) error {
	var commit, fsync string
	err := conn.QueryRow(ctx, "SELECT current_setting('synchronous_commit'), current_setting('fsync')", pgx.QueryExecModeExec).Scan(&commit, &fsync)
	if err != nil {
		return err
	}
	if fsync != "on" {
		return errors.New("the PostgreSQL server runs with fsync=off and would lose what it acknowledged: set fsync=on")
	}
	if commit == "on" || commit == "remote_apply" {
		return nil
	}
	_, err = conn.Exec(ctx, "SET synchronous_commit = on")
	return err
}

// poolerTries is how often two connections are asked in turn: another client of a pooler may come between.
const poolerTries = 8

// refusePooling sees whether two connections held at once are one in truth. Behind a pooler the process that the
// start named is not the one that answers; without one there is nothing to see.
func refusePooling(ctx context.Context, pool *pgxpool.Pool) error {
	first, err := pool.Acquire(ctx)
	if err != nil {
		return postgresError(err)
	}
	defer first.Release()
	pid, err := backend(ctx, first.Conn())
	if err != nil || pid == first.Conn().PgConn().PID() {
		return postgresError(err)
	}
	asking, cancel := context.WithTimeout(ctx, opTimeout/2)
	defer cancel()
	second, err := pgx.ConnectConfig(asking, pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("%w: %w", errPoolTooSmall, err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = second.Close(closing) // it was only asked
	}()
	for range poolerTries {
		a, errA := backend(asking, first.Conn())
		b, errB := backend(asking, second)
		switch {
		case errB != nil && asking.Err() != nil:
			return fmt.Errorf("%w: %w", errPoolTooSmall, errB)
		case errA != nil || errB != nil:
			return postgresError(errors.Join(errA, errB))
		case a == b || a != pid:
			return errPooledTransactions
		}
	}
	return nil
}

// backend is the server process that answers now.
func backend(ctx context.Context, conn *pgx.Conn) (pid uint32, err error) {
	err = conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pid)
	return pid, err
}

// createdTables finds the names of this schema's tables in its own text.
var createdTables = regexp.MustCompile(`(?m)^CREATE TABLE (?:IF NOT EXISTS )?([a-z_]+)`)

// checkRights names the first of our tables that this user may not read and change: it would be found out at the
// first sign-in otherwise.
func checkRights(ctx context.Context, pool *pgxpool.Pool) error {
	all, err := readMigrations()
	if err != nil {
		return err
	}
	tables := []string{"schema_migrations"}
	for _, m := range all {
		for _, found := range createdTables.FindAllStringSubmatch(m.sql, -1) {
			tables = append(tables, found[1])
		}
	}
	var table, owner, user string
	err = pool.QueryRow(ctx, `
		SELECT c.relname, pg_get_userbyid(c.relowner), current_user
		FROM pg_class c
		WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema()))
		  AND c.relkind IN ('r', 'p')
		  AND c.relname = ANY ($1)
		  AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
		    AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
		ORDER BY c.relname
		LIMIT 1`, pgx.QueryExecModeExec, tables).Scan(&table, &owner, &user)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return postgresError(err)
	}
	return fmt.Errorf("the database user %s may not read and change table %s, which is %s's: connect as %s, or say as %s `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA … TO %s`",
		user, table, owner, owner, owner, user)
}

// lackingRights says in words what insufficient_privilege and a search_path without a schema mean.
func lackingRights(pg *pgconn.PgError, err error) error {
	return fmt.Errorf("the user of LATCHKEY_DATABASE_URL is missing a privilege in the database (%s): as its owner run `GRANT USAGE, CREATE ON SCHEMA public TO …`, or name a schema of the user's own with ?search_path=…; tables must be owned by the user who migrates them: %w", pg.Message, err)
}
