package rotation

// The simulation behind docs/refresh.md: what a policy for refresh tokens costs honest devices, and how soon it
// notices a thief.
//
//	go test -run Simulation -v ./internal/rotation                      a sample, held against the document
//	LATCHKEY_RIG=soak go test -run Simulation -v ./internal/rotation    the full figures
//
// With -update the latter writes the tables of docs/refresh.md, docs/refresh.csv and docs/refresh.svg.

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const simSeeds = 5

// fleet is a number of devices on the same network.
type fleet struct {
	network
	devices int
}

// tally is what became of a fleet.
type tally struct {
	signedOut int // honest sign-outs
	devices   int // that had one or more
	requests  int64
	late      int
	firstOn   [simDays + 1]int // devices by the day of their first
}

func (t *tally) count(o outcome) {
	t.signedOut += o.signedOut
	t.requests += o.requests
	t.late += o.late
	if o.first != never {
		t.devices++
		t.firstOn[o.first/(24*time.Hour)]++
	}
}

func (t *tally) add(o tally) {
	t.signedOut += o.signedOut
	t.devices += o.devices
	t.requests += o.requests
	t.late += o.late
	for i, n := range o.firstOn {
		t.firstOn[i] += n
	}
}

// run lives a fleet's 26 weeks under a policy.
func (f fleet) run(p policy, seed int) tally {
	parts := make([]tally, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for part := range parts {
		wg.Go(func() {
			for i := part; i < f.devices; i += len(parts) {
				parts[part].count(newOwner(f.network, p, deviceSeed(seed, i)).live(true))
			}
		})
	}
	wg.Wait()
	var sum tally
	for _, t := range parts {
		sum.add(t)
	}
	return sum
}

func deviceSeed(seed, device int) uint64 { return uint64(seed)<<32 | uint64(device) }

// scene is a table of honest fleets under each policy.
type scene struct {
	title, label string // the label tells the fleets apart
	fleets       []named
	result       [][][]tally // by fleet, policy and seed
}

type named struct {
	name string
	fleet
	sample bool // of fewer devices than in the document
}

// scenes are the honest fleets, those of the bar first. Of the sample only one is whole.
func scenes() []scene {
	var all []scene
	for _, tabs := range []tabs{sharedTabs, oneTab, copiedTabs, rivalTabs} {
		s := scene{title: strings.ToUpper(string(tabs[:1])) + string(tabs[1:]), label: "refreshes a day"}
		for _, perDay := range []int{48, 10, 5, 1} {
			f := named{name: fmt.Sprint(perDay), fleet: fleet{network{perDay: perDay, tabs: tabs, lossDay: 0.05, retry: time.Minute}, 10_000}}
			if !f.shared() {
				f.devices = 1_000 // plenty to see the little there is
			}
			if f.sample = !soak() && (tabs != oneTab || perDay != 48); f.sample {
				f.devices /= 50
			}
			s.fleets = append(s.fleets, f)
		}
		all = append(all, s)
	}
	if soak() {
		all = append(all, otherNetworks())
	}
	return all
}

func otherNetworks() scene {
	usual := network{perDay: 48, tabs: oneTab, lossDay: 0.05, retry: time.Minute}
	s := scene{title: "Other networks: one tab, 48 refreshes a day", label: "answers lost"}
	for name, change := range map[string]func(*network){
		"1. 0.05 a device-day, retry after 10 s":             func(n *network) { n.retry = 10 * time.Second },
		"2. 0.05 a device-day, each begins an hour's outage": func(n *network) { n.outage = time.Hour },
		"3. 0.2 a device-day":                                func(n *network) { n.lossDay = 0.2 },
		"4. 0.5 a device-day":                                func(n *network) { n.lossDay = 0.5 },
		"5. 1 a device-day":                                  func(n *network) { n.lossDay = 1 },
	} {
		n := usual
		change(&n)
		s.fleets = append(s.fleets, named{name: name, fleet: fleet{n, 10_000}})
	}
	slices.SortFunc(s.fleets, func(a, b named) int { return strings.Compare(a.name, b.name) })
	return s
}

// run fills in the results of the seeds.
func (s *scene) run(seeds int) {
	for _, f := range s.fleets {
		var under [][]tally
		for _, p := range policies() {
			var by []tally
			for seed := range seeds {
				by = append(by, f.run(p, seed+1))
			}
			under = append(under, by)
		}
		s.result = append(s.result, under)
	}
}

// The bar, and the tables that docs/refresh.md shows.
func TestSimulation(t *testing.T) {
	seeds := 1
	if soak() {
		seeds = simSeeds
	}
	var all []scene
	var tables []table
	for _, s := range scenes() {
		s.run(seeds)
		all = append(all, s)
		tables = append(tables, s.table())
	}
	t.Log(plain(append([]table{summary(all)}, tables...)...))
	bar(t, all[0])
	if !soak() {
		for _, s := range all {
			s.recordedFirst(t)
		}
		return
	}
	document(t, "summary", summary(all).markdown())
	recorded(t, all)
	plotted(t, plot(all[0], rob()))
}

// bar: with 48 refreshes a day and tabs that share storage, at most one honest device of 10,000 is signed
// out in 26 weeks; under strict use most are.
func bar(t *testing.T, shared scene) {
	t.Helper()
	for seed := range shared.result[0][0] {
		strict, ours := shared.result[0][0][seed], shared.result[0][2][seed]
		if ours.devices > 1 {
			t.Errorf("seed %d: Latchkey signed out %d honest devices, want at most 1", seed+1, ours.devices)
		}
		if ours.late == 0 {
			t.Errorf("seed %d: no late recovery: nothing was lost, so nothing is shown", seed+1)
		}
		if strict.devices < shared.fleets[0].devices/2 {
			t.Errorf("seed %d: strict use signed out %d devices: too few to be true", seed+1, strict.devices)
		}
	}
}

// The skip changes nothing: wherever it lands, and at the end, the device is the one that skipped nothing,
// row, tokens and all.
func TestSimulationSkipsExactly(t *testing.T) {
	var skips, lates, outs int
	each := 1
	if soak() {
		each = 20
	}
	for _, tabs := range []tabs{oneTab, sharedTabs} {
		for _, perDay := range []int{1, 48} {
			for _, lossDay := range []float64{0.05, 0.6} {
				for _, outage := range []time.Duration{0, time.Hour} {
					n := network{perDay: perDay, tabs: tabs, lossDay: lossDay, retry: time.Minute, outage: outage}
					for i, p := range slices.Repeat(policies(), each) {
						skipping, plain := newOwner(n, p, deviceSeed(9, i)), newOwner(n, p, deviceSeed(9, i))
						skips += sideBySide(t, skipping, plain)
						lates += plain.outcome.late
						outs += plain.outcome.signedOut
					}
				}
			}
		}
	}
	t.Logf("%d skips compared: %d late recoveries, %d sign-outs", skips, lates, outs)
	if skips == 0 || lates == 0 || outs == 0 {
		t.Error("nothing happened to them")
	}
}

// sideBySide lives two lives and compares them at each landing.
func sideBySide(t *testing.T, skipping, plain *owner) (skips int) {
	t.Helper()
	end := int64(simDays * plain.perDay)
	for skipping.slot < end {
		before := skipping.slot
		skipping.settle(skipping.due(skipping.slot))
		skipping.skip(end)
		for plain.slot < skipping.slot {
			plain.settle(plain.due(plain.slot))
			plain.need()
		}
		plain.settle(plain.due(plain.slot))
		if skipping.slot > before {
			skips++
		}
		if plain.state() != skipping.state() {
			t.Fatalf("%+v, %s (-plain +skipping):\n%s", plain.network, plain.policy.name, cmp.Diff(plain.state(), skipping.state()))
		}
		skipping.need()
		plain.need()
	}
	return skips
}
