package store_test

// Changes that share a round trip on PostgreSQL: one commit for all, nobody pays for a neighbour, and
// nobody is told of a success before the commit.

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

// lock holds the rows of sessions until release.
func lock(t *testing.T, s *store.Store, ids ...string) (release func()) {
	t.Helper()
	held, gate, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.Write(ctx, func(tx *store.Tx) error {
			for _, id := range ids {
				if _, err := tx.Exec(`UPDATE sessions SET kid = kid WHERE id = $1`, id); err != nil {
					return err
				}
			}
			close(held)
			<-gate
			return nil
		})
	}()
	<-held
	return func() {
		close(gate)
		if err := <-done; err != nil {
			t.Errorf("hold rows: %v", err)
		}
	}
}

// joint asks for a change of its own accord.
func joint(s *store.Store, fn func(*store.Tx) error) chan error {
	done := make(chan error, 1)
	go func() { done <- s.Joint(ctx, fn) }()
	return done
}

func rotateOnce(session store.Session) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		_, err := tx.Rotate(turn(session.ID, 1, 1, now), now)
		return err
	}
}

// oneGroup makes the changes wait for a lane, so that they are carried out together.
func oneGroup(t *testing.T, s *store.Store, userID string, changes ...func(*store.Tx) error) (outcomes []chan error) {
	t.Helper()
	release, err := store.HoldLanes(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	var leaders []chan error
	for range store.JointLanes {
		id := addSession(t, s, userID).ID
		leaders = append(leaders, joint(s, func(tx *store.Tx) error { return tx.MarkLate(id, 1) }))
	}
	await(t, "the lanes to be taken", func() bool { return store.JointLeaders(s) == store.JointLanes })
	for i, change := range changes {
		outcomes = append(outcomes, joint(s, change))
		await(t, "the change to be queued", func() bool { return store.JointWaiting(s) == i+1 })
	}
	release() // one lane: its leader, then all that wait
	await(t, "the group to be taken", func() bool { return store.JointWaiting(s) == 0 })
	release()
	for _, leader := range leaders {
		if err := <-leader; err != nil {
			t.Fatal(err)
		}
	}
	return outcomes
}

func transactionOf(t *testing.T, s *store.Store, id string) string {
	t.Helper()
	return strings.Join(read(t, s, func(tx *store.Tx) ([]string, error) {
		return store.Column[string](tx, `SELECT CAST(xmin AS TEXT) FROM sessions WHERE id = $1`, id)
	}), "")
}

func TestJointChangesShareACommit(t *testing.T) {
	s := authtest.Postgres(t).Open(t)
	u := addUser(t, s)
	a, b := addSession(t, s, u.ID), addSession(t, s, u.ID)
	outcomes := oneGroup(t, s, u.ID, rotateOnce(b), rotateOnce(a), rotateOnce(b))
	first, second, third := <-outcomes[0], <-outcomes[1], <-outcomes[2]
	// Of the two for one session either may come first; the other finds the generation gone.
	if second != nil || !slices.ContainsFunc([]error{first, third}, isNotFound) || first != nil && third != nil {
		t.Errorf("got %v, %v, %v; want success for a, and for one of the two for b", first, second, third)
	}
	if one, other := transactionOf(t, s, a.ID), transactionOf(t, s, b.ID); one != other {
		t.Errorf("committed in transactions %s and %s, want one", one, other)
	}
	for _, id := range []string{a.ID, b.ID} {
		if got := sessionByID(t, s, id).Generation; got != 2 {
			t.Errorf("generation %d, want 2", got)
		}
	}
}

// A statement that fails is its own caller's trouble; so is a row that somebody holds on to.
func TestJointFailureHarmsNoNeighbour(t *testing.T) {
	s := authtest.Postgres(t).Open(t)
	u := addUser(t, s)
	a, b, c := addSession(t, s, u.ID), addSession(t, s, u.ID), addSession(t, s, u.ID)
	release := lock(t, s, c.ID)
	outcomes := oneGroup(t, s, u.ID, rotateOnce(a), rotateOnce(c), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE sessions SET generation = generation / 0 WHERE id = $1`, b.ID)
		return err
	})
	if err := <-outcomes[0]; err != nil {
		t.Errorf("beside a failing statement and a locked row: %v", err)
	}
	if err := <-outcomes[2]; err == nil || !strings.Contains(err.Error(), "division by zero") {
		t.Errorf("a failing statement: %v", err)
	}
	select {
	case err := <-outcomes[1]:
		t.Errorf("the locked row was answered for: %v", err)
	default:
	}
	release()
	if err := <-outcomes[1]; err != nil {
		t.Errorf("the locked row, once free: %v", err)
	}
}

// Rows that somebody holds on to keep only their own callers waiting, however many they are.
func TestJointWaitsForNoLockedRow(t *testing.T) {
	s := authtest.Postgres(t).Open(t)
	u := addUser(t, s)
	var ids []string
	for range 2 * store.JointLanes {
		ids = append(ids, addSession(t, s, u.ID).ID)
	}
	release := lock(t, s, ids...)
	var stuck []chan error
	for _, id := range ids {
		stuck = append(stuck, joint(s, func(tx *store.Tx) error { return tx.MarkLate(id, 1) }))
	}
	for range 3 {
		if err := s.Joint(ctx, rotateOnce(addSession(t, s, u.ID))); err != nil {
			t.Errorf("beside locked rows: %v", err)
		}
	}
	release()
	for _, done := range stuck {
		if err := <-done; err != nil {
			t.Errorf("a locked row, once free: %v", err)
		}
	}
}

// A defect in reading one caller's row costs no lane.
func TestJointSurvivesAPanic(t *testing.T) {
	s := authtest.Postgres(t).Open(t)
	u := addUser(t, s)
	for range 2 * store.JointLanes {
		err := s.Joint(ctx, func(tx *store.Tx) error {
			return store.EachRow(tx, func() { panic("unreadable") }, `SELECT id FROM users WHERE id = $1`, u.ID)
		})
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
	}
	if err := s.Joint(ctx, rotateOnce(addSession(t, s, u.ID))); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A connection that is lost before the commit is answered leaves nobody with a success.
func TestJointConnectionLost(t *testing.T) {
	s := authtest.Postgres(t).Open(t)
	u := addUser(t, s)
	a, b := addSession(t, s, u.ID), addSession(t, s, u.ID)
	outcomes := oneGroup(t, s, u.ID, rotateOnce(a), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE sessions SET kid = kid WHERE id = $1 AND pg_terminate_backend(pg_backend_pid())`, b.ID)
		return err
	})
	for i, outcome := range outcomes {
		if err := <-outcome; !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%d: got %v, want ErrUnavailable", i, err)
		}
	}
	if got := sessionByID(t, s, a.ID).Generation; got != 1 {
		t.Errorf("generation %d of a change that was not acknowledged, want 1: nothing was committed", got)
	}
	if err := s.Joint(ctx, rotateOnce(a)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
