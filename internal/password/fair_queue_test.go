package password

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// crowd fills a Pool of one permit that is taken, and gives it away until nobody waits.
type crowd struct {
	*Pool
	in map[string]*waiter
}

func newCrowd(queue int) crowd {
	p := NewPool(1, queue)
	p.admit(Caller{})
	return crowd{p, map[string]*waiter{}}
}

func stranger(account, address string) Caller {
	return Caller{Keys: []string{account}, Networks: []string{address}}
}
func owner(account string) Caller { return Caller{Known: true, Keys: []string{account}} }

func (c crowd) come(name string, caller Caller) { c.in[name] = c.admit(caller) }

// flood lets n callers come: caller(i) is the i-th.
func (c crowd) flood(n int, caller func(i int) Caller) {
	for i := range n {
		c.come("flood "+strconv.Itoa(i), caller(i))
	}
}

// served gives the permit on until nobody waits, and returns who had it, in order.
func (c crowd) served() (order []string) {
	had := map[string]bool{}
	for name, w := range c.in {
		had[name] = w.over()
	}
	for c.waiting() > 0 {
		c.release()
		for name, w := range c.in {
			if w.over() && !had[name] {
				had[name] = true
				order = append(order, name)
			}
		}
	}
	return order
}

func (w *waiter) over() bool {
	select {
	case <-w.answered:
		return true
	default:
		return false
	}
}

func fromOneAddress(i int) Caller { return stranger(fmt.Sprint("account ", i), "their address") }
func onOneAccount(i int) Caller   { return stranger("their account", fmt.Sprint("address ", i)) }
func fromEverywhere(i int) Caller {
	return stranger(fmt.Sprint("account ", i), fmt.Sprint("address ", i))
}

// A flood delays those who share what it floods, and nobody else by more than a turn or two.
func TestAFloodDelaysItself(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flood func(i int) Caller
		who   Caller
		most  int // who may go first
	}{
		{"from one address, a stranger elsewhere", fromOneAddress, stranger("ada", "home"), 1},
		{"from one address, an account that it tries too", fromOneAddress, stranger("account 299", "home"), 1},
		{"from one address, somebody there", fromOneAddress, stranger("ada", "their address"), 300},
		{"on one account, a stranger to another", onOneAccount, stranger("ada", "home"), 1},
		{"on one account, an address that it uses too", onOneAccount, stranger("ada", "address 299"), 1},
		{"on one account, its owner unknown", onOneAccount, stranger("their account", "home"), 300},
		{"on one account, its owner known", onOneAccount, owner("their account"), 1},
		{"from everywhere on all, a stranger", fromEverywhere, stranger("ada", "home"), 300},
		{"from everywhere on all, the known", fromEverywhere, owner("account 7"), 1},
		{"by an owner on their account, a stranger", func(int) Caller { return owner("theirs") }, stranger("ada", "home"), 1},
		{"by an owner on their account, the known", func(int) Caller { return owner("theirs") }, owner("ada"), 1},
		{"by many owners, a stranger", func(i int) Caller { return owner(fmt.Sprint("account ", i)) }, stranger("ada", "home"), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCrowd(1000)
			c.flood(300, tt.flood)
			c.come("who", tt.who)
			order := c.served()
			if at := slices.Index(order, "who"); at > tt.most || tt.most == 300 && at != 300 {
				t.Errorf("served after %d others, want %d", at, tt.most)
			}
			if len(order) != 301 {
				t.Errorf("%d were served, want all 301", len(order))
			}
		})
	}
}

