package throttle

// The secrets of clients: how many may be tried.

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"latchkey/internal/peer"
	"latchkey/internal/store"
)

const (
	secretTTL  = time.Minute // how long a secret that was right is tried again without taking from the quota
	secretWait = time.Second // how long a try waits for one in flight to turn out right
	maxSecrets = 10_000
)

// TrySecret says whether a client's secret is the right one, by asking prove. Every try takes from the quota of this
// client and address before its secret is looked at, and a right one gives back what it took; so no more are evaluated
// than the quota, however many come at once, and a resource server with the right secret uses none up. Beyond the quota
// the right one is refused as well, unless it was right within the last minute.
func (t *Throttle) TrySecret(ctx context.Context, client, secret string, peer peer.Peer, prove func() bool) (right bool, err error) {
	if !t.o.On {
		return prove(), nil
	}
	buckets := t.addressBuckets(clientLimit, peer.Addr, client)
	if buckets == nil {
		buckets = []bucket{{clientLimit, t.counterName(clientLimit.Name, "", client)}}
	}
	sum := sha256.Sum256([]byte(secret))
	name := string(t.counterName("client secret", client, string(buckets[0].key), string(sum[:])))
	if t.secrets.wasRight(name, t.o.Now()) && prove() {
		return true, nil
	}
	taken, err := t.takeTry(ctx, buckets, name, peer)
	if err != nil {
		return false, err
	}
	right = prove()
	if !taken {
		return right, nil
	}
	if right {
		t.secrets.remember(name, t.o.Now())
		err = t.giveBack(ctx, buckets)
		t.denied.forget(keysOf(buckets)...)
	}
	t.secrets.end(string(buckets[0].key), right && err == nil)
	return right, err
}

// takeTry takes a try from the quota; the try is in flight until secrets.end. Where none is left it waits for those in
// flight here: one that is right gives its own back. When nothing was taken and there is no error, the same secret has
// turned out right meanwhile.
func (t *Throttle) takeTry(ctx context.Context, buckets []bucket, name string, peer peer.Peer) (taken bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, secretWait)
	defer cancel()
	counter := string(buckets[0].key)
	t.secrets.begin(counter)
	for first := true; ; first = false {
		changed, now := t.secrets.watch(counter), t.o.Now()
		full, wait, err := t.takeOnce(ctx, buckets, now)
		if err == nil && wait <= 0 {
			if !first {
				t.secrets.begin(counter)
			}
			return true, nil
		}
		if first {
			t.secrets.end(counter, false)
		}
		if err != nil {
			return false, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
		if t.secrets.wasRight(name, t.o.Now()) {
			return false, nil
		}
		if ctx.Err() != nil || !t.secrets.anyInFlight(counter) {
			return false, t.rejectAndRemember(ctx, full.deny("", wait, peer, now), full.key, now)
		}
	}
}

// takeOnce takes a try; wait is positive where none is left. The deny cache may say so.
func (t *Throttle) takeOnce(ctx context.Context, buckets []bucket, now time.Time) (full bucket, wait time.Duration, err error) {
	if err := t.precheck(keysOf(buckets)...); err != nil {
		return full, 0, err
	}
	err = t.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		full, wait, err = take(tx, buckets, now)
		return err
	})
	return full, wait, err
}

func (t *Throttle) giveBack(ctx context.Context, buckets []bucket) error {
	return t.o.Store.Write(ctx, func(tx *store.Tx) error {
		for _, b := range buckets {
			tx.GiveRate(b.rate())
		}
		return nil
	})
}

// secrets remembers which secrets were right a moment ago, and how many tries are in flight. It is bounded, and lets
// nobody in by itself: a secret is compared at each request.
type secrets struct {
	mu       sync.Mutex
	right    map[string]time.Time // by the name of client, address and secret: until when a try takes nothing
	inFlight map[string]*inFlight // by counter
}

// inFlight are the tries of a counter that may still give back what they took.
type inFlight struct {
	tries   int
	changed chan struct{} // closed when one has given back, or when none is left
}

func (s *secrets) wasRight(name string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.right[name])
}

func (s *secrets) remember(name string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.right == nil || len(s.right) >= maxSecrets {
		s.right = map[string]time.Time{}
	}
	s.right[name] = now.Add(secretTTL)
}

// begin notes that a try is in flight.
func (s *secrets) begin(counter string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inFlight == nil {
		s.inFlight = map[string]*inFlight{}
	}
	f := s.inFlight[counter]
	if f == nil {
		f = &inFlight{changed: make(chan struct{})}
		s.inFlight[counter] = f
	}
	f.tries++
}

// watch returns a channel that is closed when a try has given back, or when none is in flight.
func (s *secrets) watch(counter string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.inFlight[counter]; f != nil {
		return f.changed
	}
	none := make(chan struct{})
	close(none)
	return none
}

func (s *secrets) anyInFlight(counter string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inFlight[counter] != nil
}

// end notes that a try is over, and whether it gave back what it took.
func (s *secrets) end(counter string, gaveBack bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.inFlight[counter]
	if f.tries--; f.tries == 0 {
		delete(s.inFlight, counter)
	}
	if gaveBack || f.tries == 0 {
		close(f.changed)
		f.changed = make(chan struct{})
	}
}
