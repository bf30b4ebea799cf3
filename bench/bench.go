package main

// One run of the program, from an empty folder to a written report.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/bench/load"
	"latchkey/bench/machine"
	"latchkey/bench/report"
	"latchkey/internal/authtest"
)

// bench is what all scenarios share.
type bench struct {
	options
	dir     string // databases and the binary
	cluster *authtest.Cluster
	results *report.Results
	log     io.Writer
	places  int
}

func measure(ctx context.Context, o options, progress io.Writer) (err error) {
	b := &bench{options: o, log: progress, results: &report.Results{Set: o.plan.name, Began: time.Now().UTC(), Against: o.against}}
	if b.dir, err = os.MkdirTemp(o.work, "latchkey-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := b.prepare(); err != nil {
		return err
	}
	if slices.Contains(o.engines, report.PostgreSQL) {
		if b.cluster, err = authtest.StartCluster(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.cluster.Close()) }()
		b.results.Machine.PostgreSQL = postgresVersion()
	}
	if err := b.scenarios(ctx); err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	b.results.Seconds = time.Since(b.results.Began).Seconds()
	return b.results.Write(o.out)
}

// prepare builds the server and looks at the machine.
func (b *bench) prepare() error {
	b.results.Machine = machine.ReadFacts(b.dir)
	if b.binary != "" {
		b.results.Commit = "that " + b.binary + " was built from" // the working tree says nothing about it
	} else if commit, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		b.results.Commit = strings.TrimSpace(string(commit))
	}
	if b.throttle == "off" {
		b.results.Settings = append(b.results.Settings, "LATCHKEY_THROTTLE=off")
	}
	if b.binary == "" {
		b.binary = filepath.Join(b.dir, "latchkey")
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.binary, "./cmd/latchkey")
		build.Dir = ".." // a module of its own, whose dependencies are the server's
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build the server: %w: %s", err, out)
		}
	}
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	b.results.Measure(report.Key{Scenario: "binary", Engine: report.Machine}, "MB", mb(info.Size()))
	return nil
}

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func postgresVersion() string {
	out, err := exec.Command("sh", "-c", `"$(ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null | tail -n 1 || command -v postgres)" --version`).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// scenarios measures in the order of what disturbs least: first what runs in rounds, then what starts
// servers of its own.
func (b *bench) scenarios(ctx context.Context) error {
	if err := b.steady(ctx); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		run  func(context.Context, string) error
	}{{"scale", b.scale}, {"sweep", b.sweep}, {"past", b.past}} {
		for _, engine := range b.engines {
			if !b.wants(part.name) {
				continue
			}
			if err := part.run(ctx, engine); err != nil {
				return fmt.Errorf("%s: %w", part.name, err)
			}
		}
	}
	return ctx.Err()
}

// wants says whether a scenario was asked for.
func (b *bench) wants(scenarios ...string) bool {
	return slices.ContainsFunc(scenarios, b.only.MatchString)
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.log, "%6.1fs  %s\n", time.Since(b.results.Began).Seconds(), fmt.Sprintf(format, args...))
}

// newPlace makes an empty place for a database.
func (b *bench) newPlace(engine string) (place, error) {
	b.places++
	return newPlace(engine, "db"+strconv.Itoa(b.places), b.dir, b.cluster)
}

// target is a running server and what belongs to its figures.
type target struct {
	*server
	engine     string
	postmaster int
}

// window is a window of the plan's on a target.
func (b *bench) window(t target) load.Window {
	return load.Window{Addr: t.addr, Warm: b.plan.warm, For: b.plan.window}
}

// closed runs a closed loop and notes each of its operations under the scenario.
func (b *bench) closed(ctx context.Context, t target, k report.Key, acts []load.Act) {
	b.awaitQuiet(ctx)
	w, meter := b.metered(t, b.window(t))
	done := load.Closed(ctx, w, acts)
	b.note(k, done, *meter)
}

// awaitQuiet waits until nobody else uses the CPUs, as long as the patience of the run lasts.
func (b *bench) awaitQuiet(ctx context.Context) {
	const quiet, while = 0.1, 200 * time.Millisecond
	for b.patience > 0 && ctx.Err() == nil {
		if machine.OthersNow(while) <= quiet {
			return
		}
		b.patience -= while
	}
}

// metered adds a meter of the target's processes to a window; its usage is there when the loop ends.
func (b *bench) metered(t target, w load.Window) (load.Window, *machine.Usage) {
	t.cutLog()
	usage := &machine.Usage{}
	meter := machine.NewMeter(machine.Watched{Server: t.pid(), Database: t.postmaster})
	var began time.Time
	var bytes, objects float64
	w.Began = func() {
		bytes, objects = t.allocated()
		meter.Start()
		began = time.Now()
	}
	w.Ended = func() {
		seconds := time.Since(began).Seconds()
		*usage = meter.Stop()
		bytesAfter, objectsAfter := t.allocated()
		usage.Allocated, usage.Objects = (bytesAfter-bytes)/seconds, (objectsAfter-objects)/seconds
	}
	return w, usage
}

func (b *bench) note(k report.Key, all load.Result, cpu machine.Usage) {
	if len(all) == 0 {
		b.say("%s %s %s: nothing was done", k.Scenario, k.Engine, k.Case)
	}
	for _, op := range slices.Sorted(maps.Keys(all)) {
		s, k := all[op], k
		if op != k.Scenario {
			k.Op = op
		}
		run := report.NewRun(*s, cpu)
		b.results.Add(k, run)
		b.say("%-12s %-10s %-14s %-12s %8.0f/s  p50 %.2f  p99 %.2f  max %.1f ms  failed %d  cores: server %.2f db %.2f load %.2f other %.2f",
			k.Scenario, k.Engine, k.Case, k.Op, run.Rate, run.P50, run.P99, run.Max, run.Failed, cpu.Server, cpu.Database, cpu.Load, cpu.Other)
		if s.Mistake != nil {
			b.say("  first failure: %v", s.Mistake)
		}
	}
}
