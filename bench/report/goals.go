package report

// What is wanted, and whether it was reached. The goals are those of docs/performance.md.

import (
	"fmt"
	"math"
)

// goal is one line of the table.
type goal struct {
	what    string
	bound   float64
	atMost  bool // else at least
	unit    string
	value   func(r *Results) (float64, bool)
	limited Key // the figure whose CPU use says what limits; may be empty
}

// The ceilings, as far as they are measured by name.
var (
	ceilingArgon = Key{"ceiling", Machine, "", "Argon2id"}
	ceilingSync  = Key{"ceiling", Machine, "", "fdatasync"}
	ceilingEcho  = Key{"ceiling", Machine, "64 callers", "echo"}
)

func ceilingRefresh(engine string) Key { return Key{"ceiling", engine, "64 callers", "refresh"} }

// ceilingOf is the ceiling that an operation is held against, and its name.
func ceilingOf(k Key) (Key, string) {
	op := k.Op
	if op == "" {
		op = k.Scenario
	}
	switch op {
	case "refresh":
		return ceilingRefresh(k.Engine), "refresh without rules"
	case "sign-in":
		return ceilingArgon, "raw Argon2id"
	}
	return ceilingEcho, "JSON echo"
}

// What growth is measured of.
const (
	GrowthAtRest  = "after 10,000 refreshes of warm sessions, at rest"
	GrowthRunning = "after 10,000 refreshes of warm sessions, while running"
)

func at64(scenario, engine string) Key { return Key{scenario, engine, "64 callers", ""} }

func rate(k Key) func(*Results) (float64, bool) {
	return func(r *Results) (float64, bool) { f, ok := r.figure(k); return f.Rate, ok }
}

func p99(k Key) func(*Results) (float64, bool) {
	return func(r *Results) (float64, bool) { f, ok := r.figure(k); return f.P99, ok }
}

func slowest(k Key) func(*Results) (float64, bool) {
	return func(r *Results) (float64, bool) { f, ok := r.figure(k); return f.Max, ok }
}

func quantity(k Key) func(*Results) (float64, bool) {
	return func(r *Results) (float64, bool) { return r.quantity(k) }
}

func ratio(of, to func(*Results) (float64, bool)) func(*Results) (float64, bool) {
	return func(r *Results) (float64, bool) {
		a, okA := of(r)
		b, okB := to(r)
		return a / b, okA && okB && b > 0
	}
}

func goals() []goal {
	all := []goal{
		{what: "refresh, SQLite, 64 callers", bound: 10_000, unit: "/s", value: rate(at64("refresh", SQLite)), limited: at64("refresh", SQLite)},
		{what: "refresh, SQLite, 64 callers: p99", bound: 25, atMost: true, unit: "ms", value: p99(at64("refresh", SQLite)), limited: at64("refresh", SQLite)},
		{
			what: "refresh, SQLite, against the same work without rules", bound: 0.7, unit: "x",
			value: ratio(rate(at64("refresh", SQLite)), rate(ceilingRefresh(SQLite))), limited: at64("refresh", SQLite),
		},
		{what: "refresh, PostgreSQL, 64 callers", bound: 8_000, unit: "/s", value: rate(at64("refresh", PostgreSQL)), limited: at64("refresh", PostgreSQL)},
	}
	for _, engine := range []string{SQLite, PostgreSQL} {
		in := Key{"sign-in", engine, "16 callers", ""}
		all = append(all,
			goal{what: "bearer check with session row, " + engine, bound: 18_000, unit: "/s", value: rate(at64("bearer", engine)), limited: at64("bearer", engine)},
			goal{what: "list of 5 sessions, " + engine, bound: 10_000, unit: "/s", value: rate(at64("list", engine)), limited: at64("list", engine)},
			goal{what: "sign-in against raw Argon2id on all cores, " + engine, bound: 0.95, unit: "x", value: ratio(rate(in), rate(ceilingArgon)), limited: in},
			goal{what: "sign-out, " + engine, bound: 6_000, unit: "/s", value: rate(at64("sign-out", engine)), limited: at64("sign-out", engine)},
		)
		for _, throttle := range []string{"throttle off", "throttle on"} {
			all = append(all, floodGoals(engine, throttle)...)
		}
		all = append(all, restGoals(engine)...)
	}
	return append(all, goal{what: "binary", bound: 30, atMost: true, unit: "MiB", value: quantity(Key{Scenario: "binary", Engine: Machine})})
}

