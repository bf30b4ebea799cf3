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

// perMeasurement is how many users one of the measurements may use up: sign-out and delete in each
// round, and one profile.
func (s *site) perMeasurement() int { return s.parts.ending.size() / (2*s.plan.rounds + 1) }

// endingChains are sessions made ready to be signed out.
func (s *site) endingChains(ctx context.Context) ([]*chain, error) {
	users := s.takeUsers(s.perMeasurement())
	chains := make([]*chain, 0, users.size()*sessionsPerUser)
	for round := range sessionsPerUser {
		for user := users.from; user < users.to; user++ {
			c, err := s.chainOf(round*s.data.users + user)
			if err != nil {
				return nil, err
			}
			chains = append(chains, c)
		}
	}
	return chains, s.turnAll(ctx, chains)
}

// signingOut ends each session by its own token.
func (s *site) signingOut(ctx context.Context) error {
	chains, err := s.endingChains(ctx)
	if err != nil {
		return err
	}
	s.end(ctx, "sign-out", chains, signOutOf)
	return nil
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
	s.end(ctx, "delete", victims, func(conn *load.Conn, c *chain) error {
		_, err := ask(conn, load.Request{Method: http.MethodDelete, Path: "/auth/" + s.data.sessionID(c.session) + "/sessions", Bearer: c.access})
		return err
	})
	return nil
}

func (s *site) end(ctx context.Context, op string, chains []*chain, do func(*load.Conn, *chain) error) {
	s.closed(ctx, s.target, report.Key{Scenario: op, Engine: s.engine, Case: callersCase(enders)}, once(chains, op, do))
}

// once makes acts that walk over the chains a single time.
func once(chains []*chain, op string, do func(*load.Conn, *chain) error) []load.Act {
	return share(enders, func(conn *load.Conn, n int) (string, error) {
		if n >= len(chains) {
			return op, load.ErrOut
		}
		return op, do(conn, chains[n])
	})
}

func signOutOf(conn *load.Conn, c *chain) error { return signOut(conn, c.access) }

func signOut(conn *load.Conn, access string) error {
	_, err := ask(conn, load.Request{Method: http.MethodPost, Path: "/auth/signout", Bearer: access})
	return err
}
