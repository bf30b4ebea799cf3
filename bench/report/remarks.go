package report

// Plain words on what was missed, and on what a reader should doubt.

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"latchkey/bench/machine"
)

// foreign is CPU time that went to others: to other processes, or to other guests of the host.
func foreign(u machine.Usage) float64 { return u.Other + u.Stolen }

// disturbed is from how many cores used by others on a figure is not to be trusted.
const disturbed = 0.15

// remarks are what a reader should doubt, and what was missed.
func (r *Results) remarks() []string {
	var out []string
	if n := r.disturbedRuns(); n > 0 {
		out = append(out, fmt.Sprintf("The machine was not ours alone: in %d of %d runs others used more than %.2f cores. Such figures are too low; the ratios to ceilings of the same rounds are worth more.", n, r.runs(), disturbed))
	}
	for _, f := range r.Figures {
		if m := f.median(); m.Failed > 0 {
			out = append(out, fmt.Sprintf("%s: %s operations failed, the first with: %s", f.Key, Thousands(m.Failed), m.Mistake))
		}
		if s := f.spread(); len(f.Runs) > 2 && s > 0.3 && f.Scenario != "flood" && f.Scenario != "day" {
			out = append(out, fmt.Sprintf("%s: the repeats differ by %.0f %%; the median is a guess.", f.Key, 100*s))
		}
	}
	if speed, ok := r.speed(); ok {
		out = append(out, speed)
	}
	return append(out, r.missed()...)
}

// The rates of the machine that the goals a second were set on: two cores as well.
const (
	goalArgon = 93.0
	goalEcho  = 52_000.0
)

// speed compares this machine with the one that the goals were set on.
func (r *Results) speed() (string, bool) {
	argon, ok := r.figure(ceilingArgon)
	echo, okEcho := r.figure(ceilingEcho)
	if !ok || !okEcho {
		return "", false
	}
	return fmt.Sprintf("The goals a second were set on a machine that did raw Argon2id %.0f times a second and the JSON echo %s times. "+
		"This one did %.2f of that and %.2f: goals a second, multiplied by these, are what the same work would reach here.",
		goalArgon, Thousands(int(goalEcho)), argon.Rate/goalArgon, echo.Rate/goalEcho), true
}

// miss is what was missed for one reason.
type miss struct {
	key   Key // empty: the goal explains itself
	texts []string
	why   []string
}

// missed says for each figure that a goal was missed with what was wanted, and what limits.
func (r *Results) missed() (out []string) {
	var all []*miss
	for _, g := range r.goals() {
		value, ok := g.value(r)
		if !ok || g.met(value) {
			continue
		}
		at := slices.IndexFunc(all, func(m *miss) bool { return m.key != (Key{}) && m.key == g.limited })
		if at < 0 {
			all, at = append(all, &miss{key: g.limited}), len(all)
		}
		m := all[at]
		m.texts = append(m.texts, fmt.Sprintf("%s is %s, wanted %s", g.what, number(value, g.unit), g.wanted()))
		if g.why != nil {
			m.why = append(m.why, g.why(r))
		}
	}
	for _, m := range all {
		text := "**Missed:** " + strings.Join(m.texts, "; ") + "."
		for _, why := range m.why {
			text += " " + why
		}
		if run, ok := r.figure(m.key); ok {
			text += " " + r.limit(m.key, run) + " " + r.profiled(m.key)
		}
		out = append(out, strings.TrimSpace(text))
	}
	return out
}

