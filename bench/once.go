package main

// What is measured once for each database, after the rounds: the mixed day, and what has a file of its
// own.

import (
	"context"
	"fmt"
	"math/rand/v2"

	"latchkey/bench/load"
	"latchkey/bench/report"
)

func (s *site) onceSteps() []step {
	return []step{
		{"start", s.starts},
		{"growth", repeated(s.plan.growths, s.growth)},
		{"day", repeated(s.plan.days, s.day)},
		{"flood", s.floods},
		{"profile", s.profiles},
	}
}

// The mixed day: what a busy hour of an application is made of, in parts of a thousand.
var dayMix = []struct {
	op    string
	parts int
}{
	{"bearer", 790}, {"refresh", 150}, {"list", 40}, {"sign-in", 10}, {"wrong sign-in", 5}, {"sign-in and out", 5},
}

const dayRate = 1000 // operations a second

// day mixes operations at a given rate: about half of what the machine can do, as one would size it.
func (s *site) day(ctx context.Context) error {
	chains, err := s.live(ctx)
	if err != nil {
		return err
	}
	all, err := s.warmChains(ctx)
	if err != nil {
		return err
	}
	const callers = 128
	acts := make([]load.Act, callers)
	for i := range acts {
		acts[i] = s.dayAct(i, callers, chains, all)
	}
	s.awaitQuiet(ctx)
	w, usage := s.metered(s.target, load.Window{Addr: s.addr, Warm: s.plan.warm, For: s.plan.day})
	done := load.Open(ctx, w, load.Pace{Rate: dayRate, Random: true}, acts)
	s.note(report.Key{Scenario: "day", Engine: s.engine, Case: fmt.Sprintf("%d a second", dayRate)}, done, *usage)
	return nil
}

// dayAct is one caller's day. Sessions are the caller's own, so that no two refresh the same one.
func (s *site) dayAct(i, callers int, live, warm []*chain) load.Act {
	random := rand.New(rand.NewPCG(2, uint64(i)))
	own := func(chains []*chain) *chain {
		n := random.IntN(max(1, len(chains)/callers))*callers + i
		return chains[n%len(chains)]
	}
	return func(conn *load.Conn) (string, error) {
		op := pick(random.IntN(1000))
		switch op {
		case "refresh":
			return op, own(warm).turn(conn)
		case "list":
			return op, s.list(conn, own(live))
		case "sign-in":
			_, _, err := signIn(conn, s.data.email(s.parts.signingIn.at(random.IntN(1<<30))), "")
			return op, err
		case "wrong sign-in":
			_, err := guess(conn, s.data.email(s.parts.flooded.at(random.IntN(1<<30))))
			return op, err
		case "sign-in and out":
			return op, s.inAndOut(conn, s.data.email(s.parts.signingIn.at(random.IntN(1<<30))))
		}
		return op, userinfo(conn, own(live))
	}
}

func pick(n int) string {
	for _, m := range dayMix {
		if n -= m.parts; n < 0 {
			return m.op
		}
	}
	return dayMix[0].op
}

// inAndOut signs in and out again; the time is both.
func (s *site) inAndOut(conn *load.Conn, email string) error {
	body, _, err := signIn(conn, email, "")
	if err != nil {
		return err
	}
	return signOut(conn, textField(body, "access_token"))
}
