package report

// The report itself.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// page is Markdown under way.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *page) table(head ...string) {
	p.row(head...)
	p.line("|---%s|", strings.Repeat("|--:", len(head)-1))
}

func (p *page) row(cells ...string) { p.line("| %s |", strings.Join(cells, " | ")) }

// markdown writes everything; the plots lie beside it.
func (r *Results) markdown() string {
	p := &page{}
	p.line("# Latchkey under load\n")
	p.line("Written by `make bench` (set: %s), %s, %.0f minutes, commit %s.\n", r.Set, r.Began.Format("2006-01-02 15:04 MST"), r.Seconds/60, r.Commit)
	m := r.Machine
	p.line("Machine: %s, %d cores, %s MiB, Linux %s, %s; %s; %s. Load program, server and database share it.\n",
		m.CPU, m.Cores, Thousands(int(m.MemoryMiB)), m.Kernel, m.Filesystem, m.Go, cmp.Or(m.PostgreSQL, "no PostgreSQL"))
	but := ""
	if len(r.Settings) > 0 {
		but = ", but " + strings.Join(r.Settings, ", ")
	}
	p.line("Default configuration (FULL durability, ES256, strict JSON, throttle, audit and log on)%s. Connections are kept alive.", but)
	p.line("Figures are medians of the repeats, \"max\" the slowest of all; all runs are in [results.json](results.json). How it is measured: docs/performance.md.")
	r.writeGoals(p)
	r.writeDoubts(p)
	r.writeOperations(p)
	r.writeQuantities(p)
	for _, plot := range r.plots() {
		p.line("\n![%s](plots/%s)", strings.TrimSuffix(plot.name, ".svg"), plot.name)
	}
	r.writeAgainst(p)
	return p.String()
}

func (r *Results) writeGoals(p *page) {
	p.line("\n## Goals\n")
	p.table("goal", "wanted", "measured", "")
	var missing []string
	for _, g := range r.goals() {
		verdict := "reached"
		switch {
		case !g.ok:
			missing = append(missing, g.what)
			continue
		case !g.met(g.n):
			verdict = "**missed**"
		}
		p.row(g.what, g.bound.String(), number(g.n, g.unit), verdict)
	}
	if len(missing) > 0 {
		p.line("\nNot measured in this run (`make bench-full` measures all):\n")
		for _, what := range missing {
			p.line("- %s", what)
		}
	}
}

const (
	disturbed = 0.15 // from how many cores used by others on a figure is not to be trusted

	// The rates of the machine that the goals a second were set on: two cores as well.
	goalArgon = 93.0
	goalEcho  = 52_000.0
)

// writeDoubts says which figures not to trust, and how fast this machine is.
func (r *Results) writeDoubts(p *page) {
	p.line("\n## What to doubt\n")
	runs, used := 0, []float64{0}
	for _, f := range r.Figures {
		for _, run := range f.Runs {
			if used = append(used, run.foreign()); run.foreign() > disturbed {
				runs++
			}
		}
	}
	p.line("- Others used %.2f of the cores in the median run, %.2f in the worst (the kernel's own threads included), and more than %.2f in %d of %d runs, whose rates are too low: the ratios to ceilings of the same rounds are worth more.",
		median(used), slices.Max(used), disturbed, runs, len(used)-1)
	argon, okArgon := r.figure(ceilingArgon)
	if echo, ok := r.figure(ceilingEcho); ok && okArgon {
		p.line("- The goals a second were set on a machine that did raw Argon2id %.0f times a second and the JSON echo %s times. This one did %.2f of that and %.2f.",
			goalArgon, Thousands(int(goalEcho)), argon.Rate/goalArgon, echo.Rate/goalEcho)
	}
	for _, f := range r.Figures {
		if m := f.median(); m.Failed > 0 {
			p.line("- %s: %s operations failed, the first with: %s", f.Key, Thousands(m.Failed), m.Mistake)
		}
		if s := f.spread(); len(f.Runs) > 2 && s > 0.3 && f.Scenario != "flood" && f.Scenario != "day" {
			p.line("- %s: the repeats differ by %.0f %%; the median is a guess.", f.Key, 100*s)
		}
	}
}

