package store

// Whether the database takes writes: a full disk, a file that was taken away, a server that only reads. Known
// from what requests saw; where they saw nothing lately, or trouble, from a write made for that alone.

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	probeEvery = 3 * time.Second
	probeSize  = 16 << 10 // about what a sign-in writes: what fits where nothing larger does proves little
)

// writeHealth is how writes ended lately.
type writeHealth struct {
	mu     sync.Mutex
	failed error     // how the last one ended
	at     time.Time // and when
	probed time.Time

	asked singleflight.Group // one probe for all who wait
}

// saw notes how a write ended. A refusal says nothing of the database.
func (w *writeHealth) saw(err error) {
	if err != nil && !errors.Is(err, ErrUnavailable) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed, w.at = err, time.Now()
}

// known is how writes end, where that needs no probe, or none is due.
func (w *writeHealth) known() (failed error, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	recent := func(then time.Time) bool { return !then.IsZero() && time.Since(then) < probeEvery }
	return w.failed, recent(w.probed) || w.failed == nil && recent(w.at)
}

func (w *writeHealth) probing() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.probed = time.Now()
}

// Writing is nil when the database takes writes: ErrUnavailable otherwise. It asks by a write to the row of the server
// named where no request has shown lately how writes end, or the last one failed; never more than once in probeEvery.
func (s *Store) Writing(ctx context.Context, nodeID string, now time.Time) error {
	failed, known := s.writes.known()
	if !known {
		_, failed, _ = s.writes.asked.Do("", func() (any, error) {
			s.writes.probing()
			return nil, s.ProbeNode(ctx, nodeID, now)
		})
	}
	if failed != nil {
		return fmt.Errorf("the database takes no writes: %w", failed)
	}
	return nil
}

// wrote is the outcome of a write, which tells whether writing works.
func (s *Store) wrote(err error) error {
	s.writes.saw(err)
	return err
}
