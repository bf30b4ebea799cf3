package auth

// How many passwords may be guessed (I8). Counters live in the database, so that nodes share them and
// a restart lowers none; a small local memory only repeats a fresh "no".
//
// An account has a counter of wrong passwords in a row: five are free, then each sets a wait that
// doubles from 1 s to 1 h, and at 100 unknown devices are refused until a reset (NIST SP 800-63B-4
// §3.2.2). An address may be wrong 100 times in 10 minutes. Who shows a device token of the account,
// or the account's own Bearer, is counted in a budget of its own alone: a stranger's guesses neither
// lock its owner out nor close the way to a reset.

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"

	"latchkey/internal/store"
)

const (
	freeFailures  = 5
	firstWait     = time.Second
	longestWait   = time.Hour
	failuresDecay = 24 * time.Hour
	stopAt        = 100 // failures in a row that close an account to unknown devices

	localNo    = time.Second // how long a "no" is repeated without asking the database
	maxLocalNo = 10_000
)

// The quotas, as clients are told of them. The last two are rates: so many in any window.
var (
	accountLimit = Limit{"account", freeFailures, failuresDecay}
	addressLimit = Limit{"address", 100, 10 * time.Minute} // wrong passwords, tokens and codes from one address
	mailersLimit = Limit{"mail", 30, time.Hour}            // mails asked for from one address
)

func (l Limit) every() time.Duration { return l.Window / time.Duration(l.Quota) }

// guess says what is being tried, and on whose account a failure goes.
type guess struct {
	kind    string // the audit event of a failure
	own     []byte // the budget of a known device or a live Bearer; nil for a stranger
	account []byte
	address []byte // nil where there is no address
}

// throttleKey names a counter without naming what it counts.
func throttleKey(kind, value string) []byte {
	sum := sha256.Sum256([]byte("throttle v1\x00" + kind + "\x00" + value))
	return sum[:]
}

func accountKey(email string) []byte { return throttleKey("account", email) }

func addressKey(l Limit, addr netip.Addr) []byte {
	if !addr.IsValid() {
		return nil
	}
	return throttleKey(l.Name, networkOf(addr))
}

// stranger is a guess by someone who shows nothing of the account's.
func stranger(email string, peer Peer) guess {
	return guess{kind: eventSignIn, account: accountKey(email), address: addressKey(addressLimit, peer.Addr)}
}

// counter is the one a failure's wait is kept in.
func (g guess) counter() []byte {
	if g.own != nil {
		return g.own
	}
	return g.account
}

// waitAfter is how long nobody is let in after that many failures in a row.
func waitAfter(failures int64) time.Duration {
	if failures <= freeFailures {
		return 0
	}
	if doublings := failures - freeFailures - 1; doublings < 12 {
		return min(longestWait, firstWait<<doublings)
	}
	return longestWait
}

// checkGuess is CodeTooManyRequests when no password may be evaluated now. Call it holding the permit
// the hash will run under: then no more than the limit plus the permits are evaluated.
func (s *Service) checkGuess(ctx context.Context, g guess) error {
	if !s.o.Throttle {
		return nil
	}
	now := s.now()
	limit, key := accountLimit, g.counter()
	var wait time.Duration
	err := s.read(ctx, func(tx *store.Tx) error {
		a, err := tx.Attempts(key)
		if err != nil {
			return err
		}
		wait = a.NotBefore.Sub(now)
		if g.own == nil && a.Failures >= stopAt {
			wait = longestWait
		}
		if g.own != nil || g.address == nil || wait > 0 {
			return nil
		}
		limit, key = addressLimit, g.address
		tat, err := tx.Rate(key)
		wait = waitFor(tat, limit, now)
		return err
	})
	if err != nil || wait <= 0 {
		return err
	}
	return s.refuseGuess(ctx, key, limit, wait, now)
}

// waitFor is how long until a rate whose next event is due at tat admits one more; not positive: now.
func waitFor(tat time.Time, l Limit, now time.Time) time.Duration {
	return latestOf(tat, now).Add(l.every()).Sub(now) - l.Window
}