func floodGoals(engine, throttle string) []goal {
	key := func(op string) Key { return Key{"flood", engine, throttle, op} }
	where := ", " + engine + ", " + throttle
	return []goal{
		{what: "refresh under a flood of 64 wrong sign-ins: p99" + where, bound: 25, atMost: true, unit: "ms", value: p99(key("refresh")), limited: key("refresh")},
		{what: "refreshes served of 80 a second" + where, bound: 79.9, unit: "/s", value: quantity(key("refreshes served of 80 a second")), limited: key("refresh")},
		{what: "right sign-in from a known device meanwhile, slowest" + where, bound: 2000, atMost: true, unit: "ms", value: slowest(key("right sign-in")), limited: key("right sign-in")},
		{what: "most memory meanwhile" + where, bound: 150, atMost: true, unit: "MiB", value: quantity(key("most memory"))},
	}
}

func restGoals(engine string) []goal {
	scale := func(size string) func(*Results) (float64, bool) {
		return rate(Key{"scale", engine, size + " sessions", "refresh"})
	}
	all := []goal{
		{what: "start to first 200, " + engine, bound: 50, atMost: true, unit: "ms", value: quantity(Key{"start", engine, "", "on a database with data"})},
		{what: "idle memory, " + engine, bound: 40, atMost: true, unit: "MiB", value: quantity(Key{"memory", engine, "", "idle"})},
		{what: "growth by 10,000 refreshes of warm sessions, at rest, " + engine, bound: 64, atMost: true, unit: "KiB", value: quantity(Key{"growth", engine, "", GrowthAtRest})},
		{what: "the same while running, " + engine, bound: 16 << 10, atMost: true, unit: "KiB", value: quantity(Key{"growth", engine, "", GrowthRunning})},
		{what: "a session on the disk, " + engine, bound: 400, atMost: true, unit: "B", value: quantity(Key{"size", engine, "", "bytes a session, with its index"})},
		{what: "refresh at 1,000,000 sessions against 10,000, " + engine, bound: 0.6, unit: "x", value: ratio(scale("1,000,000"), scale("10,000"))},
	}
	if engine == SQLite {
		all = append(all, goal{what: "refresh at 10,000,000 sessions against 10,000, SQLite", bound: 0.6, unit: "x", value: ratio(scale("10,000,000"), scale("10,000"))})
	}
	return all
}

func (g goal) wanted() string {
	sign := "≥"
	if g.atMost {
		sign = "≤"
	}
	return sign + " " + number(g.bound, g.unit)
}

func (g goal) met(value float64) bool {
	if g.atMost {
		return value <= g.bound
	}
	return value >= g.bound
}

// number writes a value as people read it: 12,345/s, 4.6 ms, 0.83 x.
func number(v float64, unit string) string {
	text := ""
	switch {
	case unit == "x":
		return fmt.Sprintf("%.2f", v)
	case math.Abs(v) >= 100:
		text = Thousands(int(math.Round(v)))
	case v == math.Trunc(v):
		text = fmt.Sprintf("%.0f", v)
	default:
		text = fmt.Sprintf("%.1f", v)
	}
	if unit == "/s" || unit == "" {
		return text + unit
	}
	return text + " " + unit
}

// Thousands groups digits: 1,234,567.
func Thousands(n int) string {
	if n < 0 {
		return "-" + Thousands(-n)
	}
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", Thousands(n/1000), n%1000)
}
