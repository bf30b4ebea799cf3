package rotation

// The row that the simulation turns: the statements of internal/store/rotation.go in memory, and the
// policies that it compares. simulation_store_test.go holds the row to the real ones.

import (
	"time"

	"latchkey/internal/store"
)

// The figures of the specification, which are Options' defaults.
const (
	simGrace      = 30 * time.Second
	simRecoveries = 3
	simIdle       = 14 * 24 * time.Hour
	simOverall    = 30 * 24 * time.Hour
)

// policy decides what a presented generation deserves.
type policy struct {
	name  string
	judge func(s store.Session, presented int64, now time.Time) Verdict
}

// policies are what the simulation compares; ours is the server's own function.
func policies() []policy {
	return []policy{
		{"strict single use", judgeStrict},
		{"30 s window", judgeWindow},
		{"Latchkey", judgeOurs},
	}
}

func judgeOurs(s store.Session, presented int64, now time.Time) Verdict {
	return Judge(s, presented, now, simGrace, simRecoveries)
}

// judgeStrict is rotation as RFC 9700 §4.14.2 puts it, taken literally: a second use is reuse.
func judgeStrict(s store.Session, presented int64, now time.Time) Verdict {
	switch {
	case !s.EndedAt.IsZero():
		return VerdictEnded
	case !s.AliveAt(now):
		return VerdictExpired
	case presented == s.Generation:
		return VerdictRotate
	}
	return VerdictReuse
}

// judgeWindow also lets the token before the current one work, for 30 s after its rotation.
func judgeWindow(s store.Session, presented int64, now time.Time) Verdict {
	v := judgeStrict(s, presented, now)
	if v == VerdictReuse && presented == s.Generation-1 && now.Sub(s.RotatedAt) <= simGrace {
		return VerdictRepeat
	}
	return v
}

// signedIn is a row as a sign-in makes it.
func signedIn(now time.Time) store.Session {
	return store.Session{
		Rotation:         First("", simIdle, now),
		OverallExpiresAt: now.Add(simOverall),
		CreatedAt:        now,
		AuthTime:         now,
	}
}

// present asks the policy and writes the consequence into the row, as Service.judgeAndAct does.
func (p policy) present(s *store.Session, presented int64, now time.Time) Verdict {
	v := p.judge(*s, presented, now)
	switch v {
	case VerdictRotate, VerdictAhead:
		rotateRow(s, presented, now)
	case VerdictLate:
		s.LateNow, s.LateRun = true, s.LateRun+1
	case VerdictReuse:
		s.EndedAt, s.EndReason = now, "refresh_reuse"
	case VerdictRepeat, VerdictSuperseded, VerdictEnded, VerdictExpired, VerdictUnknown:
	}
	return v
}

// rotateRow is Tx.Rotate.
func rotateRow(s *store.Session, presented int64, now time.Time) {
	if now.Sub(s.BurstAt) > simGrace {
		s.PrevFrom, s.PrevAt = s.BurstFrom, s.BurstAt
		s.BurstFrom, s.BurstAt = presented, now
	}
	if !s.LateNow {
		s.LateRun = 0
	}
	s.LateNow = false
	s.PrevKeyID = s.KeyID
	s.Generation, s.RotatedAt = presented+1, now
	s.IdleExpiresAt = now.Add(simIdle)
}
