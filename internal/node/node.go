// Package node owns what a server knows of itself among all that share its database: which time it is for every one
// of them, which others run, and whether writing works from here.
//
// It promises one time: nodes on a PostgreSQL server correct their clocks by its clock, since one node's "expired" must
// be every node's. A setting that another node has otherwise is named in the log once, since one makes tokens that the
// other refuses, or links that lead elsewhere. Settings leave the process only as hashes. It never refuses a request
// and never changes a setting.
package node

// This server's row: it is written while the server runs, and dropped when it ends.

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"latchkey/internal/ids"
	"latchkey/internal/store"
)

const (
	gone        = 75 * time.Second // a server not seen for so long has ended: it says every 30 s that it runs
	leaveWithin = time.Second

	// ClockSlack is how far clocks may differ before one counts as wrong: as ahead, or as set by somebody.
	ClockSlack = time.Minute

	// ForgetAfter is how long the row of a server that has ended is kept.
	ForgetAfter = 10 * time.Minute
)

// Options are what a Node works with. Every field must be set.
type Options struct {
	Store    *store.Store
	Settings func() []Setting // what every node must have alike, as this one has it now
	Now      func() time.Time // this machine's clock, not corrected
	Log      *slog.Logger
}

// Node is this process among those that share the database.
type Node struct {
	o     Options
	id    string
	since time.Time
	told  map[string]string // by another's id, what of it differed when that was last logged

	offset   atomic.Int64 // nanoseconds, database - ours
	measured atomic.Bool
}

// New is a node that begins now.
func New(o Options) *Node {
	n := &Node{o: o, id: ids.New(), told: map[string]string{}}
	n.since = n.Now()
	return n
}

// Compare says that this server runs, and logs which settings others have otherwise, once for each. Only who has
// been seen since this one started counts: a row may be left of one that ended. One caller at a time.
func (n *Node) Compare(ctx context.Context) error {
	now, mine := n.Now(), hashed(n.o.Settings())
	since := now.Add(-gone)
	if since.Before(n.since) {
		since = n.since
	}
	var others []store.Node
	err := n.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		if err := tx.PutNode(store.Node{ID: n.id, Settings: mine, SeenAt: now}); err != nil {
			return err
		}
		others, err = tx.NodesSeen(since)
		return err
	})
	if err != nil {
		return err
	}
	for _, other := range others {
		differ := strings.Join(differing(mine, other.Settings), ", ")
		if other.ID == n.id || differ == n.told[other.ID] {
			continue
		}
		n.told[other.ID] = differ
		if differ != "" {
			n.o.Log.Warn("another server on this database has other settings: make them alike", "differ", differ, "node", other.ID, "seen_at", other.SeenAt)
		}
	}
	return nil
}

// Writing is nil when the database takes writes.
func (n *Node) Writing(ctx context.Context) error { return n.o.Store.Writing(ctx, n.id, n.Now()) }

// Leave says that this server ends. It does not wait long for a database that is away: the others see by the age of
// its row that it is gone.
func (n *Node) Leave(ctx context.Context) error {
	return n.o.Store.Within(leaveWithin).DropNode(ctx, n.id)
}
