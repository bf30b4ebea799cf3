package throttle_test

// How many secrets of a client are looked at, and that honest resource servers are never held up.

import (
	"context"
	"errors"
	"sync"
	"testing"

	"latchkey/internal/peer"
	"latchkey/internal/throttle"
)

const shopSecret = "the secret of the shop"

// told counts the answers to tries at a secret.
type told struct{ right, wrong, refused int }

// together tries a secret n times at once.
func (r *rig) together(n int, secret string, by peer.Peer) (all told) {
	r.t.Helper()
	var mu sync.Mutex
	var tries sync.WaitGroup
	for range n {
		tries.Go(func() {
			right, err := r.TrySecret(context.Background(), "shop", secret, by, func() bool { return secret == shopSecret })
			refusal, refused := errors.AsType[*throttle.Refusal](err)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case refused && refusal.Limit.Name == "client":
				all.refused++
			case err != nil:
				r.t.Errorf("a try: %v", err)
			case right:
				all.right++
			default:
				all.wrong++
			}
		})
	}
	tries.Wait()
	return all
}

// Of 200 wrong secrets at once no more than the quota are looked at; then the right one is refused as well.
func TestClientSecretsAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, r *rig) {
		by := from("203.0.113.1")
		if all := r.together(200, "wrong", by); all.wrong < 1 || all.wrong > 30 || all.refused != 200-all.wrong {
			t.Errorf("200 wrong ones were told %+v, want at most 30 looked at", all)
		}
		if all := r.together(1, shopSecret, by); all.refused != 1 {
			t.Errorf("the right one then: %+v", all)
		}
		if all := r.together(1, shopSecret, from("203.0.113.2")); all.right != 1 {
			t.Errorf("the right one from elsewhere: %+v", all)
		}
	})
}

// A resource server with many questions in flight is answered each time, and what was right a moment ago goes on
// being answered beside somebody who tries others.
func TestHonestClientsAreNotHeldUp(t *testing.T) {
	engines(t, func(t *testing.T, r *rig) {
		by := from("203.0.113.1")
		for round := range 3 {
			n := 31 + 100*round
			if all := r.together(n, shopSecret, by); all.right != n {
				t.Errorf("round %d: told %+v, want all let in", round, all)
			}
		}
		if all := r.together(100, "wrong", by); all.refused < 70 {
			t.Errorf("100 wrong ones were told %+v", all)
		}
		if all := r.together(50, shopSecret, by); all.right != 50 {
			t.Errorf("beside them: %+v", all)
		}
	})
}

// Nothing is left of the quota's use after right secrets.
func TestRightClientSecretsTakeNothing(t *testing.T) {
	engines(t, func(t *testing.T, r *rig) {
		by := from("2001:db8::1")
		for range 100 { // each is remembered by another server's memory alone
			other := &rig{Throttle: throttle.New(r.options()), t: t}
			if all := other.together(1, shopSecret, by); all.right != 1 {
				t.Fatalf("a right one was told %+v", all)
			}
		}
		if all := r.together(30, "wrong", by); all.wrong != 30 {
			t.Errorf("30 wrong ones then were told %+v", all)
		}
	})
}

// A right secret that was in flight while another try was refused gives its own back: the next try is looked at.
func TestARightSecretIsSeenAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, r *rig) {
		by := from("203.0.113.1")
		right, err := r.TrySecret(t.Context(), "shop", shopSecret, by, func() bool {
			if all := r.together(29, "wrong", by); all.wrong != 29 {
				t.Errorf("beside the right one 29 were told %+v", all)
			}
			if all := r.together(1, "wrong", by); all.refused != 1 {
				t.Errorf("one more was told %+v", all)
			}
			return true
		})
		if err != nil || !right {
			t.Fatalf("the right one: %t, %v", right, err)
		}
		if all := r.together(1, "wrong", by); all.wrong != 1 {
			t.Errorf("then one was told %+v", all)
		}
	})
}
