package main

// Forgetting old sessions while everybody refreshes: the server sweeps from its start on, so it is given
// many sessions that ended long ago, and started.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/bench/load"
	"latchkey/bench/machine"
	"latchkey/bench/report"
	"latchkey/internal/store"
)

const (
	sweptMost = 10_000 // sessions a second that a server may forget: 500 at once, 50 ms apart
	idleCPU   = 0.008  // cores; a server with nothing to do takes a third of it, one that walks over its sessions twice as much
)

func (b *bench) sweep(ctx context.Context, engine string) (err error) {
	s, _, err := b.newSite(ctx, engine, b.plan.sweepUsers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	if _, err := s.warmChains(ctx); err != nil {
		return err
	}
	for range b.plan.sweeps {
		if err := s.sweepOnce(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// sweepOnce measures the same refreshes while the server forgets, and when it has forgotten.
func (s *site) sweepOnce(ctx context.Context) error {
	const callers = 64
	if err := s.server.stop(); err != nil {
		return err
	}
	old := int(sweptMost * (s.plan.warm + s.plan.window + 2*time.Second).Seconds())
	if err := s.addEnded(ctx, old); err != nil {
		return err
	}
	acts, err := s.refreshActs(ctx, callers)
	if err != nil {
		return err
	}
	if err := s.serve(ctx, "LATCHKEY_THROTTLE="+s.throttle); err != nil {
		return err
	}
	k := report.Key{Scenario: "sweep", Engine: s.engine, Case: report.WhileSweeping}
	s.refreshBeside(ctx, k, acts)
	left, err := s.ended(ctx)
	if err != nil {
		return err
	}
	forgotten := int64(old) - left
	if forgotten == 0 || left == 0 {
		return fmt.Errorf("of %d old sessions %d are left after the window: it did not see a sweep all the time", old, left)
	}
	s.results.Measure(report.Key{Scenario: "sweep", Engine: s.engine, Op: "old sessions forgotten meanwhile"}, "", float64(forgotten))
	if err := s.awaitSwept(ctx); err != nil {
		return err
	}
	k.Case = "with nothing to forget"
	s.refreshBeside(ctx, k, acts)
	return nil
}

// refreshBeside does not wait for a quiet machine: the sweep does not wait either.
func (s *site) refreshBeside(ctx context.Context, k report.Key, acts []load.Act) {
	w, usage := s.metered(s.target, s.window(s.target))
	done := load.Closed(ctx, w, acts)
	s.note(k, done, *usage)
}

func (s *site) ended(ctx context.Context) (int64, error) {
	return s.place.number(ctx, "SELECT COUNT(*) FROM sessions WHERE ended_at IS NOT NULL")
}

// addEnded adds sessions that ended forty days ago. They are the first that a sweep walks over.
func (s *site) addEnded(ctx context.Context, n int) error {
	old := s.data
	old.began = old.began.AddDate(0, 0, -40)
	_, err := fill(ctx, s.place, n, func(tx *store.Tx, i int) error {
		row := old.session
		row.ID, row.UserID = old.id("ended session", i, n), s.data.userID(i%s.data.users)
		row.CreatedAt = old.made(i, n)
		row.EndedAt, row.EndReason = row.CreatedAt, "signed_out"
		tx.InsertSession(row)
		return nil
	})
	return err
}

// awaitSwept waits until nothing old is left and the server has come to the end of its walk over the
// others, which shows in its CPU time.
func (s *site) awaitSwept(ctx context.Context) error {
	const look = time.Second
	for ctx.Err() == nil {
		before := machine.CPU(s.pid())
		time.Sleep(look)
		if (machine.CPU(s.pid()) - before).Seconds() > idleCPU*look.Seconds() {
			continue
		}
		if left, err := s.ended(ctx); err != nil || left == 0 {
			return err
		}
	}
	return ctx.Err()
}
