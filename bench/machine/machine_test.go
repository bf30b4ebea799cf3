package machine

import (
	"os"
	"testing"
	"time"
)

// A process that computes for a while has used about that much.
func TestMeterSeesOurOwnWork(t *testing.T) {
	m := NewMeter(Watched{Server: os.Getpid()})
	m.Start()
	x := 1.0
	for began := time.Now(); time.Since(began) < 300*time.Millisecond; {
		x *= 1.0000001
	}
	u := m.Stop()
	if u.Server <= 0.1 || u.Load != u.Server || u.Busy() < u.Server {
		t.Errorf("got %+v after computing %g", u, x)
	}
	if u.RSS < 1<<20 || u.PeakRSS < u.RSS {
		t.Errorf("memory: %d, at most %d", u.RSS, u.PeakRSS)
	}
}

func TestChildrenCount(t *testing.T) {
	if own, all := cpuOf(os.Getpid(), false), cpuOf(os.Getpid(), true); own > all {
		t.Errorf("%d ticks of our own, %d with children", own, all)
	}
	if gone := cpuOf(1<<30, true); gone != 0 {
		t.Errorf("a process that is not there used %d ticks", gone)
	}
}

func TestFacts(t *testing.T) {
	f := ReadFacts(t.TempDir())
	if f.Cores < 1 || f.MemoryMiB < 1 || f.Kernel == "" || f.Filesystem == "" || f.Go == "" {
		t.Errorf("got %+v", f)
	}
}
