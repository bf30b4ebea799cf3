package rotation

// The rules as vectors, which hold the server of the simulation in sdk/js/test to Judge: that one is written in TypeScript.

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"testing"
	"time"

	"latchkey/internal/store"
)

const vectorsFile = "../../sdk/js/test/vectors/rotation.json"

// vectorRow is what of a session's row decides; times are milliseconds since 1970.
type vectorRow struct {
	Generation       int64  `json:"generation"`
	RotatedAt        int64  `json:"rotatedAt"`
	BurstFrom        int64  `json:"burstFrom"`
	BurstAt          int64  `json:"burstAt"`
	PrevFrom         int64  `json:"prevFrom"`
	PrevAt           int64  `json:"prevAt"`
	LateNow          bool   `json:"lateNow"`
	LateRun          int64  `json:"lateRun"`
	IdleExpiresAt    int64  `json:"idleExpiresAt"`
	OverallExpiresAt int64  `json:"overallExpiresAt"`
	EndedAt          *int64 `json:"endedAt"`
}

// vector is a presented token, what it deserved, and the row afterwards where it is another.
type vector struct {
	Row       vectorRow  `json:"row"`
	Presented int64      `json:"presented"`
	Now       int64      `json:"now"`
	Verdict   Verdict    `json:"verdict"`
	After     *vectorRow `json:"after,omitempty"`
}

func rowOf(s store.Session) vectorRow {
	row := vectorRow{
		Generation: s.Generation, RotatedAt: s.RotatedAt.UnixMilli(),
		BurstFrom: s.BurstFrom, BurstAt: s.BurstAt.UnixMilli(), PrevFrom: s.PrevFrom, PrevAt: s.PrevAt.UnixMilli(),
		LateNow: s.LateNow, LateRun: s.LateRun,
		IdleExpiresAt: s.IdleExpiresAt.UnixMilli(), OverallExpiresAt: s.OverallExpiresAt.UnixMilli(),
	}
	if !s.EndedAt.IsZero() {
		ended := s.EndedAt.UnixMilli()
		row.EndedAt = &ended
	}
	return row
}

// vectors are TestJudge's row at the edges of its windows, and sessions by chance: which generation comes, and when, is
// mostly at an edge of a rule. Few go on after what ends them.
func vectors() []vector {
	ours := policies()[2]
	var all []vector
	add := func(s store.Session, presented int64, now time.Time) store.Session {
		v := vector{Row: rowOf(s), Presented: presented, Now: now.UnixMilli(), Verdict: ours.present(&s, presented, now)}
		if after := rowOf(s); !reflect.DeepEqual(after, v.Row) {
			v.After = &after
		}
		all = append(all, v)
		return s
	}
	for _, s := range []store.Session{
		row(),
		row(func(s *store.Session) { s.BurstAt = at(900) }), // no row has that: each condition counts by itself
		row(func(s *store.Session) { s.OverallExpiresAt = at(1020) }),
	} {
		for _, presented := range []int64{4, 5, 7, 8, 9, 11} {
			for _, moment := range []float64{500, 1010, 1010.001, 1020, 1020.001, 1030, 1030.001} {
				add(s, presented, at(moment))
			}
		}
	}
	for seed := range dice(16) {
		throw := int64(0)
		below := func(n int) int {
			throw++
			return int(seed.unit(toNeed, throw) * float64(n))
		}
		now := time.UnixMilli(1_000_000)
		s := signedIn(now)
		for range 12 {
			generations := []int64{
				s.Generation, s.Generation, s.Generation, s.Generation - 1, s.Generation - 2, s.Generation + 1,
				s.BurstFrom, s.BurstFrom - 1, s.PrevFrom, s.PrevFrom - 1,
			}
			moments := []time.Time{now, now, now, s.RotatedAt, s.BurstAt, s.PrevAt}
			waits := []time.Duration{
				0, time.Second, time.Second, simGrace - time.Millisecond, simGrace, simGrace + time.Millisecond,
				2 * simGrace, 2*simGrace + time.Millisecond, time.Hour, -time.Minute, simIdle - time.Millisecond, simIdle,
			}
			presented, from := generations[below(len(generations))], moments[below(len(moments))]
			if from.Before(s.CreatedAt) {
				from = now // never
			}
			then := from.Add(waits[below(len(waits))])
			after := add(s, presented, then)
			if after.AliveAt(then) && after.EndedAt.IsZero() || below(10) == 0 {
				s, now = after, then
			}
		}
	}
	return all
}

func TestVectors(t *testing.T) {
	var want bytes.Buffer
	count := map[Verdict]int{}
	separator := "[\n"
	for _, v := range vectors() {
		count[v.Verdict]++
		line, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		want.WriteString(separator)
		want.Write(line)
		separator = ",\n"
	}
	want.WriteString("\n]\n")
	for _, verdict := range Verdicts() {
		if verdict != VerdictUnknown && count[verdict] < 5 {
			t.Errorf("%d vectors of %q: too few", count[verdict], verdict)
		}
	}
	if *update {
		if err := os.WriteFile(vectorsFile, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want.Bytes()) {
		t.Errorf("%s says something else. If the rules are to change: go test ./internal/rotation -run TestVectors -update, and sdk/js/test/world/server.ts", vectorsFile)
	}
}
