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

// step is a measurement that is repeated in each round.
type step struct {
	scenario string
	run      func(context.Context) error
}

func (b *bench) steady(ctx context.Context) (err error) {
	steps, stop, err := b.ceilings(ctx)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return err
	}
	var after []step
	if b.wants("refresh", "bearer", "list", "sign-in", "sign-out", "delete", "day", "flood", "growth", "start", "memory", "size", "profile") {
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
		{report.IDsSize, float64(ids)},
		{report.AgentSize, float64(agent)},
		{report.UserSize, filled.userBytes},
	} {
		s.results.Measure(report.Key{Scenario: "size", Engine: s.engine, Op: weighed.op}, "B", weighed.bytes)
	}
	return nil
}

func (s *site) steadySteps() []step {
	return []step{
		{"refresh", s.refreshing},
		{"bearer", s.bearer},
		{"list", s.listing},
		{"sign-in", s.hashCeiling},
		{"sign-in", s.signingIn},
		{"sign-in", s.hashCeiling},
		{"sign-out", s.signingOut},
		{"delete", s.deleting},
	}
}

func callersCase(n int) string {
	if n == 1 {
		return "1 caller"
	}
	return strconv.Itoa(n) + " callers"
}

// refreshing: each caller has sessions of its own, which it refreshes in turn.
func (s *site) refreshing(ctx context.Context) error {
	for _, callers := range []int{1, 16, 64} {
		acts, err := s.refreshActs(ctx, callers)
		if err != nil {
			return err
		}
		s.closed(ctx, s.target, report.Key{Scenario: "refresh", Engine: s.engine, Case: callersCase(callers)}, acts)
	}
	return nil
}

func (s *site) refreshActs(ctx context.Context, callers int) ([]load.Act, error) {
	chains, err := s.warmChains(ctx)
	if err != nil {
		return nil, err
	}
	return each(chains, callers, "refresh", func(conn *load.Conn, c *chain) error { return c.turn(conn) }), nil
}

// each makes acts that walk over the chains, each caller its own.
func each(chains []*chain, callers int, op string, do func(*load.Conn, *chain) error) []load.Act {
	acts := make([]load.Act, callers)
	for i := range acts {
		next := i
		acts[i] = func(conn *load.Conn) (string, error) {
			c := chains[next]
			if next += callers; next >= len(chains) {
				next = i
			}
			return op, do(conn, c)
		}
	}
	return acts
}

func (s *site) bearer(ctx context.Context) error {
	chains, err := s.live(ctx)
	if err != nil {
		return err
	}
	for _, callers := range []int{16, 64} {
		s.closed(ctx, s.target, report.Key{Scenario: "bearer", Engine: s.engine, Case: callersCase(callers)},
			each(chains, callers, "bearer", userinfo))
	}
	return nil
}

func userinfo(conn *load.Conn, c *chain) error {
	a, err := conn.Do(load.Request{Method: http.MethodGet, Path: "/auth/userinfo", Bearer: c.access})
	if err != nil {
		return err
	}
	return wantStatus(a, http.StatusOK)
}

func (s *site) listing(ctx context.Context) error {
	chains, err := s.live(ctx)
	if err != nil {
		return err
	}
	const callers = 64
	s.closed(ctx, s.target, report.Key{Scenario: "list", Engine: s.engine, Case: callersCase(callers)},
		each(chains, callers, "list", s.list))
	return nil
}

func (s *site) list(conn *load.Conn, c *chain) error {
	a, err := conn.Do(load.Request{Method: http.MethodGet, Path: "/auth/" + s.data.userID(c.user) + "/sessions", Bearer: c.access})
	if err != nil {
		return err
	}
	if n := bytes.Count(a.Body, []byte(`"sessionType"`)); a.Status == http.StatusOK && n != sessionsPerUser {
		return fmt.Errorf("%d sessions in the list, want %d", n, sessionsPerUser)
	}
	return wantStatus(a, http.StatusOK)
}

const signers = 16 // callers

func (s *site) signingIn(ctx context.Context) error {
	s.closed(ctx, s.target, report.Key{Scenario: "sign-in", Engine: s.engine, Case: callersCase(signers)},
		s.signInActs(signers))
	return nil
}

func (s *site) signInActs(callers int) []load.Act {
	acts := make([]load.Act, callers)
	for i := range acts {
		next := i
		acts[i] = func(conn *load.Conn) (string, error) {
			email := s.data.email(s.parts.signingIn.at(next))
			next += callers
			_, _, err := signIn(conn, email, "")
			return "sign-in", err
		}
	}
	return acts
}
