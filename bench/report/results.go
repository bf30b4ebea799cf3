// Package report turns what was measured into JSON, tables, plots and plain words: what was wanted,
// what came out, what the machine could do at best, and what is missing.
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
	Series     []Series      `json:"series"`
	Profiles   []Profile     `json:"profiles"`
	Against    *Results      `json:"against,omitempty"` // an earlier run, of another binary
}

// The engines, as reports name them; Machine is for what needs neither.
const (
	SQLite     = "SQLite"
	PostgreSQL = "PostgreSQL"
	Machine    = "machine"
)

// Key says what was measured.
type Key struct {
	Scenario string `json:"scenario"`
	Engine   string `json:"engine"`
	Case     string `json:"case"` // "64 callers"
	Op       string `json:"op"`   // where a scenario has several
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

// Series is a latency over the time of a run, for a plot.
type Series struct {
	Key
	Points []Point `json:"points"`
}

// Point is one operation: when it was due, in seconds, and how long it took, in milliseconds.
type Point struct {
	At float64 `json:"at"`
	Ms float64 `json:"ms"`
}

// Profile says where a server's CPU time went and what it allocated. What it allocated is an operation's.
type Profile struct {
	Key
	Shares     map[string]float64 `json:"shares"` // of all samples, by part of the program
	Functions  []Site             `json:"functions"`
	Bytes      float64            `json:"bytes"` // all of them, as far as samples tell
	Objects    float64            `json:"objects"`
	Allocators []Site             `json:"allocators"`
}

// Site is a function and what it took by itself: of CPU time a share, of memory what it allocated for
// one operation.
type Site struct {
	Name    string  `json:"name"`
	Share   float64 `json:"share,omitempty"`
	Bytes   float64 `json:"bytes,omitempty"`
	Objects float64 `json:"objects,omitempty"`
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

// Draw keeps samples for a plot.
func (r *Results) Draw(k Key, s load.Samples) {
	if slices.ContainsFunc(r.Series, func(s Series) bool { return s.Key == k }) {
		return // one repeat is enough to look at
	}
	series := Series{Key: k}
	for _, d := range s.Done {
		series.Points = append(series.Points, Point{d.At.Seconds(), ms(d.Took)})
	}
	slices.SortFunc(series.Points, func(a, b Point) int { return int((a.At - b.At) * 1e6) })
	r.Series = append(r.Series, series)
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

// median of each column by itself; failures add up, since one is too many, and Max is the slowest of
// all repeats.
func (f *Figure) median() Run {
	of := func(column func(Run) float64) float64 {
		values := make([]float64, len(f.Runs))
		for i, run := range f.Runs {
			values[i] = column(run)
		}
		return median(values)
	}
	m := Run{
		Seconds: of(func(r Run) float64 { return r.Seconds }),
		Done:    int(of(func(r Run) float64 { return float64(r.Done) })),
		Asked:   int(of(func(r Run) float64 { return float64(r.Asked) })),
		Rate:    of(func(r Run) float64 { return r.Rate }),
		P50:     of(func(r Run) float64 { return r.P50 }),
		P90:     of(func(r Run) float64 { return r.P90 }),
		P99:     of(func(r Run) float64 { return r.P99 }),
		CPU: machine.Usage{
			Server:   of(func(r Run) float64 { return r.CPU.Server }),
			Database: of(func(r Run) float64 { return r.CPU.Database }),
			Load:     of(func(r Run) float64 { return r.CPU.Load }),
			Other:    of(func(r Run) float64 { return r.CPU.Other }),
			Stolen:   of(func(r Run) float64 { return r.CPU.Stolen }),
			RSS:      int64(of(func(r Run) float64 { return float64(r.CPU.RSS) })),
			PeakRSS:  int64(of(func(r Run) float64 { return float64(r.CPU.PeakRSS) })),

			Allocated: of(func(r Run) float64 { return r.CPU.Allocated }),
			Objects:   of(func(r Run) float64 { return r.CPU.Objects }),

			DatabaseMemory: int64(of(func(r Run) float64 { return float64(r.CPU.DatabaseMemory) })),
		},
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
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	} else {
		return sorted[n/2]
	}
}
