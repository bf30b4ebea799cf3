package password

// Whose turn it is to hash. A flood is to delay those who flood and not those who come by meanwhile;
// what tells them apart is what they share, an account or an address.

import (
	"cmp"
	"slices"
)

// line is a queue that is served in rounds. In a round no key is served twice: a caller takes the
// first round to come in which nobody stands who shares a key with it. So who shares none with anybody
// waits for each of the others' keys, twice at most, however many stand under one.
type line struct {
	round   int       // of who was served last
	waiting []*waiter // by round, and in each by arrival
	taken   map[seat]struct{}
}

// seat is a key's place in a round. There are as many as the keys of those who wait.
type seat struct {
	key   string
	round int
}

// waiter is a caller. When answered is closed its wait is over: it holds a permit, or err says why not.
type waiter struct {
	line     *line
	keys     []string
	round    int
	answered chan struct{}
	err      error
}

func (w *waiter) answer(err error) {
	w.err = err
	close(w.answered)
}

func (l *line) join(w *waiter) {
	for w.round = l.round + 1; l.meets(w); {
		w.round++
	}
	if l.taken == nil {
		l.taken = map[seat]struct{}{}
	}
	for _, key := range w.keys {
		l.taken[seat{key, w.round}] = struct{}{}
	}
	at, _ := slices.BinarySearchFunc(l.waiting, w.round+1, func(o *waiter, round int) int { return cmp.Compare(o.round, round) })
	l.waiting = slices.Insert(l.waiting, at, w)
}

// meets says whether somebody stands in w's round who shares a key with it.
func (l *line) meets(w *waiter) bool {
	return slices.ContainsFunc(w.keys, func(key string) bool {
		_, ok := l.taken[seat{key, w.round}]
		return ok
	})
}

// serve takes the first out of a line that is not empty.
func (l *line) serve() *waiter {
	w := l.waiting[0]
	l.remove(w)
	l.round = w.round
	return w
}

// last is who a line that is not empty can best do without: where one key has many, one of those.
func (l *line) last() *waiter { return l.waiting[len(l.waiting)-1] }

func (l *line) remove(w *waiter) {
	at := slices.Index(l.waiting, w)
	l.waiting = slices.Delete(l.waiting, at, at+1)
	for _, key := range w.keys {
		delete(l.taken, seat{key, w.round})
	}
}
