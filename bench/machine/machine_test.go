package machine

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// A process that computes for a while has used about that much, however long it takes on a busy machine.
func TestMeterSeesOurOwnWork(t *testing.T) {
	const work = 300 * time.Millisecond
	m := NewMeter(Watched{Server: os.Getpid()})
	m.Start()
	x, began := 1.0, time.Now()
	for until := CPU(os.Getpid()) + work; CPU(os.Getpid()) < until; {
		x *= 1.0000001
	}
	u, seconds := m.Stop(), time.Since(began).Seconds()
	if used := u.Server * seconds; used < 0.8*work.Seconds() || used > 2*work.Seconds() || u.Load != u.Server {
		t.Errorf("got %+v in %.2f s after computing %g", u, seconds, x)
	}
	if precise, coarse := CPU(os.Getpid()), time.Duration(cpuOf(os.Getpid(), false))*time.Second/Hertz; (precise - coarse).Abs() > 50*time.Millisecond {
		t.Errorf("%s of CPU time by one clock, %s by the other", precise, coarse)
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

// What a family shares is charged to each in part: together they take no more than each by itself.
func TestFamilyMemory(t *testing.T) {
	alone := FamilyMemory(os.Getpid())
	if rss := RSS(os.Getpid()); alone < rss/4 || alone > rss+1<<20 {
		t.Errorf("%d bytes, resident %d", alone, rss)
	}
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	}()
	if !slices.Contains(childrenOf(os.Getpid()), child.Process.Pid) {
		t.Error("a child is not seen")
	}
	if none := FamilyMemory(0); none != 0 {
		t.Errorf("no process takes %d bytes", none)
	}
}

func TestFacts(t *testing.T) {
	f := ReadFacts(t.TempDir())
	if f.Cores < 1 || f.MemoryMiB < 1 || f.Kernel == "" || f.Filesystem == "" || f.Go == "" {
		t.Errorf("got %+v", f)
	}
}
