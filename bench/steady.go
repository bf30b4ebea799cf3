package main

// What a server does all day, one operation at a time, as fast as it goes: refresh, bearer check, list,
// sign-in, sign-out, delete; and the ceilings, in the same rounds, so that what disturbs one disturbs
// the other.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"latchkey/bench/load"
	"latchkey/bench/report"
)

// step is a measurement of a scenario.
type step struct {
	scenario string
	run      func(context.Context) error
}

// repeated is a measurement that is done so many times in a row.
func repeated(times int, run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for range times {
			if err := run(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

func (b *bench) steady(ctx context.Context) (err error) {
	steps, stop, err := b.ceilings(ctx)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return err
	}
	var after []step
	if b.wants("refresh", "bearer", "list", "sign-in", "sign-out", "delete", "app refresh", "app sign-in", "day", "flood", "growth", "start", "memory", "size", "profile") {
		for _, engine := range b.engines {
			s, filled, err := b.newSite(ctx, engine, b.plan.users)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close(ctx)) }()
			if err := s.noteSeeded(ctx, filled); err != nil {
				return err
			}
			steps = append(steps, s.steadySteps()...)
			after = append(after, s.onceSteps()...)
		}
	}
	for round := range b.plan.rounds {
		b.say("round %d of %d", round+1, b.plan.rounds)
		if err := b.runAll(ctx, steps); err != nil {
			return err
		}
	}
	return b.runAll(ctx, after)
}

func (b *bench) runAll(ctx context.Context, steps []step) error {
	for _, st := range steps {
		if !b.wants(st.scenario) {
			continue
		}
		if err := st.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", st.scenario, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// noteSeeded says what rows weigh, and what their texts alone do.
func (s *site) noteSeeded(ctx context.Context, filled seeded) error {
	agent, err := s.place.number(ctx, "SELECT CAST(AVG(LENGTH(user_agent)) AS BIGINT) FROM sessions")
	if err != nil {
		return err
	}
	ids, err := s.place.number(ctx, "SELECT CAST(AVG(LENGTH(id) + LENGTH(user_id)) AS BIGINT) FROM sessions")
	if err != nil {
		return err
	}
	for _, weighed := range []struct {
		op    string
		bytes float64
	}{
		{report.SessionSize, filled.sessionBytes},
		{"of a session: its two ids, once", float64(ids)},
		{"of a session: its User-Agent", float64(agent)},
		{"bytes a user, with its indexes", filled.userBytes},
	} {
		s.results.Measure(report.Key{Scenario: "size", Engine: s.engine, Op: weighed.op}, "B", weighed.bytes)
	}
	return nil
}

func (s *site) steadySteps() []step {
	return []step{
		{"refresh", s.steadily("refresh", 1, 16, 64)},
		{"bearer", s.steadily("bearer", 16, 64)},
		{"list", s.steadily("list", 64)},
		{"sign-in", s.hashCeiling},
		{"sign-in", s.steadily("sign-in", signers)},
		{"sign-in", s.hashCeiling},
		{"sign-out", s.signingOut},
		{"delete", s.deleting},
		{"app refresh", s.refreshingApps},
		{"app sign-in", s.signingInToApps},
	}
}

const signers = 16 // callers

func callersCase(n int) string {
	if n == 1 {
		return "1 caller"
	}
	return strconv.Itoa(n) + " callers"
}

// steadily measures an operation at each number of callers.
func (s *site) steadily(op string, callers ...int) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, n := range callers {
			acts, err := s.actsOf(ctx, op, n)
			if err != nil {
				return err
			}
			s.closed(ctx, s.target, report.Key{Scenario: op, Engine: s.engine, Case: callersCase(n)}, acts)
		}
		return nil
	}
}

// actsOf are those of an operation that uses nothing up: refresh, bearer, list or sign-in.
func (s *site) actsOf(ctx context.Context, op string, callers int) ([]load.Act, error) {
	switch op {
	case "refresh":
		return s.refreshActs(ctx, callers)
	case "sign-in":
		return s.signInActs(callers), nil
	}
	chains, err := s.live(ctx)
	if err != nil {
		return nil, err
	}
	if op == "list" {
		return each(chains, callers, op, s.list), nil
	}
	return each(chains, callers, op, userinfo), nil
}

// refreshActs: each caller has sessions of its own, which it refreshes in turn.
func (s *site) refreshActs(ctx context.Context, callers int) ([]load.Act, error) {
	chains, err := s.warmChains(ctx)
	if err != nil {
		return nil, err
	}
	return each(chains, callers, "refresh", func(conn *load.Conn, c *chain) error { return c.turn(conn) }), nil
}

// share makes acts of one kind for so many callers: together they count up from 0, and no two have the same n.
func share(callers int, act func(conn *load.Conn, n int) (op string, err error)) []load.Act {
	acts := make([]load.Act, callers)
	for i := range acts {
		next := i
		acts[i] = func(conn *load.Conn) (string, error) {
			n := next
			next += callers
			return act(conn, n)
		}
	}
	return acts
}

// each makes acts that walk over the chains again and again, each caller over its own. There are no fewer chains
// than callers; those beyond a multiple of the callers stay out.
func each(chains []*chain, callers int, op string, do func(*load.Conn, *chain) error) []load.Act {
	used := len(chains) - len(chains)%callers
	return share(callers, func(conn *load.Conn, n int) (string, error) { return op, do(conn, chains[n%used]) })
}

func userinfo(conn *load.Conn, c *chain) error {
	_, err := ask(conn, load.Request{Method: http.MethodGet, Path: "/auth/userinfo", Bearer: c.access})
	return err
}

func (s *site) list(conn *load.Conn, c *chain) error {
	a, err := ask(conn, load.Request{Method: http.MethodGet, Path: "/auth/" + s.data.userID(c.user) + "/sessions", Bearer: c.access})
	if n := bytes.Count(a.Body, []byte(`"sessionType"`)); err == nil && n != sessionsPerUser {
		err = fmt.Errorf("%d sessions in the list, want %d", n, sessionsPerUser)
	}
	return err
}

func (s *site) signInActs(callers int) []load.Act {
	return share(callers, func(conn *load.Conn, n int) (string, error) {
		_, _, err := signIn(conn, s.data.email(s.parts.signingIn.at(n)), "")
		return "sign-in", err
	})
}
