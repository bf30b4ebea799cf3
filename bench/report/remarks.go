package report

// Plain words on what was missed, and on what a reader should doubt.

import (
	"fmt"
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
		if s := f.spread(); len(f.Runs) > 2 && s > 0.3 && f.Scenario != "flood" {
			out = append(out, fmt.Sprintf("%s: the repeats differ by %.0f %%; the median is a guess.", f.Key, 100*s))
		}
	}
	return append(out, r.missed()...)
}

// missed says for each figure that a goal was missed with what was wanted, and what limits.
func (r *Results) missed() (out []string) {
	var order []Key
	texts := map[Key][]string{}
	for _, g := range goals() {
		value, ok := g.value(r)
		if !ok || g.met(value) {
			continue
		}
		k := g.limited
		if k == (Key{}) {
			k.Scenario = g.what // a line of its own
		}
		if texts[k] == nil {
			order = append(order, k)
		}
		texts[k] = append(texts[k], fmt.Sprintf("%s is %s, wanted %s", g.what, number(value, g.unit), g.wanted()))
	}
	for _, k := range order {
		text := "**Missed:** " + strings.Join(texts[k], "; ") + "."
		if run, ok := r.figure(k); ok {
			text += " " + r.limit(k, run)
		}
		out = append(out, text)
	}
	return out
}

// limit reads from the use of the CPUs what holds an operation up.
func (r *Results) limit(k Key, run Run) string {
	cores, cpu := float64(r.Machine.Cores), run.CPU
	used := fmt.Sprintf("server %.2f, database %.2f, load program %.2f, others %.2f of %.0f cores", cpu.Server, cpu.Database, cpu.Load, cpu.Other, cores)
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
	sync, _ := r.figure(ceilingSync)
	return fmt.Sprintf("The CPUs are not full (%s): callers wait for the disk (fdatasync in this run: p50 %.2f ms, p99 %.2f ms) or for each other.", used, sync.P50, sync.P99)
}

// perOp is CPU time an operation, in microseconds.
func perOp(cores float64, run Run) float64 {
	if run.Rate <= 0 {
		return 0
	}
	return cores / run.Rate * 1e6
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
