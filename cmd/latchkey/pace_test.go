package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// While passwords are hashed there is room beside them, and their garbage is picked up sooner: so it is
// until nothing has been hashed for a while.
func TestPace(t *testing.T) {
	procs, percent := runtime.GOMAXPROCS(0), gcPercent()
	t.Cleanup(func() { runtime.GOMAXPROCS(procs); debug.SetGCPercent(percent) })
	want := func(when string, wantProcs, wantPercent int) {
		t.Helper()
		if n := runtime.GOMAXPROCS(0); n != wantProcs {
			t.Errorf("%s: GOMAXPROCS is %d, want %d", when, n, wantProcs)
		}
		if n := gcPercent(); n != wantPercent {
			t.Errorf("%s: GOGC is %d, want %d", when, n, wantPercent)
		}
	}
	for _, tt := range []struct{ set, tight int }{{100, hashingGCPercent}, {400, hashingGCPercent}, {30, 30}, {-1, -1}} {
		debug.SetGCPercent(tt.set)
		p := newPacer(5)
		for range 2 {
			p.onHashing(true)
			want("hashing", procs+3, tt.tight)
			p.calm()
			p.calm()
			want("hashing for long", procs+3, tt.tight)
			p.onHashing(false)
			want("just afterwards", procs+3, tt.tight)
			p.calm()
			want("a while after", procs+3, tt.tight)
			p.onHashing(true)
			p.onHashing(false)
			p.calm()
			want("after another", procs+3, tt.tight)
			p.calm()
			want("long after", procs, tt.set)
		}
	}
}

// An operator's GOGC stays.
func TestCollectRarely(t *testing.T) {
	percent := gcPercent()
	t.Cleanup(func() { debug.SetGCPercent(percent) })
	for _, tt := range []struct {
		env  []string
		want int
	}{{[]string{"PATH=/bin"}, servingGCPercent}, {[]string{"PATH=/bin", "GOGC=50"}, 100}} {
		debug.SetGCPercent(100)
		collectRarely(tt.env)
		if n := gcPercent(); n != tt.want {
			t.Errorf("with %q: GOGC is %d, want %d", tt.env, n, tt.want)
		}
	}
}
