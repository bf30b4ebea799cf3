package main

// How Go's scheduler and collector are set while passwords are hashed, so that nobody else feels it:
// docs/adr/0007-hashing-nobody-feels.md.

import (
	"runtime"
	"runtime/debug"
)

// hashingGCPercent keeps the blocks of hashes that are over, 19 MiB each, from piling up.
const hashingGCPercent = 75

// pace returns what is to be told when the first of some hashes begins and when the last one ends.
// Meanwhile Go may run more goroutines than there are cores, by half as many as hash at once. Then the
// kernel shares the cores out between those that hash and those that serve, every few milliseconds; Go
// alone lets a goroutine compute for 10 ms and more. At other times it would only cost.
func pace(workers int) func(hashing bool) {
	procs, percent := runtime.GOMAXPROCS(0), gcPercent()
	return func(hashing bool) {
		if hashing {
			runtime.GOMAXPROCS(procs + (workers+1)/2)
			debug.SetGCPercent(min(percent, hashingGCPercent)) // an operator's lower GOGC stays, and so does off, which is -1
		} else {
			debug.SetGCPercent(percent)
			runtime.GOMAXPROCS(procs)
		}
	}
}

// gcPercent is what GOGC says. The runtime tells it only to who sets it.
func gcPercent() int {
	percent := debug.SetGCPercent(-1)
	debug.SetGCPercent(percent)
	return percent
}
