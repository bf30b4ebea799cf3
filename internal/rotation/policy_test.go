package rotation

// The rules of refreshing, as a table. Each row is a session's row, a presented generation and a
// moment; names begin with the rule's number.

import (
	"testing"
	"time"

	"latchkey/internal/store"
)

// at is a moment in seconds of the table's own time.
func at(seconds float64) time.Time {
	return time.Unix(1_000_000_000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

// row is a session at generation 10, rotated at 1000 s; the burst began with generation 8 at 990 s, the
// one before with generation 5 at 950 s. It expires at 100,000 s.
func row(change ...func(*store.Session)) store.Session {
	s := store.Session{
		Rotation: store.Rotation{
			Generation: 10, RotatedAt: at(1000),
			BurstFrom: 8, BurstAt: at(990), PrevFrom: 5, PrevAt: at(950),
			IdleExpiresAt: at(100_000),
		},
		OverallExpiresAt: at(200_000),
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

func TestJudge(t *testing.T) {
	ended := func(s *store.Session) { s.EndedAt = at(1001) }
	overall := func(s *store.Session) { s.OverallExpiresAt = at(5000) }
	late := func(now bool, run int64) func(*store.Session) {
		return func(s *store.Session) { s.LateNow, s.LateRun = now, run }
	}
	signedIn := func(s *store.Session) {
		s.Rotation = store.Rotation{
			Generation: 1, RotatedAt: at(1000), BurstFrom: 1, BurstAt: time.Unix(0, 0),
			PrevFrom: 1, PrevAt: time.Unix(0, 0), IdleExpiresAt: at(100_000),
		}
	}
	for name, test := range map[string]struct {
		session   store.Session
		presented int64
		now       time.Time
		want      Verdict
	}{
		"1 ended":                                 {row(ended), 10, at(1002), VerdictEnded},
		"1 ended before it is expired":            {row(ended), 10, at(300_000), VerdictEnded},
		"1 ended before reuse":                    {row(ended), 1, at(1002), VerdictEnded},
		"1 idle too long":                         {row(), 10, at(100_000), VerdictExpired},
		"1 just before the inactivity limit":      {row(), 10, at(99_999.999999), VerdictRotate},
		"1 past the overall limit":                {row(overall), 10, at(5000), VerdictExpired},
		"1 just before the overall limit":         {row(overall), 10, at(4999.999999), VerdictRotate},
		"1 expired before reuse":                  {row(), 1, at(100_000), VerdictExpired},
		"2 current":                               {row(), 10, at(1001), VerdictRotate},
		"2 current, days later":                   {row(), 10, at(90_000), VerdictRotate},
		"2 current, clock set back":               {row(), 10, at(500), VerdictRotate},
		"2 the first of a session":                {row(signedIn), 1, at(1000), VerdictRotate},
		"3 previous at once":                      {row(), 9, at(1000), VerdictRepeat},
		"3 previous at 30 s":                      {row(), 9, at(1030), VerdictRepeat},
		"3 previous, clock set back":              {row(), 9, at(10), VerdictRepeat},
		"3 previous in the window does not count": {row(late(false, 2)), 9, at(1030), VerdictRepeat},
		"4 previous after 30 s":                   {row(), 9, at(1030.000001), VerdictLate},
		"4 previous days later":                   {row(), 9, at(90_000), VerdictLate},
		"4 counted already":                       {row(late(true, 1)), 9, at(2000), VerdictRepeat},
		"4 counted already, as the second":        {row(late(true, 2)), 9, at(2000), VerdictRepeat},
		"4 second in a row":                       {row(late(false, 1)), 9, at(2000), VerdictLate},
		"4 third in a row is reuse":               {row(late(false, 2)), 9, at(2000), VerdictReuse},
		"5 of the burst, within 30 s":             {row(), 8, at(1020), VerdictSuperseded},
		"5 of the burst, after 30 s":              {row(), 8, at(1020.000001), VerdictReuse},
		"5 of the burst, clock set back":          {row(), 8, at(1), VerdictSuperseded},
		"5 of the burst before, within 60 s":      {row(), 7, at(1010), VerdictSuperseded},
		"5 the oldest of the burst before":        {row(), 5, at(1010), VerdictSuperseded},
		"5 of the burst before, after 60 s":       {row(), 7, at(1010.000001), VerdictReuse},
		"5 older than the burst before":           {row(), 4, at(1001), VerdictReuse},
		"5 the burst's own is not the one before": {row(func(s *store.Session) { s.BurstAt = at(900) }), 8, at(1001), VerdictReuse},
		"6 the database was set back":             {row(), 11, at(1001), VerdictAhead},
		"6 by far":                                {row(), 1000, at(1001), VerdictAhead},
		"7 an old one":                            {row(), 2, at(2000), VerdictReuse},
		"7 the first, long after":                 {row(), 1, at(90_000), VerdictReuse},
		"7 never generation 0":                    {row(signedIn, func(s *store.Session) { s.Generation = 2 }), 0, at(2000), VerdictReuse},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Judge(test.session, test.presented, test.now, 30*time.Second, 3); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
