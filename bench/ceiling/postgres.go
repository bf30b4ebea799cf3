package ceiling

// The same on PostgreSQL: whoever waits shares one statement, sorted by id so that two of them never
// wait for each other. Two connections, so that one group runs while the other's commit is on its way.

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"
)

const writers = 2

type postgresRows struct {
	changes
	pool    *pgxpool.Pool
	running sync.WaitGroup
}

func openPostgres(ctx context.Context, url string, rows int) (*postgresRows, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	var durable string
	err = pool.QueryRow(ctx, "SELECT current_setting('fsync') || current_setting('synchronous_commit')").Scan(&durable)
	if err == nil && durable != "onon" {
		err = fmt.Errorf("fsync and synchronous_commit of the ceiling are %q, not both on", durable)
	}
	if err != nil {
		pool.Close()
		return nil, err
	}
	for _, script := range []string{
		`CREATE TABLE sessions (id TEXT NOT NULL PRIMARY KEY, generation BIGINT NOT NULL, rotated_at BIGINT NOT NULL, rest TEXT NOT NULL)
		WITH (fillfactor = 85)`,
		fmt.Sprintf(`
		INSERT INTO sessions
		SELECT '0199aaaa-' || lpad(to_hex((n >> 16) & 65535), 4, '0') || '-7000-8000-' || lpad(to_hex(n), 12, '0'), 1, 0, repeat('0', %d)
		FROM generate_series(0, %d) AS n`, sessionBytes, rows-1),
		`VACUUM (ANALYZE) sessions`,
	} {
		if _, err := pool.Exec(ctx, script); err != nil {
			pool.Close()
			return nil, fmt.Errorf("fill the ceiling's table: %w", err)
		}
	}
	r := &postgresRows{pool: pool, changes: make(changes, 4096)}
	for range writers {
		r.running.Go(func() { r.serve(r.commit) })
	}
	return r, nil
}

func (r *postgresRows) close() error {
	close(r.changes)
	r.running.Wait()
	r.pool.Close()
	return nil
}

// commit changes each row of the group once, however often it was asked for: a ceiling may be generous.
func (r *postgresRows) commit(group []*change) error {
	slices.SortFunc(group, func(a, b *change) int { return strings.Compare(a.id, b.id) })
	byID := make(map[string][]*change, len(group))
	ids := make([]string, 0, len(group))
	for _, c := range group {
		if byID[c.id] == nil {
			ids = append(ids, c.id)
		}
		byID[c.id] = append(byID[c.id], c)
	}
	rows, err := r.pool.Query(context.Background(), `
		UPDATE sessions
		SET generation = generation + 1, rotated_at = $2
		FROM unnest($1::text[]) AS asked(id)
		WHERE sessions.id = asked.id
		RETURNING sessions.id, generation`, ids, group[0].now)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var generation int64
		if err := rows.Scan(&id, &generation); err != nil {
			return err
		}
		for _, c := range byID[id] {
			c.generation = generation
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, c := range group {
		if c.generation == 0 {
			c.err = errNoRow
		}
	}
	return nil
}
