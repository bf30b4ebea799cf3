package store_test

// The outbox: leases that one worker holds at a time; and the budget of asked-for mails.

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/store"
)

func newMail(due time.Time) store.Mail {
	return store.Mail{
		ID:         newID(),
		Kind:       "reset",
		KeyID:      "k1",
		AddressMAC: []byte{1, 2, 3},
		Payload:    []byte("sealed"),
		Domain:     "b",
		CreatedAt:  due,
		ExpiresAt:  due.Add(time.Hour),
		NextTryAt:  due,
	}
}

func addMail(t testing.TB, s *store.Store, due time.Time) store.Mail {
	t.Helper()
	m := newMail(due)
	write(t, s, func(tx *store.Tx) error { tx.InsertMail(m); return nil })
	return m
}

// claim takes the mail that has been due longest.
func claim(s *store.Store, at, leaseEnd time.Time) (m store.Mail, err error) {
	var due []store.DueMail
	err = s.Read(ctx, func(tx *store.Tx) (err error) {
		due, err = tx.DueMails(at, 1)
		return err
	})
	if err != nil {
		return m, err
	}
	if len(due) == 0 {
		return m, store.ErrNotFound
	}
	err = s.Single(ctx, func(tx *store.Tx) (err error) {
		m, err = tx.ClaimMail(due[0], leaseEnd)
		return err
	})
	return m, err
}

func TestClaimMailLeases(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		second, first := addMail(t, s, now.Add(-time.Second)), addMail(t, s, now.Add(-time.Minute))
		addMail(t, s, now.Add(time.Microsecond)) // not due yet

		want := first
		want.NextTryAt, want.Tries = now.Add(time.Minute), 1
		got, err := claim(s, now, now.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("longest due (-want +got):\n%s", diff)
		}
		if got, err = claim(s, now, now.Add(time.Minute)); err != nil || got.ID != second.ID {
			t.Errorf("got %s, %v, want the second longest due", got.ID, err)
		}
		if _, err = claim(s, now, now.Add(time.Minute)); !isNotFound(err) {
			t.Errorf("got %v, want none due", err)
		}
	})
}

// A worker whose lease ran out may not say how the mail ended: another has it.
func TestMailBelongsToItsLease(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		addMail(t, s, now)
		lost, err := claim(s, now, now.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		later := now.Add(time.Minute)
		held, err := claim(s, later, later.Add(time.Minute))
		if err != nil || held.ID != lost.ID || held.Tries != 2 {
			t.Fatalf("the lease ran out: got %+v, %v", held, err)
		}
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.EndMail(lost, "sent", "", later) })
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.PostponeMail(lost, later, "") })

		write(t, s, func(tx *store.Tx) error { return tx.PostponeMail(held, later.Add(time.Hour), "421 busy") })
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.EndMail(held, "sent", "", later) })
		if _, err := claim(s, later.Add(time.Minute), later.Add(2*time.Minute)); !isNotFound(err) {
			t.Errorf("postponed, but claimed: %v", err)
		}
		waits := read(t, s, func(tx *store.Tx) (store.Mail, error) { return tx.MailByID(held.ID) })
		write(t, s, func(tx *store.Tx) error { return tx.PostponeMail(waits, later, waits.LastError) })
		held, err = claim(s, later, later.Add(time.Minute))
		if err != nil || held.LastError != "421 busy" || held.Tries != 3 {
			t.Fatalf("retried: got %+v, %v", held, err)
		}
		write(t, s, func(tx *store.Tx) error { return tx.EndMail(held, "sent", "", later) })
		want := held
		want.EndedAt, want.Outcome, want.LastError, want.Payload, want.Domain = later, "sent", "", nil, "-"
		got := read(t, s, func(tx *store.Tx) (store.Mail, error) { return tx.MailByID(held.ID) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ended (-want +got):\n%s", diff)
		}
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.EndMail(held, "refused", "", later) })
		if _, err := claim(s, later.Add(time.Hour), later.Add(2*time.Hour)); !isNotFound(err) {
			t.Errorf("ended, but claimed: %v", err)
		}
	})
}

