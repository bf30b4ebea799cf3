package store_test

// What all tests of the store share: both engines, a fixed time, rows to begin with.

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

func TestMain(m *testing.M) { authtest.Main(m) }

var (
	ctx = context.Background()
	now = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

	never   = time.Unix(0, 0).UTC()
	counter atomic.Int64
)

const grace = 30 * time.Second

// engines runs a test on each engine, with the current schema and no rows.
func engines(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	authtest.Engines(t, func(t *testing.T, db authtest.Database) { test(t, db.Open(t)) })
}

// write commits fn, which must succeed.
func write(t testing.TB, s *store.Store, fn func(*store.Tx) error) {
	t.Helper()
	if err := s.Write(ctx, fn); err != nil {
		t.Fatalf("write: %v", err)
	}
}

// wantErr commits nothing: fn must be refused with the given error.
func wantErr(t testing.TB, s *store.Store, want error, fn func(*store.Tx) error) {
	t.Helper()
	if err := s.Write(ctx, fn); !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// read returns what fn reads.
func read[T any](t testing.TB, s *store.Store, fn func(*store.Tx) (T, error)) T {
	t.Helper()
	var v T
	err := s.Read(ctx, func(tx *store.Tx) (err error) {
		v, err = fn(tx)
		return err
	})
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return v
}

// newID is a fresh id, each greater than the one before.
func newID() string { return fmt.Sprintf("0199aaaa-0000-7000-8000-%012x", counter.Add(1)) }

func newUser() store.User {
	id := newID()
	return store.User{
		ID:           id,
		Email:        id[24:] + "@example.com",
		FirstName:    "Ada",
		LastName:     "Lovelace",
		PasswordHash: "phc",
		Epoch:        1,
		ChangedAt:    now,
		CreatedAt:    now,
		VerifiedAt:   now,
	}
}

// newSession is a session as a sign-in makes it.
func newSession(userID string) store.Session {
	return store.Session{
		ID:     newID(),
		UserID: userID,
		Client: "latchkey",
		Kind:   "auth",
		Rotation: store.Rotation{
			Generation:    1,
			RotatedAt:     now,
			KeyID:         "k1",
			BurstFrom:     1,
			BurstAt:       never,
			PrevFrom:      1,
			PrevAt:        never,
			IdleExpiresAt: now.Add(14 * 24 * time.Hour),
		},
		OverallExpiresAt: now.Add(30 * 24 * time.Hour),
		CreatedAt:        now,
		AuthTime:         now,
		AMR:              "pwd",
		ACR:              "aal1",
		Browser:          "Chrome",
		BrowserVersion:   "140",
		OS:               "Linux",
		DeviceType:       "desktop",
		UserAgent:        "Mozilla/5.0",
		Addr:             "203.0.113.7",
	}
}

func addUser(t testing.TB, s *store.Store) store.User {
	t.Helper()
	u := newUser()
	write(t, s, func(tx *store.Tx) error { return tx.InsertUser(u) })
	return u
}

// addSession adds a session, changed by edit first.
func addSession(t testing.TB, s *store.Store, userID string, edit ...func(*store.Session)) store.Session {
	t.Helper()
	session := newSession(userID)
	for _, change := range edit {
		change(&session)
	}
	write(t, s, func(tx *store.Tx) error { tx.InsertSession(session); return nil })
	return session
}

func sessionByID(t testing.TB, s *store.Store, id string) store.Session {
	t.Helper()
	return read(t, s, func(tx *store.Tx) (store.Session, error) { return tx.SessionByID(id) })
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }
