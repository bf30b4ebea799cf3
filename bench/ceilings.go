package main

// The ceilings: what the machine could do at best, in the same rounds as what is held against it.

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"latchkey/bench/ceiling"
	"latchkey/bench/load"
	"latchkey/bench/machine"
	"latchkey/bench/report"
)

// ceilings starts the servers without rules and says how to measure and how to stop them.
func (b *bench) ceilings(ctx context.Context) (steps []step, stop func() error, err error) {
	var running []*server
	stop = func() (err error) {
		for _, s := range running {
			err = errors.Join(err, s.stop())
		}
		return err
	}
	if !b.wants("ceiling") {
		return nil, stop, nil
	}
	steps = append(steps, step{"ceiling", b.syncCeiling})
	for i, engine := range b.engines {
		p, err := b.newPlace(engine)
		if err != nil {
			return nil, stop, err
		}
		where := []string{"-url", p.url, "-rows", strconv.Itoa(b.plan.users * sessionsPerUser)}
		if p.url == "" {
			where[0], where[1] = "-path", p.file()
		}
		s, err := startCeiling(ctx, where...)
		if err != nil {
			return nil, stop, err
		}
		running = append(running, s)
		postmaster, err := p.postmaster()
		if err != nil {
			return nil, stop, err
		}
		t := target{server: s, engine: engine, postmaster: postmaster}
		if i == 0 {
			steps = append(steps, step{"ceiling", func(ctx context.Context) error { return b.echoCeiling(ctx, t) }})
		}
		steps = append(steps, step{"ceiling", func(ctx context.Context) error { return b.refreshCeiling(ctx, t) }})
	}
	return steps, stop, nil
}

// hashCeiling stands right before and after the sign-ins that are held against it: how fast memory is on a
// machine that others share changes within seconds.
func (b *bench) hashCeiling(ctx context.Context) error {
	b.awaitQuiet(ctx)
	meter := machine.NewMeter(machine.Watched{})
	meter.Start()
	rate := ceiling.Argon2id(ctx, runtime.NumCPU(), max(b.plan.window, time.Second))
	cpu := meter.Stop()
	b.results.Add(report.Key{Scenario: "ceiling", Engine: report.Machine, Op: "Argon2id"}, report.Run{Rate: rate, CPU: cpu})
	b.say("ceiling Argon2id %.1f/s, other %.2f cores", rate, cpu.Other)
	return nil
}

func (b *bench) syncCeiling(ctx context.Context) error {
	b.awaitQuiet(ctx)
	meter := machine.NewMeter(machine.Watched{})
	meter.Start()
	syncs, err := ceiling.Fdatasync(ctx, b.dir, b.plan.window/2)
	if err != nil {
		return err
	}
	run := report.NewRun(syncs, meter.Stop())
	b.results.Add(report.Key{Scenario: "ceiling", Engine: report.Machine, Op: "fdatasync"}, run)
	b.say("ceiling fdatasync %.0f/s p50 %.2f p99 %.2f ms", run.Rate, run.P50, run.P99)
	return nil
}

func (b *bench) echoCeiling(ctx context.Context, t target) error {
	body := ceiling.EchoBody()
	b.ceilingOf(ctx, t, report.Machine, "echo", "/echo", func(int) string { return body })
	return nil
}

func (b *bench) refreshCeiling(ctx context.Context, t target) error {
	rows := b.plan.users * sessionsPerUser
	used := min(warmSessions, rows)
	b.ceilingOf(ctx, t, t.engine, "refresh", "/refresh", func(n int) string {
		return `{"refreshToken":"` + ceiling.Token(ceiling.RowID(n%used*(rows/used))) + `"}`
	})
	return nil
}

func (b *bench) ceilingOf(ctx context.Context, t target, engine, op, path string, body func(n int) string) {
	const callers = 64
	b.closed(ctx, t, report.Key{Scenario: "ceiling", Engine: engine, Case: callersCase(callers)}, share(callers, func(conn *load.Conn, n int) (string, error) {
		_, err := ask(conn, load.Request{Method: http.MethodPost, Path: path, Body: body(n)})
		return op, err
	}))
}
