package auth

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
	judge func(s store.Session, presented int64, now time.Time) verdict
}

// policies are what the simulation compares; ours is the server's own function.
func policies() []policy {
	return []policy{
		{"strict single use", judgeStrict},
		{"30 s window", judgeWindow},
		{"Latchkey", judgeOurs},
	}
}

func judgeOurs(s store.Session, presented int64, now time.Time) verdict {
	return judge(s, presented, now, simGrace, simRecoveries)
}

// judgeStrict is rotation as RFC 9700 §4.14.2 puts it, taken literally: a second use is reuse.
func judgeStrict(s store.Session, presented int64, now time.Time) verdict {
	switch {
	case !s.EndedAt.IsZero():
		return verdictEnded
	case !s.AliveAt(now):
		return verdictExpired
	case presented == s.Generation:
		return verdictRotate
	}
	return verdictReuse
}

// judgeWindow also lets the token before the current one work, for 30 s after its rotation.
func judgeWindow(s store.Session, presented int64, now time.Time) verdict {
	v := judgeStrict(s, presented, now)
	if v == verdictReuse && presented == s.Generation-1 && now.Sub(s.RotatedAt) <= simGrace {
		return verdictRepeat
	}
	return v
}

// signedIn is a row as a sign-in makes it.
func signedIn(now time.Time) store.Session {
	never := time.Unix(0, 0).UTC()
	return store.Session{
		Rotation: store.Rotation{
			Generation: 1, RotatedAt: now, BurstFrom: 1, BurstAt: never, PrevFrom: 1, PrevAt: never,
			IdleExpiresAt: now.Add(simIdle),
		},
		OverallExpiresAt: now.Add(simOverall),
		CreatedAt:        now,
	}
}

// present asks the policy and writes the consequence into the row, as Service.turn does.
func (p policy) present(s *store.Session, presented int64, now time.Time) verdict {
	v := p.judge(*s, presented, now)
	switch v {
	case verdictRotate, verdictAhead:
		rotateRow(s, presented, now)
	case verdictLate:
		s.LateNow, s.LateRun = true, s.LateRun+1
	case verdictReuse:
		s.EndedAt, s.EndReason = now, reasonReuse
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
