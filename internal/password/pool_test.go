package password

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// occupy takes a permit until free is called, which returns when it has been given back.
func occupy(t *testing.T, p *Pool) (free func()) {
	t.Helper()
	release, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Do(context.Background(), Caller{}, func() { <-release }); err != nil {
			t.Errorf("Do = %v", err)
		}
	}()
	synctest.Wait()
	return func() { close(release); <-done }
}

func wantLoad(t *testing.T, p *Pool, running, waiting int) {
	t.Helper()
	if l := p.Load(); l.Running != running || l.Waiting != waiting {
		t.Errorf("Load = %+v; want %d running, %d waiting", l, running, waiting)
	}
}

func TestPoolServesInOrderAndShedsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(1, 3)
		free := occupy(t, p)
		var order []int
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() {
				if err := p.Do(t.Context(), Caller{}, func() { order = append(order, i) }); err != nil {
					t.Errorf("Do %d = %v", i, err)
				}
			})
			synctest.Wait()
		}
		wantLoad(t, p, 1, 3)
		if err := p.Do(t.Context(), Caller{}, func() { t.Error("ran past the queue") }); !errors.Is(err, ErrBusy) {
			t.Errorf("Do past the queue = %v, want ErrBusy", err)
		}
		free()
		all.Wait()
		if diff := cmp.Diff([]int{0, 1, 2}, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		wantLoad(t, p, 0, 0)
	})
}

func TestPoolRunsAsManyAsItHasWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(2, 0)
		free1, free2 := occupy(t, p), occupy(t, p)
		wantLoad(t, p, 2, 0)
		if err := p.Do(t.Context(), Caller{}, func() {}); !errors.Is(err, ErrBusy) {
			t.Errorf("third Do = %v, want ErrBusy", err)
		}
		free1()
		if err := p.Do(t.Context(), Caller{}, func() {}); err != nil {
			t.Errorf("Do with a free permit = %v", err)
		}
		free2()
	})
}

func TestPoolContextEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(1, 2)
		free := occupy(t, p)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var next sync.WaitGroup
		served := false
		go func() {
			if err := p.Do(ctx, Caller{}, func() { t.Error("ran after its context ended") }); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Do = %v, want DeadlineExceeded", err)
			}
		}()
		synctest.Wait()
		next.Go(func() {
			if err := p.Do(t.Context(), Caller{}, func() { served = true }); err != nil {
				t.Errorf("Do of the next = %v", err)
			}
		})
		synctest.Wait()
		wantLoad(t, p, 1, 2)
		time.Sleep(time.Second)
		synctest.Wait()
		wantLoad(t, p, 1, 1)
		free()
		next.Wait()
		if !served {
			t.Error("the next in the queue was not served")
		}
	})
}

// A client that hangs up does not release the permit for its hash.
func TestPoolKeepsThePermitOfACancelledCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(1, 0)
		ctx, hangUp := context.WithCancel(t.Context())
		err := p.Do(ctx, Caller{}, func() {
			hangUp()
			synctest.Wait()
			wantLoad(t, p, 1, 0)
			if err := p.Do(t.Context(), Caller{}, func() {}); !errors.Is(err, ErrBusy) {
				t.Errorf("Do beside it = %v, want ErrBusy", err)
			}
		})
		if err != nil {
			t.Errorf("Do = %v, though fn ran", err)
		}
		wantLoad(t, p, 0, 0)
	})
}

func TestPoolNeverRunsForAnEndedContext(t *testing.T) {
	p := NewPool(1, 1)
	cause := errors.New("client hung up")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if err := p.Do(ctx, Caller{}, func() { t.Error("ran") }); !errors.Is(err, cause) {
		t.Errorf("Do = %v, want %v", err, cause)
	}
	wantLoad(t, p, 0, 0)
}

