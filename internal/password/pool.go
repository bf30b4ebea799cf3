package password

// Who may hash now. Hashing is the only slow and memory-hungry work of the server, so it is bounded
// twice: by how many hash at once (memory) and by how many wait (latency).

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrBusy says that too many wait: ask again later (503 with Retry-After).
var ErrBusy = errors.New("too many passwords wait to be hashed")

// Pool hands out permits to hash, in fair turns. It is safe for concurrent use.
//
// A permit belongs to the work, not to the request it is done for: a client that hangs up while its
// password is hashed frees nothing early, so the memory in use never passes workers x the cost of a
// hash.
type Pool struct {
	// OnBusy, where it is set, is called when the first of some permits is taken, before its work begins,
	// and when the last one is given back. Set it before the first Do; it must not use the Pool.
	OnBusy func(busy bool)

	workers, queue int

	mu      sync.Mutex
	running int
	shed    uint64
	queues  [2]fairQueue // strangers, known
	served  int          // the queue that had the last turn
}

const (
	strangers = iota
	known
)

// Caller is for whom a permit is asked.
type Caller struct {
	Known    bool     // it has shown to belong here, and waits in a queue that strangers do not lengthen
	Keys     []string // whom it shares its turns with: those who hold one of them too
	Networks []string // likewise, from the widest in: each shares its own turns out among those inside it
}

// Load is what a Pool does at this moment, and how many callers it has turned away since it was made.
type Load struct {
	Running, Waiting int
	Shed             uint64
}

// NewPool returns a Pool in which at most workers hash at once and at most queue more wait. Fewer
// than one worker counts as one, a negative queue as none.
func NewPool(workers, queue int) *Pool {
	return &Pool{workers: max(workers, 1), queue: max(queue, 0)}
}

// Do runs fn in the caller's goroutine while it holds a permit, and gives the permit back when fn
// returns or panics. Strangers and the known have a queue each, which take turns; fairQueue says in which
// order each is served. It returns ErrBusy when too many wait: then the last of the longer queue has to
// go, who need not be the newcomer. It returns ctx's cause when ctx ends while it waits. fn has not run
// in either case. Once fn runs, ctx has no say.
func (p *Pool) Do(ctx context.Context, caller Caller, fn func()) error {
	if ctx.Err() != nil {
		return gaveUp(ctx)
	}
	w := p.admit(caller)
	select {
	case <-w.answered:
	case <-ctx.Done():
		p.leave(w)
		return gaveUp(ctx)
	}
	if w.err != nil {
		return w.err
	}
	defer p.release()
	fn()
	return nil
}

// Load returns what happens at this moment.
func (p *Pool) Load() Load {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Load{Running: p.running, Waiting: p.waiting(), Shed: p.shed}
}

// admit gives the caller a permit where one is free, else a place in its queue.
func (p *Pool) admit(caller Caller) *waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := &waiter{in: &p.queues[strangers], keys: caller.Keys, networks: caller.Networks, answered: make(chan struct{})}
	if caller.Known {
		w.in = &p.queues[known]
	}
	if p.running < p.workers { // nobody waits: pass hands a permit on before it counts one free
		p.count(+1)
		w.answer(nil)
		return w
	}
	w.in.enqueue(w)
	if p.waiting() > p.queue {
		p.shed++
		out := p.longer().last()
		out.in.remove(out)
		out.answer(ErrBusy)
	}
	return w
}

// leave gives up a place in a queue, or the permit that came in the same moment.
func (p *Pool) leave(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-w.answered:
		if w.err == nil {
			p.pass()
		}
	default:
		w.in.remove(w)
	}
}

func (p *Pool) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pass()
}

// pass hands a permit to the first of the queue whose turn it is, or counts it free. p.mu is held.
func (p *Pool) pass() {
	if p.waiting() == 0 {
		p.count(-1)
		return
	}
	if other := 1 - p.served; len(p.queues[other].waiting) > 0 {
		p.served = other
	}
	p.queues[p.served].dequeue().answer(nil)
}

func (p *Pool) count(change int) {
	was := p.running > 0
	p.running += change
	if busy := p.running > 0; busy != was && p.OnBusy != nil {
		p.OnBusy(busy)
	}
}

func (p *Pool) waiting() int { return len(p.queues[strangers].waiting) + len(p.queues[known].waiting) }

func (p *Pool) longer() *fairQueue {
	if len(p.queues[known].waiting) > len(p.queues[strangers].waiting) {
		return &p.queues[known]
	}
	return &p.queues[strangers]
}

func gaveUp(ctx context.Context) error {
	return fmt.Errorf("wait for a permit to hash: %w", context.Cause(ctx))
}
