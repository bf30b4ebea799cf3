package events

// What tests see of a feed.

const (
	MostWaiting = mostWaiting
	MostTold    = mostTold
)

// Waiting is how many polls wait now.
func (f *Feed) Waiting() int64 { return f.waiting.Load() }
