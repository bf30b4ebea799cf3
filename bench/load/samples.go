package load

// What was measured, and its percentiles. Each sample is kept: exact, and a few megabytes at most.

import (
	"slices"
	"time"
)

// Sample is one operation.
type Sample struct {
	At   time.Duration // when it was sent (open loop: due), from the start of the window
	Took time.Duration // open loop: since it was due
}

// Samples are the operations of one kind that succeeded, and how many did not.
type Samples struct {
	Done    []Sample
	Failed  int
	Mistake error         // the first failure
	Asked   int           // open loop: how many were due
	Window  time.Duration // the time they stand for
}

// Rate is successes a second.
func (s Samples) Rate() float64 {
	if s.Window <= 0 {
		return 0
	}
	return float64(len(s.Done)) / s.Window.Seconds()
}

// Percentiles returns the latencies below which the given shares (0 to 1) of the successes are, by the
// nearest-rank method: each is a latency that occurred.
func (s Samples) Percentiles(shares ...float64) []time.Duration {
	took := make([]time.Duration, len(s.Done))
	for i, d := range s.Done {
		took[i] = d.Took
	}
	slices.Sort(took)
	out := make([]time.Duration, len(shares))
	for i, share := range shares {
		if len(took) > 0 {
			rank := int(share*float64(len(took)) + 0.999999)
			out[i] = took[min(max(rank, 1), len(took))-1]
		}
	}
	return out
}

// Between keeps the samples of a part of the window.
func (s Samples) Between(from, to time.Duration) Samples {
	part := Samples{Window: to - from}
	for _, d := range s.Done {
		if d.At >= from && d.At < to {
			part.Done = append(part.Done, d)
		}
	}
	return part
}

// Result holds the samples by operation.
type Result map[string]*Samples

func (r Result) of(op string) *Samples {
	s := r[op]
	if s == nil {
		s = &Samples{}
		r[op] = s
	}
	return s
}

func (r Result) note(op string, d Sample, err error) {
	s := r.of(op)
	if err == nil {
		s.Done = append(s.Done, d)
		return
	}
	s.Failed++
	if s.Mistake == nil {
		s.Mistake = err
	}
}

// merge adds what one caller measured.
func (r Result) merge(other Result) {
	for op, more := range other {
		s := r.of(op)
		s.Done = append(s.Done, more.Done...)
		s.Failed += more.Failed
		s.Asked += more.Asked
		if s.Mistake == nil {
			s.Mistake = more.Mistake
		}
	}
}
