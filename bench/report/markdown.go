package report

// The report itself.

import (
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

// markdown writes everything; the plots go with it.
func (r *Results) markdown(plots []plot) string {
	p := &page{}
	p.line("# Latchkey under load")
	p.line("")
	p.line("Written by `make bench` (set: %s), %s, %.0f minutes, commit %s.", r.Set, r.Began.Format("2006-01-02 15:04 MST"), r.Seconds/60, r.Commit)
	p.line("")
	m := r.Machine
	p.line("Machine: %s, %d cores, %s MiB, Linux %s, %s; %s; %s. Load program, server and database share it.",
		m.CPU, m.Cores, Thousands(int(m.MemoryMiB)), m.Kernel, m.Filesystem, m.Go, orNone(m.PostgreSQL))
	p.line("")
	p.line("Default configuration (FULL durability, ES256, strict JSON, throttle, audit and log on)%s. Connections are kept alive.", but(r.Settings))
	middle, most := r.others()
	p.line("Others used %.2f of the cores meanwhile in the median run, %.2f in the worst (the kernel's own threads included).", middle, most)
	p.line("Figures are medians of the repeats, \"max\" the slowest of all; all runs are in [results.json](results.json).")
	r.writeGoals(p)
	r.writeRemarks(p)
	r.writeCeilings(p)
	r.writeLoad(p)
	r.writeMixed(p)
	r.writeQuantities(p)
	for i, plot := range plots {
		if i == 0 {
			p.line("\n## Plots\n")
		}
		p.line("![%s](plots/%s)\n", strings.TrimSuffix(plot.name, ".svg"), plot.name)
	}
	r.writeProfiles(p)
	r.writeAllocations(p)
	r.writeAgainst(p)
	r.writeMethod(p)
	return p.String()
}

func orNone(s string) string {
	if s == "" {
		return "no PostgreSQL"
	}
	return s
}

func but(settings []string) string {
	if len(settings) == 0 {
		return ""
	}
	return ", but " + strings.Join(settings, ", ")
}

func (r *Results) writeGoals(p *page) {
	p.line("\n## Goals\n")
	p.table("goal", "wanted", "measured", "measured / wanted", "")
	var missing []string
	for _, g := range r.goals() {
		value, ok := g.value(r)
		if !ok {
			missing = append(missing, g.what)
			continue
		}
		verdict := "reached"
		if !g.met(value) {
			verdict = "**missed**"
		}
		p.row(g.what, g.wanted(), number(value, g.unit), g.share(value), verdict)
	}
	if len(missing) > 0 {
		p.line("\nNot measured in this run (`make bench-full` measures all):\n")
		for _, what := range missing {
			p.line("- %s", what)
		}
	}
}

func (r *Results) writeRemarks(p *page) {
	all := r.remarks()
	if len(all) == 0 {
		return
	}
	p.line("\n## What was missed, and what to doubt\n")
	for _, text := range all {
		p.line("- %s", text)
	}
}

func (r *Results) writeCeilings(p *page) {
	if !r.measured("ceiling") {
		return
	}
	p.line("\n## What the machine can do at best\n")
	p.line("Measured in the same rounds as everything else.\n")
	p.table("ceiling", "a second", "p50 ms", "p99 ms", "server µs an operation", "database µs")
	for _, c := range []struct {
		key  Key
		what string
	}{
		{ceilingArgon, "raw Argon2id, 19 MiB, 2 passes, on all cores at once"},
		{ceilingSync, "raw fdatasync of one page, one after another"},
		{ceilingEcho, "net/http, 1 KiB of JSON in and out, 64 callers"},
		{ceilingRefresh(SQLite), "refresh without rules, SQLite: JSON, one MAC, one UPDATE in a group commit, one ES256 signature"},
		{ceilingRefresh(PostgreSQL), "the same on PostgreSQL, grouped"},
	} {
		f, ok := r.figure(c.key)
		if !ok {
			continue
		}
		p.row(c.what, number(f.Rate, ""), cell(f.P50), cell(f.P99), whole(perOp(f.CPU.Server, f)), whole(perOp(f.CPU.Database, f)))
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

// measured says whether any of the scenarios has a figure.
func (r *Results) measured(scenarios ...string) bool {
	return slices.ContainsFunc(r.Figures, func(f *Figure) bool { return slices.Contains(scenarios, f.Scenario) })
}

func (r *Results) writeLoad(p *page) {
	if len(r.shown()) == 0 {
		return
	}
	p.line("\n## Operations, as fast as they go\n")
	p.table("operation", "engine", "callers", "a second", "p50 ms", "p90", "p99", "max", "of its ceiling", "server µs", "database µs", "cores: load", "other", "server MB", "database MB", "bytes allocated", "objects", "repeats differ by")
	for _, f := range r.shown() {
		m := f.median()
		p.row(f.Scenario, f.Engine, strings.Fields(f.Case)[0], number(m.Rate, ""), cell(m.P50), cell(m.P90), cell(m.P99), cell(m.Max),
			r.ofCeiling(f.Key, m), whole(perOp(m.CPU.Server, m)), whole(perOp(m.CPU.Database, m)),
			fmt.Sprintf("%.2f", m.CPU.Load), fmt.Sprintf("%.2f", m.CPU.Other), whole(mb(m.CPU.RSS)), whole(mb(m.CPU.DatabaseMemory)),
			whole(perOp(m.CPU.Allocated, m)/1e6), whole(perOp(m.CPU.Objects, m)/1e6), fmt.Sprintf("%.0f %%", 100*f.spread()))
	}
	p.line("\nCeilings: refresh against the refresh without rules on the same engine, sign-in against raw Argon2id, the rest against the JSON echo.")
	p.line("Server: its resident memory at the end. Database: PostgreSQL's processes, what they share counted once, the server's connections and shared buffers included; SQLite is part of the server. Allocated: by the server for one operation, by its own count.")
}

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }

func (r *Results) ofCeiling(k Key, m Run) string {
	key, _ := ceilingOf(k)
	c, ok := r.figure(key)
	if !ok || c.Rate == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", m.Rate/c.Rate)
}

func (r *Results) writeMixed(p *page) {
	for _, part := range []struct{ scenario, title, text string }{
		{"day", "A mixed day", "Open loop: requests come when they are due, whatever became of the earlier ones, and are timed from then."},
		{"flood", "Under a flood of wrong sign-ins", "64 callers guess as fast as they are answered; 80 refreshes a second are due; a user signs in from a known device once a second."},
		{"scale", "By size of the database", "64 callers (sign-in: 2), on databases of different sizes in turns."},
		{"sweep", "While the server forgets old sessions", "64 callers refresh, as fast as they go, right after a start with many sessions that ended 40 days ago, and again when all are forgotten."},
		{"past", "Beside a user with a long past", "80 refreshes a second of others are due while four callers sign in as one user and eight end its other sessions; in turns with a user who has none ended."},
	} {
		var rows [][]string
		for _, f := range r.Figures {
			if f.Scenario == part.scenario {
				m := f.median()
				rows = append(rows, []string{
					f.Op, f.Engine, f.Case, number(m.Rate, ""), cell(m.P50), cell(m.P90), cell(m.P99), cell(m.Max), fmt.Sprint(m.Failed),
					fmt.Sprintf("%.2f", m.CPU.Server), fmt.Sprintf("%.2f", m.CPU.Database), fmt.Sprintf("%.2f", m.CPU.Load), fmt.Sprintf("%.2f", m.CPU.Other), fmt.Sprint(len(f.Runs)),
				})
			}
		}
		if len(rows) == 0 {
			continue
		}
		p.line("\n## %s\n\n%s\n", part.title, part.text)
		p.table("operation", "engine", "case", "a second", "p50 ms", "p90", "p99", "max", "failed", "cores: server", "database", "load", "other", "repeats")
		for _, cells := range rows {
			p.row(cells...)
		}
	}
}

// writeQuantities puts the engines side by side.
func (r *Results) writeQuantities(p *page) {
	if len(r.Quantities) == 0 {
		return
	}
	p.line("\n## Start, memory, disk\n")
	p.table("what", SQLite, PostgreSQL, Machine, "repeats")
	written := map[Key]bool{}
	byScenario := func(a, b *Quantity) int { return strings.Compare(a.Scenario, b.Scenario) }
	for _, q := range slices.SortedStableFunc(slices.Values(r.Quantities), byScenario) {
		k := q.Key
		k.Engine = ""
		if written[k] {
			continue
		}
		written[k] = true
		cells := []string{k.String()}
		for _, engine := range []string{SQLite, PostgreSQL, Machine} {
			k.Engine = engine
			value, ok := r.quantity(k)
			if ok {
				cells = append(cells, number(value, q.Unit))
			} else {
				cells = append(cells, "")
			}
		}
		p.row(append(cells, fmt.Sprint(len(q.Values)))...)
	}
}

func (r *Results) writeMethod(p *page) {
	p.line(`
## How it is measured

The server is a process of its own, built as for a release. PostgreSQL is a cluster of this run's own with PostgreSQL's
defaults. The databases hold copies of one account and one session that were made through the API. The load program uses
one goroutine and one connection a caller; its own CPU time is in the tables, since it is taken from the server. Closed
loop: a caller sends its next request when it has its answer. Open loop: requests are due at a given rate and timed from
when they were due. Each caller refreshes sessions of its own, spread over the table. CPU times and memory are the
kernel's (/proc); "other" is all that is neither server, database nor load program, the kernel's own threads included.
The log goes to memory, not to the disk under test. Rounds repeat everything in turns; the median of each column counts.
MB is 1,000,000 bytes. Profiles are taken in runs of their own, after everything else.`)
}
