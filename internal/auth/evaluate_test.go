package auth

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/internal/password"
)

// While a database that hangs keeps every permit, callers are told to come back (I11); one whose turn
// comes in time is served.
func TestPermitIsNotAwaitedForEver(t *testing.T) {
	for _, tt := range []struct {
		held   time.Duration
		served bool
	}{
		{permitPatience - time.Second, true},
		{permitPatience + time.Second, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &Service{o: Options{Pool: password.NewPool(1, 1)}}
			go func() {
				_ = s.withPermit(context.Background(), password.Turn{}, func() error {
					time.Sleep(tt.held)
					return nil
				})
			}()
			synctest.Wait()
			served := false
			err := s.withPermit(context.Background(), password.Turn{}, func() error {
				served = true
				return nil
			})
			if served != tt.served || (err == nil) != served || err != nil && CodeOf(err) != CodeUnavailable {
				t.Errorf("a permit held for %v: %v, served %t", tt.held, err, served)
			}
			synctest.Wait()
			time.Sleep(tt.held)
		})
	}
}

// Who waits for a permit behind whom. An account shares its turns whether it exists or not (I9), and
// with all that is known to it: many devices get no more of them than one.
func TestWhoSharesTurns(t *testing.T) {
	from := func(addr string) Peer { return Peer{Addr: netip.MustParseAddr(addr)} }
	owned := func(kind, id string) password.Turn {
		g := stranger("ada@example.com", from("192.0.2.1"))
		g.own = throttleKey(kind, id)
		return g.turn()
	}
	turns := map[string]password.Turn{
		"stranger":             stranger("ada@example.com", from("192.0.2.1")).turn(),
		"her, from elsewhere":  stranger("ada@example.com", from("192.0.2.2")).turn(),
		"another, from there":  stranger("bob@example.com", from("192.0.2.1")).turn(),
		"from the same /64":    stranger("bob@example.com", from("2001:db8::1")).turn(),
		"from that /64":        stranger("eve@example.com", from("2001:db8::2")).turn(),
		"without an address":   stranger("ada@example.com", Peer{}).turn(),
		"one device":           owned("device", "1"),
		"another device":       owned("device", "2"),
		"her Bearer":           owned("session", "1"),
		"who proved a mailbox": ownersTurn(accountKey("ada@example.com")),
		"bob, known":           ownersTurn(accountKey("bob@example.com")),
	}
	share := func(a, b string) int {
		if turns[a].Known != turns[b].Known {
			return 0
		}
		n := 0
		for _, key := range turns[a].Keys {
			if slices.Contains(turns[b].Keys, key) {
				n++
			}
		}
		return n
	}
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"stranger", "stranger", 2},
		{"stranger", "her, from elsewhere", 1},
		{"stranger", "another, from there", 1},
		{"her, from elsewhere", "another, from there", 0},
		{"from the same /64", "from that /64", 1},
		{"stranger", "without an address", 1},
		{"another, from there", "without an address", 0},
		{"stranger", "one device", 0},
		{"one device", "another device", 1},
		{"one device", "her Bearer", 1},
		{"one device", "who proved a mailbox", 1},
		{"one device", "bob, known", 0},
	} {
		if got := share(tt.a, tt.b); got != tt.want {
			t.Errorf("%s and %s share %d keys, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
