package store

// Transactions of few round trips: BEGIN goes along with the first statement, and what needs no answer of
// its own with the next one, or with COMMIT. A sign-out takes three that way instead of five.

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Transaction states as the server tells them after each round trip (PostgreSQL manual, ReadyForQuery).
const (
	txIdle   = 'I'
	txFailed = 'E'
)

// errFailed: a statement failed, and its caller went on as if it had not.
var errFailed = errors.New("a statement of the transaction failed")

// pgTx is a carrier, whose statements are one transaction.
type pgTx struct {
	conn  *pgxpool.Conn
	ahead []*statement // go before the next
}

func begin(conn *pgxpool.Conn) *pgTx {
	return &pgTx{conn: conn, ahead: []*statement{{sql: "BEGIN"}}}
}

func (tx *pgTx) along(_ context.Context, s *statement) error {
	tx.ahead = append(tx.ahead, s)
	return nil
}

func (tx *pgTx) carry(ctx context.Context, s *statement) error {
	tx.ahead = append(tx.ahead, s)
	return tx.flush(ctx)
}

func (tx *pgTx) script(ctx context.Context, sql string) error {
	if err := tx.flush(ctx); err != nil {
		return err
	}
	return direct{tx.conn}.script(ctx, sql)
}

// flush sends what waits.
func (tx *pgTx) flush(ctx context.Context) error {
	statements := tx.ahead
	tx.ahead = nil
	read, outcome := roundTrip(ctx, tx.conn, statements)
	if read == nil {
		read = outcome
	}
	return postgresError(read)
}

// commit makes the transaction durable. An error other than a conflict leaves unknown whether it is.
func (tx *pgTx) commit(ctx context.Context) error {
	if tx.conn.Conn().PgConn().TxStatus() == txFailed { // COMMIT would succeed, and commit nothing
		return postgresError(errFailed)
	}
	return tx.carry(ctx, &statement{sql: "COMMIT"})
}

// rollback undoes what was not committed. Where it fails, the connection is given up, and the server does.
func (tx *pgTx) rollback(ctx context.Context) {
	if status := tx.conn.Conn().PgConn().TxStatus(); status != txIdle {
		_ = direct{tx.conn}.script(ctx, "ROLLBACK")
	}
}