// A network has one turn, however many are inside it that flood; and inside it, those who do not flood are served
// before the rest of those who do.
func TestAFloodFromNestedNetworks(t *testing.T) {
	within := func(account string, networks ...string) Caller {
		return Caller{Keys: []string{account}, Networks: networks}
	}
	flood := map[string]func(i int) Caller{
		"one /64": func(i int) Caller { return within(fmt.Sprint("account ", i), "48", "56", "64") },
		"one /56": func(i int) Caller { return within(fmt.Sprint("account ", i), "48", "56", fmt.Sprint("64 ", i)) },
		"one /48": func(i int) Caller {
			return within(fmt.Sprint("account ", i), "48", fmt.Sprint("56 ", i%256), fmt.Sprint("64 ", i))
		},
	}
	for _, tt := range []struct {
		flood string
		who   Caller
		most  int // who may go first
	}{
		{"one /64", within("ada", "another 48", "another 56", "another 64"), 1},
		{"one /56", within("ada", "another 48", "another 56", "another 64"), 1},
		{"one /48", within("ada", "another 48", "another 56", "another 64"), 1},
		{"one /48", within("ada", "192.0.2.1"), 1},
		{"one /64", within("ada", "48", "another 56", "another 64"), 2},
		{"one /56", within("ada", "48", "another 56", "another 64"), 2},
		{"one /64", within("ada", "48", "56", "another 64"), 2},
		{"one /64", within("ada", "48", "56", "64"), 300},
		{"one /56", within("ada", "48", "56", "another 64"), 300},
		{"one /48", within("ada", "48", "another 56", "another 64"), 257},
	} {
		c := newCrowd(1000)
		c.flood(300, flood[tt.flood])
		c.come("who", tt.who)
		order := c.served()
		if at := slices.Index(order, "who"); at > tt.most || len(order) != 301 {
			t.Errorf("a flood from %s: %q served after %d others of %d, want %d", tt.flood, tt.who.Networks, at, len(order)-1, tt.most)
		}
	}
}

// What a flood from a /48 fills, it is turned away from, and not a newcomer from elsewhere.
func TestAFullQueueShedsTheWidestNetwork(t *testing.T) {
	c := newCrowd(10)
	c.flood(10, func(i int) Caller {
		return Caller{Keys: []string{fmt.Sprint("account ", i)}, Networks: []string{"48", fmt.Sprint("56 ", i), fmt.Sprint("64 ", i)}}
	})
	c.come("who", Caller{Keys: []string{"ada"}, Networks: []string{"another 48", "another 56", "another 64"}})
	if c.in["who"].over() || !c.in["flood 9"].over() {
		t.Error("the newcomer was turned away, or nobody was")
	}
}

// While a flood keeps its places filled, who comes by again and again is served each time.
func TestAFloodThatGoesOnGainsNothing(t *testing.T) {
	c := newCrowd(64)
	c.flood(64, fromOneAddress)
	for i := range 100 {
		name := fmt.Sprint("who ", i)
		c.come(name, stranger("ada", "home"))
		for turns := 0; !c.in[name].over(); turns++ {
			if turns > 2 {
				t.Fatalf("visit %d: not served after %d others", i, turns)
			}
			c.release()
			c.come(fmt.Sprint("more ", i, turns), fromOneAddress(i))
		}
		if err := c.in[name].err; err != nil {
			t.Fatalf("visit %d: %v", i, err)
		}
	}
}

// A full queue turns away one of those who fill it.
func TestAFullQueueShedsTheFlood(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flood func(i int) Caller
		who   Caller
		out   string
	}{
		{"one address: the last from there", fromOneAddress, stranger("ada", "home"), "flood 9"},
		{"one account: the last on it", onOneAccount, stranger("ada", "home"), "flood 9"},
		{"one address: the next from there", fromOneAddress, stranger("ada", "their address"), "who"},
		{"everywhere: the newcomer", fromEverywhere, stranger("ada", "home"), "who"},
		{"everywhere: nobody who is known", fromEverywhere, owner("ada"), "flood 9"},
		{"the known: the last of them", func(i int) Caller { return owner(fmt.Sprint(i)) }, stranger("ada", "home"), "flood 9"},
		{"the known: the newcomer", func(i int) Caller { return owner(fmt.Sprint(i)) }, owner("ada"), "who"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCrowd(10)
			c.flood(10, tt.flood)
			c.come("who", tt.who)
			var out []string
			for name, w := range c.in {
				if w.over() && errors.Is(w.err, ErrBusy) {
					out = append(out, name)
				}
			}
			if diff := cmp.Diff([]string{tt.out}, out); diff != "" {
				t.Errorf("turned away (-want +got):\n%s", diff)
			}
			if l := c.Load(); l.Waiting != 10 || l.Shed != 1 {
				t.Errorf("Load = %+v", l)
			}
		})
	}
}

