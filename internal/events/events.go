// Package events tells other systems what has happened here. It owns the feed of ended sessions: resource servers that
// check access tokens by themselves poll it, and refuse the tokens of a session soon after it has ended.
//
// It promises that every answer holds all ends of the feed's window, whatever the one before held; that a poll which waits
// is answered within a second of an end's commit, on every node; and that a node reads ends at most once a second, however
// many poll, and not at all while nobody does. No poll holds a connection of the database while it waits. It ends no
// session, and who may poll is for its callers to ask.
package events

// This file holds how a poll is answered; reading.go, what there is to tell.

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"latchkey/internal/keyring"
	"latchkey/internal/store"
)

const (
	readEvery   = time.Second
	longestWait = 25 * time.Second // less than proxies wait for an answer by default
	lastWait    = time.Second      // of a poll that comes to a node which stops: nobody polls as fast as they can
	mostWaiting = 1000             // of a node: each holds a connection of the listener, which has eight times as many
)

// Options are what a Feed works with. Every field must be set.
type Options struct {
	Store  *store.Store
	Keys   *keyring.Keys
	Window time.Duration // how long an end is told: no access token of its session may live longer
	Now    func() time.Time
}

// Feed tells which sessions have ended. Any number of goroutines may use it.
type Feed struct {
	o       Options
	waiting atomic.Int64
	reader  chan struct{} // whoever has put something in reads for all who wait

	asked  singleflight.Group // one reading for all who ask
	latest atomic.Pointer[reading]
}

// NewFeed returns a feed that has read nothing.
func NewFeed(o Options) *Feed { return &Feed{o: o, reader: make(chan struct{}, 1)} }

// Poll returns a JWT (token.Revocations) for a client: at once where after is not the cursor of what there is now, and
// else when another session has ended, after 25 seconds, or when ctx ends or stopping is closed, whichever comes first. It
// is store.ErrUnavailable where the database does not tell, or too many wait already.
func (f *Feed) Poll(ctx context.Context, client, after string, stopping <-chan struct{}) ([]byte, error) {
	r := f.look(ctx)
	if r.err == nil && after == r.cursor {
		if err := f.wait(ctx, r, stopping); err != nil {
			return nil, err
		}
		r = f.latest.Load()
	}
	return r.answer(client, f.o.Keys)
}

// wait returns when something else than known is to be told, or nobody waits for that any longer. One of those who wait
// reads for all of them, and the next does when that one leaves.
func (f *Feed) wait(ctx context.Context, known *reading, stopping <-chan struct{}) error {
	defer f.waiting.Add(-1)
	if f.waiting.Add(1) > mostWaiting {
		return fmt.Errorf("%w: %d polls of the feed wait already", store.ErrUnavailable, mostWaiting)
	}
	limit := longestWait
	select {
	case <-stopping:
		stopping, limit = nil, lastWait
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-known.over:
	case <-ctx.Done():
	case <-stopping:
	case f.reader <- struct{}{}:
		defer func() { <-f.reader }()
		f.readWhile(ctx, known, stopping)
	}
	return nil
}

// readWhile reads once a second until wait may return.
func (f *Feed) readWhile(ctx context.Context, known *reading, stopping <-chan struct{}) {
	for r := f.latest.Load(); ; r = f.look(ctx) {
		select {
		case <-known.over:
			return
		case <-ctx.Done():
			return
		case <-stopping:
			return
		case <-time.After(readEvery - time.Since(r.began)):
		}
	}
}

// look returns what there is to tell, read within the last second. Whoever asks during a reading waits for that one. A
// failure holds as long as a success does.
func (f *Feed) look(ctx context.Context) *reading {
	found, _, _ := f.asked.Do("", func() (any, error) {
		last := f.latest.Load()
		if last != nil && time.Since(last.began) < readEvery {
			return last, nil
		}
		next := f.read(ctx)
		if last == nil {
			f.latest.Store(next)
			return next, nil
		}
		if next.tellsAsMuchAs(last) {
			next.over = last.over
		}
		f.latest.Store(next)
		if next.over != last.over {
			close(last.over)
		}
		return next, nil
	})
	return found.(*reading)
}
