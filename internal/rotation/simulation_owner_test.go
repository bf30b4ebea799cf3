package rotation

// Honest devices: tabs that refresh on a schedule, answers that are lost, retries. A device is simulated
// from event to event; refreshes in which nothing can happen are skipped, which changes no result:
// TestSimulationSkipsExactly compares with the plain loop.

import (
	"math"
	"time"

	"latchkey/internal/store"
)

// tabs says how the tabs of a device hold the refresh token, and when they use it.
type tabs string

const (
	oneTab     tabs = "one tab"
	sharedTabs tabs = "two tabs, shared storage"    // a tab sends what the storage holds; now and then both at once
	copiedTabs tabs = "two tabs, a copy each"       // duplicated tabs whose timers go off together
	rivalTabs  tabs = "two tabs, at their own time" // duplicated tabs, each refreshing when it is looked at
)

// network is what a fleet of devices lives with.
type network struct {
	perDay  int // refreshes a device-day
	tabs    tabs
	lossDay float64       // answers lost a device-day; each is lost independently at lossDay/perDay
	retry   time.Duration // after the request whose answer was lost
	outage  time.Duration // a lost answer is followed by this long without any
}

const (
	simDays = 26 * 7
	both    = 1.0 / 48        // the share of refreshes at which both tabs of a shared storage ask
	apart   = 5 * time.Second // at most this far apart
	never   = time.Duration(math.MaxInt64)

	quickest = 50 * time.Millisecond // an answer takes at least this,
	slowest  = 2 * time.Second       // and up to this more
)

// outcome is what became of a device.
type outcome struct {
	signedOut int           // times that an honest refresh was taken for reuse
	first     time.Duration // when that was first; never
	signIns   int           // after being signed out or after the 30 days
	requests  int64
	late      int // late recoveries
	conflicts int // 409s
}

// owner is one honest device with its session.
type owner struct {
	network
	policy  policy
	row     store.Session
	tokens  [2]int64 // generation that a tab sends; shared storage is the first
	pending []happening
	slot    int64 // the next need to refresh
	twoAt   int64 // the next slot at which both tabs ask
	lostAt  int64 // number of the next request whose answer is lost
	dark    time.Duration
	dice    dice
	outcome outcome
}

// happening is an answer that arrives, or a request to come.
type happening struct {
	at     time.Duration
	tab    int
	answer int64 // the successor; 0: the tab sends
}

func newOwner(n network, p policy, seed uint64) *owner {
	d := &owner{network: n, policy: p, dice: dice(mix(seed)), dark: -1, twoAt: math.MaxInt64}
	d.outcome.first = never
	d.signIn(0)
	d.lostAt = d.dice.gap(toLoss, 0, d.lossDay/float64(d.perDay))
	if d.tabs == sharedTabs {
		d.twoAt = d.dice.gap(toBoth, 0, both)
	}
	return d
}

// live runs the device through the 26 weeks.
func (o *owner) live(skip bool) outcome {
	end := int64(simDays * o.perDay)
	for o.slot < end {
		o.settle(o.due(o.slot))
		if skip {
			o.skip(end)
		}
		o.need()
	}
	o.settle(never)
	return o.outcome
}

// settle lets happen what is pending until then.
func (o *owner) settle(until time.Duration) {
	for len(o.pending) > 0 {
		i := o.soonest()
		h := o.pending[i]
		if h.at > until {
			return
		}
		o.drop(i)
		if h.answer == 0 {
			o.send(h.at, h.tab)
		} else {
			o.tokens[o.storage(h.tab)] = h.answer
		}
	}
}

// need is the slot's refresh, by one tab or both. A session that this begins is not refreshed at once.
func (o *owner) need() {
	due, tab, before := o.due(o.slot), o.dice.below(whichTab, o.slot, 2), o.outcome.signIns
	o.wake(due, tab)
	if (o.tabs == copiedTabs || o.slot == o.twoAt) && o.outcome.signIns == before {
		o.expect(happening{at: due + o.dice.within(toSecond, o.slot, apart), tab: 1 - tab})
	}
	if o.slot == o.twoAt {
		o.twoAt += 1 + o.dice.gap(toBoth, o.slot+1, both)
	}
	o.slot++
}

// wake sends now, in place of a retry that may be waiting.
func (o *owner) wake(at time.Duration, tab int) {
	for i, h := range o.pending {
		if h.tab == tab && h.answer == 0 {
			o.drop(i)
			break
		}
	}
	o.send(at, tab)
}