// limit reads from the use of the CPUs what holds an operation up.
func (r *Results) limit(k Key, run Run) string {
	cores, cpu := float64(r.Machine.Cores), run.CPU
	used := fmt.Sprintf("server %.2f, database %.2f, load program %.2f, others %.2f of %.0f cores", cpu.Server, cpu.Database, cpu.Load, foreign(cpu), cores)
	each := fmt.Sprintf("an operation takes %s µs of the server, %s µs of the database, %s µs of the load program",
		Thousands(int(perOp(cpu.Server, run))), Thousands(int(perOp(cpu.Database, run))), Thousands(int(perOp(cpu.Load, run))))
	switch {
	case foreign(cpu) > disturbed:
		return "Not ours alone (" + used + "): measure again on a quiet machine."
	case k.Scenario == "flood":
		return "Meanwhile: " + used + "."
	case cpu.Busy() >= 0.9*cores:
		return "The CPUs are full (" + used + "): " + each + ". Only less work makes it faster."
	}
	if k.Scenario == "bearer" || k.Scenario == "list" { // they write nothing
		return fmt.Sprintf("The CPUs are nearly full (%s; %s): callers wait for them and for each other.", used, each)
	}
	sync, _ := r.figure(ceilingSync)
	return fmt.Sprintf("The CPUs are not full (%s; %s): callers wait for the disk (fdatasync in this run: p50 %.2f ms, p99 %.2f ms) or for each other.", used, each, sync.P50, sync.P99)
}

// profiled quotes the profile that belongs to a figure.
func (r *Results) profiled(k Key) string {
	p, ok := r.profile(k)
	if !ok {
		return "No profile of it was taken."
	}
	return p.quote()
}

// profile finds the one that belongs to a figure: a flood has one for all its operations, and a sweep
// goes on beside refreshes.
func (r *Results) profile(k Key) (Profile, bool) {
	k.Op = ""
	if k.Scenario == "sweep" {
		k = at64("refresh", k.Engine)
	}
	for _, p := range r.Profiles {
		if p.Key == k {
			return p, true
		}
	}
	return Profile{}, false
}

const quoted = 4 // entries of a profile in a sentence

// quote names where the CPU time goes.
func (p Profile) quote() string {
	parts := slices.Collect(maps.Keys(p.Shares))
	slices.SortFunc(parts, func(a, b string) int {
		return cmp.Or(cmp.Compare(p.Shares[b], p.Shares[a]), strings.Compare(a, b))
	})
	var shares, functions []string
	for _, part := range parts[:min(quoted, len(parts))] {
		shares = append(shares, fmt.Sprintf("%s %.0f %%", part, 100*p.Shares[part]))
	}
	for _, f := range p.Functions[:min(quoted, len(p.Functions))] {
		functions = append(functions, fmt.Sprintf("`%s` %.0f %%", f.Name, 100*f.Share))
	}
	text := "The server's CPU profile: " + strings.Join(shares, ", ")
	if len(functions) > 0 {
		text += "; by function " + strings.Join(functions, ", ")
	}
	return text + "."
}

// allocates names what takes the memory.
func (p Profile) allocates() string {
	var sites []string
	for _, a := range p.Allocators[:min(quoted, len(p.Allocators))] {
		sites = append(sites, fmt.Sprintf("`%s` %s", a.Name, number(a.Bytes, "B")))
	}
	return "What one operation allocates: " + number(p.Bytes, "B") + ", most of it in " + strings.Join(sites, ", ") + "."
}

// perOp is what an operation takes of what is used a second, in millionths: of cores, microseconds.
func perOp(used float64, run Run) float64 {
	if run.Rate <= 0 {
		return 0
	}
	return used / run.Rate * 1e6
}

func (r *Results) runs() (n int) {
	for _, f := range r.Figures {
		n += len(f.Runs)
	}
	return n
}

func (r *Results) disturbedRuns() (n int) {
	for _, f := range r.Figures {
		for _, run := range f.Runs {
			if foreign(run.CPU) > disturbed {
				n++
			}
		}
	}
	return n
}

// others is how many cores were used by others: in the median run, and in the worst.
func (r *Results) others() (middle, most float64) {
	used := []float64{0}
	for _, f := range r.Figures {
		for _, run := range f.Runs {
			used = append(used, foreign(run.CPU))
		}
	}
	return median(used), slices.Max(used)
}

func (k Key) String() string {
	text := k.Scenario
	if k.Op != "" {
		text += ": " + k.Op
	}
	for _, w := range []string{k.Engine, k.Case} {
		if w != "" && w != Machine {
			text += ", " + w
		}
	}
	return text
}
