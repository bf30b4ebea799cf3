package main

// How long, how often, how much: what tells the short set from the full one.

import (
	"fmt"
	"time"

	"latchkey/bench/report"
)

// plan is a set of measurements.
type plan struct {
	name       string
	rounds     int           // repeats of everything that is cheap to repeat; the median counts
	warm       time.Duration // before each window
	window     time.Duration
	users      int // of the database that most is measured on; five sessions each
	floods     int // repeats
	flood      time.Duration
	floodCases []floodCase
	days       int // repeats
	day        time.Duration
	growths    int   // repeats
	starts     int   // cold starts of each kind
	scaleUsers []int // sizes of the databases that are compared
	sweeps     int   // repeats
	sweepUsers int   // of the database that is swept, beside what is forgotten
	pasts      int   // rounds beside a user with a long past, and beside one without
	past       time.Duration
	pastRows   int // ended sessions of that user
	limit      time.Duration
}

// floodCase is a server that is flooded.
type floodCase struct {
	name     string
	settings []string
}

var (
	throttled   = floodCase{report.ThrottleOn, []string{"LATCHKEY_THROTTLE=on"}}
	unthrottled = floodCase{report.ThrottleOff, []string{"LATCHKEY_THROTTLE=off"}}
	// 64 callers never fill the queue of 256 that is the default: here most of them find it full.
	shortQueue = floodCase{report.ShortQueue, []string{"LATCHKEY_THROTTLE=off", "LATCHKEY_HASH_QUEUE=16"}}
)

var plans = []plan{
	{
		name: "smoke", rounds: 1, warm: 100 * time.Millisecond, window: 400 * time.Millisecond, users: 2_000,
		floods: 1, flood: 2 * time.Second, floodCases: []floodCase{unthrottled, throttled},
		days: 1, day: time.Second, growths: 1, starts: 2,
		scaleUsers: []int{400, 2_000}, sweeps: 1, sweepUsers: 400,
		pasts: 1, past: time.Second, pastRows: 2_000, limit: 10 * time.Minute,
	},
	{
		name: "short", rounds: 3, warm: 250 * time.Millisecond, window: 1200 * time.Millisecond, users: 30_000,
		floods: 2, flood: 6 * time.Second, floodCases: []floodCase{unthrottled, throttled},
		days: 3, day: 4 * time.Second, growths: 3, starts: 7,
		scaleUsers: []int{2_000, 100_000}, sweeps: 1, sweepUsers: 4_000,
		pasts: 5, past: 4 * time.Second, pastRows: 100_000, limit: 20 * time.Minute,
	},
	{
		name: "full", rounds: 5, warm: time.Second, window: 8 * time.Second, users: 200_000,
		floods: 3, flood: 20 * time.Second, floodCases: []floodCase{unthrottled, throttled, shortQueue},
		days: 3, day: 30 * time.Second, growths: 5, starts: 15,
		scaleUsers: []int{2_000, 200_000, 2_000_000}, sweeps: 3, sweepUsers: 200_000,
		pasts: 5, past: 20 * time.Second, pastRows: 100_000, limit: 4 * time.Hour,
	},
}

func planNamed(name string) (plan, error) {
	for _, p := range plans {
		if p.name == name {
			return p, nil
		}
	}
	return plan{}, fmt.Errorf("there is no set %q: take smoke, short or full", name)
}

const (
	warmSessions = 10_000 // sessions that are refreshed, at most
	liveTokens   = 1_024  // access tokens in use at once
	floodCallers = 64
	floodRefresh = 80 // a second
	growthTurns  = 10_000
	growthOver   = 1_000 // sessions
	largestOnPG  = 200_000
)
