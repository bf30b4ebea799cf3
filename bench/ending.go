package main

// Ending sessions: each operation uses one up, so what they need is made ready before the window.

import (
	"context"
	"net/http"

	"latchkey/bench/load"
	"latchkey/bench/report"
)

const enders = 64 // callers

// takeUsers returns users whose sessions nobody has touched; fewer near the end, and then none.
func (s *site) takeUsers(n int) span {
	p := &s.parts
	n = min(n, p.ending.size()-p.ended)
	taken := span{p.ending.from + p.ended, p.ending.from + p.ended + n}
	p.ended += n
	return taken
}

// perMeasurement is how many users one of the measurements may use up.
func (s *site) perMeasurement() int { return s.parts.ending.size() / (2 * s.plan.rounds) }

// signingOut ends each session by its own token.
func (s *site) signingOut(ctx context.Context) error {
	users := s.takeUsers(s.perMeasurement())
	chains := make([]*chain, 0, users.size()*sessionsPerUser)
	for round := range sessionsPerUser {
		for user := users.from; user < users.to; user++ {
			c, err := s.chainOf(round*s.data.users + user)
			if err != nil {
				return err
			}
			chains = append(chains, c)
		}
	}
	if err := s.turnAll(ctx, chains); err != nil {
		return err
	}
	return s.end(ctx, "sign-out", chains, func(conn *load.Conn, c *chain) error { return signOut(conn, c.access) })
}

// deleting ends a user's sessions by the token of one of them, that one last.
func (s *site) deleting(ctx context.Context) error {
	users := s.takeUsers(s.perMeasurement())
	var owners []*chain
	for user := users.from; user < users.to; user++ {
		c, err := s.chainOf(user)
		if err != nil {
			return err
		}
		owners = append(owners, c)
	}
	if err := s.turnAll(ctx, owners); err != nil {
		return err
	}
	var victims []*chain
	for from := 0; from+enders <= len(owners); from += enders { // a user's five fall to one caller, in order
		for round := sessionsPerUser - 1; round >= 0; round-- {
			for _, owner := range owners[from : from+enders] {
				victims = append(victims, &chain{session: round*s.data.users + owner.user, access: owner.access})
			}
		}
	}
	return s.end(ctx, "delete", victims, func(conn *load.Conn, c *chain) error {
		a, err := conn.Do(load.Request{Method: http.MethodDelete, Path: "/auth/" + s.data.sessionID(c.session) + "/sessions", Bearer: c.access})
		if err != nil {
			return err
		}
		return wantStatus(a, http.StatusOK)
	})
}

// end walks over sessions once.
func (s *site) end(ctx context.Context, op string, chains []*chain, do func(*load.Conn, *chain) error) error {
	acts := make([]load.Act, enders)
	for i := range acts {
		next := i
		acts[i] = func(conn *load.Conn) (string, error) {
			if next >= len(chains) {
				return op, load.ErrOut
			}
			c := chains[next]
			next += enders
			return op, do(conn, c)
		}
	}
	s.closed(ctx, s.target, report.Key{Scenario: op, Engine: s.engine, Case: callersCase(enders)}, acts)
	return nil
}

func signOut(conn *load.Conn, access string) error {
	a, err := conn.Do(load.Request{Method: http.MethodPost, Path: "/auth/signout", Bearer: access})
	if err != nil {
		return err
	}
	return wantStatus(a, http.StatusOK)
}
