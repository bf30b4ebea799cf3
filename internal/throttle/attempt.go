package throttle

// Attempts at passwords: who may make one now, and what a failure and a success change.
//
// An account has a counter of wrong passwords in a row: five are free, then each sets a wait that doubles from 1 s to
// 1 h, and at 100 unknown devices are refused until a reset (NIST SP 800-63B-4 §3.2.2). The counter remembers what each
// client network added, and a success takes back what its own network did: what strangers elsewhere added stays,
// whether the owner signs in or there is no such account (I9). An address may be wrong 100 times in 10 minutes. Who
// shows a device token of the account, or the account's own Bearer, is counted in a counter of their own alone: a
// stranger's failures neither lock the owner out nor close the way to a reset.

import (
	"context"
	"errors"
	"math"
	"time"

	"latchkey/internal/peer"
	"latchkey/internal/store"
)

const (
	freeFailures  = 5
	firstWait     = time.Second
	longestWait   = time.Hour
	failuresDecay = 24 * time.Hour
	closeAt       = 100 // failures in a row that close an account to unknown devices, and are not forgotten
)

// accountLimit is the account's quota, as clients are told of it.
var accountLimit = Limit{"account", freeFailures, failuresDecay}

// Attempt is a password that somebody tries on an account, with the counters that it is held against.
type Attempt struct {
	Account []byte // names the account's counter
	Device  string // the id of the account's device whose token came along; empty without one

	own     []byte   // the counter of that device or of a live session; nil for a stranger
	network []byte   // what the account's counter remembers a failure by
	address []bucket // none where there is no address
	userID  string   // empty where there is no such account
	peer    peer.Peer
}

// Known says whether the caller has shown more of the account than its email address: a device token or a Bearer.
func (a Attempt) Known() bool { return a.own != nil }

// Networks name the networks that the attempt comes from, the widest first; none where there is no address.
func (a Attempt) Networks() []string {
	names := make([]string, len(a.address))
	for i, b := range a.address {
		names[len(names)-1-i] = string(b.key)
	}
	return names
}

// counter is the one that a failure's wait is kept in.
func (a Attempt) counter() []byte {
	if a.own != nil {
		return a.own
	}
	return a.Account
}

// stranger is an attempt by somebody who shows nothing of the account's.
func (t *Throttle) stranger(email string, peer peer.Peer) Attempt {
	return Attempt{Account: t.AccountCounter(email), network: t.networkName(peer.Addr), address: t.addressBuckets(addressLimit, peer.Addr), peer: peer}
}

// FindAttempt finds the account that a password is tried on, the zero User where there is none, and says which
// counter the attempt is held against: that of the session whose Bearer came along (sessionID is empty without one),
// that of a device known to the account, else the account's own. The last is known without the account: a fresh
// refusal is then repeated before any work.
func (t *Throttle) FindAttempt(ctx context.Context, sessionID, email string, peer peer.Peer) (user store.User, a Attempt, err error) {
	a = t.stranger(email, peer)
	shown := t.devicesShown(peer)
	if sessionID == "" && len(shown) == 0 {
		err = t.repeatRefusal(a)
	}
	if err == nil {
		user, err = t.o.Store.UserByEmail(ctx, email)
	}
	if errors.Is(err, store.ErrNotFound) {
		user, err = store.User{}, nil
	}
	if err != nil {
		return store.User{}, Attempt{}, err
	}
	a.userID = user.ID
	if a.Device = knownDevice(shown, user); a.Device != "" {
		a.own = t.counterName("device", a.Device)
	}
	if sessionID != "" {
		a.own = t.counterName("session", sessionID)
	}
	return user, a, t.repeatRefusal(a)
}

// repeatRefusal repeats a fresh refusal before any work, so that a flood takes no permits.
func (t *Throttle) repeatRefusal(a Attempt) error {
	if a.own != nil {
		return t.precheck(a.own)
	}
	return t.precheck(append(keysOf(a.address), a.Account)...)
}

// Check is a Refusal when no password may be evaluated now. Call it while holding the permit that the hash will run
// under: then no more passwords are evaluated than the limit and the permits of all nodes.
func (t *Throttle) Check(ctx context.Context, a Attempt) error {
	if !t.o.On {
		return nil
	}
	now, rates := t.o.Now(), ratesOf(a.address)
	if a.own != nil {
		rates = nil
	}
	counters, err := t.o.Store.Counters(ctx, a.counter(), rates...)
	if err != nil {
		return err
	}
	full, wait := a.holds(counters, now)
	if wait <= 0 {
		return nil
	}
	return t.rejectAndRemember(ctx, full.deny(a.userID, wait, a.peer, now), full.key, now)
}

// holds returns the counter that admits no attempt for the longest, and for how long; a wait that is not positive
// says that all of them admit one now.
func (a Attempt) holds(c store.Counters, now time.Time) (full bucket, wait time.Duration) {
	wait = c.Attempts.NotBefore.Sub(now)
	if a.own == nil && c.Attempts.Failures >= closeAt {
		wait = longestWait
	}
	if a.own != nil || a.address == nil || wait > 0 {
		return bucket{accountLimit, a.counter()}, wait
	}
	return fullest(a.address, c.Arrivals, now)
}