// due is when a slot's refresh falls; two are never closer than a tenth of a slot.
func (o *owner) due(slot int64) time.Duration {
	return time.Duration(slot)*o.length() + o.dice.within(toNeed, slot, o.length()/10*9)
}

func (n network) length() time.Duration { return 24 * time.Hour / time.Duration(n.perDay) }

func (o *owner) soonest() int {
	least := 0
	for i, h := range o.pending {
		if h.at < o.pending[least].at {
			least = i
		}
	}
	return least
}

func (o *owner) expect(h happening) { o.pending = append(o.pending, h) }

func (o *owner) drop(i int) {
	o.pending[i] = o.pending[len(o.pending)-1]
	o.pending = o.pending[:len(o.pending)-1]
}

// storage is where a tab's token is.
func (o *owner) storage(tab int) int {
	if o.shared() {
		return 0
	}
	return tab
}

func (n network) shared() bool { return n.tabs == oneTab || n.tabs == sharedTabs }

// send presents the tab's token, and loses the answer if its time has come.
func (o *owner) send(at time.Duration, tab int) {
	presented := o.tokens[o.storage(tab)]
	number := o.outcome.requests
	o.outcome.requests++
	lost := at < o.dark
	if number == o.lostAt {
		o.lostAt += 1 + o.dice.gap(toLoss, number+1, o.lossDay/float64(o.perDay))
		lost = true
		o.dark = max(o.dark, at+o.outage)
	}
	switch v := o.policy.present(&o.row, presented, moment(at)); v {
	case VerdictReuse:
		o.outcome.signedOut++
		o.outcome.first = min(o.outcome.first, at)
		o.outcome.signIns++
		o.signIn(at)
	case VerdictExpired: // 30 days are over: no fault of the policy
		o.outcome.signIns++
		o.signIn(at)
	default:
		if v == VerdictLate {
			o.outcome.late++
		}
		if v == VerdictSuperseded {
			o.outcome.conflicts++
		}
		switch {
		case lost, v == VerdictSuperseded && o.tabs != sharedTabs: // no sibling's answer helps this tab
			o.expect(happening{at: at + o.retry, tab: tab})
		case v != VerdictSuperseded:
			o.expect(happening{at: at + quickest + o.dice.within(toAnswer, number, slowest), tab: tab, answer: presented + 1})
		}
	}
}

// signIn starts a new session, which all tabs use.
func (o *owner) signIn(at time.Duration) {
	o.row = signedIn(moment(at))
	o.tokens = [2]int64{1, 1}
	o.pending = o.pending[:0]
}

// skip jumps over slots in which one tab refreshes with the current token, and the answer arrives. Of
// such a run only the last two leave a trace in the row. The last slots of a session are played.
func (o *owner) skip(end int64) {
	if len(o.pending) > 0 || o.tokens[0] != o.row.Generation || !o.shared() || o.due(o.slot) < o.dark {
		return
	}
	expiry := int64(o.row.OverallExpiresAt.Sub(moment(0)) / o.length())
	to := min(end-1, o.twoAt, o.slot+o.lostAt-o.outcome.requests, expiry)
	n := to - o.slot
	if n < 3 {
		return
	}
	o.slot = to
	o.outcome.requests += n
	last := moment(o.due(to - 1))
	o.row.Generation += n
	o.tokens[0] = o.row.Generation
	o.row.RotatedAt, o.row.IdleExpiresAt = last, last.Add(simIdle)
	o.row.BurstFrom, o.row.BurstAt = o.row.Generation-1, last
	o.row.PrevFrom, o.row.PrevAt = o.row.Generation-2, moment(o.due(to-2))
	o.row.LateNow, o.row.LateRun = false, 0
}

// moment is a time of the simulation, which begins on 1 January 2027.
func moment(at time.Duration) time.Time { return time.Unix(1_798_761_600, 0).UTC().Add(at) }

// state is all of a device that could differ.
type state struct {
	Row                                 store.Session
	Tokens                              [2]int64
	Slot, TwoAt, LostAt, Requests       int64
	SignedOut, SignIns, Late, Conflicts int
	First, Dark                         time.Duration
	Pending                             int
}

func (o *owner) state() state {
	c := o.outcome
	return state{
		o.row, o.tokens, o.slot, o.twoAt, o.lostAt, c.requests,
		c.signedOut, c.signIns, c.late, c.conflicts, c.first, o.dark, len(o.pending),
	}
}
