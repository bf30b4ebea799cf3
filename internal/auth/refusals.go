package auth

// The throttle's local memory: a "no" is repeated for a moment without asking the database, so that a
// flood does not become database load. It decides nothing; what it repeats is counted, and the counts
// are added to the audit log by FlushRefusals.

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"latchkey/internal/store"
)

const (
	localNo    = time.Second // how long a "no" is repeated without asking the database
	maxLocalNo = 10_000      // of either map below
)

// refusal is a "no" that the database gave.
type refusal struct {
	limit Limit
	until time.Time
	event store.AuditEvent // the audit row it is counted in: of its counter and minute
	stale time.Time        // from then on the database is asked again; set by put
}

// refusals is bounded, and never repeats what is older than a second.
type refusals struct {
	mu    sync.Mutex
	fresh map[string]refusal          // by counter
	owed  map[string]store.AuditEvent // by id: Times were repeated, and are not in the database yet
}

// precheck repeats a "no" that is at most a second old.
func (s *Service) precheck(keys ...[]byte) error {
	now := s.now()
	for _, key := range keys {
		if no, ok := s.refused.repeat(key, now); ok {
			return tooMany(no.limit, no.until.Sub(now))
		}
	}
	return nil
}

// holdOff remembers the "no" about a counter for a moment, audits it, and is it.
func (s *Service) holdOff(ctx context.Context, no refusal, key []byte, now time.Time) error {
	s.refused.put(key, no, now)
	err := s.single(ctx, func(tx *store.Tx) error { return tx.CountAudit(no.event) })
	if err != nil {
		return err
	}
	return tooMany(no.limit, no.until.Sub(now))
}

// FlushRefusals adds what was refused from memory to the audit log. It is called from time to time, and
// last of all when the process ends.
func (s *Service) FlushRefusals(ctx context.Context) error {
	owed := s.refused.settle(s.now())
	for len(owed) > 0 {
		some := owed[:min(len(owed), bite)]
		err := s.write(ctx, func(tx *store.Tx) error {
			for _, e := range some {
				if err := tx.CountAudit(e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			s.refused.owe(owed)
			return err
		}
		owed = owed[len(some):]
	}
	return nil
}

// repeat returns a refusal that is fresh and not over, and counts the repeat. What could not be counted
// is not repeated: the database is asked.
func (r *refusals) repeat(key []byte, now time.Time) (refusal, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	no, ok := r.fresh[string(key)]
	if !ok || !now.Before(no.until) || !now.Before(no.stale) {
		return refusal{}, false
	}
	again := no.event
	again.Times = 1
	return no, r.add(again)
}

// add counts a repeat; false when that would be one row too many to remember.
func (r *refusals) add(e store.AuditEvent) bool {
	old, known := r.owed[e.ID]
	switch {
	case known:
		e.Times += old.Times
	case len(r.owed) >= maxLocalNo:
		return false
	case r.owed == nil:
		r.owed = map[string]store.AuditEvent{}
	}
	r.owed[e.ID] = e
	return true
}

func (r *refusals) put(key []byte, no refusal, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fresh == nil || len(r.fresh) >= maxLocalNo {
		r.fresh = map[string]refusal{}
	}
	no.stale = now.Add(localNo)
	r.fresh[string(key)] = no
}

// settle hands over what is owed, and forgets what is no longer fresh.
func (r *refusals) settle(now time.Time) []store.AuditEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.fresh, func(_ string, no refusal) bool { return !now.Before(no.stale) })
	owed := slices.Collect(maps.Values(r.owed))
	r.owed = nil
	return owed
}

// owe takes back what could not be written.
func (r *refusals) owe(events []store.AuditEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range events {
		r.add(e)
	}
}
