package outbox

// Which domain's mail may be under way, so that one whose mail server is slow holds nobody else's mail up.
// A relay that delivers while we wait is as slow as the recipient's server, which anybody may run.
//
// All of this is kept by each process for its own deliverers: they are what is shared out, a lease in
// the database already gives each row to one node alone, and what a restart forgets is learnt again in ten
// seconds. The rows carry a keyed name of their domain, so that the mail of a domain that has to wait is
// passed over without being opened.

import (
	"sync"
	"time"

	"latchkey/internal/store"
)

// Deliverers is how many mails a process has under way at once: one of DeliverFirst, the others of
// DeliverNext.
const Deliverers = 4

const (
	heldAtMost = Deliverers / 2   // by one domain, and by all slow ones together
	slowAfter  = 10 * time.Second // a mail whose handing over takes longer makes its domain slow,
	slowFor    = 10 * time.Minute // for so long

	headOfQueue = 50  // mails looked at before the domains are gone through one by one
	domainPage  = 200 // and of those so many at a time
)

// flight is a mail under way.
type flight struct {
	domain []string // its names, one under each master key: a row names its domain under its own
}

// lanes know what this process has under way, and which domains are slow. The zero value is ready.
type lanes struct {
	choosing sync.Mutex // held from choosing a mail until it is under way: two would choose the same one

	mu      sync.Mutex
	flights map[*flight]bool
	slow    map[string]time.Time // until when
}

// may says whether another mail to a domain may be claimed; first, for the deliverer that takes first
// tries alone.
func (l *lanes) may(domain string, first bool, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	held, slow := l.held(domain, now)
	if first {
		return held == 0 && !l.isSlow(domain, now)
	}
	return held < heldAtMost && (slow < heldAtMost || !l.isSlow(domain, now))
}

// held counts the deliverers that a domain has, and all slow ones together.
func (l *lanes) held(domain string, now time.Time) (byDomain, bySlow int) {
	for f := range l.flights {
		isSlow := false
		for _, name := range f.domain {
			if name == domain {
				byDomain++
			}
			isSlow = isSlow || l.isSlow(name, now)
		}
		if isSlow {
			bySlow++
		}
	}
	return byDomain, bySlow
}

// isSlow is false, too, of what a clock that was put back since would hold slow for as long as it had been ahead.
func (l *lanes) isSlow(domain string, now time.Time) bool {
	left := l.slow[domain].Sub(now)
	return left > 0 && left <= slowFor
}

// begin notes that a mail to a domain is under way until end.
func (l *lanes) begin(names ...string) *flight {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flights == nil {
		l.flights = map[*flight]bool{}
	}
	f := &flight{domain: names}
	l.flights[f] = true
	return f
}

func (l *lanes) end(f *flight) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.flights, f)
}

// tooSlow notes that a dialogue has taken too long, and says whether it must make room, since slow domains
// hold more than they may.
func (l *lanes) tooSlow(f *flight, now time.Time) (makeRoom bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.slow == nil {
		l.slow = map[string]time.Time{}
	}
	for name := range l.slow {
		if !l.isSlow(name, now) {
			delete(l.slow, name)
		}
	}
	for _, name := range f.domain {
		l.slow[name] = now.Add(slowFor)
	}
	_, slow := l.held("", now)
	return slow > heldAtMost
}

// next chooses: ErrNotFound when nothing may be sent now. Usually the choice is among the mails that have been due
// longest; when all of them have to wait, it goes through the domains.
func (l *lanes) next(tx *store.Tx, first bool, now time.Time) (store.DueMail, error) {
	if !first {
		queue, err := tx.DueMails(now, headOfQueue)
		if err != nil {
			return store.DueMail{}, err
		}
		for _, due := range queue {
			if l.may(due.Domain, first, now) {
				return due, nil
			}
		}
		if len(queue) < headOfQueue {
			return store.DueMail{}, store.ErrNotFound
		}
	}
	domain, err := l.nextDomain(tx, first, now)
	if err != nil {
		return store.DueMail{}, err
	}
	return tx.DueMailOf(domain, first, now)
}

// nextDomain is the one whose mail has been due longest, of those that may have another deliverer.
func (l *lanes) nextDomain(tx *store.Tx, first bool, now time.Time) (string, error) {
	var best store.DomainDue
	for after := ""; ; {
		page, err := tx.DomainsDue(first, after, domainPage)
		if err != nil {
			return "", err
		}
		for _, d := range page {
			older := best.Domain == "" || d.At.Before(best.At)
			if older && !d.At.After(now) && l.may(d.Domain, first, now) {
				best = d
			}
			after = d.Domain
		}
		if len(page) < domainPage {
			break
		}
	}
	if best.Domain == "" {
		return "", store.ErrNotFound
	}
	return best.Domain, nil
}
