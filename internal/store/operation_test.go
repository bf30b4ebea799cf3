package store_test

// What holds for every operation, whatever its statements.

import (
	"context"
	"errors"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

// An error, or a panic, undoes the whole; a refusal that must leave traces is no error.
func TestWriteIsWholeOrNothing(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		refusal := errors.New("refused")
		for name, c := range map[string]struct {
			end  func() error
			want error
			kept bool
		}{
			"committed": {func() error { return nil }, nil, true},
			"refused":   {func() error { return refusal }, refusal, false},
			"panicked":  {func() error { panic(refusal) }, nil, false},
		} {
			u, session := newUser(), newSession("")
			err := s.Write(ctx, func(tx *store.Tx) error {
				err := tx.InsertUser(u)
				tx.InsertSession(session)
				return errors.Join(err, c.end())
			})
			if c.kept != (err == nil) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: got %v", name, err)
			}
			err = s.Read(ctx, func(tx *store.Tx) error {
				_, user := tx.UserByID(u.ID)
				_, session := tx.SessionByID(session.ID)
				if isNotFound(user) != isNotFound(session) {
					t.Errorf("%s: half of it stayed", name)
				}
				return user
			})
			if c.kept != (err == nil) {
				t.Errorf("%s: kept: %v", name, err)
			}
		}
	})
}

// A caller who hangs up cuts nothing off: what was asked for happens, and is known to have happened.
func TestHangingUpCutsNothingOff(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		u := newUser()
		for name, err := range map[string]error{
			"write":  s.Write(gone, func(tx *store.Tx) error { return tx.InsertUser(u) }),
			"joint":  s.Joint(gone, func(tx *store.Tx) error { return tx.SetNames(u.ID, "A", "B") }),
			"single": s.Single(gone, func(tx *store.Tx) error { return tx.SetNames(u.ID, "A", "B") }),
			"read":   s.Read(gone, func(tx *store.Tx) error { _, err := tx.UserByID(u.ID); return err }),
		} {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Nobody waits for ever, although no caller says for how long.
func TestOperationsTimeOut(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds until something is given up")
	}
	t.Parallel() // it mostly waits
	s := authtest.SQLite(t).Open(t)
	release := hold(t, s)
	began := time.Now()
	err := s.Write(ctx, func(tx *store.Tx) error { return tx.InsertUser(newUser()) })
	if !errors.Is(err, store.ErrUnavailable) || time.Since(began) > 8*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	release()
	write(t, s, func(tx *store.Tx) error { return tx.InsertUser(newUser()) })
}

func TestClock(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		at, shared, err := s.Clock(ctx)
		if err != nil || shared != (s.Engine() == "postgres") {
			t.Errorf("got %v, shared %v, %v", at, shared, err)
		}
		if shared && time.Since(at).Abs() > time.Minute {
			t.Errorf("the server on this machine has %v", at)
		}
	})
}

// A method that returns nothing fails what is asked next, and Write in any case, with the failure itself: on every engine
// nothing of the transaction lasts, whatever its function makes of it.
func TestDeferredFailureFailsTheWhole(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		event := newEvent("a", now)
		write(t, s, func(tx *store.Tx) error { tx.InsertAudit(event); return nil })
		for name, rest := range map[string]func(tx *store.Tx, u store.User) error{
			"nothing follows":  func(*store.Tx, store.User) error { return nil },
			"a write follows":  func(tx *store.Tx, u store.User) error { return tx.InsertUser(u) },
			"a look follows":   func(tx *store.Tx, u store.User) error { _, err := tx.UserByID(u.ID); return err },
			"it is overlooked": func(tx *store.Tx, u store.User) error { _ = tx.InsertUser(u); return nil },
			"it is hidden":     func(tx *store.Tx, u store.User) error { _ = tx.InsertUser(u); return store.ErrNotFound },
		} {
			u, before := newUser(), newUser()
			err := s.Write(t.Context(), func(tx *store.Tx) error {
				if err := tx.InsertUser(before); err != nil {
					return err
				}
				tx.InsertAudit(event)
				return rest(tx, u)
			})
			if err == nil || errors.Is(err, store.ErrNotFound) && name != "it is hidden" {
				t.Errorf("%s: got %v", name, err)
			}
			for _, id := range []string{before.ID, u.ID} {
				if _, err := s.UserByID(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s: a part of it lasts: %v", name, err)
				}
			}
		}
	})
}
