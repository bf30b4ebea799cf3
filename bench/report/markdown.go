package report

// The report itself.

import (
	"cmp"
	"fmt"
	"maps"
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
	p.line("Figures are medians of the repeats; all runs are in [results.json](results.json).")
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
	missing := 0
	for _, g := range goals() {
		value, ok := g.value(r)
		if !ok {
			missing++
			continue
		}
		verdict := "reached"
		if !g.met(value) {
			verdict = "**missed**"
		}
		p.row(g.what, g.wanted(), number(value, g.unit), fmt.Sprintf("%.2f", value/g.bound), verdict)
	}
	if missing > 0 {
		p.line("\n%d more goals were not measured in this run; `make bench-full` measures all.", missing)
	}
}

func (r *Results) writeRemarks(p *page) {
	all := r.remarks()
	if len(all) == 0 {
		return
	}
	p.line("\n## What is missing\n")
	for _, text := range all {
		p.line("- %s", text)
	}
}

func (r *Results) writeCeilings(p *page) {
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

func (r *Results) writeLoad(p *page) {
	p.line("\n## Operations, as fast as they go\n")
	p.table("operation", "engine", "callers", "a second", "p50 ms", "p90", "p99", "max", "of its ceiling", "server µs", "database µs", "cores: load", "other", "memory MiB", "repeats differ by")
	for _, f := range r.Figures {
		switch f.Scenario {
		case "ceiling", "flood", "day", "scale":
			continue
		}
		m := f.median()
		p.row(f.Scenario, f.Engine, strings.Fields(f.Case)[0], number(m.Rate, ""), cell(m.P50), cell(m.P90), cell(m.P99), cell(m.Max),
			r.ofCeiling(f.Key, m), whole(perOp(m.CPU.Server, m)), whole(perOp(m.CPU.Database, m)),
			fmt.Sprintf("%.2f", m.CPU.Load), fmt.Sprintf("%.2f", m.CPU.Other), whole(mib(m.CPU.RSS)), fmt.Sprintf("%.0f %%", 100*f.spread()))
	}
	p.line("\nCeilings: refresh against the refresh without rules on the same engine, sign-in against raw Argon2id, the rest against the JSON echo.")
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

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
	} {
		var rows [][]string
		for _, f := range r.Figures {
			if f.Scenario == part.scenario {
				m := f.median()
				rows = append(rows, []string{
					f.Op, f.Engine, f.Case, number(m.Rate, ""), cell(m.P50), cell(m.P90), cell(m.P99), cell(m.Max), fmt.Sprint(m.Failed),
					fmt.Sprintf("%.2f", m.CPU.Server), fmt.Sprintf("%.2f", m.CPU.Database), fmt.Sprintf("%.2f", m.CPU.Load), fmt.Sprintf("%.2f", m.CPU.Other),
				})
			}
		}
		if len(rows) == 0 {
			continue
		}
		p.line("\n## %s\n\n%s\n", part.title, part.text)
		p.table("operation", "engine", "case", "a second", "p50 ms", "p90", "p99", "max", "failed", "cores: server", "database", "load", "other")
		for _, cells := range rows {
			p.row(cells...)
		}
	}
}

func (r *Results) writeQuantities(p *page) {
	if len(r.Quantities) == 0 {
		return
	}
	p.line("\n## Start, memory, disk\n")
	p.table("what", "median", "of")
	for _, q := range r.Quantities {
		p.row(q.Key.String(), number(median(q.Values), q.Unit), fmt.Sprint(len(q.Values)))
	}
}

func (r *Results) writeProfiles(p *page) {
	if len(r.Profiles) == 0 {
		return
	}
	p.line("\n## Where the server's CPU time goes\n\nIn percent, from a run of its own under the profiler; each sample is charged to the innermost part it was in.\n")
	head, total := []string{""}, map[string]float64{}
	for _, profile := range r.Profiles {
		head = append(head, profile.Scenario+", "+profile.Engine)
		for part, share := range profile.Shares {
			total[part] += share
		}
	}
	p.table(head...)
	byWeight := func(a, b string) int { return cmp.Or(cmp.Compare(total[b], total[a]), strings.Compare(a, b)) }
	for _, part := range slices.SortedFunc(maps.Keys(total), byWeight) {
		cells := []string{part}
		for _, profile := range r.Profiles {
			cells = append(cells, fmt.Sprintf("%.0f", 100*profile.Shares[part]))
		}
		p.row(cells...)
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
The log goes to memory, not to the disk under test. Rounds repeat everything in turns; the median of each column counts.`)
}