// CountFailure counts a wrong password, in the transaction that audits it.
func (t *Throttle) CountFailure(tx *store.Tx, a Attempt, now time.Time) error {
	if !t.o.On {
		return nil
	}
	key, most := a.counter(), int64(math.MaxInt64)
	if a.own != nil {
		most = closeAt - 1 // no known device is ever closed for good
	}
	failures, err := tx.CountFailure(key, now.Add(-failuresDecay), closeAt, most, now)
	if err != nil {
		return err
	}
	if a.own == nil {
		tx.NoteNetwork(key, a.network, failures)
	}
	if wait := waitAfter(failures); wait > 0 {
		if err := tx.DelayAttempts(key, now.Add(wait)); err != nil {
			return err
		}
	}
	if a.own != nil || a.address == nil {
		return nil
	}
	_, err = tx.TakeRates(now.Add(2*addressLimit.Window), now, ratesOf(a.address)...) // beyond the quota, too: attempts that were checked together
	return err
}

// waitAfter is how long nobody is let in after that many failures in a row.
func waitAfter(failures int64) time.Duration {
	if failures <= freeFailures {
		return 0
	}
	doublings := min(failures-freeFailures-1, 12) // more would overflow, and twelve are beyond the longest wait
	return min(longestWait, firstWait<<doublings)
}

// WithinRight counts a right password of the account from the client's network, or of the known device, and does
// fn, in one transaction: each leaves rows behind and costs its owner's neighbours time. Beyond the quota it is a
// Refusal, and nothing was done but that it is audited. It is asked after the password was found right and never
// before, so that nobody else learns of it (I9); for the same reason it is never answered from memory.
func (t *Throttle) WithinRight(ctx context.Context, a Attempt, now time.Time, fn func(*store.Tx) error) error {
	if !t.o.On {
		return t.o.Store.Write(ctx, fn)
	}
	b := bucket{rightLimit, t.counterName(rightLimit.Name, string(a.Account), string(a.network))}
	if a.own != nil {
		b.key = t.counterName(rightLimit.Name, string(a.own))
	}
	return t.within(ctx, b, a.userID, a.peer, now, fn)
}

// TakeBack notes a success in its transaction, in the counter that it came through alone: a known caller's is
// forgotten; of an account's goes what the same network added. Call Recheck once that is committed.
func (t *Throttle) TakeBack(tx *store.Tx, a Attempt) {
	if a.own != nil {
		tx.ClearAttempts(a.own)
		return
	}
	tx.TakeBack(a.Account, a.network)
}

// Recheck lets the database be asked again about a counter that a committed success has lowered.
func (t *Throttle) Recheck(a Attempt) { t.denied.forget(a.counter()) }

// Reset forgets the failures of an account, in the transaction of what gives its owner a fresh start. Call
// RecheckAccounts once that is committed.
func (t *Throttle) Reset(tx *store.Tx, email string) {
	tx.ClearAttempts(t.AccountCounter(email))
}

// RecheckAccounts lets the database be asked again about accounts whose failures a committed change has forgotten.
func (t *Throttle) RecheckAccounts(emails ...string) {
	for _, email := range emails {
		t.denied.forget(t.AccountCounter(email))
	}
}

// Standing is how an account stands with those who show no device token of its: its wrong passwords, and what they
// have set.
type Standing struct {
	Failures  int64     // in a row, but for what a success from the same network took back
	NotBefore time.Time // until then no password is looked at; zero: now
	Closed    bool      // no password is looked at until a reset, or until an operator unlocks the account
}

// Standing reads how an account stands.
func (t *Throttle) Standing(ctx context.Context, email string) (Standing, error) {
	counters, err := t.o.Store.Counters(ctx, t.AccountCounter(email))
	a, now := counters.Attempts, t.o.Now()
	if err != nil || a.Failures < closeAt && a.LastAt.Before(now.Add(-failuresDecay)) { // forgotten at the next failure
		return Standing{}, err
	}
	s := Standing{Failures: a.Failures, Closed: a.Failures >= closeAt}
	if a.NotBefore.After(now) {
		s.NotBefore = a.NotBefore
	}
	return s, nil
}

// SweepAttempts forgets at most so many counters of failures that have decayed.
func SweepAttempts(tx *store.Tx, now time.Time, most int64) (int64, error) {
	return tx.SweepAttempts(now.Add(-failuresDecay), closeAt, most)
}

// SettleAttempts sets right what a clock that was ahead has written: it lets the waits of at most so many counters
// that were touched after the given time begin now.
func SettleAttempts(tx *store.Tx, after, now time.Time, most int64) (int64, error) {
	ahead, err := tx.AttemptsAhead(after, most)
	if err != nil {
		return 0, err
	}
	for _, f := range ahead {
		if err := tx.SettleAttempts(f, now.Add(waitAfter(f.Failures)), now); err != nil {
			return 0, err
		}
	}
	return int64(len(ahead)), nil
}
