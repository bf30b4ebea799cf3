package rotation

// What the tests outside the package need of the simulation's row.

import (
	"time"

	"latchkey/internal/store"
)

// JudgeOurs is the server's verdict, with the figures of the simulation.
func JudgeOurs(s store.Session, presented int64, now time.Time) Verdict {
	return judgeOurs(s, presented, now)
}

// PresentInMemory turns the simulation's row under the server's policy.
func PresentInMemory(s *store.Session, presented int64, now time.Time) Verdict {
	return policy{judge: judgeOurs}.present(s, presented, now)
}

// SignedInMemory is the simulation's row after a sign-in.
func SignedInMemory(now time.Time) store.Session { return signedIn(now) }
