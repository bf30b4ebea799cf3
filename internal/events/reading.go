package events

// One reading of the ends of sessions, and what is told of it.

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync"
	"time"

	"latchkey/internal/keyring"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

const (
	mostTold   = 10_000
	answerLife = time.Minute
	// windowStep is how far the window moves at a time. What leaves it changes the cursor as well, and would answer
	// everybody who waits once more for each end.
	windowStep = time.Minute
)

// reading is what was found in the database at a time.
type reading struct {
	at       time.Time // as the database has the time
	began    time.Time // the same moment, with its monotonic reading
	sessions []string  // that have ended, the last one first
	floor    time.Time // the newest end that is not among them; zero: all are
	cursor   string
	err      error         // why nothing was found
	over     chan struct{} // closed when another reading has found something else

	mu      sync.Mutex
	answers map[string][]byte // by client, once asked for: many servers of one client poll
}

// read asks the database. It is called by look alone.
func (f *Feed) read(ctx context.Context) *reading {
	r := &reading{at: f.o.Now(), began: time.Now(), over: make(chan struct{})}
	since := r.at.Add(-f.o.Window).Truncate(windowStep)
	var ends []store.RecentEnd
	r.err = f.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		ends, err = tx.RecentEnds(since, mostTold+1)
		return err
	})
	if r.err != nil {
		r.err = fmt.Errorf("read ended sessions: %w", r.err)
		return r
	}
	if len(ends) > mostTold {
		r.floor = ends[mostTold].At
		ends = ends[:mostTold]
	}
	for _, e := range ends {
		r.sessions = append(r.sessions, e.SessionID)
	}
	r.cursor = cursorOf(r.sessions, r.floor)
	return r
}

// cursorOf names what is told, alike on every node.
func cursorOf(sessions []string, floor time.Time) string {
	hash := sha256.New()
	for _, id := range sessions {
		_, _ = fmt.Fprintln(hash, id)
	}
	if !floor.IsZero() {
		_, _ = fmt.Fprint(hash, floor.UnixMicro())
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16])
}

// tellsAsMuchAs says whether whoever knows the other reading has no need of this one.
func (r *reading) tellsAsMuchAs(other *reading) bool {
	return r.err == nil && other.err == nil && r.cursor == other.cursor
}

// answer is the JWT for a client. It is of the time of the reading, which is what it tells of.
func (r *reading) answer(client string, keys *keyring.Keys) ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if made, ok := r.answers[client]; ok {
		return made, nil
	}
	raw, err := keys.SignRevocations(token.Revocations{
		Audience: client, IssuedAt: r.at, ExpiresAt: r.at.Add(answerLife),
		Cursor: r.cursor, Sessions: r.sessions, Floor: r.floor,
	}, r.at)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	if r.answers == nil {
		r.answers = map[string][]byte{}
	}
	r.answers[client] = []byte(raw)
	return r.answers[client], nil
}
