package password

// Whose turn it is to hash. A flood is to delay those who flood and not those who come by meanwhile;
// what tells them apart is what they share, an account or a network.

// fairQueue is served in rounds, as in round robin over what callers share. In a round no account and no widest network
// is served twice. A network's
// own turns are shared out alike: in rounds of its own, in which none of the networks inside it is served twice, and so
// on inward. Who came first goes first among those whose round it is. So who shares nothing with anybody waits for each
// of the others' accounts and networks, twice at most, however many stand under one.
type fairQueue struct {
	rounds
	waiting []*waiter // by arrival
	under   map[string]*rounds
}

// rounds are a key's, and kept while somebody waits under it.
type rounds struct {
	round  int // the last one served, of those that are shared out under it
	served int // the round above it that it last had a turn in
	many   int // who wait under it
}

// waiter is a caller. When answered is closed its wait is over: it holds a permit, or err says why not.
type waiter struct {
	in       *fairQueue
	keys     []string // accounts
	networks []string // from the widest in
	earliest []int    // the first round that it may be served in: the queue's, then each network's
	answered chan struct{}
	err      error
}

func (w *waiter) answer(err error) {
	w.err = err
	close(w.answered)
}

func (q *fairQueue) enqueue(w *waiter) {
	if q.under == nil {
		q.under = map[string]*rounds{}
	}
	for _, key := range w.all() {
		if q.under[key] == nil {
			q.under[key] = &rounds{}
		}
		q.under[key].many++
	}
	w.earliest = []int{q.round + 1}
	for _, key := range w.networks {
		w.earliest = append(w.earliest, q.under[key].round+1)
	}
	q.waiting = append(q.waiting, w)
}

func (w *waiter) all() []string { return append(append([]string{}, w.keys...), w.networks...) }

// roundOf is the round in which w can be served at a level: the queue's at 0, and so inward.
func (q *fairQueue) roundOf(w *waiter, level int) int {
	at := w.earliest[level]
	if level < len(w.networks) {
		at = max(at, q.under[w.networks[level]].served+1)
	}
	if level == 0 {
		for _, key := range w.keys {
			at = max(at, q.under[key].served+1)
		}
	}
	return at
}

// dequeue takes the next out of a queue that is not empty.
func (q *fairQueue) dequeue() *waiter {
	among := q.waiting
	var next *waiter
	for level := 0; ; level++ {
		next = among[0]
		for _, w := range among[1:] {
			if q.roundOf(w, level) < q.roundOf(next, level) {
				next = w
			}
		}
		if level >= len(next.networks) {
			break
		}
		among = q.sharing(among, next, level)
	}
	q.noteServed(next)
	q.remove(next)
	return next
}

// sharing are those who could be served in next's stead: of the same network and in the same round.
func (q *fairQueue) sharing(among []*waiter, next *waiter, level int) (same []*waiter) {
	for _, w := range among {
		if level < len(w.networks) && w.networks[level] == next.networks[level] && q.roundOf(w, level) == q.roundOf(next, level) {
			same = append(same, w)
		}
	}
	return same
}

// noteServed notes that w has been served, in the queue and in each of its networks.
func (q *fairQueue) noteServed(w *waiter) {
	at := make([]int, len(w.earliest))
	for level := range w.earliest {
		at[level] = q.roundOf(w, level)
	}
	q.round = max(q.round, at[0])
	for _, key := range w.keys {
		q.under[key].served = at[0]
	}
	for level, key := range w.networks {
		q.under[key].served, q.under[key].round = at[level], max(q.under[key].round, at[level+1])
	}
}

// last is who a queue that is not empty can best do without: of those under whose key or network the most wait, the one
// that came last.
func (q *fairQueue) last() *waiter {
	out := q.waiting[0]
	for _, w := range q.waiting[1:] {
		if !q.outnumbers(out, w) {
			out = w
		}
	}
	return out
}

// outnumbers says whether more wait beside a than beside b: under an account or the widest network, then inward.
func (q *fairQueue) outnumbers(a, b *waiter) bool {
	x, y := q.company(a), q.company(b)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] > y[i]
		}
	}
	return false
}

func (q *fairQueue) company(w *waiter) []int {
	most := 0
	for _, key := range w.keys {
		most = max(most, q.under[key].many)
	}
	company := []int{most}
	for i, key := range w.networks {
		if i == 0 {
			company[0] = max(most, q.under[key].many)
			continue
		}
		company = append(company, q.under[key].many)
	}
	return company
}

func (q *fairQueue) remove(w *waiter) {
	for i, other := range q.waiting {
		if other == w {
			q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
			break
		}
	}
	for _, key := range w.all() {
		if q.under[key].many--; q.under[key].many == 0 {
			delete(q.under, key)
		}
	}
}
