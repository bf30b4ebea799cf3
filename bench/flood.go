package main

// The flood: how the fast calls fare while somebody guesses passwords.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"latchkey/bench/load"
	"latchkey/bench/machine"
	"latchkey/bench/report"
)

// floods measures with the throttle off, when every guess is hashed or shed, and on, when most are
// refused early.
func (s *site) floods(ctx context.Context) error {
	for repeat := range s.plan.floods {
		for _, c := range s.plan.floodCases {
			if err := s.server.stop(); err != nil {
				return err
			}
			if err := s.serve(ctx, c.settings...); err != nil {
				return err
			}
			if err := s.flood(ctx, c.name); err != nil {
				return err
			}
			if err := s.profileFlood(ctx, c.name, repeat); err != nil {
				return err
			}
		}
	}
	return nil
}

// profileFlood profiles the guessing by itself, once for each case, from where the flood came from: with
// the throttle on, that address has used its quota up.
func (s *site) profileFlood(ctx context.Context, name string, repeat int) error {
	if !s.profile || repeat > 0 {
		return nil
	}
	return s.profiled(ctx, "flood, "+name, load.Window{Addr: s.addr, From: s.attacker(), Warm: s.plan.warm}, s.guessActs())
}

// attacker is the address of the last flood. Each has its own: quotas are counted by address.
func (s *site) attacker() net.IP { return net.IPv4(127, 0, 66, byte(s.attackers)) }

// flood lets 64 callers guess passwords as fast as they are answered, while 80 refreshes a second are
// due and a user signs in from a known device each second.
func (s *site) flood(ctx context.Context, name string) error {
	acts, err := s.refreshActs(ctx, 2*floodRefresh)
	if err != nil {
		return err
	}
	if err := s.meetDevice(); err != nil {
		return err
	}
	s.attackers++
	from := s.attacker()
	s.awaitQuiet(ctx)
	calm := s.plan.flood / 5
	k := report.Key{Scenario: "flood", Engine: s.engine, Case: name}
	s.measureFlood(k, "memory before", "MB", mb(machine.RSS(s.pid())))
	guessed := make(chan load.Result, 1)
	signedIn := make(chan load.Result, 1)
	go func() {
		time.Sleep(s.plan.warm + calm)
		guessed <- load.Closed(ctx, load.Window{Addr: s.addr, From: from, For: s.plan.flood}, s.guessActs())
	}()
	go func() {
		time.Sleep(s.plan.warm + calm + 200*time.Millisecond)
		right := share(20, func(conn *load.Conn, _ int) (string, error) {
			_, _, err := signIn(conn, s.knownEmail(), s.device)
			return "right sign-in", err
		})
		signedIn <- load.Open(ctx, load.Window{Addr: s.addr, For: s.plan.flood - 200*time.Millisecond}, load.Pace{Rate: 1}, right)
	}()
	w, usage := s.metered(s.target, load.Window{Addr: s.addr, Warm: s.plan.warm, For: calm + s.plan.flood + calm})
	served := load.Open(ctx, w, load.Pace{Rate: floodRefresh}, acts)
	wrong, right := <-guessed, <-signedIn
	if served["refresh"] == nil || len(wrong) == 0 || right["right sign-in"] == nil {
		return errors.New("a part of the flood was not measured")
	}
	s.noteFlood(k, calm, *served["refresh"], *usage)
	s.note(k, wrong, *usage)
	s.note(k, right, *usage)
	shed := 0.0
	if guesses := wrong[report.FloodShed]; guesses != nil {
		shed = guesses.Rate()
	}
	s.measureFlood(k, report.FloodShed, "/s", shed)
	return nil
}

func (s *site) noteFlood(k report.Key, calm time.Duration, served load.Samples, cpu machine.Usage) {
	under := served.Between(calm, calm+s.plan.flood)
	under.Failed, under.Mistake = served.Failed, served.Mistake
	s.note(k, load.Result{"refresh": &under}, cpu)
	s.measureFlood(k, report.FloodMemory, "MB", mb(cpu.PeakRSS))
	s.measureFlood(k, report.FloodServed, "/s", under.Rate())
}

func (s *site) measureFlood(k report.Key, op, unit string, value float64) {
	k.Op = op
	s.results.Measure(k, unit, value)
}

func (s *site) knownEmail() string { return s.data.email(s.parts.flooded.from) }

// meetDevice signs in once; the device is known from then on.
func (s *site) meetDevice() (err error) {
	if s.device != "" {
		return nil
	}
	conn := load.NewConn(s.addr, nil)
	defer conn.Close()
	if _, s.device, err = signIn(conn, s.knownEmail(), ""); err != nil {
		err = fmt.Errorf("sign the known device in: %w", err)
	}
	return err
}

// guess sends a wrong password. Three answers are right; each is an operation of its own.
func guess(conn *load.Conn, email string) (op string, err error) {
	a, err := conn.Do(load.Request{
		Method: http.MethodPost, Path: "/auth/signin", Body: `{"email":"` + email + `","password":"a wrong guess"}`,
	})
	switch {
	case err != nil:
		return "guess lost", err
	case a.Status == http.StatusUnauthorized:
		return "guess hashed", nil
	case a.Status == http.StatusTooManyRequests:
		return "guess refused", nil
	case a.Status == http.StatusServiceUnavailable:
		return report.FloodShed, nil
	}
	return "guess lost", wantStatus(a, http.StatusUnauthorized)
}

// guessActs guess at all flooded accounts, the known user's included.
func (s *site) guessActs() []load.Act {
	return share(floodCallers, func(conn *load.Conn, n int) (string, error) {
		return guess(conn, s.data.email(s.parts.flooded.at(n)))
	})
}
