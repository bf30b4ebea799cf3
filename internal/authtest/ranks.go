package authtest

// Telling two things apart by time. Samples of both are interleaved in a random order, so that the machine's moods hit them
// alike, and compared by rank.

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Alike fails the test if n samples of each of two calls are told apart by how long they take. Each is given the number of
// the sample. A chance of 1 in 1,000 to be unlucky is one in a million twice; a difference shows both times.
func Alike(t *testing.T, n int, names [2]string, calls [2]func(i int) error) {
	t.Helper()
	var p float64
	for range 2 {
		if p = compare(t, n, names, calls); p >= 0.001 {
			return
		}
	}
	t.Errorf("%s and %s are told apart by time, p = %.2g", names[0], names[1], p)
}

// compare returns the chance of such a difference in rank if there were none. Which comes first in each pair is left to
// chance: in a regular order the collector's cycle, which a hash's memory drives, would fall on the same one each time.
func compare(t *testing.T, n int, names [2]string, calls [2]func(i int) error) (p float64) {
	t.Helper()
	var took [2][]time.Duration
	for i := range n {
		first := rand.IntN(2)
		for _, which := range [2]int{first, 1 - first} {
			began := time.Now()
			if err := calls[which](i); err != nil {
				t.Fatal(err)
			}
			took[which] = append(took[which], time.Since(began))
		}
	}
	p = RankSum(took[0], took[1])
	t.Logf("%s %v, %s %v (medians of %d), p = %.3g", names[0], median(took[0]), names[1], median(took[1]), n, p)
	return p
}

func median(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2].Round(time.Microsecond)
}

// RankSum is the two-sided p of the Mann-Whitney U test, by its normal approximation.
func RankSum(a, b []time.Duration) float64 {
	type sample struct {
		d     time.Duration
		first bool
	}
	var all []sample
	for _, d := range a {
		all = append(all, sample{d, true})
	}
	for _, d := range b {
		all = append(all, sample{d, false})
	}
	slices.SortFunc(all, func(x, y sample) int { return cmp.Compare(x.d, y.d) })
	sum := 0.0
	for i, s := range all {
		if s.first {
			sum += float64(i + 1)
		}
	}
	n, m := float64(len(a)), float64(len(b))
	u := sum - n*(n+1)/2
	z := (u - n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
	return math.Erfc(math.Abs(z) / math.Sqrt2)
}
