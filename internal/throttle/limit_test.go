package throttle_test

// Limits of addresses, on both engines.

import (
	"fmt"
	"testing"
	"time"

	"latchkey/internal/store"
)

// An IPv6 address is counted by its /64, its /56 and its /48, which admit 1, 3 and 10 times as many. Dead
// links and wrong passwords are counted apart.
func TestNestedNetworks(t *testing.T) {
	for _, tt := range []struct {
		what string
		at   func(i int) string
		most int
		wait time.Duration
	}{
		{"one /64", func(i int) string { return fmt.Sprintf("2001:db8::%x", i+1) }, 100, 6 * time.Second},
		{"one /56", func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i%256) }, 300, 2 * time.Second},
		{"one /48", func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i*256%65536+i/256) }, 1000, time.Second},
	} {
		t.Run(tt.what, func(t *testing.T) {
			engines(t, func(t *testing.T, r *rig) {
				open := func(addr string) error { return r.CountDeadLink(t.Context(), from(addr)) }
				for i := range tt.most {
					if err := open(tt.at(i)); err != nil {
						t.Fatalf("link %d: %v", i, err)
					}
				}
				wantRefusal(t, open(tt.at(tt.most)), "link", tt.wait)
				if err := open("2001:db8:1::1"); err != nil {
					t.Errorf("a link from the next /48: %v", err)
				}
				for i := range tt.most {
					r.fail(fmt.Sprintf("user%d@example.com", i), 1, from(tt.at(i)))
				}
				wantRefusal(t, r.attempt(ada, true, from(tt.at(tt.most))), "address", tt.wait)
			})
		})
	}
}

// What a wider network refuses is not counted in a narrower one.
func TestARefusalTakesNothing(t *testing.T) {
	engines(t, func(t *testing.T, r *rig) {
		for i := range 300 {
			if err := r.CountDeadLink(t.Context(), from(fmt.Sprintf("2001:db8:0:%x::1", i%3))); err != nil {
				t.Fatal(err)
			}
		}
		wantRefusal(t, r.CountDeadLink(t.Context(), from("2001:db8:0:ff::1")), "link", 2*time.Second)
		narrow := key.Name("link", "2001:db8:0:ff::/64")
		r.write(func(tx *store.Tx) error {
			arrivals, err := tx.Rates(store.Rate{Key: narrow})
			if arrival := arrivals[string(narrow)]; arrival.After(r.now) {
				t.Errorf("the /64 that was refused counts an event until %v", arrival)
			}
			return err
		})
	})
}
