package rotation_test

// The simulation is worth what its row is worth: random sequences of presented generations and times
// must leave the row in memory and the row in either database the same, after every step, whatever kind of session
// the row is.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/authtest"
	"latchkey/internal/rotation"
	"latchkey/internal/store"
)

// door is where refresh tokens are presented: which kind of sessions they are of, and by which client (empty: any).
type door struct{ kind, client string }

func TestSimulationTurnsTheRowAsTheStoreDoes(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		s := db.Open(t)
		for n, at := range []door{{"auth", ""}, {"oauth", "shop"}} {
			seen := map[string]int{}
			for seed := range uint64(120) {
				rng := rand.New(rand.NewPCG(seed, 1))
				err := s.Write(context.Background(), func(tx *store.Tx) error {
					return turnBoth(tx, at, uint64(n)<<32|seed, rng, seen)
				})
				if err != nil {
					t.Fatalf("%s, seed %d: %v", at.kind, seed, err)
				}
			}
			t.Logf("%s: verdicts: %v", at.kind, seen)
			for _, v := range []string{"rotated", "repeated", "late", "superseded", "ahead", "reuse", "ended", "expired"} {
				if seen[v] < 5 {
					t.Errorf("%s: the sequences came to %q %d times: too few to prove anything", at.kind, v, seen[v])
				}
			}
		}
	})
}

// turnBoth presents the same to a row in memory and to a row in the database, until a little after the
// session's end.
func turnBoth(tx *store.Tx, at door, id uint64, rng *rand.Rand, seen map[string]int) error {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	user := store.User{
		ID: fmt.Sprintf("0199aaaa-0000-7000-8000-%012x", id), Email: fmt.Sprintf("u%d@example.com", id),
		Epoch: 1, ChangedAt: now, CreatedAt: now, VerifiedAt: now,
	}
	memory := rotation.SignedInMemory(now)
	memory.ID, memory.UserID, memory.Kind, memory.Client = user.ID, user.ID, at.kind, "shop"
	if err := tx.InsertUser(user); err != nil {
		return err
	}
	tx.InsertSession(memory)
	dead := 0
	for step := 0; step < 100 && dead < 3; step++ {
		now = now.Add(elapse(rng))
		presented := memory.Generation + offset(rng)
		row, err := tx.RefreshStateByID(memory.ID)
		if err != nil {
			return err
		}
		verdict := rotation.JudgeOurs(row.Session, presented, now)
		if err := elsewhere(tx, row.Session, presented, now); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		if err := act(tx, at, verdict, row.Session, presented, now); err != nil {
			return fmt.Errorf("step %d, %s: %w", step, verdict, err)
		}
		if row, err = tx.RefreshStateByID(memory.ID); err != nil {
			return err
		}
		if got := rotation.PresentInMemory(&memory, presented, now); got != verdict {
			return fmt.Errorf("step %d: in memory %s, in the database %s", step, got, verdict)
		}
		if diff := cmp.Diff(row.Session, memory); diff != "" {
			return fmt.Errorf("step %d, %s (-database +memory):\n%s", step, verdict, diff)
		}
		seen[string(verdict)]++
		if !memory.AliveAt(now) {
			dead++
		}
	}
	return nil
}

// elsewhere presents a generation where it does not belong: the row stays as it is, which turnBoth sees by its next
// comparison.
func elsewhere(tx *store.Tx, row store.Session, presented int64, now time.Time) error {
	for _, wrong := range []door{{"page", ""}, {map[string]string{"auth": "oauth", "oauth": "auth"}[row.Kind], ""}, {row.Kind, "desk"}} {
		if err := rotate(tx, wrong, row, presented, now); !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("a token of a session of kind %s of client %s, presented as %+v: %w", row.Kind, row.Client, wrong, err)
		}
	}
	return nil
}

func rotate(tx *store.Tx, at door, row store.Session, presented int64, now time.Time) error {
	_, err := tx.Rotate(store.RotateParams{
		SessionID: row.ID, Kind: at.kind, Client: at.client, ExpectedGeneration: row.Generation, Presented: presented,
		IdleExpiresAt: now.Add(14 * 24 * time.Hour), Grace: 30 * time.Second,
	}, now)
	return err
}

// act writes a verdict's consequence by the store's own statements.
func act(tx *store.Tx, at door, verdict rotation.Verdict, row store.Session, presented int64, now time.Time) error {
	switch verdict {
	case rotation.VerdictRotate, rotation.VerdictAhead:
		return rotate(tx, at, row, presented, now)
	case rotation.VerdictLate:
		return tx.MarkLate(row.ID, row.Generation)
	case rotation.VerdictReuse:
		return tx.EndReused(row.ID, row.Generation, "refresh_reuse", now)
	case rotation.VerdictRepeat, rotation.VerdictSuperseded, rotation.VerdictEnded, rotation.VerdictExpired, rotation.VerdictUnknown:
	}
	return nil
}

// elapse prefers the edges of the windows, to the microsecond; clocks also stand still and step back.
func elapse(rng *rand.Rand) time.Duration {
	edges := []time.Duration{0, time.Microsecond, time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 20 * time.Minute}
	d := edges[rng.IntN(len(edges))]
	switch rng.IntN(40) {
	case 0, 1, 2, 3:
		return d + time.Microsecond
	case 4, 5, 6, 7:
		return d - time.Microsecond
	case 8:
		return -d
	case 9:
		return time.Duration(rng.Int64N(int64(16 * 24 * time.Hour))).Truncate(time.Microsecond)
	}
	return d
}

// offset is how far the presented generation is from the row's: mostly the current and the one before.
func offset(rng *rand.Rand) int64 {
	switch n := rng.IntN(100); {
	case n < 60:
		return 0
	case n < 88:
		return -1
	case n < 95:
		return -2
	case n < 97:
		return -3
	case n < 98:
		return -rng.Int64N(20)
	}
	return rng.Int64N(3)
}
