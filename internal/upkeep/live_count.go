package upkeep

// The count of live sessions, which is not asked of the database at each scrape of the metrics.

import (
	"context"
	"sync/atomic"
	"time"

	"latchkey/internal/store"
)

// countSessionsEvery is how old the count of sessions may be: counting walks them all.
const countSessionsEvery = 5 * time.Minute

type liveCount struct {
	sessions atomic.Int64
	at       time.Time
}

// CountSessions counts the live sessions anew when the last count is old enough, some at a time: no statement
// takes longer for how many there are. One caller at a time.
func (u *Upkeep) CountSessions(ctx context.Context) error {
	if !u.live.at.IsZero() && time.Since(u.live.at) < countSessionsEvery {
		return nil
	}
	u.live.at = time.Now() // a count that takes too long is not tried again at once
	now := u.o.Node.Now()
	var sum int64
	for after := ""; ; {
		var last string
		var live int64
		err := u.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
			last, live, err = tx.CountLiveSessions(after, store.Stride, now)
			return err
		})
		if err != nil {
			return err
		}
		if sum += live; last == "" {
			break
		}
		after = last
	}
	u.live.sessions.Store(sum)
	return nil
}

// LiveSessions is what CountSessions counted last; negative: nothing yet.
func (u *Upkeep) LiveSessions() int64 { return u.live.sessions.Load() }