// The longer queue has to give way, whoever comes.
func TestAFullQueueShedsTheLongerLine(t *testing.T) {
	c := newCrowd(10)
	for i := range 6 {
		c.come(fmt.Sprint("stranger ", i), fromEverywhere(i))
	}
	for i := range 6 {
		c.come(fmt.Sprint("known ", i), owner(fmt.Sprint(i)))
	}
	for _, name := range []string{"stranger 5", "known 5"} {
		if w := c.in[name]; !w.over() || !errors.Is(w.err, ErrBusy) {
			t.Errorf("%s waits, where the queues are %d and %d long", name, len(c.queues[strangers].waiting), len(c.queues[known].waiting))
		}
	}
}

// Strangers and the known take turns, each in their own order.
func TestTheTwoLinesTakeTurns(t *testing.T) {
	c := newCrowd(10)
	for _, n := range []string{"1", "2", "3"} {
		c.come("stranger "+n, stranger(n, n))
	}
	for _, n := range []string{"1", "2"} {
		c.come("known "+n, owner(n))
	}
	want := []string{"known 1", "stranger 1", "known 2", "stranger 2", "stranger 3"}
	if diff := cmp.Diff(want, c.served()); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// The place of a caller who gives up is free again, for others and for the same keys.
func TestWhoGivesUpLeavesNothing(t *testing.T) {
	c := newCrowd(10)
	c.come("first", stranger("ada", "home"))
	c.come("second", stranger("ada", "home"))
	c.leave(c.in["first"])
	c.come("third", stranger("ada", "home"))
	c.come("fourth", stranger("bob", "home"))
	if diff := cmp.Diff([]string{"second", "third", "fourth"}, c.served()); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// What fairQueue promises, whatever comes: rounds come in order, none serves a key twice, and nothing is
// remembered of a caller who does not wait.
func TestLine(t *testing.T) {
	type seat struct {
		key   string
		round int
	}
	rapid.Check(t, func(t *rapid.T) {
		var l fairQueue
		served := map[seat]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"join": func(t *rapid.T) {
				network := rapid.IntRange(0, 3).Draw(t, "network")
				l.enqueue(&waiter{in: &l,
					keys:     []string{"account " + strconv.Itoa(rapid.IntRange(0, 3).Draw(t, "account"))},
					networks: []string{fmt.Sprint("wide ", network), fmt.Sprint("narrow ", network, rapid.IntRange(0, 2).Draw(t, "inside"))},
				})
			},
			"serve": func(t *rapid.T) {
				if len(l.waiting) == 0 {
					t.Skip("empty")
				}
				before := l.round
				w := l.dequeue()
				if l.round < before || l.round > before+len(l.waiting)+1 {
					t.Fatalf("round %d after round %d", l.round, before)
				}
				for _, key := range append(w.keys, w.networks[0]) {
					if served[seat{key, l.round}] {
						t.Fatalf("%s was served twice in round %d", key, l.round)
					}
					served[seat{key, l.round}] = true
				}
			},
			"give up": func(t *rapid.T) {
				if len(l.waiting) == 0 {
					t.Skip("empty")
				}
				l.remove(rapid.SampledFrom(l.waiting).Draw(t, "who"))
			},
			"": func(t *rapid.T) {
				many := 0
				for key, r := range l.under {
					if many += r.many; r.many == 0 {
						t.Fatalf("%s is remembered, and nobody waits under it", key)
					}
				}
				if many != 3*len(l.waiting) {
					t.Fatalf("%d wait, %d under keys", len(l.waiting), many)
				}
			},
		})
	})
}
