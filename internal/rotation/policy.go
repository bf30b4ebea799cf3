// Package rotation owns the verdict on a refresh token whose MAC is right: a pure function of the session's row, the
// generation presented, and the time. It keeps I2 and I3 of internal/auth: the newest token is never refused, its
// predecessor yields the same successor, and reuse outside the windows is told apart from a late repeat. It reads
// no clock and writes no row. docs/adr/0003-refresh-tokens.md numbers the rules; their table test reads like them.
package rotation

import (
	"time"

	"latchkey/internal/store"
)

// Verdict names what a presented refresh token deserves; metrics count by it.
type Verdict string

const (
	VerdictRotate     Verdict = "rotated"    // rule 2: the current token
	VerdictRepeat     Verdict = "repeated"   // rule 3, or rule 4 counted already: the same successor again
	VerdictLate       Verdict = "late"       // rule 4, first late use: the same successor, and it counts
	VerdictSuperseded Verdict = "superseded" // rule 5: an older token of the same burst
	VerdictAhead      Verdict = "ahead"      // rule 6: the database was set back
	VerdictReuse      Verdict = "reuse"      // rule 7
	VerdictEnded      Verdict = "ended"      // rule 1, and below
	VerdictExpired    Verdict = "expired"
	VerdictUnknown    Verdict = "unknown"
)

// Verdicts are all there are.
func Verdicts() []Verdict {
	return []Verdict{VerdictRotate, VerdictRepeat, VerdictLate, VerdictSuperseded, VerdictAhead, VerdictReuse, VerdictEnded, VerdictExpired, VerdictUnknown}
}

// First is the state of a session as a sign-in makes it: generation 1, signed by the master key named.
func First(keyID string, idle time.Duration, now time.Time) store.Rotation {
	never := time.Unix(0, 0).UTC()
	return store.Rotation{
		Generation:    1,
		RotatedAt:     now,
		KeyID:         keyID,
		BurstFrom:     1,
		BurstAt:       never,
		PrevFrom:      1,
		PrevAt:        never,
		IdleExpiresAt: now.Add(idle),
	}
}

// Judge applies the rules in their order. grace is the window of rules 3 and 5; recoveries is the
// late use, counted in a row, that is reuse.
func Judge(s store.Session, presented int64, now time.Time, grace time.Duration, recoveries int64) Verdict {
	since := func(then time.Time) time.Duration { return max(0, now.Sub(then)) } // a clock set back makes nobody late
	switch {
	case !s.EndedAt.IsZero():
		return VerdictEnded
	case !s.AliveAt(now):
		return VerdictExpired
	case presented == s.Generation:
		return VerdictRotate
	case presented > s.Generation:
		return VerdictAhead
	case presented == s.Generation-1:
		switch {
		case since(s.RotatedAt) <= grace, s.LateNow:
			return VerdictRepeat
		case s.LateRun+1 >= recoveries:
			return VerdictReuse
		}
		return VerdictLate
	case s.BurstFrom <= presented && since(s.BurstAt) <= grace:
		return VerdictSuperseded
	case s.PrevFrom <= presented && presented < s.BurstFrom && since(s.PrevAt) <= 2*grace:
		return VerdictSuperseded
	}
	return VerdictReuse
}