// steady are the figures of the operations that are measured one at a time, as fast as they go.
func (r *Results) steady() []*Figure {
	var out []*Figure
	for _, f := range r.Figures {
		if slices.Contains([]string{"refresh", "bearer", "list", "sign-in", "sign-out", "delete", "app refresh", "app sign-in"}, f.Scenario) {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, byScenario)
	return out
}

func byScenario(a, b *Figure) int { return strings.Compare(a.Scenario, b.Scenario) }

// writeOperations is the table of all that was done under load: the steady operations first.
func (r *Results) writeOperations(p *page) {
	steady := r.steady()
	all := slices.Clone(steady)
	for _, f := range slices.SortedStableFunc(slices.Values(r.Figures), byScenario) {
		if !slices.Contains(steady, f) {
			all = append(all, f)
		}
	}
	p.line("\n## Operations\n")
	p.line("An operation's part of its ceiling: refresh of the refresh without rules on the same engine, sign-in of raw Argon2id, the rest of the JSON echo. CPU time (µs) and what the server allocates are an operation's, where nothing else ran; SQLite is part of the server.\n")
	p.table("operation", "engine", "case", "a second", "p50 ms", "p90", "p99", "max", "failed", "of its ceiling", "server µs", "database µs", "bytes allocated", "objects",
		"cores: server", "database", "load", "other", "repeats differ by")
	for i, f := range all {
		m, ceiling := f.median(), ""
		if i < len(steady) {
			ceiling = r.ofCeiling(f.Key, m)
		}
		cells := []string{Key{Scenario: f.Scenario, Op: f.Op}.String(), f.Engine, f.Case}
		cells = append(cells, number(m.Rate, ""), cell(m.P50), cell(m.P90), cell(m.P99), cell(m.Max), whole(float64(m.Failed)), ceiling)
		if slices.Contains([]string{"day", "flood", "past"}, f.Scenario) {
			cells = append(cells, "", "", "", "")
		} else {
			cells = append(cells, whole(m.perOp(m.CPU.Server)), whole(m.perOp(m.CPU.Database)), whole(m.perOp(m.CPU.Allocated)/1e6), whole(m.perOp(m.CPU.Objects)/1e6))
		}
		for _, cores := range []float64{m.CPU.Server, m.CPU.Database, m.CPU.Load, m.foreign()} {
			cells = append(cells, fmt.Sprintf("%.2f", cores))
		}
		p.row(append(cells, fmt.Sprintf("%.0f %%", 100*f.spread()))...)
	}
}

// cell writes milliseconds; zero is what was not measured.
func cell(v float64) string {
	switch {
	case v == 0:
		return ""
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func whole(v float64) string {
	if v == 0 {
		return ""
	}
	return Thousands(int(v + 0.5))
}

func (r *Results) ofCeiling(k Key, m Run) string {
	part := (value{m.Rate, true}).per(r.rate(ceilingOf(k)))
	if !part.ok {
		return ""
	}
	return number(part.n, "x")
}

// writeQuantities puts the engines side by side.
func (r *Results) writeQuantities(p *page) {
	p.line("\n## Start, memory, disk\n")
	p.table("what", SQLite, PostgreSQL, Machine, "repeats")
	written := map[Key]bool{}
	for _, q := range slices.SortedStableFunc(slices.Values(r.Quantities), func(a, b *Quantity) int { return strings.Compare(a.Scenario, b.Scenario) }) {
		k := q.Key
		k.Engine = ""
		if written[k] {
			continue
		}
		written[k] = true
		cells := []string{k.String()}
		for _, engine := range []string{SQLite, PostgreSQL, Machine} {
			k.Engine = engine
			text := ""
			if n, ok := r.quantity(k); ok {
				text = number(n, q.Unit)
			}
			cells = append(cells, text)
		}
		p.row(append(cells, fmt.Sprint(len(q.Values)))...)
	}
}

// writeAgainst puts another run's figures beside this one's.
func (r *Results) writeAgainst(p *page) {
	if r.Against == nil {
		return
	}
	p.line("\n## Before and after\n\nBefore: commit %s, %s. After: this run.\n", r.Against.Commit, r.Against.Began.Format("2006-01-02 15:04 MST"))
	p.table("what", "before", "after", "after / before")
	compare := func(what string, before, after float64, unit string) {
		if before > 0 {
			p.row(what, number(before, unit), number(after, unit), fmt.Sprintf("%.2f", after/before))
		}
	}
	for _, f := range r.Figures {
		old, ok := r.Against.figure(f.Key)
		if !ok || f.Scenario == "ceiling" {
			continue
		}
		now, what := f.median(), f.Key.String()
		compare(what, old.Rate, now.Rate, "/s")
		compare(what+": p99", old.P99, now.P99, "ms")
		compare(what+": server's CPU time", old.perOp(old.CPU.Server), now.perOp(now.CPU.Server), "µs")
		compare(what+": allocated", old.perOp(old.CPU.Allocated)/1e6, now.perOp(now.CPU.Allocated)/1e6, "B")
		compare(what+": objects", old.perOp(old.CPU.Objects)/1e6, now.perOp(now.CPU.Objects)/1e6, "")
	}
}
