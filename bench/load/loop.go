package load

// The two loops. Both call Began when what counts begins and Ended when it is over, so that a meter of
// the machine sees the same window.

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Act is one operation of one caller, from request to checked answer. It names what it did. One caller
// runs its acts one after another.
type Act func(*Conn) (op string, err error)

// ErrOut says that a caller has nothing left to act on; the window of a closed loop ends there.
var ErrOut = errors.New("nothing left to act on")

// Window is what a loop measures: For, after Warm, in which operations are done but not counted.
type Window struct {
	Addr      string
	From      net.IP // address of the callers; nil: any
	Warm, For time.Duration
	Began     func() // may be nil
	Ended     func() // may be nil
}

func (w Window) began() {
	if w.Began != nil {
		w.Began()
	}
}

func (w Window) ended() {
	if w.Ended != nil {
		w.Ended()
	}
}

// timed is a sample with the wall clock's time.
type timed struct {
	op       string
	from, to time.Time
	err      error
}

// Closed lets each caller send its next request when it has its answer. Operations that end inside the
// window count.
func Closed(ctx context.Context, w Window, callers []Act) Result {
	var over atomic.Bool
	out := make(chan struct{})
	var once sync.Once
	logs := make([][]timed, len(callers))
	var wg sync.WaitGroup
	for i, act := range callers {
		wg.Go(func() {
			conn := NewConn(w.Addr, w.From)
			defer conn.Close()
			for !over.Load() {
				t := timed{from: time.Now()}
				t.op, t.err = act(conn)
				t.to = time.Now()
				if errors.Is(t.err, ErrOut) {
					once.Do(func() { close(out) })
					return
				}
				logs[i] = append(logs[i], t)
				if t.err != nil {
					pause(ctx, 10*time.Millisecond) // a server that refuses everything must not be hammered
				}
			}
		})
	}
	pause(ctx, w.Warm)
	w.began()
	start := time.Now()
	select {
	case <-time.After(w.For):
	case <-out:
	case <-ctx.Done():
	}
	end := time.Now()
	w.ended()
	over.Store(true)
	wg.Wait()
	return collect(logs, start, end)
}

func collect(logs [][]timed, start, end time.Time) Result {
	all := Result{}
	for _, log := range logs {
		for _, t := range log {
			if t.to.After(start) && !t.to.After(end) {
				all.note(t.op, Sample{At: t.from.Sub(start), Took: t.to.Sub(t.from)}, t.err)
			}
		}
	}
	for _, s := range all {
		s.Window = end.Sub(start)
	}
	return all
}

// Pace says when requests are due.
type Pace struct {
	Rate   float64 // a second
	Random bool    // exponential gaps, as of many users who know nothing of each other; else even ones
}

// due lists the times of a window of the given length.
func (p Pace) due(length time.Duration) []time.Duration {
	random := rand.New(rand.NewPCG(1, uint64(math.Float64bits(p.Rate)))) // the same in every run
	gap := time.Duration(float64(time.Second) / p.Rate)
	var all []time.Duration
	for at := time.Duration(0); at < length; {
		all = append(all, at)
		if p.Random {
			at += time.Duration(random.ExpFloat64() * float64(gap))
		} else {
			at += gap
		}
	}
	return all
}

// Open sends requests when they are due, whatever became of the earlier ones, as long as a caller is
// free; each is timed from when it was due, so that a server's pause counts for all whom it kept
// waiting, those not yet sent included. There must be callers enough for the requests under way.
func Open(ctx context.Context, w Window, pace Pace, callers []Act) Result {
	due := pace.due(w.Warm + w.For)
	var next atomic.Int64
	var wg sync.WaitGroup
	results := make([]Result, len(callers))
	start := time.Now().Add(5 * time.Millisecond)
	for i, act := range callers {
		results[i] = Result{}
		wg.Go(func() {
			conn := NewConn(w.Addr, w.From)
			defer conn.Close()
			_ = conn.dial() // kept alive from before the first request; if it fails, that one says so
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= len(due) {
					return
				}
				at := start.Add(due[n])
				pause(ctx, time.Until(at))
				op, err := act(conn)
				if due[n] >= w.Warm {
					results[i].of(op).Asked++
					results[i].note(op, Sample{At: due[n] - w.Warm, Took: time.Since(at)}, err)
				}
			}
		})
	}
	pause(ctx, time.Until(start.Add(w.Warm)))
	w.began()
	pause(ctx, time.Until(start.Add(w.Warm+w.For)))
	w.ended()
	wg.Wait()
	all := Result{}
	for _, r := range results {
		all.merge(r)
	}
	for _, s := range all {
		s.Window = w.For
	}
	return all
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
