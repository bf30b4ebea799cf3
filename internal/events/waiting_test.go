package events_test

// What those who wait cost, and how they end.

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/events"
	"latchkey/internal/store"
)

// watched is a node whose readings are counted, and fail on demand.
func watched(t *testing.T, db authtest.Database) (n *node, readings *atomic.Int64, away *atomic.Bool) {
	t.Helper()
	readings, away = &atomic.Int64{}, &atomic.Bool{}
	n = newNode(t, db, func(o *auth.Options) {
		o.Store = authtest.Faults{Fail: func(m authtest.Moment) error {
			if m.Call != "read" || m.At != authtest.Calling {
				return nil
			}
			readings.Add(1)
			if away.Load() {
				return store.ErrUnavailable
			}
			return nil
		}}.On(o.Store)
	})
	return n, readings, away
}

// A node reads once a second for all who wait, whoever of them leaves, and holds no connection between. Nothing of its own
// goes on when the last has left: TestMain sees goroutines.
func TestOneReadingASecondForAll(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		n, readings, _ := watched(t, db)
		known := n.poll("")
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		const polls = 50
		leaving := n.waiting(ctx, polls, known.Cursor)
		staying := n.waiting(t.Context(), polls, known.Cursor)
		began, before := time.Now(), readings.Load()
		read := func(more int64) {
			t.Helper()
			n.soon("they are read for", func() bool {
				if inUse, most := n.Store.Load(); inUse > 1 {
					t.Fatalf("%d of %d connections are in use while %d polls wait", inUse, most, 2*polls)
				}
				return readings.Load() >= before+more
			})
		}
		read(2)
		leave() // perhaps with the one that reads
		for range polls {
			if got := <-leaving; got.err != nil || got.Cursor != known.Cursor {
				t.Errorf("who hung up: %+v", got)
			}
		}
		read(4)
		if made, most := readings.Load()-before, int64(time.Since(began)/time.Second)+1; made > most {
			t.Errorf("%d readings, at most %d are right", made, most)
		}
		close(n.stopping)
		for range polls {
			if got := <-staying; got.err != nil || got.Cursor != known.Cursor {
				t.Errorf("at the stop: %+v", got)
			}
		}
		if waiting := n.feed().Waiting(); waiting != 0 {
			t.Errorf("%d still wait", waiting)
		}
		made := readings.Load()
		for range 2 { // whoever comes to a node that stops waits a little, so that nobody polls as fast as they can
			n.waits(known.Cursor)
		}
		if more := readings.Load() - made; more > 4 {
			t.Errorf("%d readings in two seconds", more)
		}
	})
}

// waits is answered the same, and not by return.
func (n *node) waits(cursor string) {
	n.t.Helper()
	began := time.Now()
	if got := n.poll(cursor); got.Cursor != cursor || time.Since(began) < 500*time.Millisecond {
		n.t.Errorf("after %s: %+v", time.Since(began), got)
	}
}

// Beyond so many a poll is not let wait; one that has something to be told is answered all the same.
func TestNoMoreMayWait(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		n := newNode(t, db)
		known := n.poll("")
		answers := n.waiting(t.Context(), events.MostWaiting, known.Cursor)
		got := n.pollAs(t.Context(), "shop", known.Cursor)
		if !errors.Is(got.err, store.ErrUnavailable) || auth.AsError(got.err).RetryAfter <= 0 {
			t.Errorf("one more: %+v", got)
		}
		if got := n.poll("x"); got.Cursor != known.Cursor {
			t.Errorf("who does not wait: %+v", got)
		}
		close(n.stopping)
		for range events.MostWaiting {
			if got := <-answers; got.err != nil {
				t.Fatal(got.err)
			}
		}
	})
}

// I11: nobody is told that nothing has ended while the database does not say so. When it is back, so is the feed.
func TestTheDatabaseIsAway(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		n, _, away := watched(t, db)
		known := n.poll("")
		answers := n.waiting(t.Context(), 3, known.Cursor)
		away.Store(true)
		for range 3 {
			if got := <-answers; !errors.Is(got.err, store.ErrUnavailable) {
				t.Errorf("who waits: %+v", got)
			}
		}
		for _, after := range []string{"", known.Cursor} {
			if got := n.pollAs(t.Context(), "shop", after); !errors.Is(got.err, store.ErrUnavailable) {
				t.Errorf("after %q: %+v", after, got)
			}
		}
		away.Store(false)
		n.soon("the feed is back", func() bool { return n.pollAs(t.Context(), "shop", "").err == nil })
		if diff := n.poll(""); diff.Cursor != known.Cursor {
			t.Errorf("afterwards: %+v", diff)
		}
	})
}
