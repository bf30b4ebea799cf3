package auth

// What time it is. Nodes that share a PostgreSQL server correct their clocks by its clock, since one
// node's "expired" must be every node's.

import (
	"context"
	"sync/atomic"
	"time"
)

// maxClockOffset is how far a node's clock may be off before it counts as not ready.
const maxClockOffset = 5 * time.Second

type clock struct {
	offset   atomic.Int64 // nanoseconds, database - ours
	measured atomic.Bool
}

func (c *clock) trusted() bool {
	return c.measured.Load() && time.Duration(c.offset.Load()).Abs() <= maxClockOffset
}

// now is the time of an operation, in the precision the store keeps.
func (s *Service) now() time.Time {
	return s.o.Now().Add(time.Duration(s.clock.offset.Load())).UTC().Truncate(time.Microsecond)
}

// MeasureClock compares this node's clock with the database's. It is called at the start and every
// 30 s.
func (s *Service) MeasureClock(ctx context.Context) error {
	before := s.o.Now()
	theirs, shared, err := s.o.Store.Clock(ctx)
	if err != nil {
		return fault(err)
	}
	if shared {
		after := s.o.Now()
		offset := theirs.Sub(before.Add(after.Sub(before) / 2))
		s.clock.offset.Store(int64(offset))
		if offset.Abs() > maxClockOffset {
			s.o.Log.Warn("the clock is off by more than 5 s from the database's; this node is not ready", "offset", offset)
		}
	}
	s.clock.measured.Store(true)
	return nil
}

func latestOf(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