// refuseGuess remembers the "no" for a moment and audits it, one row a counter and minute.
func (s *Service) refuseGuess(ctx context.Context, key []byte, l Limit, wait time.Duration, now time.Time) error {
	times := 1 + s.refused.put(key, refusal{limit: l, until: now.Add(wait), stale: now.Add(localNo)})
	err := s.write(ctx, func(tx *store.Tx) error { return s.auditThrottled(tx, key, times, now) })
	if err != nil {
		return err
	}
	return tooMany(l, wait)
}

// tooMany asks the caller to come back after a wait, in whole seconds.
func tooMany(l Limit, wait time.Duration) error {
	return &Error{Code: CodeTooManyRequests, Limit: &l, RetryAfter: max(time.Second, (wait + time.Second - 1).Truncate(time.Second))}
}

// precheckGuess repeats a "no" that is at most a second old without asking the database: a flood does
// not become database load, nor take permits.
func (s *Service) precheckGuess(g guess) error {
	if !s.o.Throttle {
		return nil
	}
	now := s.now()
	keys := [][]byte{g.counter()}
	if g.own == nil && g.address != nil {
		keys = append(keys, g.address)
	}
	for _, key := range keys {
		if no, ok := s.refused.get(key, now); ok {
			return tooMany(no.limit, no.until.Sub(now))
		}
	}
	return nil
}

// countFailure notes a wrong password, in the transaction that audits it.
func (s *Service) countFailure(tx *store.Tx, g guess, now time.Time) error {
	if !s.o.Throttle {
		return nil
	}
	key := g.counter()
	failures, err := tx.CountFailure(key, now.Add(-failuresDecay), stopAt, now)
	if err != nil {
		return err
	}
	if wait := waitAfter(failures); wait > 0 {
		if err := tx.DelayAttempts(key, now.Add(wait)); err != nil {
			return err
		}
	}
	if g.own != nil || g.address == nil {
		return nil
	}
	_, err = tx.TakeRate(g.address, addressLimit.every(), now.Add(2*addressLimit.Window), now)
	return err
}

// takeRate counts an event against an address: CodeTooManyRequests when its quota is used up. An error
// rolls back whatever else the transaction did.
func (s *Service) takeRate(tx *store.Tx, l Limit, peer Peer, now time.Time) error {
	key := addressKey(l, peer.Addr)
	if !s.o.Throttle || key == nil {
		return nil
	}
	admitted, err := tx.TakeRate(key, l.every(), now.Add(l.Window), now)
	if err != nil || admitted {
		return err
	}
	tat, err := tx.Rate(key)
	if err != nil {
		return err
	}
	return tooMany(l, waitFor(tat, l, now))
}

// wrongToken counts a mailed token, or a client's secret, that was wrong against the address alone:
// they are too long to be guessed, and nobody's account may be closed by trying.
func (s *Service) wrongToken(ctx context.Context, peer Peer, code Code) error {
	now := s.now()
	if err := s.write(ctx, func(tx *store.Tx) error { return s.takeRate(tx, addressLimit, peer, now) }); err != nil {
		return err
	}
	return refuse(code)
}

// refusals is the local memory of fresh refusals: bounded, and never older than a second.
type refusals struct {
	mu      sync.Mutex
	entries map[string]*refusal
}

type refusal struct {
	limit Limit
	until time.Time
	stale time.Time // from then on the database is asked again
	times int64     // repeated since it was last audited
}

// get returns a refusal that is fresh and not over, and counts the repeat.
func (r *refusals) get(key []byte, now time.Time) (refusal, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.entries[string(key)]
	if !ok || !now.Before(e.until) || !now.Before(e.stale) {
		return refusal{}, false
	}
	e.times++
	return *e, true
}

// put remembers a refusal and returns how often the one before was repeated.
func (r *refusals) put(key []byte, e refusal) (repeated int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, ok := r.entries[string(key)]; ok {
		repeated = old.times
	}
	if r.entries == nil || len(r.entries) >= maxLocalNo {
		r.entries = map[string]*refusal{}
	}
	r.entries[string(key)] = &e
	return repeated
}
