package report

// What else was measured that explains a miss which no operation's CPU time explains: memory, start,
// growth, size, scale, binary. Each says what was seen, and nothing that was not.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// told writes the quantities of those keys that were measured.
func (r *Results) told(keys ...Key) string {
	var parts []string
	for _, k := range keys {
		for _, q := range r.Quantities {
			if q.Key == k {
				parts = append(parts, fmt.Sprintf("%s: %s", cmp.Or(k.Op, k.Scenario), number(median(q.Values), q.Unit)))
			}
		}
	}
	return strings.Join(parts, "; ")
}

func whyFloodMemory(engine, flooded string) func(*Results) string {
	return func(r *Results) string {
		k := Key{"flood", engine, flooded, ""}
		before := k
		before.Op = FloodBefore
		text := capital(r.told(before)) + "."
		if p, ok := r.profile(k); ok {
			text += " " + p.allocates()
		}
		return text
	}
}

func whyIdle(engine string) func(*Results) string {
	return func(r *Results) string {
		k := func(op string) Key { return Key{"memory", engine, "", op} }
		return capital(r.told(k("idle"), k("idle"+OfItHeap), k("after the load of the rounds"))) +
			". What is not heap is the program itself, stacks, SQLite's pages, and what the runtime has not given back."
	}
}

func whyStart(engine string) func(*Results) string {
	return func(r *Results) string {
		k := func(op string) Key { return Key{"start", engine, "", op} }
		return capital(r.told(k(StartCPU), k(StartEmpty))) + ". What is not the server's CPU time is waiting for the database, the disk or a free core."
	}
}

func whyGrowth(engine string) func(*Results) string {
	return func(r *Results) string {
		k := func(op string) Key { return Key{"growth", engine, "", op} }
		return capital(r.told(k(GrowthTable), k(GrowthHOT), k(GrowthLog), k(GrowthWAL))) + "."
	}
}

func whySize(engine string) func(*Results) string {
	return func(r *Results) string {
		k := func(op string) Key { return Key{"size", engine, "", op} }
		return capital(r.told(k(IDsSize), k(AgentSize))) + ". The ids stand in the table and again in its two indexes."
	}
}

func whySweep(engine string) func(*Results) string {
	return func(r *Results) string {
		still, ok := r.figure(Key{"sweep", engine, NotSweeping, "refresh"})
		if !ok {
			return ""
		}
		return fmt.Sprintf("With nothing to forget, in the same minute: p99 %s.", number(still.P99, "ms"))
	}
}

// whyScale compares what an operation costs at both sizes.
func whyScale(engine string, small, large int) func(*Results) string {
	return func(r *Results) string {
		var parts []string
		for _, size := range []int{small, large} {
			k := scaleKey(engine, size)
			run, _ := r.figure(k)
			k.Op = DatabaseSize
			database, _ := r.quantity(k)
			parts = append(parts, fmt.Sprintf("at %s sessions (%s) a refresh takes %s µs of the server and %s µs of the database, p50 %s",
				Thousands(size), number(database, "MB"), Thousands(int(perOp(run.CPU.Server, run))), Thousands(int(perOp(run.CPU.Database, run))), number(run.P50, "ms")))
		}
		return capital(strings.Join(parts, "; ")) + "."
	}
}

func whyBinary(r *Results) string {
	var sections []Key
	for _, q := range r.Quantities {
		if q.Scenario == "binary" && q.Op != "" {
			sections = append(sections, q.Key)
		}
	}
	slices.SortFunc(sections, func(a, b Key) int {
		sizeA, _ := r.quantity(a)
		sizeB, _ := r.quantity(b)
		return cmp.Compare(sizeB, sizeA)
	})
	return "Its sections: " + r.told(sections...) + "."
}

func capital(text string) string {
	if text == "" {
		return "Nothing was measured that explains it"
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
