// Package upkeep does what no request waits for and every server does every 30 s: it forgets what nobody needs any more,
// sets right what a clock that was ahead has put off, and counts live sessions.
//
// It promises small bites: no transaction of its changes more than store.Bite rows, and none holds a writer up while it
// looks for them. A clock that was set forward ends nothing for good. It never ends what is alive, and decides nothing
// about a caller.
package upkeep

import (
	"log/slog"
	"time"

	"latchkey/internal/hashcosts"
	"latchkey/internal/node"
	"latchkey/internal/outbox"
	"latchkey/internal/store"
)

// Options are what upkeep works with. Every field must be set.
type Options struct {
	Store     *store.Store
	Node      *node.Node
	Outbox    *outbox.Outbox
	Costs     *hashcosts.Costs
	AccessTTL time.Duration // the life of access tokens
	KeepKeys  time.Duration // how long signing keys that have retired are kept, for hints
	AuditDays int           // how long the audit log is kept
	Log       *slog.Logger
}

// Upkeep is this process's part of it. Each method is for one caller at a time.
type Upkeep struct {
	o     Options
	swept sweepMark
	live  liveCount
}

// New is the upkeep of a process that begins now.
func New(o Options) *Upkeep {
	u := &Upkeep{o: o}
	u.live.sessions.Store(-1)
	return u
}
