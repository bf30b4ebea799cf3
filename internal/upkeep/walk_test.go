package upkeep

import (
	"testing"
	"time"
)

// A walk begins once an hour, and again after a clock that was ahead was put back.
func TestWalkBegins(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	var w walk
	for _, step := range []struct {
		name string
		at   time.Time
		want bool
	}{
		{"the first", now, true},
		{"at once", now, false},
		{"before the hour is over", now.Add(walkEvery - 1), false},
		{"after an hour", now.Add(walkEvery), true},
		{"with the clock put back by six hours", now.Add(-6 * time.Hour), true},
		{"at once after that", now.Add(-6 * time.Hour), false},
	} {
		if got := w.begin(step.at); got != step.want {
			t.Errorf("%s: begins %t, want %t", step.name, got, step.want)
		}
	}
}
