package password

// Who may hash now. Hashing is the only slow and memory-hungry work of the server, so it is bounded
// twice: by how many hash at once (memory) and by how many wait (latency).

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrBusy says that the queue is full: ask again later (503 with Retry-After).
var ErrBusy = errors.New("too many passwords wait to be hashed")

// Pool hands out permits to hash, first come, first served. It is safe for concurrent use.
//
// A permit belongs to the work, not to the request it is done for: a client that hangs up while its
// password is hashed frees nothing early, so the memory in use never passes workers x the cost of a
// hash.
type Pool struct {
	workers, queue int

	mu      sync.Mutex
	running int
	waiting list.List // of chan struct{}; closing one hands its owner a permit
}

// NewPool returns a Pool in which at most workers hash at once and at most queue more wait. Fewer
// than one worker counts as one, a negative queue as none.
func NewPool(workers, queue int) *Pool {
	return &Pool{workers: max(workers, 1), queue: max(queue, 0)}
}

// Do runs fn in the caller's goroutine while it holds a permit, and gives the permit back when fn
// returns or panics. It returns ErrBusy at once when the queue is full, and ctx's cause when ctx ends
// while it waits; fn has not run in either case. Once fn runs, ctx has no say.
func (p *Pool) Do(ctx context.Context, fn func()) error {
	if err := p.acquire(ctx); err != nil {
		return err
	}
	defer p.release()
	fn()
	return nil
}

// Load returns how many hash and how many wait at this moment.
func (p *Pool) Load() (running, waiting int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running, p.waiting.Len()
}

func (p *Pool) acquire(ctx context.Context) error {
	if ctx.Err() != nil {
		return gaveUp(ctx)
	}
	turn, place, err := p.enqueue()
	if err != nil {
		return err
	}
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		p.leave(turn, place)
		return gaveUp(ctx)
	}
}

// enqueue returns a channel that is closed when the caller holds a permit, which may be at once, and
// the caller's place in the queue.
func (p *Pool) enqueue() (chan struct{}, *list.Element, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	turn := make(chan struct{})
	if p.running < p.workers { // nobody waits: release hands a permit on before it counts one free
		p.running++
		close(turn)
		return turn, nil, nil
	}
	if p.waiting.Len() >= p.queue {
		return nil, nil, ErrBusy
	}
	return turn, p.waiting.PushBack(turn), nil
}

// leave gives up a place in the queue, or the permit that came in the same moment.
func (p *Pool) leave(turn chan struct{}, place *list.Element) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-turn:
		p.pass()
	default:
		p.waiting.Remove(place)
	}
}

func (p *Pool) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pass()
}

// pass hands a permit to the longest waiting, or counts it free. p.mu is held.
func (p *Pool) pass() {
	first := p.waiting.Front()
	if first == nil {
		p.running--
		return
	}
	close(p.waiting.Remove(first).(chan struct{}))
}

func gaveUp(ctx context.Context) error {
	return fmt.Errorf("wait for a permit to hash: %w", context.Cause(ctx))
}
