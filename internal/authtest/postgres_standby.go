package authtest

// A second PostgreSQL server that follows the first, and takes its place.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

// StartStandby makes and starts a server that follows primary.
func StartStandby(primary *Cluster) (*Cluster, error) {
	dir, err := os.MkdirTemp("/tmp", "latchkey-pg-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: dir, bin: primary.bin}
	if err := errors.Join(c.own(), c.Follow(primary)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Follow makes a server that does not run a copy of primary, starts it, and returns when it streams.
func (c *Cluster) Follow(primary *Cluster) error {
	if err := os.RemoveAll(c.data()); err != nil {
		return err
	}
	copying := c.command("pg_basebackup", "-D", c.data(), "-h", primary.Dir, "-U", "latchkey", "--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-sync")
	if out, err := copying.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w: %s", err, out)
	}
	if err := c.Start(); err != nil {
		return err
	}
	return primary.await("SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'")
}

// Synchronous makes every commit of the primary wait until its standby has it on the disk.
func (c *Cluster) Synchronous() error {
	if err := c.exec("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	return c.await("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'")
}

// AwaitHeldUp waits until a commit of the primary waits for its standby.
func (c *Cluster) AwaitHeldUp() error {
	return c.await("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
}

// Unfollow cuts a standby off: what its primary writes from now on does not reach it.
func (c *Cluster) Unfollow() error {
	if err := c.exec("ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	return c.await("SELECT count(*) = 0 FROM pg_stat_wal_receiver")
}

// Promote makes a standby the primary.
func (c *Cluster) Promote() error {
	return c.await("SELECT pg_promote()")
}

// EitherURL names a database by both servers' addresses.
func EitherURL(database string, a, b *Cluster) string {
	return "postgres:///" + database + "?user=latchkey&host=" + a.Dir + "," + b.Dir
}

func (c *Cluster) exec(statements ...string) error {
	return c.connected(func(ctx context.Context, conn *pgx.Conn) error {
		for _, sql := range statements {
			if _, err := conn.Exec(ctx, sql); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
		return nil
	})
}

// await asks until the answer is yes.
func (c *Cluster) await(question string) error {
	return c.connected(func(ctx context.Context, conn *pgx.Conn) error {
		for {
			var yes bool
			if err := conn.QueryRow(ctx, question).Scan(&yes); err != nil || yes {
				return err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s: still not", question)
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
}

func (c *Cluster) connected(do func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, conn), conn.Close(ctx))
}
