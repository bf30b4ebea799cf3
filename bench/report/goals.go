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
	what string
	bound
	value
}

// bound is what is wanted of a value, in a unit: "x" is a ratio, "" a number.
type bound struct {
	at   float64
	most bool // else least
	unit string
}

// value is what was measured, if it was.
type value struct {
	n  float64
	ok bool
}

func atLeast(n float64, unit string) bound { return bound{at: n, unit: unit} }

func atMost(n float64, unit string) bound { return bound{at: n, most: true, unit: unit} }

func (b bound) met(v float64) bool {
	if b.most {
		return v <= b.at
	}
	return v >= b.at
}

func (b bound) String() string {
	switch {
	case b.at == 0:
		return "none"
	case b.most:
		return "≤ " + number(b.at, b.unit)
	}
	return "≥ " + number(b.at, b.unit)
}

func (r *Results) rate(k Key) value { f, ok := r.figure(k); return value{f.Rate, ok} }

func (r *Results) p99(k Key) value { f, ok := r.figure(k); return value{f.P99, ok} }

func (r *Results) slowest(k Key) value { f, ok := r.figure(k); return value{f.Max, ok && f.Max > 0} }

func (r *Results) failed(k Key) value { f, ok := r.figure(k); return value{float64(f.Failed), ok} }

// measured is a quantity of a scenario that has no cases.
func (r *Results) measured(scenario, engine, op string) value {
	n, ok := r.quantity(Key{scenario, engine, "", op})
	return value{n, ok}
}

func (v value) per(other value) value {
	return value{v.n / other.n, v.ok && other.ok && other.n > 0}
}

// The ceilings, as far as they are measured by name.
var (
	ceilingArgon = Key{"ceiling", Machine, "", "Argon2id"}
	ceilingEcho  = Key{"ceiling", Machine, "64 callers", "echo"}
)

func ceilingRefresh(engine string) Key { return Key{"ceiling", engine, "64 callers", "refresh"} }

// ceilingOf is the ceiling that a steady operation is held against.
func ceilingOf(k Key) Key {
	switch k.Scenario {
	case "refresh":
		return ceilingRefresh(k.Engine)
	case "sign-in":
		return ceilingArgon
	}
	return ceilingEcho
}

func at64(scenario, engine string) Key { return Key{scenario, engine, "64 callers", ""} }

// goals are all that is wanted; of the sizes that are compared, those that were measured and the largest.
func (r *Results) goals() []goal {
	lite, pg := at64("refresh", SQLite), at64("refresh", PostgreSQL)
	all := []goal{
		{"refresh, SQLite, 64 callers", atLeast(10_000, "/s"), r.rate(lite)},
		{"refresh, SQLite, 64 callers: p99", atMost(25, "ms"), r.p99(lite)},
		{"refresh, SQLite, against the same work without rules", atLeast(0.7, "x"), r.rate(lite).per(r.rate(ceilingOf(lite)))},
		{"refresh, PostgreSQL, 64 callers", atLeast(8_000, "/s"), r.rate(pg)},
	}
	for _, engine := range []string{SQLite, PostgreSQL} {
		in := Key{"sign-in", engine, "16 callers", ""}
		all = append(all,
			goal{"bearer check with session row, " + engine, atLeast(18_000, "/s"), r.rate(at64("bearer", engine))},
			goal{"list of 5 sessions, " + engine, atLeast(10_000, "/s"), r.rate(at64("list", engine))},
			goal{"sign-in against raw Argon2id on all cores, " + engine, atLeast(0.95, "x"), r.rate(in).per(r.rate(ceilingArgon))},
			goal{"sign-out, " + engine, atLeast(6_000, "/s"), r.rate(at64("sign-out", engine))},
		)
		for _, flooded := range []string{ThrottleOff, ThrottleOn, ShortQueue} {
			all = append(all, r.floodGoals(engine, flooded)...)
		}
		all = append(all,
			goal{"refresh while old sessions are forgotten: p99, " + engine, atMost(25, "ms"), r.p99(Key{"sweep", engine, WhileSweeping, "refresh"})},
			goal{"p99 of refreshes beside a user with a long past, of that without, " + engine, atMost(1.2, "x"), r.measured("past", engine, PastRatio)},
			goal{"start to first 200, " + engine, atMost(50, "ms"), r.measured("start", engine, StartWithData)},
			goal{"idle memory, " + engine, atMost(40, "MB"), r.measured("memory", engine, Idle)},
			goal{"growth of the database at rest by 10,000 refreshes of warm sessions, " + engine, atMost(66, "kB"), r.measured("growth", engine, GrowthAtRest)},
			goal{"a session on the disk, " + engine, atMost(400, "B"), r.measured("size", engine, SessionSize)},
		)
		all = append(all, r.scaleGoals(engine)...)
	}
	return append(all,
		// 16,000 pages of 4 KiB are one checkpoint's slack.
		goal{"SQLite's log on the disk after the load of the rounds", atMost(66, "MB"), r.measured("memory", SQLite, LogAfterLoad)},
		goal{"binary", atMost(30, "MB"), r.measured("binary", Machine, "")})
}

func (r *Results) floodGoals(engine, flooded string) []goal {
	key := func(op string) Key { return Key{"flood", engine, flooded, op} }
	quantity := func(op string) value { n, ok := r.quantity(key(op)); return value{n, ok} }
	where := ", " + engine + ", " + flooded
	all := []goal{
		{"refresh under a flood of 64 wrong sign-ins: p99" + where, atMost(25, "ms"), r.p99(key("refresh"))},
		{"refreshes served of 80 a second" + where, atLeast(79.9, "/s"), quantity(FloodServed)},
		{"right sign-in from a known device meanwhile, slowest" + where, atMost(2000, "ms"), r.slowest(key("right sign-in"))},
		{"right sign-ins from it that failed" + where, atMost(0, ""), r.failed(key("right sign-in"))},
		{"most memory meanwhile" + where, atMost(150, "MB"), quantity(FloodMemory)},
	}
	if flooded == ShortQueue {
		all = append(all, goal{"guesses shed" + where, atLeast(1, "/s"), quantity(FloodShed)})
	}
	return all
}

// scaleGoals compare each size that was measured with the smallest.
func (r *Results) scaleGoals(engine string) (all []goal) {
	key := func(size int) Key { return Key{"scale", engine, Thousands(size) + " sessions", "refresh"} }
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
			what := fmt.Sprintf("refresh at %s sessions against %s, %s", Thousands(size), Thousands(smallest), engine)
			all = append(all, goal{what, atLeast(0.6, "x"), r.rate(key(size)).per(r.rate(key(smallest)))})
		}
	}
	return all
}

// scaleSizes are those that refresh was measured at, the smallest first.
func (r *Results) scaleSizes(engine string) (sizes []int) {
	for _, f := range r.Figures {
		if f.Scenario == "scale" && f.Engine == engine && f.Op == "refresh" {
			text := strings.ReplaceAll(strings.TrimSuffix(f.Case, " sessions"), ",", "")
			if n, err := strconv.Atoi(text); err == nil {
				sizes = append(sizes, n)
			}
		}
	}
	slices.Sort(sizes)
	return sizes
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
