package main

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"latchkey/bench/load"
)

// The test binary is also the server without rules, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "ceiling" {
		main()
		return
	}
	os.Exit(m.Run())
}

// Ids are made up, but have the form and the order of real ones, and none comes twice.
func TestDatasetIDs(t *testing.T) {
	d := dataset{users: 1000, began: time.Now()}
	seen := map[string]bool{}
	last := ""
	for n := range d.sessions() {
		raw := d.sessionID(n)
		id, err := uuid.Parse(raw)
		if err != nil || id.Version() != 7 || id.Variant() != uuid.RFC4122 || id.String() != raw {
			t.Fatalf("session %d has the id %q: %v", n, raw, err)
		}
		if seen[raw] || raw[:13] < last {
			t.Fatalf("session %d: id %q comes twice or out of order", n, raw)
		}
		seen[raw], last = true, raw[:13]
		if again := d.sessionID(n); again != raw {
			t.Fatalf("session %d: %q, then %q", n, raw, again)
		}
	}
	if seen[d.userID(0)] {
		t.Error("a user has a session's id")
	}
}

func TestPartsShareAllUsersOut(t *testing.T) {
	for _, users := range []int{400, 2_000, 40_000, 2_000_000} {
		p := shareOut(users)
		at := 0
		for _, s := range []span{p.steady, p.ending, p.apps, p.signingIn, p.flooded} {
			if s.from != at || s.size() < 1 {
				t.Errorf("%d users: %+v", users, p)
			}
			at = s.to
		}
		if at != users || p.steady.at(p.steady.size()) != p.steady.from {
			t.Errorf("%d users: %+v", users, p)
		}
	}
}

func TestPick(t *testing.T) {
	got := map[string]int{}
	for n := range 1000 {
		got[pick(n)]++
	}
	for _, m := range dayMix {
		if got[m.op] != m.parts {
			t.Errorf("%s: %d of 1000, want %d", m.op, got[m.op], m.parts)
		}
	}
}

// No two callers act on the same session: again and again each walks over its own, or all are used up once.
func TestCallersShareSessionsOut(t *testing.T) {
	const callers = enders
	chains := make([]*chain, 2*callers+3)
	for i := range chains {
		chains[i] = &chain{session: i}
	}
	var last int
	note := func(_ *load.Conn, c *chain) error { last = c.session; return nil }
	owner := map[int]int{}
	for caller, act := range each(chains, callers, "walk", note) {
		for range 5 {
			if op, err := act(nil); op != "walk" || err != nil {
				t.Fatal(op, err)
			}
			if of, taken := owner[last]; taken && of != caller {
				t.Errorf("session %d is of the callers %d and %d", last, of, caller)
			}
			owner[last] = caller
		}
	}
	used := map[int]int{}
	for _, act := range once(chains, "end", note) {
		for _, err := act(nil); !errors.Is(err, load.ErrOut); _, err = act(nil) {
			used[last]++
		}
	}
	for i := range chains {
		if used[i] != 1 {
			t.Errorf("session %d is used up %d times", i, used[i])
		}
	}
	if len(owner) != 2*callers {
		t.Errorf("%d sessions are walked over, want %d", len(owner), 2*callers)
	}
}

func TestTextField(t *testing.T) {
	body := []byte(`{"data":{"access_token":"a.b","refresh_token":"c"},"open":"x`)
	for name, want := range map[string]string{"access_token": "a.b", "refresh_token": "c", "none": "", "open": ""} {
		if got := textField(body, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, args := range [][]string{
		{"-set", "huge"}, {"-engines", "Oracle"}, {"-only", "("}, {"-throttle", "maybe"}, {"-nonsense"},
		{"-against", t.TempDir()},
	} {
		if _, err := parseOptions(args); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	o, err := parseOptions([]string{"-set", "smoke", "-engines", "sqlite", "-only", "refresh"})
	if err != nil || o.plan.name != "smoke" || len(o.engines) != 1 || !o.only.MatchString("refresh") {
		t.Errorf("got %+v, %v", o, err)
	}
}
