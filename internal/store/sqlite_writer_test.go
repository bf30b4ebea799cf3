package store_test

// Group commit: what waits together is committed together, and nobody pays for a neighbour.

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

// hold keeps the writer busy until release, which returns when the writer is free again.
func hold(t *testing.T, s *store.Store) (release func()) {
	t.Helper()
	held, gate, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.Write(ctx, func(*store.Tx) error {
			close(held)
			<-gate
			return nil
		})
	}()
	select {
	case <-held:
	case err := <-done:
		t.Fatalf("hold the writer: %v", err)
	}
	return releaseOnce(t, func() {
		close(gate)
		if err := <-done; err != nil {
			t.Errorf("hold the writer: %v", err)
		}
	})
}

// together commits fns as one group, in order, and returns their errors.
func together(t *testing.T, s *store.Store, fns ...func(*store.Tx) error) []error {
	t.Helper()
	release := hold(t, s)
	outcomes := make([]chan error, len(fns))
	for i, fn := range fns {
		outcomes[i] = queue(t, s, ctx, fn)
	}
	release()
	errs := make([]error, len(fns))
	for i := range outcomes {
		errs[i] = <-outcomes[i]
	}
	return errs
}

// queue puts fn behind what waits already.
func queue(t *testing.T, s *store.Store, ctx context.Context, fn func(*store.Tx) error) chan error {
	t.Helper()
	before, done := s.QueueLength(), make(chan error, 1)
	go func() { done <- s.Submit(ctx, fn) }()
	runtime.Gosched() // mostly that is enough, and a sleep is long
	await(t, "the transaction to be queued", func() bool { return s.QueueLength() > before })
	return done
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(50 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// scratch is a table of the tests' own.
func scratch(t *testing.T, s *store.Store) {
	t.Helper()
	write(t, s, func(tx *store.Tx) error {
		_, err := tx.Exec(`CREATE TABLE scratch (name TEXT NOT NULL PRIMARY KEY, parent TEXT REFERENCES scratch (name) DEFERRABLE INITIALLY DEFERRED)`)
		return err
	})
}

func insert(name string) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO scratch (name) VALUES ($1)`, name)
		return err
	}
}

func inScratch(tx *store.Tx) (string, error) {
	names, err := store.Column[string](tx, `SELECT substr(name, 1, 9) FROM scratch ORDER BY name`)
	return strings.Join(names, " "), err
}

func TestAGroupSharesItsCommit(t *testing.T) {
	s := authtest.SQLite(t).Open(t)
	scratch(t, s)
	var inside, outside string
	look := func(tx *store.Tx) (err error) {
		if inside, err = inScratch(tx); err != nil {
			return err
		}
		return s.Read(ctx, func(tx *store.Tx) (err error) {
			outside, err = inScratch(tx)
			return err
		})
	}
	if err := errors.Join(together(t, s, insert("a"), insert("b"), look, insert("c"))...); err != nil {
		t.Fatal(err)
	}
	if inside != "a b" || outside != "" {
		t.Errorf("in the middle of the group it saw %q and the others %q, want %q and nothing", inside, outside, "a b")
	}
	if got := read(t, s, inScratch); got != "a b c" {
		t.Errorf("committed %q", got)
	}
}

func TestMoreThanAGroup(t *testing.T) {
	s := authtest.SQLite(t).Open(t)
	scratch(t, s)
	var fns []func(*store.Tx) error
	for i := range 2*store.MaxGroup + 1 {
		fns = append(fns, insert(fmt.Sprintf("n%04d", i)))
	}
	if err := errors.Join(together(t, s, fns...)...); err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(read(t, s, inScratch)); len(got) != len(fns) {
		t.Errorf("%d of %d committed", len(got), len(fns))
	}
}

// Whoever fails or panics is undone alone.
func TestAFailureHarmsNoNeighbour(t *testing.T) {
	s := authtest.SQLite(t).Open(t)
	scratch(t, s)
	refusal := errors.New("refused")
	errs := together(t, s,
		insert("a"),
		func(tx *store.Tx) error { return errors.Join(insert("b")(tx), refusal) },
		func(tx *store.Tx) error {
			if err := insert("c")(tx); err != nil {
				return err
			}
			panic("at once")
		},
		insert("a"),
		func(tx *store.Tx) error { return tx.Script("nonsense") },
		insert("d"),
	)
	for i, ok := range []func(error) bool{
		func(err error) bool { return err == nil },
		func(err error) bool { return errors.Is(err, refusal) && !errors.Is(err, store.ErrUnavailable) },
		func(err error) bool { return err != nil && strings.Contains(err.Error(), "at once") },
		func(err error) bool { return errors.Is(err, store.ErrConflict) },
		func(err error) bool { return err != nil && !errors.Is(err, store.ErrUnavailable) },
		func(err error) bool { return err == nil },
	} {
		if !ok(errs[i]) {
			t.Errorf("transaction %d: got %v", i, errs[i])
		}
	}
	if got := read(t, s, inScratch); got != "a d" {
		t.Errorf("committed %q, want %q", got, "a d")
	}
}

// A full disk takes the whole transaction down in the middle of a group: its own caller fails, the
// neighbours, those before it too, commit all the same.
func TestFullInTheMiddleOfAGroup(t *testing.T) {
	s := authtest.SQLite(t).Open(t)
	scratch(t, s)
	limit(t, s, 4)
	runs := 0
	large := insert("large" + strings.Repeat("x", 1<<20))
	first := func(tx *store.Tx) error {
		runs++
		return insert("first")(tx)
	}
	// It does not see, or does not say, that it has failed: it may neither succeed nor go on outside of
	// any transaction.
	blind := func(tx *store.Tx) error {
		_ = large(tx)
		_ = insert("blind")(tx)
		return nil
	}
	errs := together(t, s, first, large, insert("second"), blind, insert("third"), large)
	for i, want := range []error{nil, store.ErrUnavailable, nil, store.ErrUnavailable, nil, store.ErrUnavailable} {
		if !errors.Is(errs[i], want) {
			t.Errorf("transaction %d: got %v, want %v", i, errs[i], want)
		}
	}
	if got := read(t, s, inScratch); got != "first second third" {
		t.Errorf("committed %q", got)
	}
	if runs < 2 {
		t.Error("the transaction was never lost: this test tests nothing")
	}
	limit(t, s, 1<<20)
	write(t, s, large)
}

// limit lets the file grow by so many pages.
func limit(t *testing.T, s *store.Store, pages int64) {
	t.Helper()
	err := s.EachConn(ctx, func(tx *store.Tx) error {
		count, err := store.Column[int64](tx, `PRAGMA page_count`)
		if err != nil {
			return err
		}
		return tx.Script(fmt.Sprintf("PRAGMA max_page_count = %d", count[0]+pages))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// When the commit itself fails, nobody may act on what a neighbour had changed: who was refused for a
// change that is gone is not refused, but told to come again.
func TestAFailedCommitIsEverybodys(t *testing.T) {
	s := authtest.SQLite(t).Open(t)
	scratch(t, s)
	orphan := func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO scratch (name, parent) VALUES ('orphan', 'nobody')`)
		return err
	}
	for i, err := range together(t, s, insert("a"), orphan, insert("a")) {
		if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrConflict) {
			t.Errorf("transaction %d: got %v, want ErrUnavailable", i, err)
		}
	}
	write(t, s, insert("a"))
}

