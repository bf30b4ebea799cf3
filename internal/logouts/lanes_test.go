package logouts_test

// An app's server that hangs holds up nobody else.

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/internal/logouts"
)

// One delivery at a time is under way to a host, whichever of its clients it is for; other hosts are told meanwhile.
func TestOneAtATimeToAHost(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		slow, quick := newApp(t, http.StatusOK), newApp(t, http.StatusOK)
		slow.does(func(http.ResponseWriter, *http.Request) { <-slow.hold })
		r := newRoom(t, db, time.Minute, at("slow", slow.URL+"/one"), at("slower", slow.URL+"/two"), at("quick", quick.URL))
		first := r.ends(t, "slow")
		var under sync.WaitGroup
		under.Go(func() {
			if more, err := r.DeliverNext(t.Context()); !more || err != nil {
				t.Errorf("%t, %v", more, err)
			}
		})
		<-slow.told
		r.rig.Clock.Advance(time.Second)
		r.ends(t, "slow")
		r.ends(t, "slower")
		other := r.ends(t, "quick")
		r.delivers(t)
		if got := r.row(t, other); got.Outcome != logouts.Delivered {
			t.Errorf("another host: %+v", got)
		}
		r.idle(t, "the host has one under way")
		if got := r.row(t, first); got.Outcome != "" || len(slow.tokens()) != 1 {
			t.Errorf("it was told %d times: %+v", len(slow.tokens()), got)
		}
		close(slow.hold)
		under.Wait()
		r.delivers(t)
		r.delivers(t)
		r.idle(t, "all is told")
		if len(slow.tokens()) != 3 || slow.most != 1 {
			t.Errorf("told %d times, %d at once", len(slow.tokens()), slow.most)
		}
	})
}

// A try is given up after its time. A host whose last try failed is left to half of the deliverers until it answers again.
func TestAHostThatHangs(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		a, well := newApp(t, http.StatusOK), newApp(t, http.StatusOK)
		a.hangs()
		const timeout = 200 * time.Millisecond
		r := newRoom(t, db, timeout, at("shop", a.URL), at("well", well.URL))
		steady := func(want bool, when string) {
			t.Helper()
			if more, err := r.DeliverSteady(t.Context()); more != want || err != nil {
				t.Errorf("%s: delivered %t, %v, want %t", when, more, err, want)
			}
		}
		id, began := r.ends(t, "shop"), time.Now()
		steady(true, "not tried yet")
		if took := time.Since(began); took < timeout || took > 20*timeout {
			t.Errorf("the try took %v", took)
		}
		if got := r.row(t, id); got.Outcome != "" || got.LastError == "" {
			t.Errorf("%+v", got)
		}
		r.rig.Clock.Advance(5 * time.Second)
		steady(false, "in trouble")
		r.ends(t, "well")
		steady(true, "another host")
		a.answers(http.StatusOK)
		r.delivers(t)
		r.ends(t, "shop")
		steady(true, "well again")
		if len(well.tokens()) != 1 || len(a.tokens()) != 3 {
			t.Errorf("told %d and %d times", len(well.tokens()), len(a.tokens()))
		}
	})
}
