package auth_test

// Who waits for a permit to hash behind whom.

import (
	"slices"
	"testing"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/password"
	"latchkey/internal/peer"
	"latchkey/internal/throttle"
	"latchkey/internal/token"
)

// An account shares its turns whether it exists or not (I9), and
// with all that is known to it: many devices get no more of them than one.
func TestWhoSharesTurns(t *testing.T) {
	r := authtest.New(t, authtest.SQLite(t))
	limits := throttle.New(throttle.Options{Store: r.Store, Master: r.Options.Master, Counters: token.NewIndexKey(), On: true, Now: r.Clock.Now})
	ada, now := r.AddUser(t, "ada@example.com"), r.Clock.Now()
	attempt := func(session, email string, peer peer.Peer) password.Caller {
		t.Helper()
		_, a, err := limits.FindAttempt(t.Context(), session, email, peer)
		if err != nil {
			t.Fatal(err)
		}
		return auth.CallerOf(a)
	}
	stranger := func(email, addr string) password.Caller { return attempt("", email, from(addr)) }
	device := func(id string) password.Caller {
		t.Helper()
		shown, err := limits.SignDevice(ada.ID, id, 1, now)
		if err != nil {
			t.Fatal(err)
		}
		return attempt("", "ada@example.com", from("192.0.2.1", shown))
	}
	owner := func(email string) password.Caller { return auth.OwnerAsCaller(limits.AccountCounter(email)) }
	turns := map[string]password.Caller{
		"stranger":             stranger("ada@example.com", "192.0.2.1"),
		"her, from elsewhere":  stranger("ada@example.com", "192.0.2.2"),
		"another, from there":  stranger("bob@example.com", "192.0.2.1"),
		"from the same /64":    stranger("bob@example.com", "2001:db8::1"),
		"from that /64":        stranger("eve@example.com", "2001:db8::2"),
		"from its /56":         stranger("eve2@example.com", "2001:db8:0:ff::1"),
		"from its /48":         stranger("eve3@example.com", "2001:db8:0:100::1"),
		"from the next /48":    stranger("eve4@example.com", "2001:db8:1::1"),
		"without an address":   attempt("", "ada@example.com", peer.Peer{}),
		"one device":           device("1"),
		"another device":       device("2"),
		"her Bearer":           attempt("1", "ada@example.com", from("192.0.2.1")),
		"who proved a mailbox": owner("ada@example.com"),
		"bob, known":           owner("bob@example.com"),
	}
	share := func(a, b string) int {
		if turns[a].Known != turns[b].Known {
			return 0
		}
		n := 0
		others := slices.Concat(turns[b].Keys, turns[b].Networks)
		for _, key := range slices.Concat(turns[a].Keys, turns[a].Networks) {
			if slices.Contains(others, key) {
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
		{"from the same /64", "from that /64", 3},
		{"from the same /64", "from its /56", 2},
		{"from the same /64", "from its /48", 1},
		{"from the same /64", "from the next /48", 0},
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