// A context ends the wait; what has not begun never happens.
func TestWithdraw(t *testing.T) {
	s := authtest.SQLite(t).Open(t)
	scratch(t, s)
	release := hold(t, s)
	before := queue(t, s, ctx, insert("before"))
	giveUp, cancel := context.WithCancel(ctx)
	given := queue(t, s, giveUp, insert("given up"))
	after := queue(t, s, ctx, insert("after"))
	cancel()
	if err := <-given; !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("given up: got %v", err)
	}
	release()
	if err := errors.Join(<-before, <-after); err != nil {
		t.Errorf("the others: %v", err)
	}
	if got := read(t, s, inScratch); got != "after before" {
		t.Errorf("committed %q", got)
	}
}

// Whoever gives up while it is under way, or about to lead, hears how it really ended.
func TestGivingUpTooLate(t *testing.T) {
	s := authtest.SQLite(t).Open(t)
	scratch(t, s)
	giveUp, cancel := context.WithCancel(ctx)
	for i := range 20 {
		release := hold(t, s)
		leader := queue(t, s, giveUp, insert(fmt.Sprint("leader", i)))
		go cancel()
		release()
		err := <-leader
		done := strings.Contains(read(t, s, inScratch), fmt.Sprint("leader", i))
		if done != (err == nil) {
			t.Errorf("got %v, but committed: %v", err, done)
		}
		giveUp, cancel = context.WithCancel(ctx)
	}
	cancel()
}

