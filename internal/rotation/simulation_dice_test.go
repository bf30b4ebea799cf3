package rotation

// Chance that can be looked up: the n-th throw for a purpose is a function of seed, purpose and n, so
// that a simulation which skips throws the same as one that does not.

import (
	"math"
	"time"
)

// dice is a seed, or the purpose of a throw.
type dice uint64

const (
	toNeed   dice = iota + 1 // when a slot's refresh falls
	toLoss                   // requests until an answer is lost
	toBoth                   // slots until both tabs ask
	toSecond                 // how much later the second tab asks
	toAnswer                 // how long an answer takes
	whichTab                 // which tab is looked at
	toThief                  // what a thief does
)

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (d dice) bits(purpose dice, n int64) uint64 {
	return mix(mix(uint64(d)^uint64(purpose)) + uint64(n))
}

// unit is in [0, 1).
func (d dice) unit(purpose dice, n int64) float64 {
	return float64(d.bits(purpose, n)>>11) / (1 << 53)
}

// within is in [0, limit), in whole microseconds.
func (d dice) within(purpose dice, n int64, limit time.Duration) time.Duration {
	return time.Duration(d.unit(purpose, n) * float64(limit)).Truncate(time.Microsecond)
}

func (d dice) below(purpose dice, n int64, limit int) int {
	return int(d.bits(purpose, n) % uint64(limit))
}

// gap is the number of throws that miss before one of probability p hits.
func (d dice) gap(purpose dice, n int64, p float64) int64 {
	if p == 0 {
		return math.MaxInt64 / 2
	}
	return int64(math.Log1p(-d.unit(purpose, n)) / math.Log1p(-p))
}
