package store

// PostgreSQL through pgx's own API: the pool, the retry of transactions that the server could not order,
// and what its errors mean.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// maxRetries bounds how often a transaction is run again after a deadlock or serialization failure.
const maxRetries = 5

// defaultMaxConns is the pool's size where the URL has no pool_max_conns.
const defaultMaxConns = 16

// migrationLock is the advisory lock that migrating processes take ("latchkey" in hex digits).
const migrationLock = 0x6c617463686b6579

type postgres struct {
	pool    *pgxpool.Pool
	changes *joiner
	lookups *joiner
}

func openPostgres(ctx context.Context, url string) (*postgres, error) {
	config, err := parsePostgres(url)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(url, "pool_max_conns=") {
		config.MaxConns = defaultMaxConns
	}
	config.ConnConfig.ConnectTimeout = opTimeout / time.Duration(hosts(config.ConnConfig))
	if config.ConnConfig.ValidateConnect == nil {
		// A standby may lag, and would let a session in that has ended.
		config.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	params := config.ConnConfig.RuntimeParams
	params["application_name"] = "latchkey"
	params["timezone"] = "UTC"
	params["default_transaction_isolation"] = "read committed" // what every rule is made for, whatever the server's default
	params["lock_timeout"] = "4s"
	params["statement_timeout"] = "30s"
	params["idle_in_transaction_session_timeout"] = "10s"
	e := &postgres{}
	if e.pool, err = newPool(ctx, config); err != nil {
		return nil, err
	}
	if e.changes, err = openJoiner(ctx, config); err != nil {
		return nil, errors.Join(err, e.close())
	}
	if e.lookups, err = openJoiner(ctx, config); err != nil {
		return nil, errors.Join(err, e.close())
	}
	pingCtx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	if err := e.pool.Ping(pingCtx); err != nil {
		return nil, errors.Join(postgresError(err), e.close())
	}
	if err := errors.Join(refusePooling(pingCtx, e.pool), checkRights(pingCtx, e.pool)); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// hosts counts the servers that a URL names. Each gets its part of opTimeout: one that is
// silent must not use up the time to try the next.
func hosts(c *pgx.ConnConfig) int {
	named := map[string]bool{net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))): true}
	for _, f := range c.Fallbacks { // the same host without TLS, too
		named[net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port)))] = true
	}
	return len(named)
}

func (e *postgres) close() error {
	e.pool.Close()
	for _, j := range []*joiner{e.changes, e.lookups} {
		if j != nil {
			j.pool.Close()
		}
	}
	return nil
}

func (e *postgres) read(ctx context.Context, fn func(querier) error) error {
	return e.single(ctx, fn)
}

func (e *postgres) single(ctx context.Context, fn func(querier) error) error {
	conn, err := acquire(ctx, e.pool)
	if err != nil {
		return err
	}
	defer conn.Release()
	return fn(pgQuerier{direct{conn}})
}

// acquire takes a connection out of a pool; its Release gives it back, or ends it where a transaction is
// still open on it.
func acquire(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, postgresError(fmt.Errorf("connect: %w", err))
	}
	return conn, nil
}

func (e *postgres) write(ctx context.Context, fn func(querier) error) error {
	var err error
	for try := range maxRetries {
		if err = e.attempt(ctx, fn); !mayRetry(err) {
			break
		}
		select {
		case <-time.After(rand.N(time.Duration(try+1) * 10 * time.Millisecond)):
		case <-ctx.Done():
		}
	}
	return err
}

func (e *postgres) attempt(ctx context.Context, fn func(querier) error) error {
	conn, err := acquire(ctx, e.pool)
	if err != nil {
		return err
	}
	defer conn.Release()
	tx := newPgTx(conn)
	defer tx.rollback(ctx) // after a commit, nothing
	if err := guarded(fn, pgQuerier{tx}); err != nil {
		return err
	}
	return tx.commit(ctx)
}

func (e *postgres) migrate(ctx context.Context, fn func(querier) error) error {
	return e.write(ctx, func(q querier) error {
		err := q.script(ctx, "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
		if err != nil {
			return err
		}
		if _, err := q.exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		return fn(q)
	})
}

func (e *postgres) clock(ctx context.Context) (now time.Time, ok bool, err error) {
	err = e.pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now)
	return now, true, postgresError(err)
}

func (e *postgres) load() (inUse, most int) {
	for _, pool := range []*pgxpool.Pool{e.pool, e.changes.pool, e.lookups.pool} {
		stat := pool.Stat()
		inUse, most = inUse+int(stat.AcquiredConns()), most+int(stat.MaxConns())
	}
	return inUse, most
}

// checkpoint is the server's own business.
func (e *postgres) checkpoint() error { return nil }

func (e *postgres) backup(context.Context, string) error {
	return errors.New("this copies the SQLite database; back PostgreSQL up with pg_dump or pg_basebackup")
}

// SQLSTATE classes and codes, PostgreSQL manual appendix A.
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	lacksPrivilege       = "42501"
	noSchema             = "3F000"
)

func mayRetry(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == serializationFailure || pg.Code == deadlockDetected)
}

// postgresError gives a driver's error its meaning. What is neither a conflict nor a defect of ours
// (data, constraint, syntax) is the database's trouble: gone, starting, full, too slow.
func postgresError(err error) error {
	if err == nil {
		return nil
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case ok && pg.Code == uniqueViolation:
		return fmt.Errorf("%w: %w", ErrConflict, err)
	case ok && (pg.Code == lacksPrivilege || pg.Code == noSchema):
		return lackingRights(pg, err)
	case ok && slices.Contains([]string{"22", "23", "42"}, pg.Code[:2]):
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
