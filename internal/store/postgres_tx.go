package store

// Transactions of few round trips: BEGIN goes along with the first statement, and what needs no answer of
// its own with the next one, or with COMMIT. A sign-out takes three that way instead of five.

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// txIdle is what the server says after a round trip that left no transaction open (PostgreSQL manual,
// ReadyForQuery).
const txIdle = 'I'

// pgTx is a carrier, whose statements are one transaction.
type pgTx struct {
	conn   *pgxpool.Conn
	ahead  []*statement // go before the next
	failed error        // of a round trip: nothing may follow but ROLLBACK
}

func newPgTx(conn *pgxpool.Conn) *pgTx {
	return &pgTx{conn: conn, ahead: []*statement{{sql: "BEGIN"}}}
}

func (tx *pgTx) carry(ctx context.Context, s *statement) error {
	tx.ahead = append(tx.ahead, s)
	if s.later {
		return nil
	}
	return tx.flush(ctx)
}

func (tx *pgTx) script(ctx context.Context, sql string) error {
	if err := tx.flush(ctx); err != nil {
		return err
	}
	tx.failed = direct{tx.conn}.script(ctx, sql)
	return tx.failed
}

// flush sends what waits. After a failure that its caller passed over it sends nothing more: a COMMIT would
// succeed and commit nothing, and where the first round trip failed, even BEGIN may not have run.
func (tx *pgTx) flush(ctx context.Context) error {
	if tx.failed != nil {
		return fmt.Errorf("%w: after a statement that failed: %w", ErrUnavailable, tx.failed)
	}
	statements := tx.ahead
	tx.ahead = nil
	read, outcome := roundTrip(ctx, tx.conn, statements)
	if read == nil {
		read = outcome
	}
	tx.failed = postgresError(read)
	return tx.failed
}

// commit makes the transaction durable. An error of the server's undoes it; trouble with the connection
// leaves unknown whether it is.
func (tx *pgTx) commit(ctx context.Context) error {
	return tx.carry(ctx, &statement{sql: "COMMIT"})
}

// rollback undoes what was not committed. Where it fails, the connection is given up, and the server does.
func (tx *pgTx) rollback(ctx context.Context) {
	if tx.conn.Conn().PgConn().TxStatus() != txIdle {
		_ = direct{tx.conn}.script(ctx, "ROLLBACK")
	}
}
