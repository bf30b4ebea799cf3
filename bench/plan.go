package main

// How long, how often, how much: what tells the short set from the full one.

import (
	"fmt"
	"time"
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
	day        time.Duration
	starts     int   // cold starts of each kind
	scaleUsers []int // sizes of the databases that are compared
	limit      time.Duration
}

var plans = []plan{
	{
		name: "smoke", rounds: 1, warm: 100 * time.Millisecond, window: 400 * time.Millisecond,
		users: 2_000, floods: 1, flood: 2 * time.Second, day: time.Second, starts: 2,
		scaleUsers: []int{400, 2_000}, limit: 4 * time.Minute,
	},
	{
		name: "short", rounds: 3, warm: 400 * time.Millisecond, window: 2500 * time.Millisecond,
		users: 40_000, floods: 1, flood: 10 * time.Second, day: 10 * time.Second, starts: 7,
		scaleUsers: []int{2_000, 100_000}, limit: 20 * time.Minute,
	},
	{
		name: "full", rounds: 5, warm: time.Second, window: 8 * time.Second,
		users: 200_000, floods: 3, flood: 20 * time.Second, day: 60 * time.Second, starts: 15,
		scaleUsers: []int{2_000, 200_000, 2_000_000}, limit: 3 * time.Hour,
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
