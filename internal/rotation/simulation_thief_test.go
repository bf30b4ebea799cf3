package rotation

// Thieves: each copies the storage of an owner's device once, and uses the copy in one way. The owner
// loses no answer here, so that whatever ends the session is the thief's doing.

import (
	"iter"
	"math"
	"slices"
	"testing"
	"time"
)

// thief is a way to use a stolen copy. The copy is made after the owner's refresh number copied;
// uses yields the times at which it is presented, and may know everything of the owner.
type thief struct {
	name   string
	tabs   tabs // the owner's
	uses   func(o *owner, copied int64) iter.Seq[time.Duration]
	expect func(r raid) bool // of each raid under the server's policy
}

// raid is how one theft went.
type raid struct {
	noticed   bool
	byOwner   bool          // at a refresh of the owner's, else at the thief's own use
	after     time.Duration // the thief's first use
	refreshes int64         // that the owner sent meanwhile, the noticing one included
	got       int           // successors that the thief was given
	late      int           // late recoveries audited
	conflicts int           // 409s given to the owner
	refused   int           // and to the thief
}

const (
	thieves = 500
	beyond  = simGrace + time.Second
)

// kinds are in the order of the table.
func kinds() []thief {
	atUse := func(r raid) bool { return r.noticed && !r.byOwner && r.after == 0 }
	atNext := func(r raid) bool { return r.noticed && r.byOwner && r.refreshes == 1 }
	byThird := func(r raid) bool { return r.noticed && r.refreshes <= 3 }
	polled := func(r raid) bool { return r.noticed && r.conflicts <= 1 && r.refreshes <= 2 }
	burst := func(r raid) bool { return r.noticed && r.got == 0 && r.refused == 1 }
	unseen := func(r raid) bool { return !r.noticed && r.late == 0 }
	audited := func(r raid) bool { return !r.noticed && r.late == 1 && r.got == 1 }
	return []thief{
		{"after two or more refreshes of the owner", oneTab, afterMany, atUse},
		{"twice, while the owner is away", oneTab, twiceUnseen, atNext},
		{"in step, once after each refresh of the owner", oneTab, inStep(1), byThird},
		{"in step, once before each refresh of the owner", oneTab, inStep(0), byThird},
		{"every 25 s", oneTab, polling, polled},
		{"at random, twice a day", oneTab, atRandom, func(r raid) bool { return r.noticed }},
		{"inside a burst of the owner's tabs, then minutes later", sharedTabs, inBurst, burst},
		{"once, before the owner's next refresh", oneTab, onceBefore, audited},
		{"once, after the owner's next refresh", oneTab, onceAfter, audited},
		{"always within 30 s of the owner's refreshes", oneTab, shadow, unseen},
	}
}

// between is a random time from..to.
func (o *owner) between(n int64, from, to time.Duration) time.Duration {
	return from + o.dice.within(toThief, n, to-from)
}

func afterMany(o *owner, copied int64) iter.Seq[time.Duration] {
	slot := copied + 2 + int64(o.dice.below(toThief, 1, 100))
	return once(o.between(2, o.due(slot), o.due(slot+1)))
}

func twiceUnseen(o *owner, copied int64) iter.Seq[time.Duration] {
	first := o.between(1, o.due(copied)+3*time.Second, o.due(copied)+time.Minute)
	return slices.Values([]time.Duration{first, o.between(2, first+time.Second, o.due(copied+1)-2*simGrace-time.Second)})
}

// inStep uses the copy once between each two refreshes of the owner, more than 30 s from both.
func inStep(lead int64) func(o *owner, copied int64) iter.Seq[time.Duration] {
	return func(o *owner, copied int64) iter.Seq[time.Duration] {
		return func(yield func(time.Duration) bool) {
			for slot := copied + lead; yield(o.between(slot, o.due(slot)+beyond, o.due(slot+1)-beyond)); slot++ {
			}
		}
	}
}

func polling(o *owner, copied int64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		for at := o.between(1, o.due(copied)+3*time.Second, o.due(copied+1)); yield(at); at += 25 * time.Second {
		}
	}
}

func atRandom(o *owner, copied int64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		at := o.due(copied) + 3*time.Second
		for n := int64(0); ; n++ {
			at += time.Duration(-math.Log1p(-o.dice.unit(toThief, n)) * float64(12*time.Hour)).Truncate(time.Microsecond)
			if !yield(at) {
				return
			}
		}
	}
}

// inBurst waits until two tabs have refreshed within seconds of each other.
func inBurst(o *owner, copied int64) iter.Seq[time.Duration] {
	burst := o.due(copied+1) + o.dice.within(toSecond, copied+1, apart)
	first := o.between(1, burst, burst+simGrace-apart)
	return slices.Values([]time.Duration{first, o.between(2, first+2*simGrace, first+170*time.Second)})
}

func onceBefore(o *owner, copied int64) iter.Seq[time.Duration] {
	return once(o.between(1, o.due(copied)+3*time.Second, o.due(copied+1)-beyond))
}

func onceAfter(o *owner, copied int64) iter.Seq[time.Duration] {
	return once(o.between(1, o.due(copied+1)+beyond, o.due(copied+2)))
}

