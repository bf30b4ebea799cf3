package store_test

// Statements that share a round trip on PostgreSQL: one commit for all, nobody pays for a neighbour, and
// nobody is told of a success before the commit.

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
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
	select {
	case <-held:
	case err := <-done:
		t.Fatalf("hold rows: %v", err)
	}
	return releaseOnce(t, func() {
		close(gate)
		if err := <-done; err != nil {
			t.Errorf("hold rows: %v", err)
		}
	})
}

// how is Store.Joint or Store.Lookup.
type how func(context.Context, func(*store.Tx) error) error

// ask calls of its own accord.
func ask(how how, fn func(*store.Tx) error) chan error {
	done := make(chan error, 1)
	go func() { done <- how(ctx, fn) }()
	return done
}

func rotateOnce(session store.Session) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		_, err := tx.Rotate(rotateParams(session.ID, 1, 1, now), now)
		return err
	}
}

// oneGroup makes the calls wait for a lane, so that they are carried out together. The test holds the lanes
// itself: a leader with work of its own may take a call before the test has seen it wait.
func oneGroup(t *testing.T, j *store.Joiner, how how, fns ...func(*store.Tx) error) (outcomes []chan error) {
	t.Helper()
	free := holdLanes(t, j)
	for i, fn := range fns {
		outcomes = append(outcomes, ask(how, fn))
		await(t, "the call to be queued", func() bool { return j.Waiting() == i+1 })
	}
	free[0]() // the first call leads, and takes along all that wait
	await(t, "the group to be taken", func() bool { return j.Waiting() == 0 })
	for _, release := range free[1:] {
		release()
	}
	return outcomes
}

// holdLanes takes every lane as it becomes free. A test that ends early frees them.
func holdLanes(t *testing.T, j *store.Joiner) (free []func()) {
	t.Helper()
	for range store.JointLanes {
		await(t, "a free lane", func() bool {
			release, held := j.HoldLane()
			if held {
				free = append(free, releaseOnce(t, release))
			}
			return held
		})
	}
	return free
}

// releaseOnce is release, which the end of the test calls if the test did not: what waits for it must not
// outlive the test.
func releaseOnce(t *testing.T, release func()) func() {
	release = sync.OnceFunc(release)
	t.Cleanup(release)
	return release
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
	outcomes := oneGroup(t, store.Changes(s), s.Joint, rotateOnce(b), rotateOnce(a), rotateOnce(b))
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
	outcomes := oneGroup(t, store.Changes(s), s.Joint, rotateOnce(a), rotateOnce(c), func(tx *store.Tx) error {
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
		stuck = append(stuck, ask(s.Joint, func(tx *store.Tx) error { return tx.MarkLate(id, 1) }))
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
	outcomes := oneGroup(t, store.Changes(s), s.Joint, rotateOnce(a), func(tx *store.Tx) error {
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

// Lookups of callers who wait together are one round trip, and so one transaction; each gets its own rows.
func TestLookupsShareARoundTrip(t *testing.T) {
	s := authtest.Postgres(t).Open(t)
	u := addUser(t, s)
	found, started := make([]store.Session, 3), make([][]string, 3)
	var fns []func(*store.Tx) error
	for i := range found {
		id := addSession(t, s, u.ID).ID
		fns = append(fns, func(tx *store.Tx) (err error) {
			if started[i], err = store.Column[string](tx, `SELECT CAST(now() AS TEXT)`); err != nil {
				return err
			}
			found[i], err = tx.SessionByID(id)
			return err
		})
	}
	for i, outcome := range oneGroup(t, store.Lookups(s), s.Lookup, fns...) {
		if err := <-outcome; err != nil {
			t.Errorf("lookup %d: %v", i, err)
		}
		if started[i][0] != started[0][0] {
			t.Errorf("lookup %d began at %s, the first at %s: want one transaction", i, started[i], started[0])
		}
	}
	for i, session := range found {
		if want := sessionByID(t, s, session.ID); session.ID == "" || session != want {
			t.Errorf("lookup %d found %+v, want %+v", i, session, want)
		}
	}
}

// A lookup that fails is its own caller's trouble.
func TestLookupFailureHarmsNoNeighbour(t *testing.T) {
	s := authtest.Postgres(t).Open(t)
	id := addSession(t, s, addUser(t, s).ID).ID
	find := func(tx *store.Tx) error { _, err := tx.SessionByID(id); return err }
	outcomes := oneGroup(t, store.Lookups(s), s.Lookup, find, func(tx *store.Tx) error {
		_, err := store.Column[string](tx, `SELECT id FROM sessions WHERE id = $1 AND 1 / (generation - generation) > 0`, id)
		return err
	}, find)
	if err := <-outcomes[1]; err == nil || !strings.Contains(err.Error(), "division by zero") {
		t.Errorf("a failing statement: %v", err)
	}
	for _, i := range []int{0, 2} {
		if err := <-outcomes[i]; err != nil {
			t.Errorf("beside a failing statement: %v", err)
		}
	}
}
