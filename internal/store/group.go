package store

// Group commit's queue: callers who wait together are served together. No goroutine serves it: the first
// in the queue leads, carries out everybody's work, and hands the lead on. A lone caller leads at once and
// never waits for company; groups form by themselves, because callers arrive while the disk works.

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

const (
	maxWaiting = 4096 // callers in the queue; beyond, the database counts as unavailable
	maxGroup   = 128  // callers served at once
)

// queue hands work of type W to leaders, at most lanes of them at a time.
type queue[W any] struct {
	lanes int
	serve func(group []*waiter[W]) // carries a group out, setting each one's err

	mu      sync.Mutex
	waiting []*waiter[W]
	leaders int // who lead, or have been told to
	closed  bool
}

// waiter is one caller's work on its way.
type waiter[W any] struct {
	work W
	err  error
	lead chan struct{} // closed: carry out the queue
	done chan struct{} // closed: err is set
}

func newQueue[W any](lanes int, serve func([]*waiter[W])) *queue[W] {
	return &queue[W]{lanes: lanes, serve: serve}
}

func newWaiter[W any](work W) *waiter[W] {
	return &waiter[W]{work: work, lead: make(chan struct{}), done: make(chan struct{})}
}

// submit returns when work has been carried out. ctx ends the wait in the queue, never what is under way.
func (q *queue[W]) submit(ctx context.Context, work W) error {
	t := newWaiter(work)
	if err := q.enqueue(t); err != nil {
		return err
	}
	return q.await(ctx, t)
}

func (q *queue[W]) await(ctx context.Context, t *waiter[W]) error {
	select {
	case <-t.done:
		return t.err
	case <-t.lead:
	case <-ctx.Done():
		if q.withdraw(t) {
			return fmt.Errorf("%w: wait in the queue: %w", ErrUnavailable, ctx.Err())
		}
		select { // under way: its outcome is near
		case <-t.done:
			return t.err
		case <-t.lead:
		}
	}
	q.carryOut(t)
	return t.err
}

func (q *queue[W]) enqueue(t *waiter[W]) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.waiting) >= maxWaiting {
		return fmt.Errorf("%w: %d callers wait", ErrUnavailable, len(q.waiting))
	}
	q.admit(t)
	return nil
}

// admit lets t lead where a lane is free; nobody waits then, since who stops leading hands the lead on.
// q.mu is held.
func (q *queue[W]) admit(t *waiter[W]) {
	if q.leaders < q.lanes {
		q.leaders++
		close(t.lead)
		return
	}
	q.waiting = append(q.waiting, t)
}

// withdraw takes t back; false when it is under way, done, or told to lead.
func (q *queue[W]) withdraw(t *waiter[W]) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, t)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// carryOut serves the leader and those who wait longest, and hands the lead on.
func (q *queue[W]) carryOut(leader *waiter[W]) {
	q.mu.Lock()
	n := min(len(q.waiting), maxGroup-1)
	group := append([]*waiter[W]{leader}, q.waiting[:n]...)
	q.waiting = slices.Delete(q.waiting, 0, n)
	q.mu.Unlock()

	q.serve(slices.Clone(group))

	q.handOn()
	for _, t := range group {
		close(t.done)
	}
}

// handOn gives the lead to whoever has waited longest, or the lane back where nobody waits.
func (q *queue[W]) handOn() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.leaders--
		return
	}
	close(q.waiting[0].lead)
	q.waiting = slices.Delete(q.waiting, 0, 1)
}

// close refuses whoever comes from now on, and carries out last, on a queue of one lane, when all who
// waited have been served.
func (q *queue[W]) close(last W) error {
	t := newWaiter(last)
	q.mu.Lock()
	q.closed = true
	q.admit(t)
	q.mu.Unlock()
	return q.await(context.Background(), t)
}
