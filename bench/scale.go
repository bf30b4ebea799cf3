package main

// The same operations on databases of different sizes, in turns, so that what disturbs one disturbs the
// others.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"latchkey/bench/report"
)

func (b *bench) scale(ctx context.Context, engine string) (err error) {
	var sites []*site
	defer func() {
		for _, s := range sites {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	for _, users := range b.plan.scaleUsers {
		if engine == report.PostgreSQL && users > largestOnPG {
			continue
		}
		s, filled, err := b.newSite(ctx, engine, users)
		if err != nil {
			return err
		}
		sites = append(sites, s)
		s.noteScale(ctx, filled)
	}
	for range b.plan.rounds {
		for _, s := range sites {
			if err := s.scaleRound(ctx); err != nil {
				return err
			}
		}
	}
	for _, s := range sites {
		if err := s.scaleCommands(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *site) scaleKey() report.Key {
	return report.Key{Scenario: "scale", Engine: s.engine, Case: report.Thousands(s.data.sessions()) + " sessions"}
}

func (s *site) noteScale(ctx context.Context, filled seeded) {
	k := s.scaleKey()
	k.Op = "database"
	if size, err := s.place.size(ctx); err == nil {
		s.results.Measure(k, "MB", mb(size))
	}
	k.Op = "start"
	s.results.Measure(k, "ms", milliseconds(s.started))
	k.Op = "bytes a session"
	s.results.Measure(k, "B", filled.sessionBytes)
}

func (s *site) scaleRound(ctx context.Context) error {
	for _, op := range []string{"refresh", "bearer", "list", "sign-in"} {
		callers := 64
		if op == "sign-in" {
			callers = 2
		}
		acts, err := s.actsOf(ctx, op, callers)
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		s.closed(ctx, s.target, s.scaleKey(), acts)
	}
	return nil
}

// scaleCommands times what an operator does beside the running server.
func (s *site) scaleCommands(ctx context.Context) error {
	commands := map[string][]string{"user list": {"user", "list", "--json"}}
	if s.engine == report.SQLite {
		commands["backup"] = []string{"backup", filepath.Join(s.place.dir, "copy.db")}
	}
	for name, args := range commands {
		k := s.scaleKey()
		k.Op = name
		cmd := exec.CommandContext(ctx, s.binary, args...)
		cmd.Env = append(bareEnv(), s.place.env()...)
		cmd.Stderr = os.Stderr
		began := time.Now()
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("latchkey %s: %w", name, err)
		}
		s.results.Measure(k, "s", time.Since(began).Seconds())
		s.say("latchkey %s with %s: %.2f s", name, k.Case, time.Since(began).Seconds())
	}
	return nil
}
