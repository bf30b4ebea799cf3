package events_test

// What the tests of the feed share: nodes, and polls of theirs.

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/events"
	"latchkey/internal/store"
)

// TestMain also fails when a goroutine is left over: while nobody polls, nothing reads.
func TestMain(m *testing.M) { authtest.Main(m) }

const patience = 20 * time.Second // less than a poll waits by itself

// node is one server, and what may stop it.
type node struct {
	*authtest.Rig
	t        *testing.T
	stopping chan struct{}
}

func newNode(t *testing.T, db authtest.Database, tweak ...func(*auth.Options)) *node {
	t.Helper()
	return &node{authtest.New(t, db, tweak...), t, make(chan struct{})}
}

func (n *node) feed() *events.Feed { return n.Service.Feed() }

// told is what a poll answered.
type told struct {
	api.Revocations
	err error
}

func (n *node) pollAs(ctx context.Context, client, after string) (got told) {
	raw, err := n.feed().Poll(ctx, client, after, n.stopping)
	if err != nil {
		return told{err: err}
	}
	var payload []byte
	if parts := strings.Split(string(raw), "."); len(parts) != 3 {
		return told{err: fmt.Errorf("not a JWT: %s", raw)}
	} else if payload, err = base64.RawURLEncoding.DecodeString(parts[1]); err != nil {
		return told{err: err}
	}
	d := json.NewDecoder(strings.NewReader(string(payload)))
	d.DisallowUnknownFields()
	got.err = d.Decode(&got.Revocations)
	return got
}

// poll is answered, or ends the test.
func (n *node) poll(after string) api.Revocations {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	got := n.pollAs(ctx, "shop", after)
	if got.err != nil {
		n.t.Fatal(got.err)
	}
	return got.Revocations
}

// until polls until what is told is right.
func (n *node) until(what string, right func(api.Revocations) bool) api.Revocations {
	n.t.Helper()
	got := n.poll("")
	for end := time.Now().Add(patience); !right(got); got = n.poll(got.Cursor) {
		if time.Now().After(end) {
			n.t.Fatalf("%s: it is told %d sessions", what, len(got.SessionIDs))
		}
	}
	return got
}

// waiting starts polls that wait, and returns what they are answered.
func (n *node) waiting(ctx context.Context, polls int, after string) <-chan told {
	n.t.Helper()
	before, answers := n.feed().Waiting(), make(chan told, polls)
	for range polls {
		go func() { answers <- n.pollAs(ctx, "shop", after) }()
	}
	n.soon("all of them wait", func() bool { return n.feed().Waiting() == before+int64(polls) })
	return answers
}

// soon waits for a condition.
func (n *node) soon(what string, holds func() bool) {
	n.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			n.t.Fatalf("not so after %s: %s", patience, what)
		}
	}
}

// addEnded adds sessions of a user, each ended a millisecond before the one after it, the last so long ago.
func (n *node) addEnded(userID string, count int, ago time.Duration) (ids []string) {
	n.t.Helper()
	last := n.Clock.Now().Add(-ago)
	for from := 0; from < count; from += 500 {
		err := n.Store.Write(n.t.Context(), func(tx *store.Tx) error {
			ids = ids[:from]
			for i := from; i < min(count, from+500); i++ {
				at := last.Add(-time.Duration(count-1-i) * time.Millisecond)
				s := store.Session{
					ID: fmt.Sprintf("%s-%06d", userID, i), UserID: userID, Client: "shop", Kind: "auth",
					CreatedAt: at.Add(-time.Hour), OverallExpiresAt: at.Add(time.Hour), EndedAt: at, EndReason: "signed_out",
				}
				s.Generation, s.RotatedAt, s.IdleExpiresAt, s.BurstAt, s.PrevAt = 1, at, at.Add(time.Hour), at, at
				ids = append(ids, s.ID)
				tx.InsertSession(s)
			}
			return nil
		})
		if err != nil {
			n.t.Fatal(err)
		}
	}
	return ids
}
