package node

// What time it is, by this machine's clock and the database's.

import (
	"context"
	"time"
)

// maxClockOffset is how far a node's clock may be off before the node counts as not ready.
const maxClockOffset = 5 * time.Second

// Now is the time of an operation: corrected, in the precision the store keeps.
func (n *Node) Now() time.Time {
	return n.o.Now().Add(time.Duration(n.offset.Load())).UTC().Truncate(time.Microsecond)
}

// ClockTrusted says whether the clock has been compared with the database's and was not far off.
func (n *Node) ClockTrusted() bool {
	return n.measured.Load() && time.Duration(n.offset.Load()).Abs() <= maxClockOffset
}

// MeasureClock compares this node's clock with the database's. It is called at the start and every 30 s.
func (n *Node) MeasureClock(ctx context.Context) error {
	before := n.o.Now()
	theirs, shared, err := n.o.Store.Clock(ctx)
	if err != nil {
		return err
	}
	if shared {
		after := n.o.Now()
		offset := theirs.Sub(before.Add(after.Sub(before) / 2))
		n.offset.Store(int64(offset))
		if offset.Abs() > maxClockOffset {
			n.o.Log.Warn("the clock is off by more than 5 s from the database's; this node is not ready", "offset", offset)
		}
	}
	n.measured.Store(true)
	return nil
}
