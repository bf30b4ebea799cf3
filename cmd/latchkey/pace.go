package main

// How Go's scheduler and collector are set: for many short requests, and while passwords are hashed, so
// that nobody else feels it. docs/adr/0007-hashing-nobody-feels.md.

import (
	"context"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// servingGCPercent collects less often than Go's 100: what lives on is a few megabytes, so that
	// collecting took up to a fifth of the time and saves little memory.
	servingGCPercent = 400

	// hashingGCPercent keeps the blocks of hashes that are over, 19 MiB each, from piling up.
	hashingGCPercent = 75
)

// collectRarely sets the collector for serving, unless the operator has set it by GOGC.
func collectRarely(env []string) {
	if !slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "GOGC=") }) {
		debug.SetGCPercent(servingGCPercent)
	}
}

// calmAfter is how long nothing is hashed until all is as at other times. The blocks of the last hashes
// are picked up by then.
const calmAfter = 10 * time.Second

// pacer is told when the first of some hashes begins and when the last one ends. Until it is calm again,
// Go may run more goroutines than there are cores, by half as many as hash at once. Then the kernel shares
// the cores out between those that hash and those that serve, every few milliseconds; Go alone lets a
// goroutine compute for 10 ms and more. At other times it would only cost. Neither figure is set more often
// than that: each change stops the world.
type pacer struct {
	procs, more int // GOMAXPROCS, and how much it is raised by
	percent     int // GOGC in a calm

	mu      sync.Mutex
	hashing bool
	lately  bool // something was hashed since calm was last called
	tight   bool // GOGC is low, GOMAXPROCS raised
}

func newPacer(workers int) *pacer {
	return &pacer{procs: runtime.GOMAXPROCS(0), more: (workers + 1) / 2, percent: gcPercent()}
}

func (p *pacer) onHashing(hashing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hashing = hashing
	if !hashing {
		return
	}
	p.lately = true
	if !p.tight {
		p.tight = true
		runtime.GOMAXPROCS(p.procs + p.more)
		debug.SetGCPercent(min(p.percent, hashingGCPercent)) // an operator's lower GOGC stays, and so does off, which is -1
	}
}

// calm sets all back when nothing has been hashed since it was last called.
func (p *pacer) calm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tight && !p.lately {
		p.tight = false
		debug.SetGCPercent(p.percent)
		runtime.GOMAXPROCS(p.procs)
	}
	p.lately = p.hashing
}

// run calls calm until ctx ends.
func (p *pacer) run(ctx context.Context) error {
	every := time.NewTicker(calmAfter)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			p.calm()
		case <-ctx.Done():
			return nil
		}
	}
}

// gcPercent is what GOGC says. The runtime tells it only when it is set.
func gcPercent() int {
	percent := debug.SetGCPercent(-1)
	debug.SetGCPercent(percent)
	return percent
}