func TestPoolPanicGivesThePermitBack(t *testing.T) {
	p := NewPool(1, 0)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = p.Do(t.Context(), Caller{}, func() { panic("out of memory") })
	}()
	wantLoad(t, p, 0, 0)
}

// The permit and the end of the context may come in the same moment; then the permit goes on.
func TestPoolPermitThatCameTooLateGoesOn(t *testing.T) {
	p := NewPool(1, 2)
	p.admit(Caller{})
	late, next := p.admit(Caller{}), p.admit(Caller{})
	p.release() // late has the permit and does not know it yet
	p.leave(late)
	select {
	case <-next.answered:
	default:
		t.Error("the permit did not go on to the next")
	}
	wantLoad(t, p, 1, 0)
	p.release()
	wantLoad(t, p, 0, 0)
}

func TestPoolTakesSenselessSizes(t *testing.T) {
	p := NewPool(0, -5)
	ran := false
	if err := p.Do(t.Context(), Caller{}, func() {
		ran = true
		if err := p.Do(t.Context(), Caller{}, func() {}); !errors.Is(err, ErrBusy) {
			t.Errorf("second Do = %v, want ErrBusy", err)
		}
	}); err != nil || !ran {
		t.Errorf("Do = %v, ran %v", err, ran)
	}
}

// Security I15: never more at once than there are permits, and none is lost, whoever gives up when.
func TestPoolUnderFlood(t *testing.T) {
	const workers, queue, callers, rounds = 3, 8, 32, 200
	p := NewPool(workers, queue)
	var now, ran, busy, gaveUp atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range rounds {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(200))*time.Microsecond)
				caller := Caller{Known: rand.IntN(4) == 0, Keys: []string{strconv.Itoa(rand.IntN(5)), strconv.Itoa(5 + rand.IntN(5))}}
				err := p.Do(ctx, caller, func() {
					if n := now.Add(1); n > workers {
						t.Errorf("%d at once", n)
					}
					time.Sleep(time.Duration(rand.IntN(50)) * time.Microsecond)
					now.Add(-1)
					ran.Add(1)
				})
				cancel()
				switch {
				case errors.Is(err, ErrBusy):
					busy.Add(1)
				case errors.Is(err, context.DeadlineExceeded):
					gaveUp.Add(1)
				case err != nil:
					t.Errorf("Do = %v", err)
				}
				if l := p.Load(); l.Waiting > queue {
					t.Errorf("%d wait", l.Waiting)
				}
			}
		})
	}
	all.Wait()
	wantLoad(t, p, 0, 0)
	for _, l := range p.queues {
		if len(l.under) > 0 {
			t.Errorf("remembers %v, where nobody waits", l.under)
		}
	}
	if shed := int64(p.Load().Shed); shed < busy.Load() { // more: some gave up in the same moment
		t.Errorf("Load says that %d were shed, and %d were told", shed, busy.Load())
	}
	if sum := ran.Load() + busy.Load() + gaveUp.Load(); sum != callers*rounds || ran.Load() == 0 {
		t.Errorf("%d ran, %d shed, %d gave up of %d", ran.Load(), busy.Load(), gaveUp.Load(), callers*rounds)
	}
}

func BenchmarkPoolUncontended(b *testing.B) {
	p := NewPool(1, 0)
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Do(b.Context(), Caller{}, func() {}); err != nil {
			b.Fatal(err)
		}
	}
}

// OnBusy hears of the first to begin and of the last to end, and of nobody between.
func TestPoolSaysWhenItIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(2, 1)
		var heard []bool
		p.OnBusy = func(busy bool) { heard = append(heard, busy) }
		for range 2 {
			free1, free2 := occupy(t, p), occupy(t, p)
			var third sync.WaitGroup
			third.Go(func() { _ = p.Do(t.Context(), Caller{}, func() {}) })
			synctest.Wait()
			free1()
			third.Wait()
			free2()
		}
		if diff := cmp.Diff([]bool{true, false, true, false}, heard); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
	})
}