func shadow(o *owner, copied int64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		for slot := copied + 1; yield(o.between(slot, o.due(slot)-29*time.Second, o.due(slot)+29*time.Second)); slot++ {
		}
	}
}

func once(at time.Duration) iter.Seq[time.Duration] { return slices.Values([]time.Duration{at}) }

// rob lets one theft go its way, until it is noticed or the session's 30 days are over. Owners whose two
// tabs ask before either has its answer are passed over: they get the same successor, no burst.
func (k thief) rob(p policy, seed int) (r raid, ok bool) {
	o := newOwner(network{perDay: 48, tabs: k.tabs, retry: time.Minute}, p, deviceSeed(0, seed))
	copied := 10 + int64(o.dice.below(toThief, 0, 400))
	if k.tabs == sharedTabs {
		o.twoAt = copied + 1
		if o.dice.within(toSecond, o.twoAt, apart) < slowest+quickest {
			return raid{}, false
		}
	}
	o.advance(o.due(copied) + 3*time.Second)
	stolen := o.tokens[0]
	first, sent := never, int64(0)
	for at := range k.uses(o, copied) {
		if o.advance(at); o.outcome.signIns > 0 {
			break
		}
		if first == never {
			first, sent = at, o.outcome.requests
		}
		switch v := p.present(&o.row, stolen, moment(at)); v {
		case VerdictReuse:
			r.noticed, r.after, r.refreshes = true, at-first, o.outcome.requests-sent
			return r, true
		case VerdictSuperseded:
			r.refused++
		case VerdictRotate, VerdictRepeat, VerdictLate:
			if v == VerdictLate {
				r.late++
			}
			stolen++
			r.got++
		case VerdictAhead, VerdictEnded, VerdictExpired, VerdictUnknown: // a thief meets none of them
		}
	}
	o.advance(simOverall + o.length())
	r.conflicts, r.refreshes = o.outcome.conflicts, o.outcome.requests-sent
	r.late += o.outcome.late
	if o.outcome.signedOut > 0 {
		r.noticed, r.byOwner, r.after = true, true, o.outcome.first-first
	}
	return r, true
}

// advance lives the owner's life until then, or until the session is over.
func (o *owner) advance(until time.Duration) {
	for o.outcome.signIns == 0 && o.due(o.slot) <= until {
		o.settle(o.due(o.slot))
		if o.outcome.signIns == 0 {
			o.skip(int64(until / o.length()))
			o.need()
		}
	}
	if o.outcome.signIns == 0 {
		o.settle(until)
	}
}

// spree is all raids of a kind.
type spree struct {
	raids   []raid
	noticed []time.Duration // after the first use, in order
	byOwner int
}

func (k thief) spree(p policy) (s spree) {
	for seed := 0; len(s.raids) < thieves; seed++ {
		r, ok := k.rob(p, seed)
		if !ok {
			continue
		}
		s.raids = append(s.raids, r)
		if r.noticed {
			s.noticed = append(s.noticed, r.after)
		}
		if r.byOwner {
			s.byOwner++
		}
	}
	slices.Sort(s.noticed)
	return s
}

// Every theft ends as docs/refresh.md says, the unnoticed ones too.
func TestSimulationThieves(t *testing.T) {
	all := rob()
	for i, k := range kinds() {
		for n, r := range all[i][len(all[i])-1].raids {
			if !k.expect(r) {
				t.Errorf("thief %d who %q: %+v", n, k.name, r)
				break
			}
		}
	}
	table := thiefTable(all)
	t.Log("\n" + plain(table))
	document(t, "thieves", table.markdown())
}

// rob commits all thefts, under each policy.
func rob() (all [][]spree) {
	for _, k := range kinds() {
		var under []spree
		for _, p := range policies() {
			under = append(under, k.spree(p))
		}
		all = append(all, under)
	}
	return all
}

// A thief's own refreshes must not keep rule 5's window open: whatever the rhythm, an owner who comes
// back more than a minute after the thief's first use, and finds himself two generations behind, ends it.
func TestSimulationPollingCannotHoldTheWindowOpen(t *testing.T) {
	ours, conflicts := policy{"Latchkey", judgeOurs}, 0
	for poll := time.Second; poll <= 61*time.Second; poll += time.Second {
		for away := time.Second; away <= 10*time.Minute; away += time.Second {
			row := signedIn(moment(0))
			for g := range int64(9) {
				rotateRow(&row, g+1, moment(time.Duration(g)*time.Hour))
			}
			start := 20 * time.Hour
			uses := time.Duration(0)
			for ; uses*poll < away; uses++ {
				if v := ours.present(&row, row.Generation, moment(start+uses*poll)); v != VerdictRotate {
					t.Fatalf("the thief's use %d: %s", uses, v)
				}
			}
			switch v := ours.present(&row, 10, moment(start+away)); {
			case v == VerdictSuperseded && away <= 2*simGrace:
				conflicts++
			case uses >= 2 && away > 2*simGrace && v != VerdictReuse:
				t.Errorf("polled every %v, the owner came after %v: %s", poll, away, v)
			}
		}
	}
	if conflicts == 0 {
		t.Error("no owner was ever told to use a sibling's answer: the window was not tried")
	}
}
