package rigs

// Who stands between the clients and a server, and can say afterwards what was answered, and when.

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/client"
	"latchkey/rigs/stage"
)

// sighting is one request and its answer.
type sighting struct {
	what         string    // method and path
	began, ended time.Time // ended is zero while it is under way
	status       int       // 0: there was none
	retryAfter   string
}

func (s sighting) took() time.Duration { return s.ended.Sub(s.began) }

func (s sighting) succeeded() bool { return s.status/100 == 2 }

func (s sighting) refused() bool { return s.status == http.StatusServiceUnavailable }

func (s sighting) path() string {
	_, path, _ := strings.Cut(s.what, " ")
	return path
}

// witness is an http.RoundTripper that remembers.
type witness struct {
	next http.RoundTripper
	mu   sync.Mutex
	seen []*sighting
}

// watch returns a client of the node's whose requests are witnessed; it shows no device token, as Node.Client.
func watch(n *stage.Node) (*client.Client, *witness) {
	w := &witness{next: n.HTTP.Transport}
	return client.New(n.URL, &http.Client{Timeout: n.HTTP.Timeout, Transport: w}).On(nil), w
}

func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	s := w.sees(r)
	res, err := w.next.RoundTrip(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	s.ended = time.Now()
	if err == nil {
		s.status, s.retryAfter = res.StatusCode, res.Header.Get("Retry-After")
	}
	return res, err
}

func (w *witness) sees(r *http.Request) *sighting {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &sighting{what: r.Method + " " + r.URL.Path, began: time.Now()}
	w.seen = append(w.seen, s)
	return s
}

// sightings are what a witness saw.
type sightings []sighting

// within are the requests that began and ended between two moments.
func (w *witness) within(from, to time.Time) sightings {
	return w.filter(func(s sighting) bool { return s.began.After(from) && s.ended.Before(to) })
}

// filter are those of the answered requests.
func (w *witness) filter(which func(sighting) bool) (found sightings) {
	return w.all(func(s sighting) bool { return !s.ended.IsZero() && which(s) })
}

// all are those of the requests, answered or under way.
func (w *witness) all(which func(sighting) bool) (found sightings) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.seen {
		if which(*s) {
			found = append(found, *s)
		}
	}
	return found
}

// seenWithin is how long it may take, on a busy machine, until somebody has asked for what a test is about.
const seenWithin = time.Minute

// awaitEach waits until each path has been asked for, answered in the way that which says. What a test then asserts of
// that time is asserted of something.
func (w *witness) awaitEach(t *testing.T, when string, which func(sighting) bool, paths ...string) {
	t.Helper()
	await(t, fmt.Sprintf("%s: each of %q is answered as it must be", when, paths), func() bool { return w.filter(which).cover(paths) })
}

// await waits until a condition holds.
func await(t *testing.T, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(seenWithin); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", seenWithin, what)
		}
	}
}

// since are the requests that began after a moment and of which something is true.
func since(from time.Time, which func(sighting) bool) func(sighting) bool {
	return func(s sighting) bool { return s.began.After(from) && which(s) }
}

func anyway(sighting) bool { return true }

// of keeps the requests of some paths.
func (all sightings) of(paths ...string) (found sightings) {
	for _, s := range all {
		if slices.Contains(paths, s.path()) {
			found = append(found, s)
		}
	}
	return found
}

// cover says whether each path is among them.
func (all sightings) cover(paths []string) bool {
	for _, path := range paths {
		if len(all.of(path)) == 0 {
			return false
		}
	}
	return true
}

// slowest is how long the slowest took.
func (all sightings) slowest() (worst time.Duration) {
	for _, s := range all {
		worst = max(worst, s.took())
	}
	return worst
}

// quantile is how long all but a part of them took at most.
func (all sightings) quantile(q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	times := make([]time.Duration, 0, len(all))
	for _, s := range all {
		times = append(times, s.took())
	}
	slices.Sort(times)
	return times[min(len(times)-1, int(q*float64(len(times))))]
}

func (all sightings) String() string {
	count := map[int]int{}
	for _, s := range all {
		count[s.status]++
	}
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprintf("%d x %d", count[status], status))
	}
	return fmt.Sprintf("%d requests (%s), p50 %v, p99 %v, slowest %v", len(all), strings.Join(parts, ", "),
		all.quantile(0.5).Round(time.Millisecond), all.quantile(0.99).Round(time.Millisecond), all.slowest().Round(time.Millisecond))
}

// refusedWithin is how long a refusal may take: 10 s for a permit to hash, which others hold while the
// database makes them wait, then the store's patience of 5 s; the rest is for a busy machine.
const refusedWithin = 20 * time.Second

// allRefused: every one of them, and there must be some, got 503 with Retry-After, and soon.
func (all sightings) allRefused(t *testing.T, when string) {
	t.Helper()
	t.Logf("%s: %v", when, all)
	if len(all) == 0 {
		t.Errorf("%s: nobody asked for anything, so nothing is proven", when)
	}
	for _, s := range all {
		s.mustBeRefused(t, when)
	}
}

func (s sighting) mustBeRefused(t *testing.T, when string) {
	t.Helper()
	if seconds, err := strconv.Atoi(s.retryAfter); s.status != http.StatusServiceUnavailable || err != nil || seconds < 1 {
		t.Errorf("%s: %s: status %d, Retry-After %q, after %v; want 503 and seconds", when, s.what, s.status, s.retryAfter, s.took())
	}
	if s.took() > refusedWithin {
		t.Errorf("%s: %s: refused after %v only", when, s.what, s.took())
	}
}

// onlyRefused: what got no 2xx got 503 with Retry-After, and soon. It returns how many did.
func (all sightings) onlyRefused(t *testing.T, when string) (refused int) {
	t.Helper()
	t.Logf("%s: %v", when, all)
	for _, s := range all {
		if !s.succeeded() {
			refused++
			s.mustBeRefused(t, when)
		}
	}
	return refused
}

// successes counts the 2xx.
func (all sightings) successes() (n int) {
	for _, s := range all {
		if s.succeeded() {
			n++
		}
	}
	return n
}
