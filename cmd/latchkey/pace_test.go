package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// While passwords are hashed there is room beside them, and their garbage is picked up sooner; then all
// is as it was.
func TestPace(t *testing.T) {
	procs, percent := runtime.GOMAXPROCS(0), gcPercent()
	t.Cleanup(func() { runtime.GOMAXPROCS(procs); debug.SetGCPercent(percent) })
	for _, tt := range []struct{ set, want int }{{100, hashingGCPercent}, {400, hashingGCPercent}, {30, 30}, {-1, -1}} {
		debug.SetGCPercent(tt.set)
		hashing := pace(5)
		for range 2 {
			hashing(true)
			if n := runtime.GOMAXPROCS(0); n != procs+3 {
				t.Errorf("hashing: GOMAXPROCS is %d, want %d", n, procs+3)
			}
			if n := gcPercent(); n != tt.want {
				t.Errorf("hashing: GOGC is %d, want %d where it was %d", n, tt.want, tt.set)
			}
			hashing(false)
			if n := runtime.GOMAXPROCS(0); n != procs {
				t.Errorf("afterwards: GOMAXPROCS is %d, want %d", n, procs)
			}
			if n := gcPercent(); n != tt.set {
				t.Errorf("afterwards: GOGC is %d, want %d", n, tt.set)
			}
		}
	}
}
