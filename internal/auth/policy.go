package auth

// The verdict on a refresh token whose MAC is right: a pure function of the session's row, the
// generation presented, and the time. Its table test reads like the rules of the specification.

import (
	"time"

	"latchkey/internal/store"
)

// verdict names what a presented refresh token deserves; metrics count by it.
type verdict string

const (
	verdictRotate     verdict = "rotated"    // rule 2: the current token
	verdictRepeat     verdict = "repeated"   // rule 3, or rule 4 counted already: the same successor again
	verdictLate       verdict = "late"       // rule 4, first late use: the same successor, and it counts
	verdictSuperseded verdict = "superseded" // rule 5: an older token of the same burst
	verdictAhead      verdict = "ahead"      // rule 6: the database was set back
	verdictReuse      verdict = "reuse"      // rule 7
	verdictEnded      verdict = "ended"      // rule 1, and below
	verdictExpired    verdict = "expired"
	verdictUnknown    verdict = "unknown"
)

// judge applies the rules in their order. grace is the window of rules 3 and 5; recoveries is the
// late use, counted in a row, that is reuse.
func judge(s store.Session, presented int64, now time.Time, grace time.Duration, recoveries int64) verdict {
	since := func(then time.Time) time.Duration { return max(0, now.Sub(then)) } // a clock set back makes nobody late
	switch {
	case !s.EndedAt.IsZero():
		return verdictEnded
	case !s.AliveAt(now):
		return verdictExpired
	case presented == s.Generation:
		return verdictRotate
	case presented > s.Generation:
		return verdictAhead
	case presented == s.Generation-1:
		switch {
		case since(s.RotatedAt) <= grace, s.LateNow:
			return verdictRepeat
		case s.LateRun+1 >= recoveries:
			return verdictReuse
		}
		return verdictLate
	case s.BurstFrom <= presented && since(s.BurstAt) <= grace:
		return verdictSuperseded
	case s.PrevFrom <= presented && presented < s.BurstFrom && since(s.PrevAt) <= 2*grace:
		return verdictSuperseded
	}
	return verdictReuse
}
