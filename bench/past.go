package main

// One user's past: whether somebody who has signed in and out a hundred thousand times, and goes on, makes others
// wait longer than somebody who does the same and has no past.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"latchkey/bench/load"
	"latchkey/bench/machine"
	"latchkey/bench/report"
	"latchkey/internal/store"
)

const (
	pastSigners = 4  // callers who sign in as the user
	pastEnders  = 8  // callers who end the user's other sessions
	pastRefresh = 80 // of other users, a second
	pastUsers   = 2_000
)

func (b *bench) past(ctx context.Context, engine string) (err error) {
	s, _, err := b.newSite(ctx, engine, pastUsers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	if err := s.server.stop(); err != nil {
		return err
	}
	if err := s.serve(ctx, "LATCHKEY_THROTTLE=off"); err != nil {
		return err
	}
	refreshed, err := s.refreshActs(ctx, 2*pastRefresh)
	if err != nil {
		return err
	}
	heavy := s.parts.signingIn.from
	var with, without []float64
	for round := range s.plan.pasts {
		light := s.parts.signingIn.at(round + 1)
		order := []int{heavy, light}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		if err := s.addPast(ctx, heavy, round); err != nil {
			return err
		}
		for _, user := range order {
			name, into := "beside a user with none", &without
			if user == heavy {
				name, into = "beside a user with a long past", &with
			}
			if err := s.place.settle(ctx); err != nil { // so that what filling leaves behind is in neither's way
				return err
			}
			p99, err := s.besideUser(ctx, name, user, refreshed)
			if err != nil {
				return err
			}
			*into = append(*into, p99)
		}
	}
	slices.Sort(with)
	slices.Sort(without)
	ratio := with[len(with)/2] / without[len(without)/2]
	s.results.Measure(report.Key{Scenario: "past", Engine: engine, Op: report.PastRatio}, "x", ratio)
	s.say("past %s: median p99 of refreshes %.2f ms beside a user with %d ended sessions, %.2f ms beside one with none: %.2f x",
		engine, with[len(with)/2], s.plan.pastRows, without[len(without)/2], ratio)
	return ctx.Err()
}

// addPast brings the user's ended sessions to their number: sign-ins shrink some in each round.
func (s *site) addPast(ctx context.Context, user, round int) error {
	have, err := s.place.number(ctx, "SELECT COUNT(*) FROM sessions WHERE ended_at IS NOT NULL AND user_id = '"+s.data.userID(user)+"'")
	if err != nil {
		return err
	}
	n := s.plan.pastRows - int(have)
	_, err = fill(ctx, s.place, n, func(tx *store.Tx, i int) error {
		row := s.data.session
		row.ID, row.UserID = s.data.id(fmt.Sprintf("past %d", round), i, n), s.data.userID(user)
		row.CreatedAt = s.data.made(i, n).Add(-time.Hour)
		row.EndedAt, row.EndReason = row.CreatedAt.Add(time.Minute), "signed_out"
		tx.InsertSession(row)
		return nil
	})
	return err
}

// besideUser measures others' refreshes while the user signs in and ends its other sessions, as fast as it is answered.
func (s *site) besideUser(ctx context.Context, name string, user int, refreshed []load.Act) (p99 float64, err error) {
	conn := load.NewConn(s.addr, nil)
	body, _, err := signIn(conn, s.data.email(user), "")
	conn.Close()
	if err != nil {
		return 0, err
	}
	access := textField(body, "access_token")
	acts := append(share(pastSigners, func(conn *load.Conn, _ int) (string, error) {
		_, _, err := signIn(conn, s.data.email(user), "")
		return "sign-in", err
	}), share(pastEnders, func(conn *load.Conn, _ int) (string, error) { return "end others", endOthers(conn, access) })...)
	k := report.Key{Scenario: "past", Engine: s.engine, Case: name}
	beside := make(chan load.Result, 1)
	go func() {
		beside <- load.Closed(ctx, load.Window{Addr: s.addr, For: s.plan.warm + s.plan.past + 500*time.Millisecond}, acts)
	}()
	w, usage := s.metered(s.target, load.Window{Addr: s.addr, Warm: s.plan.warm, For: s.plan.past})
	served := load.Open(ctx, w, load.Pace{Rate: pastRefresh, Random: true}, refreshed)
	s.note(k, served, *usage)
	s.note(k, <-beside, machine.Usage{})
	if served["refresh"] == nil || len(served["refresh"].Done) == 0 {
		return 0, errors.New("no refresh was measured")
	}
	return milliseconds(served["refresh"].Percentiles(0.99)[0]), ctx.Err()
}

func endOthers(conn *load.Conn, access string) error {
	_, err := ask(conn, load.Request{Method: http.MethodPost, Path: "/auth/signout", Bearer: access, Body: `{"others":true}`})
	return err
}
