package auth

// How many passwords may be guessed (I8). Counters live in the database, so that nodes share them and
// a restart lowers none; a small local memory (refusals.go) only repeats a fresh "no".
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
	"time"

	"latchkey/internal/store"
)

const (
	freeFailures  = 5
	firstWait     = time.Second
	longestWait   = time.Hour
	failuresDecay = 24 * time.Hour
	stopAt        = 100 // failures in a row that close an account to unknown devices, and are not forgotten
)

// The quotas, as clients are told of them. All but the first are rates: so many in any window.
var (
	accountLimit = Limit{"account", freeFailures, failuresDecay}
	addressLimit = Limit{"address", 100, 10 * time.Minute} // wrong passwords, tokens and codes from one address
	mailersLimit = Limit{"mail", 30, time.Hour}            // mails asked for from one address
	clientLimit  = Limit{"client", 30, 10 * time.Minute}   // wrong secrets of one client from one address
	checksLimit  = Limit{"check", 600, 10 * time.Minute}   // new passwords asked about from one address, one a keystroke
)

func (l Limit) every() time.Duration { return l.Window / time.Duration(l.Quota) }

// guess says what is being tried, and on whose account a failure goes.
type guess struct {
	kind    string // the audit event of a failure
	own     []byte // the budget of a known device or a live Bearer; nil for a stranger
	account []byte
	address []byte // nil where there is no address
	userID  string // empty where there is no such account
	peer    Peer
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
	return guess{kind: eventSignIn, account: accountKey(email), address: addressKey(addressLimit, peer.Addr), peer: peer}
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
	err := s.lookup(ctx, func(tx *store.Tx) error {
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
	return s.holdOff(ctx, refusal{limit: limit, until: now.Add(wait), event: throttled(key, g.userID, g.peer, now)}, key, now)
}

// waitFor is how long until a rate whose next event is due at tat admits one more; not positive: now.
func waitFor(tat time.Time, l Limit, now time.Time) time.Duration {
	return latestOf(tat, now).Add(l.every()).Sub(now) - l.Window
}

// tooMany asks the caller to come back after a wait, in whole seconds.
func tooMany(l Limit, wait time.Duration) error {
	return &Error{Code: CodeTooManyRequests, Limit: &l, RetryAfter: max(time.Second, (wait + time.Second - 1).Truncate(time.Second))}
}

// precheckGuess repeats a fresh "no" before any work: a flood takes no permits.
func (s *Service) precheckGuess(g guess) error {
	if g.own != nil {
		return s.precheck(g.own)
	}
	return s.precheck(g.account, g.address)
}

// countFailure notes a wrong password, in the transaction that audits it.
func (s *Service) countFailure(tx *store.Tx, g guess, now time.Time) error {
	if !s.o.Throttle {
		return nil
	}
	key, most := g.counter(), int64(stopAt)
	if g.own != nil {
		most-- // it never stands at the stop: no device is closed for good
	}
	failures, err := tx.CountFailure(key, now.Add(-failuresDecay), stopAt, most, now)
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

// withinRate counts an event against an address and does fn, in one transaction. When the address's quota
// is used up it is CodeTooManyRequests, and nothing was done.
func (s *Service) withinRate(ctx context.Context, l Limit, peer Peer, now time.Time, fn func(*store.Tx) error) error {
	key := addressKey(l, peer.Addr)
	if !s.o.Throttle || key == nil {
		return s.write(ctx, fn)
	}
	if err := s.precheck(key); err != nil {
		return err
	}
	var wait time.Duration
	err := s.write(ctx, func(tx *store.Tx) error {
		wait = 0
		admitted, err := tx.TakeRate(key, l.every(), now.Add(l.Window), now)
		if err != nil {
			return err
		}
		if admitted {
			return fn(tx)
		}
		tat, err := tx.Rate(key)
		wait = waitFor(tat, l, now)
		return err
	})
	if err != nil || wait <= 0 {
		return err
	}
	return s.holdOff(ctx, refusal{limit: l, until: now.Add(wait), event: throttled(key, "", peer, now)}, key, now)
}

// checkRate is CodeTooManyRequests when what countRate counted has used a quota up.
func (s *Service) checkRate(ctx context.Context, l Limit, key []byte, peer Peer) error {
	if !s.o.Throttle {
		return nil
	}
	if err := s.precheck(key); err != nil {
		return err
	}
	now := s.now()
	var tat time.Time
	err := s.lookup(ctx, func(tx *store.Tx) (err error) {
		tat, err = tx.Rate(key)
		return err
	})
	if wait := waitFor(tat, l, now); err == nil && wait > 0 {
		return s.holdOff(ctx, refusal{limit: l, until: now.Add(wait), event: throttled(key, "", peer, now)}, key, now)
	}
	return err
}

// countRate counts what was wrong, also beyond the quota: tries that were checked together.
func (s *Service) countRate(ctx context.Context, l Limit, key []byte) error {
	if !s.o.Throttle {
		return nil
	}
	now := s.now()
	return s.single(ctx, func(tx *store.Tx) error {
		_, err := tx.TakeRate(key, l.every(), now.Add(2*l.Window), now)
		return err
	})
}

// wrongToken counts a mailed token that was wrong against the address alone: they are too long to be
// guessed, and nobody's account may be closed by trying.
func (s *Service) wrongToken(ctx context.Context, peer Peer, code Code) error {
	err := s.withinRate(ctx, addressLimit, peer, s.now(), func(*store.Tx) error { return nil })
	if err != nil {
		return err
	}
	return refuse(code)
}
