package rigs

// A flood from all over one IPv6 /48, which anybody can rent, fills the queue for hashes. A stranger from elsewhere
// waits for a turn or two of it, and not for the queue (I15).

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/rigs/stage"
)

const (
	floodQueue = attackers / 2 // half of the attackers find it full
	// strangerWaits is how many guesses of the flood may be answered while a stranger is signed in: those that are hashed
	// when it comes, a turn or two, what the other permit does beside its own hash, and on a busy machine the answers
	// that were on their way. It is far less than wait in the queue.
	strangerWaits = floodQueue / 2
	// strangerWithin is what the stranger is promised on two cores that have nothing else to do.
	strangerWithin = 2 * time.Second
)

func TestFloodFromOneNetwork(t *testing.T) { onFlooded(t, floodFromOneNetwork) }

func floodFromOneNetwork(t *testing.T, flooded stage.Settings) {
	p := stage.NewPost(t)
	flooded["SMTP_URL"], flooded["HASH_QUEUE"] = p.URL(), fmt.Sprint(floodQueue)
	n := stage.StartNode(t, flooded)
	const email, password = "ada@example.com", "correct horse battery staple"
	member(t, n.Client(), p, email, password)

	var evaluated, shed, refused atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	for range attackers {
		all.Go(func() {
			attack(ctx, t, n, fromOneNetwork, func(status int) {
				switch status {
				case http.StatusUnauthorized:
					evaluated.Add(1)
				case http.StatusServiceUnavailable:
					shed.Add(1)
				case http.StatusTooManyRequests:
					refused.Add(1)
				}
			})
		})
	}
	await(t, "the flood has filled the queue", func() bool { return shed.Load() > 0 && evaluated.Load() > 0 })
	var longest time.Duration
	most := int64(0)
	for i := range stage.Lane(t, 8, 60, 200) {
		before := evaluated.Load()
		a := caller{address: elsewhere(i)}.signIn(t, n, email, password)
		others := evaluated.Load() - before
		longest, most = max(longest, a.took), max(most, others)
		if a.status != http.StatusOK || others > strangerWaits {
			t.Errorf("visit %d: the right password from elsewhere is answered %d %s after %d guesses of the flood; want 200 after %d at most", i, a.status, a.code, others, strangerWaits)
		}
	}
	t.Logf("the flood: %d evaluated, %d shed, %d refused; strangers: %d guesses before one was in at most, %v at most",
		evaluated.Load(), shed.Load(), refused.Load(), most, longest.Round(time.Millisecond))
	if stage.Lane(t, false, true, true) && longest > strangerWithin {
		t.Errorf("a stranger was signed in after %v, want %v at most", longest, strangerWithin)
	}
}

// fromOneNetwork are guesses from anywhere in one /48, each on an account that is made up.
func fromOneNetwork() (address, email string) {
	return fmt.Sprintf("2001:db8:77:%x::%x", rand.IntN(1<<16), 1+rand.IntN(1<<16-1)), madeUp()
}

// elsewhere is an address of no network that it has given before.
func elsewhere(i int) string {
	if i%2 == 0 {
		return fmt.Sprintf("198.51.%d.7", i%256)
	}
	return fmt.Sprintf("2001:db8:%x::7", 0x1000+i)
}
