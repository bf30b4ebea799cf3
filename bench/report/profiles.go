package report

// Where time and memory go, and how that compares with another run.

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (r *Results) writeProfiles(p *page) {
	if len(r.Profiles) == 0 {
		return
	}
	p.line("\n## Where the server's CPU time goes\n\nIn percent, from a run of its own under the profiler; each sample is charged to the innermost part it was in.")
	for _, engine := range []string{SQLite, PostgreSQL} {
		head, total := []string{engine}, map[string]float64{}
		var profiles []Profile
		for _, profile := range r.Profiles {
			if profile.Engine != engine {
				continue
			}
			profiles = append(profiles, profile)
			head = append(head, profile.title())
			for part, share := range profile.Shares {
				total[part] += share
			}
		}
		if len(profiles) == 0 {
			continue
		}
		p.line("")
		p.table(head...)
		byWeight := func(a, b string) int { return cmp.Or(cmp.Compare(total[b], total[a]), strings.Compare(a, b)) }
		for _, part := range slices.SortedFunc(maps.Keys(total), byWeight) {
			cells := []string{part}
			for _, profile := range profiles {
				cells = append(cells, fmt.Sprintf("%.0f", 100*profile.Shares[part]))
			}
			p.row(cells...)
		}
	}
}

// title is short: it heads a column.
func (p Profile) title() string {
	if p.Scenario == "flood" {
		return "guesses, " + p.Case
	}
	return p.Scenario
}

// named is how many sites a line of the table shows.
const named = 6

func (r *Results) writeAllocations(p *page) {
	if len(r.Profiles) == 0 {
		return
	}
	p.line("\n## What the server allocates\n\nFor one operation, from the same seconds, as far as the profiler's samples tell (one in 512 KiB): where operations are few, as sign-ins are, only the largest site means anything. The exact sums are in the table of operations.\n")
	p.row("operation", "bytes", "objects", "largest sites: bytes, objects")
	p.line("|---|--:|--:|---|")
	for _, profile := range r.Profiles {
		var sites []string
		for _, a := range profile.Allocators[:min(named, len(profile.Allocators))] {
			sites = append(sites, fmt.Sprintf("`%s` %s, %s", a.Name, number(a.Bytes, ""), number(a.Objects, "")))
		}
		p.row(profile.title()+", "+profile.Engine, number(profile.Bytes, ""), number(profile.Objects, ""), strings.Join(sites, "<br>"))
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
		compare(what+": server's CPU time", perOp(old.CPU.Server, old), perOp(now.CPU.Server, now), "µs")
		compare(what+": allocated", perOp(old.CPU.Allocated, old)/1e6, perOp(now.CPU.Allocated, now)/1e6, "B")
		compare(what+": objects", perOp(old.CPU.Objects, old)/1e6, perOp(now.CPU.Objects, now)/1e6, "")
	}
}
