package main

// What refreshing warm sessions leaves on the disk: in the database at rest, and in the logs beside it.

import (
	"context"
	"errors"

	"latchkey/bench/report"
)

// growth is measured again and again: what the first repeat leaves, the next one finds.
func (s *site) growth(ctx context.Context) error {
	chains, err := s.warmChains(ctx)
	if err != nil {
		return err
	}
	chains = chains[:min(growthOver, len(chains))]
	for range 2 { // warm, by the count of what is counted below
		if err := s.turnAll(ctx, chains); err != nil {
			return err
		}
	}
	before, err := s.atRest(ctx)
	if err != nil {
		return err
	}
	for range growthTurns / len(chains) {
		if err := s.turnAll(ctx, chains); err != nil {
			return err
		}
	}
	log := mb(s.place.log())
	after, err := s.atRest(ctx)
	if err != nil {
		return err
	}
	s.measureGrowth("kB", report.GrowthAtRest, float64(after.size-before.size)/1000)
	if s.engine == report.SQLite {
		s.measureGrowth("MB", "log beside it after them, while running", log)
	} else {
		s.measureGrowth("kB", "of it, sessions with their indexes", float64(after.table-before.table)/1000)
	}
	if updates := after.updates - before.updates; updates > 0 {
		s.measureGrowth("%", "updates that touched no index", 100*float64(after.hot-before.hot)/float64(updates))
		s.measureGrowth("B", "written to the log, a refresh", float64(after.written-before.written)/float64(updates))
	}
	s.say("growth %s: %d bytes at rest", s.engine, after.size-before.size)
	return nil
}

func (s *site) measureGrowth(unit, op string, value float64) {
	s.results.Measure(report.Key{Scenario: "growth", Engine: s.engine, Op: op}, unit, value)
}

// rest is a database while no server runs on it. All but size is PostgreSQL's.
type rest struct {
	size    int64
	table   int64 // sessions, with indexes
	written int64 // to the log, ever
	updates int64 // of sessions, ever
	hot     int64 // of these, those that touched no index
}

// atRest stops the server for a moment: SQLite has copied its log into the database then, as
// wal_checkpoint(TRUNCATE) does.
func (s *site) atRest(ctx context.Context) (r rest, err error) {
	if err := s.server.stop(); err != nil {
		return r, err
	}
	r.size, err = s.place.size(ctx)
	if err == nil && s.engine == report.PostgreSQL {
		err = s.restOfPostgres(ctx, &r)
	}
	return r, errors.Join(err, s.serve(ctx, "LATCHKEY_THROTTLE="+s.throttle))
}

func (s *site) restOfPostgres(ctx context.Context, r *rest) (err error) {
	for _, q := range []struct {
		into  *int64
		query string
	}{
		{&r.table, "SELECT pg_total_relation_size('sessions')"},
		{&r.written, "SELECT (pg_current_wal_lsn() - '0/0')::BIGINT"},
		{&r.updates, "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'sessions'"},
		{&r.hot, "SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'sessions'"},
	} {
		n, queryErr := s.place.number(ctx, q.query)
		*q.into, err = n, errors.Join(err, queryErr)
	}
	return err
}