// 16 workers on 200 mails: each mail is claimed once.
func TestClaimMailNeverTwice(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		const mails, workers = 200, 16
		write(t, s, func(tx *store.Tx) error {
			for i := range mails {
				tx.InsertMail(newMail(now.Add(-time.Duration(i) * time.Second)))
			}
			return nil
		})
		var mu sync.Mutex
		claimed := map[string]bool{}
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
					m, err := claim(s, now, now.Add(time.Hour))
					mu.Lock()
					twice, all := err == nil && claimed[m.ID], len(claimed) == mails
					if err == nil {
						claimed[m.ID] = true
					}
					mu.Unlock()
					switch {
					case twice:
						t.Errorf("mail %s claimed twice", m.ID)
						return
					case err != nil && !isNotFound(err):
						t.Errorf("claim: %v", err)
						return
					case err != nil && all:
						return
					}
				}
			})
		}
		wg.Wait()
		if len(claimed) != mails {
			t.Errorf("%d of %d mails claimed", len(claimed), mails)
		}
	})
}

func TestMailsAndWaiting(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		depth := func() string {
			return read(t, s, func(tx *store.Tx) (string, error) {
				n, oldest, err := tx.WaitingMail()
				return fmt.Sprint(n, oldest.UTC()), err
			})
		}
		if got, want := depth(), fmt.Sprint(0, time.Time{}); got != want {
			t.Errorf("empty: got %s, want %s", got, want)
		}
		a, b, c := addMail(t, s, now), addMail(t, s, now.Add(time.Hour)), addMail(t, s, now.Add(-time.Hour))
		ended, err := claim(s, now, now.Add(time.Minute)) // c
		if err != nil {
			t.Fatal(err)
		}
		write(t, s, func(tx *store.Tx) error { return tx.EndMail(ended, "sent", "", now) })
		if got, want := depth(), fmt.Sprint(2, now); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for _, q := range []struct {
			waiting bool
			limit   int64
			want    []string
		}{{false, 10, []string{c.ID, b.ID, a.ID}}, {true, 10, []string{b.ID, a.ID}}, {false, 1, []string{c.ID}}} {
			list := read(t, s, func(tx *store.Tx) ([]store.Mail, error) { return tx.Mails(q.waiting, q.limit) })
			var got []string
			for _, m := range list {
				got = append(got, m.ID)
			}
			if diff := cmp.Diff(q.want, got); diff != "" {
				t.Errorf("waiting %v, at most %d (-want +got):\n%s", q.waiting, q.limit, diff)
			}
		}
		sweep := func(before time.Time, limit int64) (n int64) {
			write(t, s, func(tx *store.Tx) (err error) {
				n, err = tx.SweepMail(before, limit)
				return err
			})
			return n
		}
		if n := sweep(now, 10); n != 0 {
			t.Errorf("swept %d too early", n)
		}
		if n := sweep(now.Add(time.Microsecond), 10); n != 1 {
			t.Errorf("swept %d, want the one that ended", n)
		}
		if n := sweep(now.Add(1000*time.Hour), 10); n != 0 {
			t.Errorf("swept %d that wait", n)
		}
	})
}

