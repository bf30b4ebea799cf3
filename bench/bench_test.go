package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	runtimepprof "runtime/pprof"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
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
		for _, s := range []span{p.steady, p.ending, p.signingIn, p.flooded} {
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

func TestTextField(t *testing.T) {
	body := []byte(`{"data":{"access_token":"a.b","refresh_token":"c"},"open":"x`)
	for name, want := range map[string]string{"access_token": "a.b", "refresh_token": "c", "none": "", "open": ""} {
		if got := textField(body, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// Each sample is charged to the innermost part that has a name.
func TestSharesOf(t *testing.T) {
	const traces = `File: latchkey
Type: cpu
-----------+-------------------------------------------------------
      30ms   internal/runtime/syscall/linux.Syscall6
             internal/poll.(*FD).Pwrite
             github.com/ncruces/go-sqlite3/vfs.(*vfsFile).WriteAt
             latchkey/internal/store.(*Store).Write
-----------+-------------------------------------------------------
      10ms   runtime.memmove
             latchkey/internal/server.(*server).refresh (inline)
             net/http.(*conn).serve
-----------+-------------------------------------------------------
      20ms   runtime.futex
             runtime.schedule
-----------+-------------------------------------------------------
      40ms   runtime.unknown
-----------+-------------------------------------------------------
`
	want := map[string]float64{"SQLite": 0.3, "internal/server": 0.1, "scheduling": 0.2, "other": 0.4}
	got := sharesOf(traces)
	for part, share := range got {
		got[part] = float64(int(share*1000+0.5)) / 1000
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What a function took by itself is read in the unit printed; type parameters are left out, and functions
// that differ in nothing else are one.
func TestFlatOf(t *testing.T) {
	const top = `File: latchkey
Type: alloc_space
Showing nodes accounting for 3072B, 100% of 3072B total
      flat  flat%   sum%        cum   cum%
     2048B 66.67% 66.67%      3072B   100%  latchkey/internal/store.many[go.shape.struct { ID string; At []int }].func1
      512B 16.67% 83.33%       512B 16.67%  bytes.Clone (inline)
      512B 16.67%   100%       512B 16.67%  latchkey/internal/store.many[go.shape.string].func1
         0     0%   100%      3072B   100%  net/http.(*conn).serve
`
	want := map[string]float64{"latchkey/internal/store.many[…].func1": 2560, "bytes.Clone": 512}
	if diff := cmp.Diff(want, flatOf(top)); diff != "" {
		t.Error(diff)
	}
	if got := flatOf("cum%\n 30ms 1% 1% 30ms 1% a.b\n 7 1% 1% 7 1% c.d\n"); got["a.b"] != 30 || got["c.d"] != 7 {
		t.Errorf("got %v", got)
	}
}

func TestLargestSites(t *testing.T) {
	sizes, objects := map[string]float64{}, map[string]float64{"b": 8}
	for i := range 2 * kept {
		sizes[string(rune('a'+i))] = float64(100 * (i + 1))
	}
	sites := heaviest(sizes, objects, 4)
	if len(sites) != kept || sites[0].Bytes != 100*2*kept/4 || sites[kept-1].Bytes != 100*(kept+1)/4 {
		t.Errorf("got %v", sites)
	}
	if two := heaviest(map[string]float64{"b": 40}, objects, 4); two[0].Objects != 2 || two[0].Bytes != 10 {
		t.Errorf("got %v", two)
	}
	if hot := hottest(map[string]float64{"a": 10, "b": 30}); hot[0].Name != "b" || hot[0].Share != 0.75 {
		t.Errorf("got %v", hot)
	}
}

// A profile that the runtime writes is read: what was allocated most is on top, and what writing the
// profile took is not in it.
func TestReadProfiles(t *testing.T) {
	dir := t.TempDir()
	cpu, allocs := filepath.Join(dir, "cpu"), filepath.Join(dir, "allocs")
	defer func(rate int) { runtime.MemProfileRate = rate }(runtime.MemProfileRate)
	runtime.MemProfileRate = 1
	var text bytes.Buffer
	if err := runtimepprof.StartCPUProfile(&text); err != nil {
		t.Fatal(err)
	}
	waste(200 * time.Millisecond)
	runtimepprof.StopCPUProfile()
	runtime.GC()
	if err := os.WriteFile(cpu, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	text.Reset()
	if err := runtimepprof.Lookup("allocs").WriteTo(&text, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(allocs, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := readProfiles(t.Context(), cpu, allocs, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Functions) == 0 || len(p.Allocators) == 0 || p.Allocators[0].Name != "latchkey/bench.waste" || p.Allocators[0].Bytes < 1<<20 || p.Allocators[0].Objects < 1 {
		t.Errorf("got %+v", p)
	}
}

//go:noinline
func waste(length time.Duration) (kept [][]byte) {
	for began := time.Now(); time.Since(began) < length; {
		kept = append(kept[:0], make([]byte, 1<<20))
	}
	return kept
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
