package main

// From exec to the first 200, and what an idle server takes.

import (
	"context"
	"time"

	"latchkey/bench/machine"
	"latchkey/bench/report"
)

// idleFor is how long a server is left alone before its memory counts as idle.
const idleFor = 2 * time.Second

// starts starts the server again and again: on the database as it is, and on empty ones.
func (s *site) starts(ctx context.Context) error {
	k := report.Key{Scenario: "start", Engine: s.engine, Op: report.StartWithData}
	s.noteMemory(ctx, "after the load of the rounds")
	if s.engine == report.SQLite {
		s.results.Measure(report.Key{Scenario: "memory", Engine: s.engine, Op: report.LogAfterLoad}, "MB", mb(s.place.log()))
	}
	for range s.plan.starts {
		if err := s.restart(ctx); err != nil {
			return err
		}
		s.results.Measure(k, "ms", milliseconds(s.started))
		s.results.Measure(report.Key{Scenario: "start", Engine: s.engine, Op: "CPU time of it, on a database with data"}, "ms", milliseconds(s.computed))
	}
	s.say("start %s: %s", s.engine, s.started)
	time.Sleep(idleFor)
	s.noteMemory(ctx, report.Idle)
	k.Op = "on an empty database"
	for range s.plan.starts {
		if err := s.startEmpty(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) startEmpty(ctx context.Context, k report.Key) error {
	p, err := b.newPlace(k.Engine)
	if err != nil {
		return err
	}
	running, err := startLatchkey(ctx, b.binary, p.env())
	if err != nil {
		return err
	}
	b.results.Measure(k, "ms", milliseconds(running.started))
	if err := running.stop(); err != nil {
		return err
	}
	return p.remove(ctx)
}

// noteMemory says what the server takes, how much of it its heap, and what PostgreSQL takes.
func (s *site) noteMemory(ctx context.Context, when string) {
	k := report.Key{Scenario: "memory", Engine: s.engine, Op: when}
	s.results.Measure(k, "MB", mb(machine.RSS(s.pid())))
	if metrics, err := s.metrics(ctx); err == nil {
		k.Op = when + ": of it heap in use"
		s.results.Measure(k, "MB", metrics["go_memstats_heap_inuse_bytes"]/1e6)
	}
	if s.postmaster != 0 {
		k.Op = when + ": PostgreSQL beside it"
		s.results.Measure(k, "MB", mb(machine.FamilyMemory(s.postmaster)))
	}
}