func TestTheQueueIsBounded(t *testing.T) {
	s := authtest.SQLite(t).Open(t)
	scratch(t, s)
	release := hold(t, s)
	done := make(chan error, store.MaxWaiting)
	for i := range store.MaxWaiting {
		go func() { done <- s.Submit(ctx, insert(fmt.Sprint(i))) }()
	}
	await(t, "a full queue", func() bool { return s.QueueLength() == store.MaxWaiting })
	if err := s.Write(ctx, insert("one too many")); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("one too many: got %v, want ErrUnavailable", err)
	}
	release()
	for range store.MaxWaiting {
		if err := <-done; err != nil {
			t.Fatalf("one that waited: %v", err)
		}
	}
}

// While another process holds the lock: writes are refused in time, reads go on, nobody reopens.
func TestLockedByAnotherProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds until something is given up")
	}
	t.Parallel() // it mostly waits
	db := authtest.SQLite(t)
	s := db.Open(t)
	scratch(t, s)
	other, err := sqlite3.Open(db.Options.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	done := make(chan error, 10)
	for i := range cap(done) {
		go func() { done <- s.Write(ctx, insert(fmt.Sprint("locked", i))) }()
	}
	if got := read(t, s, inScratch); got != "" {
		t.Errorf("read %q", got)
	}
	for range cap(done) {
		if err := <-done; !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the refusal took %v", took)
	}
	if err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	write(t, s, insert("free"))
	if got := read(t, s, inScratch); got != "free" {
		t.Errorf("committed %q", got)
	}
}

// A command works beside a server that never stops writing.
func TestASecondProcessIsNotStarved(t *testing.T) {
	db := authtest.SQLite(t)
	server, command := db.Open(t), db.Open(t)
	scratch(t, server)
	stop := make(chan struct{})
	busy := make(chan error, 32)
	for i := range cap(busy) {
		go func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					busy <- nil
					return
				default:
				}
				if err := server.Write(ctx, insert(fmt.Sprint("server ", i, n))); err != nil {
					busy <- err
					return
				}
			}
		}()
	}
	var slowest time.Duration
	for i := range 20 {
		began := time.Now()
		if err := command.Write(ctx, insert(fmt.Sprint("command ", i))); err != nil {
			t.Errorf("write %d beside a busy server: %v", i, err)
		}
		slowest = max(slowest, time.Since(began))
	}
	close(stop)
	for range cap(busy) {
		if err := <-busy; err != nil {
			t.Errorf("the server: %v", err)
		}
	}
	t.Logf("slowest write of the second process: %v", slowest)
}

// Close lets what waits finish; what comes later is refused.
func TestCloseFinishesWhatWaits(t *testing.T) {
	db := authtest.SQLite(t)
	s, err := store.Open(ctx, db.Options)
	if err != nil {
		t.Fatal(err)
	}
	scratch(t, s)
	release := hold(t, s)
	var waiting []chan error
	for i := range 10 {
		waiting = append(waiting, queue(t, s, ctx, insert(fmt.Sprint(i))))
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	await(t, "the end to be queued", func() bool { return s.QueueLength() == len(waiting)+1 })
	if err := s.Write(ctx, insert("late")); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while closing: got %v, want ErrUnavailable at once", err)
	}
	release()
	for i := range waiting {
		if err := <-waiting[i]; err != nil {
			t.Errorf("transaction %d: %v", i, err)
		}
	}
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
	if err := s.Read(ctx, func(*store.Tx) error { return nil }); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read when closed: got %v, want ErrUnavailable at once", err)
	}
	again := db.Open(t)
	if got := strings.Fields(read(t, again, inScratch)); len(got) != len(waiting) || slices.Contains(got, "late") {
		t.Errorf("kept %q", got)
	}
}
