// Package logouts tells apps of their sessions that have ended (OpenID Connect Back-Channel Logout 1.0): from the row that
// the store writes in the transaction in which a session ends, to the app's answer, and what an operator sees of it and
// may do to it.
//
// It promises: every row ends as delivered, none, refused or expired (I13 of internal/auth); each try for one session
// carries the same jti; nothing is sent but to the address that the clients file has for the client at that time, and no
// redirect is followed; a process has one delivery at a time under way to each host, and hosts that give trouble hold no
// more than half of its deliverers.
//
// It never decides that a session ends, and what it sends opens nothing (I7).
package logouts

// What telling apps is made of, how it ends, and how much of it waits.

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"latchkey/internal/burst"
	"latchkey/internal/clients"
	"latchkey/internal/keyring"
	"latchkey/internal/store"
)

// Logouts tells apps. Any number of goroutines may use it.
type Logouts struct {
	o      Options
	poster poster
	lanes  lanes
	notes  *burst.Log // what an app that is away causes again and again
}

// Options are what Logouts work with. Every field without a default named here must be set.
type Options struct {
	Store   *store.Store
	Keys    *keyring.Keys
	Clients func() *clients.Set // as they are now
	Timeout time.Duration       // of one try; zero: 10 s

	Now      func() time.Time // the time of the database, which every node goes by
	Log      *slog.Logger
	OnLogout func(outcome string) // called once per try with one of Outcomes, and for each that ends untried
}

// How telling an app ends. The words are kept in the database: they never change.
const (
	Delivered = "delivered"
	None      = "none"    // the client is not registered any more, or has no backchannel_logout_uri
	Refused   = "refused" // the app answered 400
	Expired   = "expired" // a day had passed
)

// postponed is what becomes of a try that is repeated.
const postponed = "postponed"

// Outcomes are what OnLogout is told: how it ended, or that a try is repeated.
func Outcomes() []string { return []string{Delivered, postponed, None, Refused, Expired} }

// New makes what tells apps.
func New(o Options) *Logouts {
	return &Logouts{o: o, poster: newPoster(cmp.Or(o.Timeout, tryTimeout)), notes: burst.New(o.Log, o.Now)}
}

// Waiting says how many sessions' ends apps are still to be told of, and for how long the oldest has waited.
func (l *Logouts) Waiting(ctx context.Context) (sessions int64, oldest time.Duration, err error) {
	err = l.o.Store.Read(ctx, func(tx *store.Tx) error {
		depth, since, err := tx.WaitingLogouts()
		if sessions, oldest = depth, 0; !since.IsZero() {
			oldest = max(0, l.o.Now().Sub(since))
		}
		return err
	})
	return sessions, oldest, err
}
