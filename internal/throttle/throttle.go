// Package throttle owns how often something may be tried: the limits, the counters that they are kept in, the wait
// that grows with each wrong password, the local deny cache, and device tokens, which name a counter for those whom an
// account knows. Counters are in the database: the servers of one database share them, and a restart lowers none. So no
// more passwords are evaluated for an account in a window than the limit and the permits of all servers (I8 of
// internal/auth), and what an account that does not exist is counted and told is the same (I9). A refusal is a
// [*Refusal]. The room evaluates no password and no secret, lets nobody in, and names nobody in a counter's row.
package throttle

// This file: what a Throttle is made of, how counters are named, and what a refusal says.

import (
	"fmt"
	"net/netip"
	"time"

	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// Options are the parts a Throttle works with. Every field but On must be set.
type Options struct {
	Store    *store.Store
	Master   *token.MasterKeys // signs device tokens
	Counters token.IndexKey    // names the counters
	On       bool              // off: nothing is counted and nobody is refused
	Now      func() time.Time  // the time that the servers of one database agree on
}

// Throttle limits how often something is tried. Any number of goroutines may use it.
type Throttle struct {
	o       Options
	denied  denyCache
	secrets secrets // of clients, found right a moment ago
}

// New makes a Throttle. It reads and writes nothing.
func New(o Options) *Throttle { return &Throttle{o: o} }

// Refusal is the error of a caller who has met a limit and must come back later.
type Refusal struct {
	Limit      Limit
	RetryAfter time.Duration // whole seconds, at least one
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("throttled: limit %q, retry after %v", r.Limit.Name, r.RetryAfter)
}

// refusal asks the caller to come back after a wait.
func refusal(l Limit, wait time.Duration) error {
	return &Refusal{Limit: l, RetryAfter: max(time.Second, (wait + time.Second - 1).Truncate(time.Second))}
}

// counterName names a counter without naming what it counts. The key behind it is random and kept sealed in the
// database: whoever reads the counters cannot find out whose they are by trying, and no rotation of master keys
// lowers one. The kinds and the order of what follows are in stored rows, so they never change.
func (t *Throttle) counterName(kind string, of ...string) []byte {
	return t.o.Counters.Name(append([]string{kind}, of...)...)
}

// AccountCounter names the counter of an account's failures. There is one whether the account exists or not.
func (t *Throttle) AccountCounter(email string) []byte { return t.counterName("account", email) }

// networkName names the network that an account's counter remembers failures by.
func (t *Throttle) networkName(addr netip.Addr) []byte {
	return t.counterName("network", peer.Network(addr))
}
