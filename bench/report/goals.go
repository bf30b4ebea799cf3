package report

// What is wanted, and whether it was reached. The goals are those of docs/performance.md.

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// goal is one line of the table.
type goal struct {
	what    string
	bound   float64
	atMost  bool // else at least
	unit    string
	value   func(r *Results) (float64, bool)
	limited Key                     // the figure that says what limits, with its profile; may be empty
	why     func(r *Results) string // what else was measured that explains a miss; may be nil
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

func at64(scenario, engine string) Key { return Key{scenario, engine, "64 callers", ""} }

func rate(k Key) func(*Results) (float64, bool) {
	return func(r *Results) (float64, bool) { f, ok := r.figure(k); return f.Rate, ok }
}

func p99(k Key) func(*Results) (float64, bool) {
	return func(r *Results) (float64, bool) { f, ok := r.figure(k); return f.P99, ok }
}

func slowest(k Key) func(*Results) (float64, bool) {
	return func(r *Results) (float64, bool) { f, ok := r.figure(k); return f.Max, ok && f.Max > 0 }
}

func failed(k Key) func(*Results) (float64, bool) {
	return func(r *Results) (float64, bool) { f, ok := r.figure(k); return float64(f.Failed), ok }
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

// goals are all that is wanted; of the sizes that are compared, those that were measured and the largest.
func (r *Results) goals() []goal {
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
		for _, flooded := range []string{ThrottleOff, ThrottleOn, ShortQueue} {
			all = append(all, floodGoals(engine, flooded)...)
		}
		all = append(all, restGoals(engine)...)
		all = append(all, r.scaleGoals(engine)...)
	}
	return append(all, goal{what: "binary", bound: 30, atMost: true, unit: "MB", value: quantity(Key{Scenario: "binary", Engine: Machine}), why: whyBinary})
}

func floodGoals(engine, flooded string) []goal {
	key := func(op string) Key { return Key{"flood", engine, flooded, op} }
	where := ", " + engine + ", " + flooded
	all := []goal{
		{what: "refresh under a flood of 64 wrong sign-ins: p99" + where, bound: 25, atMost: true, unit: "ms", value: p99(key("refresh")), limited: key("refresh")},
		{what: "refreshes served of 80 a second" + where, bound: 79.9, unit: "/s", value: quantity(key(FloodServed)), limited: key("refresh")},
		{what: "right sign-in from a known device meanwhile, slowest" + where, bound: 2000, atMost: true, unit: "ms", value: slowest(key("right sign-in")), limited: key("refresh")},
		{what: "right sign-ins from it that failed" + where, bound: 0, atMost: true, value: failed(key("right sign-in")), limited: key("refresh")},
		{what: "most memory meanwhile" + where, bound: 150, atMost: true, unit: "MB", value: quantity(key(FloodMemory)), limited: key("refresh"), why: whyFloodMemory(engine, flooded)},
	}
	if flooded == ShortQueue {
		all = append(all, goal{what: "guesses shed" + where, bound: 1, unit: "/s", value: quantity(key(FloodShed)), limited: key("refresh")})
	}
	return all
}

func restGoals(engine string) []goal {
	swept := Key{"sweep", engine, WhileSweeping, "refresh"}
	all := []goal{
		{what: "refresh while old sessions are forgotten: p99, " + engine, bound: 25, atMost: true, unit: "ms", value: p99(swept), limited: swept, why: whySweep(engine)},
		{what: "p99 of refreshes beside a user with a long past, of that without, " + engine, bound: 1.2, atMost: true, unit: "x", value: quantity(Key{"past", engine, "", PastRatio})},
		{what: "start to first 200, " + engine, bound: 50, atMost: true, unit: "ms", value: quantity(Key{"start", engine, "", StartWithData}), why: whyStart(engine)},
		{what: "idle memory, " + engine, bound: 40, atMost: true, unit: "MB", value: quantity(Key{"memory", engine, "", "idle"}), why: whyIdle(engine)},
		{what: "growth of the database at rest by 10,000 refreshes of warm sessions, " + engine, bound: 66, atMost: true, unit: "kB", value: quantity(Key{"growth", engine, "", GrowthAtRest}), why: whyGrowth(engine)},
		{what: "a session on the disk, " + engine, bound: 400, atMost: true, unit: "B", value: quantity(Key{"size", engine, "", SessionSize}), why: whySize(engine)},
	}
	if engine == SQLite { // 16,000 pages of 4 KiB are one checkpoint's slack
		all = append(all, goal{what: "SQLite's log on the disk after the load of the rounds", bound: 66, atMost: true, unit: "MB", value: quantity(Key{"memory", SQLite, "", LogAfterLoad}), why: whyGrowth(engine)})
	}
	return all
}

// scaleGoals compare each size that was measured with the smallest.
func (r *Results) scaleGoals(engine string) (all []goal) {
	sizes := r.scaleSizes(engine)
	smallest := 10_000
	if len(sizes) > 0 {
		smallest = sizes[0]
	}
	if engine == SQLite && !slices.Contains(sizes, 10_000_000) {
		sizes = append(sizes, 10_000_000)
	}
	for _, size := range sizes {
		if size > smallest {
			all = append(all, goal{
				what:  fmt.Sprintf("refresh at %s sessions against %s, %s", Thousands(size), Thousands(smallest), engine),
				bound: 0.6, unit: "x", value: ratio(rate(scaleKey(engine, size)), rate(scaleKey(engine, smallest))), why: whyScale(engine, smallest, size),
			})
		}
	}
	return all
}

func scaleKey(engine string, size int) Key {
	return Key{"scale", engine, Thousands(size) + " sessions", "refresh"}
}

// scaleSizes are those that refresh was measured at, the smallest first.
func (r *Results) scaleSizes(engine string) (sizes []int) {
	for _, f := range r.Figures {
		if f.Scenario == "scale" && f.Engine == engine && f.Op == "refresh" {
			if n, err := sessionsOf(f.Case); err == nil {
				sizes = append(sizes, n)
			}
		}
	}
	slices.Sort(sizes)
	return sizes
}

// sessionsOf reads a case of scale: "10,000 sessions".
func sessionsOf(text string) (int, error) {
	return strconv.Atoi(strings.ReplaceAll(strings.TrimSuffix(text, " sessions"), ",", ""))
}

func (g goal) wanted() string {
	if g.bound == 0 {
		return "none"
	}
	sign := "≥"
	if g.atMost {
		sign = "≤"
	}
	return sign + " " + number(g.bound, g.unit)
}

// share of what was wanted.
func (g goal) share(value float64) string {
	if g.bound == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", value/g.bound)
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
