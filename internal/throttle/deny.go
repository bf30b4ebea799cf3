package throttle

// The local deny cache: a refusal is repeated for a moment without asking the database, so that a flood does not
// become database load. It decides nothing; what it repeats is counted, and Flush adds the counts to the audit log.

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"latchkey/internal/store"
)

const (
	denyTTL       = time.Second // how long a refusal is repeated without asking the database
	maxDenials    = 10_000      // entries of either map below
	flushedAtOnce = 100         // rows written in one transaction: callers wait for no longer than that takes
)

// denial is a refusal that the database gave.
type denial struct {
	limit   Limit
	until   time.Time
	event   store.AuditEvent // the audit row it is counted in: of its counter and minute
	expires time.Time        // from then on the database is asked again; set by put
}

// isFresh is also false when the clock was put back since: the denial would be repeated for as long as the clock had
// been ahead.
func (d denial) isFresh(now time.Time) bool {
	left := d.expires.Sub(now)
	return left > 0 && left <= denyTTL
}

// denyCache is bounded, and never repeats what is older than denyTTL.
type denyCache struct {
	mu      sync.Mutex
	denials map[string]denial           // by counter
	pending map[string]store.AuditEvent // by id: Times were repeated, and are not in the database yet
}

// precheck repeats a refusal about one of the counters that is still fresh.
func (t *Throttle) precheck(keys ...[]byte) error {
	now := t.o.Now()
	for _, key := range keys {
		if d, ok := t.denied.repeat(key, now); ok {
			return refusal(d.limit, d.until.Sub(now))
		}
	}
	return nil
}

// rejectAndRemember remembers a refusal about a counter for a moment, audits it, and returns it.
func (t *Throttle) rejectAndRemember(ctx context.Context, d denial, key []byte, now time.Time) error {
	t.denied.put(key, d, now)
	err := t.o.Store.CountAudit(ctx, d.event)
	if err != nil {
		return err
	}
	return refusal(d.limit, d.until.Sub(now))
}

// Flush adds what was refused from memory to the audit log. It is called from time to time, and last of all when the
// process ends.
func (t *Throttle) Flush(ctx context.Context) error {
	pending := t.denied.drain(t.o.Now())
	for len(pending) > 0 {
		some := pending[:min(len(pending), flushedAtOnce)]
		err := t.o.Store.Write(ctx, func(tx *store.Tx) error {
			for _, e := range some {
				tx.CountAudit(e)
			}
			return nil
		})
		if err != nil {
			t.denied.restore(pending)
			return err
		}
		pending = pending[len(some):]
	}
	return nil
}

// repeat returns a denial that is fresh and not over, and counts the repeat. What cannot be counted is not repeated:
// the database is asked.
func (c *denyCache) repeat(key []byte, now time.Time) (denial, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.denials[string(key)]
	if !ok || !now.Before(d.until) || !d.isFresh(now) {
		return denial{}, false
	}
	again := d.event
	again.Times = 1
	return d, c.count(again)
}

// count adds a repeat to what is pending; false when that would be one row too many to remember.
func (c *denyCache) count(e store.AuditEvent) bool {
	old, known := c.pending[e.ID]
	switch {
	case known:
		e.Times += old.Times
	case len(c.pending) >= maxDenials:
		return false
	case c.pending == nil:
		c.pending = map[string]store.AuditEvent{}
	}
	c.pending[e.ID] = e
	return true
}

func (c *denyCache) put(key []byte, d denial, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.denials == nil || len(c.denials) >= maxDenials {
		c.denials = map[string]denial{}
	}
	d.expires = now.Add(denyTTL)
	c.denials[string(key)] = d
}

// forget repeats nothing more about the counters.
func (c *denyCache) forget(keys ...[]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		delete(c.denials, string(key))
	}
}

// drain hands over what is pending, and forgets what is no longer fresh.
func (c *denyCache) drain(now time.Time) []store.AuditEvent {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.denials, func(_ string, d denial) bool { return !d.isFresh(now) })
	pending := slices.Collect(maps.Values(c.pending))
	c.pending = nil
	return pending
}

// restore takes back what could not be written.
func (c *denyCache) restore(events []store.AuditEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range events {
		c.count(e)
	}
}