// One a minute and five an hour; a refused one changes nothing.
func TestTakeMailBudget(t *testing.T) {
	steps := []struct {
		after time.Duration // since the first
		want  bool
		clear bool
	}{
		{after: 0, want: true},
		{after: 0, want: false},
		{after: time.Minute - time.Microsecond, want: false},
		{after: time.Minute, want: true}, // the refused ones have not moved the minute
		{after: 2 * time.Minute, want: true},
		{after: 3 * time.Minute, want: true},
		{after: 4 * time.Minute, want: true},
		{after: 5 * time.Minute, want: false}, // the sixth in the hour
		{after: time.Hour - time.Microsecond, want: false},
		{after: time.Hour, want: true},
		{after: time.Hour + time.Minute - time.Microsecond, want: false},
		{after: time.Hour + time.Minute, want: true},
		{after: time.Hour + time.Minute, want: true, clear: true}, // a link was used
		{after: time.Hour + time.Minute, want: false},
	}
	engines(t, func(t *testing.T, s *store.Store) {
		take := func(key string, at time.Time) (ok bool) {
			write(t, s, func(tx *store.Tx) (err error) {
				ok, err = tx.TakeMailBudget([]byte(key), time.Minute, time.Hour, at)
				return err
			})
			return ok
		}
		for i, step := range steps {
			if step.clear {
				write(t, s, func(tx *store.Tx) error { tx.ClearMailBudget([]byte("ada")); return nil })
			}
			if got := take("ada", now.Add(step.after)); got != step.want {
				t.Errorf("step %d, %v after the first: got %v, want %v", i, step.after, got, step.want)
			}
		}
		if !take("bob", now) {
			t.Error("another mailbox was refused")
		}
		won := race(t, 64, func() error {
			var ok bool
			err := s.Single(ctx, func(tx *store.Tx) (err error) {
				ok, err = tx.TakeMailBudget([]byte("cyd"), time.Minute, time.Hour, now)
				return err
			})
			if err == nil && !ok {
				err = store.ErrNotFound
			}
			return err
		})
		if won != 1 {
			t.Errorf("%d of 64 at once were let through, want 1", won)
		}
		var swept int64
		write(t, s, func(tx *store.Tx) (err error) {
			swept, err = tx.SweepMailBudgets(now.Add(time.Microsecond), 10)
			return err
		})
		if swept != 2 || !take("bob", now) || take("ada", now.Add(time.Hour+time.Minute)) {
			t.Errorf("swept %d, want bob's and cyd's and not ada's", swept)
		}
	})
}

// Two rows of one id cannot be: the second is refused, not merged.
func TestInsertMailTwice(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		m := addMail(t, s, now)
		err := s.Write(ctx, func(tx *store.Tx) error { tx.InsertMail(m); return nil })
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("got %v, want ErrConflict", err)
		}
	})
}

// A refused mail keeps its payload until it expires, and can be revived as long.
func TestRefusedMail(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		m := addMail(t, s, now)
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.ReviveMail(m.ID, now) }) // it waits
		refuse := func(at time.Time) {
			t.Helper()
			held, err := claim(s, at, at.Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			write(t, s, func(tx *store.Tx) error { return tx.RefuseMail(held, "refused", "550 no", at) })
			wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.RefuseMail(held, "refused", "550 no", at) })
		}
		look := func() store.Mail {
			return read(t, s, func(tx *store.Tx) (store.Mail, error) { return tx.MailByID(m.ID) })
		}
		wipe := func(at time.Time) (n int64) {
			write(t, s, func(tx *store.Tx) (err error) { n, err = tx.WipeMail(at, 10); return err })
			return n
		}
		refuse(now)
		if got := look(); got.Outcome != "refused" || got.LastError != "550 no" || string(got.Payload) != "sealed" || !got.EndedAt.Equal(now) {
			t.Errorf("refused: %+v", got)
		}
		if _, err := claim(s, now.Add(time.Hour), now.Add(2*time.Hour)); !isNotFound(err) {
			t.Errorf("refused, but claimed: %v", err)
		}
		later := now.Add(time.Minute)
		write(t, s, func(tx *store.Tx) error { return tx.ReviveMail(m.ID, later) })
		if got := look(); got.Outcome != "" || !got.EndedAt.IsZero() || !got.NextTryAt.Equal(later) || got.Domain != m.Domain {
			t.Errorf("revived: %+v", got)
		}
		refuse(later)
		if n := wipe(m.ExpiresAt.Add(-time.Microsecond)); n != 0 || look().Payload == nil {
			t.Errorf("wiped %d before it expired", n)
		}
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.ReviveMail(m.ID, m.ExpiresAt) })
		if n := wipe(m.ExpiresAt); n != 1 || look().Payload != nil {
			t.Errorf("wiped %d when it had expired", n)
		}
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.ReviveMail(m.ID, later) })
		found, err := s.Violations(ctx)
		if err != nil || len(found) > 0 {
			t.Errorf("the auditor finds %v, %v", found, err)
		}
	})
}
