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
	k := report.Key{Scenario: "start", Engine: s.engine, Op: "on a database with data"}
	s.results.Measure(report.Key{Scenario: "memory", Engine: s.engine, Op: "after the load of the rounds"}, "MiB", mib(machine.RSS(s.pid())))
	for range s.plan.starts {
		if err := s.server.stop(); err != nil {
			return err
		}
		if err := s.serve(ctx, "LATCHKEY_THROTTLE="+s.throttle); err != nil {
			return err
		}
		s.results.Measure(k, "ms", float64(s.started.Microseconds())/1000)
	}
	s.say("start %s: %s", s.engine, s.started)
	time.Sleep(idleFor)
	s.results.Measure(report.Key{Scenario: "memory", Engine: s.engine, Op: "idle"}, "MiB", mib(machine.RSS(s.pid())))
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
	b.results.Measure(k, "ms", float64(running.started.Microseconds())/1000)
	if err := running.stop(); err != nil {
		return err
	}
	return p.remove(ctx)
}
