// Package report keeps what was measured as JSON, and shows it: the goals and what came of them, one table
// of operations, two plots, and what to doubt.
package report

import (
	"slices"
	"time"

	"latchkey/bench/load"
	"latchkey/bench/machine"
)

// Results are one run of the load program.
type Results struct {
	Set        string        `json:"set"`
	Began      time.Time     `json:"began"`
	Seconds    float64       `json:"seconds"`
	Commit     string        `json:"commit"`
	Settings   []string      `json:"settings"` // what differs from the default configuration
	Machine    machine.Facts `json:"machine"`
	Figures    []*Figure     `json:"figures"`
	Quantities []*Quantity   `json:"quantities"`
	Against    *Results      `json:"against,omitempty"` // an earlier run, of another binary
}

// The engines, as reports name them; Machine is for what needs neither.
const (
	SQLite     = "SQLite"
	PostgreSQL = "PostgreSQL"
	Machine    = "machine"
)

// What cases and operations are called that a goal asks for.
const (
	ThrottleOff   = "throttle off"
	ThrottleOn    = "throttle on"
	ShortQueue    = "throttle off, queue of 16"
	FloodMemory   = "most memory"
	FloodServed   = "refreshes served of 80 a second"
	FloodShed     = "guess shed"
	WhileSweeping = "while old sessions are forgotten"
	PastRatio     = "p99 of refreshes beside a user with a long past, of that without"
	GrowthAtRest  = "of the database at rest, by 10,000 refreshes"
	LogAfterLoad  = "log on the disk after the load of the rounds"
	StartWithData = "on a database with data"
	Idle          = "idle"
	SessionSize   = "bytes a session, with its indexes"
)

// Key says what was measured.
type Key struct {
	Scenario string `json:"scenario"`
	Engine   string `json:"engine"`
	Case     string `json:"case"` // "64 callers"
	Op       string `json:"op"`   // where a scenario has several
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

// Figure is an operation under load, repeated.
type Figure struct {
	Key
	Runs []Run `json:"runs"`
}

// Run is one repeat. Times are in milliseconds.
type Run struct {
	Seconds float64       `json:"seconds"`
	Done    int           `json:"done"`
	Failed  int           `json:"failed"`
	Asked   int           `json:"asked,omitempty"` // open loop
	Mistake string        `json:"mistake,omitempty"`
	Rate    float64       `json:"rate"`
	P50     float64       `json:"p50"`
	P90     float64       `json:"p90"`
	P99     float64       `json:"p99"`
	Max     float64       `json:"max"`
	CPU     machine.Usage `json:"cpu"`
}

// Quantity is anything else that was measured: a time, a size, a share.
type Quantity struct {
	Key
	Unit   string    `json:"unit"`
	Values []float64 `json:"values"`
}

// NewRun sums samples up.
func NewRun(s load.Samples, cpu machine.Usage) Run {
	p := s.Percentiles(0.5, 0.9, 0.99, 1)
	r := Run{
		Seconds: s.Window.Seconds(), Done: len(s.Done), Failed: s.Failed, Asked: s.Asked, Rate: s.Rate(),
		P50: ms(p[0]), P90: ms(p[1]), P99: ms(p[2]), Max: ms(p[3]), CPU: cpu,
	}
	if s.Mistake != nil {
		r.Mistake = s.Mistake.Error()
	}
	return r
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Add notes a repeat.
func (r *Results) Add(k Key, run Run) {
	i := slices.IndexFunc(r.Figures, func(f *Figure) bool { return f.Key == k })
	if i < 0 {
		r.Figures = append(r.Figures, &Figure{Key: k})
		i = len(r.Figures) - 1
	}
	r.Figures[i].Runs = append(r.Figures[i].Runs, run)
}

// Measure notes a quantity.
func (r *Results) Measure(k Key, unit string, value float64) {
	i := slices.IndexFunc(r.Quantities, func(q *Quantity) bool { return q.Key == k })
	if i < 0 {
		r.Quantities = append(r.Quantities, &Quantity{Key: k, Unit: unit})
		i = len(r.Quantities) - 1
	}
	r.Quantities[i].Values = append(r.Quantities[i].Values, value)
}

// figure returns the medians of a figure; false when it was not measured.
func (r *Results) figure(k Key) (Run, bool) {
	for _, f := range r.Figures {
		if f.Key == k && len(f.Runs) > 0 {
			return f.median(), true
		}
	}
	return Run{}, false
}

// quantity returns the median of a quantity.
func (r *Results) quantity(k Key) (float64, bool) {
	for _, q := range r.Quantities {
		if q.Key == k && len(q.Values) > 0 {
			return median(q.Values), true
		}
	}
	return 0, false
}

// medians are the columns of which the median counts, each by itself.
func (r *Run) medians() []*float64 {
	return []*float64{
		&r.Rate, &r.P50, &r.P90, &r.P99, &r.CPU.Server, &r.CPU.Database, &r.CPU.Load, &r.CPU.Other, &r.CPU.Stolen,
		&r.CPU.Allocated, &r.CPU.Objects,
	}
}

// median sums the repeats up. Failures add up, since one is too many, and Max is the slowest of all repeats.
func (f *Figure) median() (m Run) {
	for column, into := range m.medians() {
		values := make([]float64, len(f.Runs))
		for i := range f.Runs {
			values[i] = *f.Runs[i].medians()[column]
		}
		*into = median(values)
	}
	for _, run := range f.Runs {
		m.Max = max(m.Max, run.Max)
		m.Failed += run.Failed
		if m.Mistake == "" {
			m.Mistake = run.Mistake
		}
	}
	return m
}

// spread is how far apart the slowest and the fastest repeat are, as a share of the median.
func (f *Figure) spread() float64 {
	rates := make([]float64, len(f.Runs))
	for i, run := range f.Runs {
		rates[i] = run.Rate
	}
	if m := median(rates); m > 0 {
		return (slices.Max(rates) - slices.Min(rates)) / m
	}
	return 0
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// foreign is CPU time that went to others, in cores: to other processes, or to other guests of the host.
func (r Run) foreign() float64 { return r.CPU.Other + r.CPU.Stolen }

// perOp is what an operation takes of what is used a second, in millionths: of cores, microseconds.
func (r Run) perOp(used float64) float64 {
	if r.Rate <= 0 {
		return 0
	}
	return used / r.Rate * 1e6
}
