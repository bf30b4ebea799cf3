package store_test

// Accounts, and their row as the lock of everything done to a user.

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/store"
)

func userByID(t *testing.T, s *store.Store, id string) store.User {
	t.Helper()
	return read(t, s, func(tx *store.Tx) (store.User, error) { return tx.UserByID(id) })
}

// I12: one account per canonical email; the transaction that lost goes on.
func TestInsertUser(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		want := newUser()
		want.DisabledAt, want.SignedInAt, want.PasswordHash = now.Add(time.Second), now.Add(time.Minute), ""
		want.Language = "de"
		write(t, s, func(tx *store.Tx) error { return tx.InsertUser(want) })
		if diff := cmp.Diff(want, userByID(t, s, want.ID)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		byEmail := read(t, s, func(tx *store.Tx) (store.User, error) { return tx.UserByEmail(want.Email) })
		if diff := cmp.Diff(want, byEmail); diff != "" {
			t.Errorf("by email (-want +got):\n%s", diff)
		}
		again, session := newUser(), newSession(want.ID)
		again.Email = want.Email
		write(t, s, func(tx *store.Tx) error {
			if err := tx.InsertUser(again); !errors.Is(err, store.ErrConflict) {
				t.Errorf("got %v, want ErrConflict", err)
			}
			tx.InsertSession(session)
			return nil
		})
		sessionByID(t, s, session.ID)
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { _, err := tx.UserByID(again.ID); return err })
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { _, err := tx.UserByEmail("nobody@example.com"); return err })
	})
}

func TestUsersAfter(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		var want []string
		for range 5 {
			want = append(want, addUser(t, s).Email)
		}
		var got []string
		for after := ""; ; after = got[len(got)-1] {
			page := read(t, s, func(tx *store.Tx) ([]store.User, error) { return tx.UsersAfter(after, 2) })
			for _, u := range page {
				got = append(got, u.Email)
			}
			if len(page) == 0 {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("paged (-want +got):\n%s", diff)
		}
	})
}

func TestChangingAUser(t *testing.T) {
	later := now.Add(time.Hour)
	cases := []struct {
		name   string
		change func(*store.Tx, string) error
		want   func(*store.User)
	}{
		{
			"password",
			func(tx *store.Tx, id string) error { return tx.SetPassword(id, "new", later) },
			func(u *store.User) { u.PasswordHash, u.Epoch, u.ChangedAt = "new", 2, later },
		},
		{
			"email",
			func(tx *store.Tx, id string) error { return tx.SetEmail(id, id+"@example.org", later) },
			func(u *store.User) { u.Email, u.Epoch, u.ChangedAt = u.ID+"@example.org", 2, later },
		},
		{
			"disable",
			func(tx *store.Tx, id string) error { return tx.SetDisabled(id, later, later) },
			func(u *store.User) { u.DisabledAt, u.Epoch, u.ChangedAt = later, 2, later },
		},
		{
			"enable",
			func(tx *store.Tx, id string) error {
				return errors.Join(tx.SetDisabled(id, now, now), tx.SetDisabled(id, time.Time{}, later))
			},
			func(u *store.User) { u.Epoch, u.ChangedAt = 3, later },
		},
		{
			"names",
			func(tx *store.Tx, id string) error { return tx.SetNames(id, "Grace", "Hopper") },
			func(u *store.User) { u.FirstName, u.LastName = "Grace", "Hopper" },
		},
		{
			"language",
			func(tx *store.Tx, id string) error { return tx.SetLanguage(id, "de") },
			func(u *store.User) { u.Language = "de" },
		},
		{
			"rehash",
			func(tx *store.Tx, id string) error { tx.Rehash(id, "phc", "stronger"); return nil },
			func(u *store.User) { u.PasswordHash = "stronger" },
		},
		{
			"rehash of what is no longer the hash",
			func(tx *store.Tx, id string) error { tx.Rehash(id, "old", "stronger"); return nil },
			func(*store.User) {},
		},
		{
			"verified before",
			func(tx *store.Tx, id string) error { tx.MarkVerified(id, later); return nil },
			func(*store.User) {},
		},
		{
			"sign-in",
			func(tx *store.Tx, id string) error { return tx.NoteSignIn(id, later) },
			func(u *store.User) { u.SignedInAt = later },
		},
		{
			"hold",
			func(tx *store.Tx, id string) error { _, err := tx.HoldUser(id); return err },
			func(*store.User) {},
		},
	}
	engines(t, func(t *testing.T, s *store.Store) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				u, other := addUser(t, s), addUser(t, s)
				write(t, s, func(tx *store.Tx) error { return c.change(tx, u.ID) })
				c.want(&u)
				if diff := cmp.Diff([]store.User{u, other}, []store.User{userByID(t, s, u.ID), userByID(t, s, other.ID)}); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	})
}

// Told at most once in a while, however many new devices there are at once.
func TestNoteNotified(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		u := addUser(t, s)
		note := func(at time.Time) error {
			var told bool
			err := s.Write(ctx, func(tx *store.Tx) (err error) {
				told, err = tx.NoteNotified(u.ID, time.Hour, time.Minute, at)
				return err
			})
			if err == nil && !told {
				err = store.ErrNotFound
			}
			return err
		}
		if told := race(t, 16, func() error { return note(now) }); told != 1 {
			t.Errorf("told %d times at once, want once", told)
		}
		if err := note(now.Add(time.Hour)); !isNotFound(err) {
			t.Errorf("an hour later: got %v, want not yet", err)
		}
		if err := note(now.Add(time.Hour + time.Microsecond)); err != nil {
			t.Errorf("over an hour later: %v", err)
		}
		if err := note(now.Add(time.Hour - time.Minute + time.Microsecond)); !isNotFound(err) {
			t.Errorf("by a clock that is a minute behind: got %v, want not yet", err)
		}
		if err := note(now); err != nil {
			t.Errorf("after the clock was put back by an hour: %v", err)
		}
	})
}

func TestMarkVerified(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		u := newUser()
		u.VerifiedAt = time.Time{}
		write(t, s, func(tx *store.Tx) error {
			err := tx.InsertUser(u)
			tx.MarkVerified(u.ID, now)
			return err
		})
		if got := userByID(t, s, u.ID).VerifiedAt; !got.Equal(now) {
			t.Errorf("verified at %v, want %v", got, now)
		}
	})
}

func TestSetEmailConflict(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ada, bob := addUser(t, s), addUser(t, s)
		wantErr(t, s, store.ErrConflict, func(tx *store.Tx) error {
			if err := tx.SetNames(ada.ID, "Half", "Done"); err != nil {
				return err
			}
			return tx.SetEmail(ada.ID, bob.Email, now)
		})
		if diff := cmp.Diff([]store.User{ada, bob}, []store.User{userByID(t, s, ada.ID), userByID(t, s, bob.ID)}); diff != "" {
			t.Errorf("something of the refused change stayed (-want +got):\n%s", diff)
		}
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.SetEmail(newID(), "new@example.com", now) })
	})
}

func TestTakeAndHoldUser(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		u, disabled := addUser(t, s), newUser()
		disabled.DisabledAt = now
		write(t, s, func(tx *store.Tx) error { return tx.InsertUser(disabled) })
		take := func(id string, epoch int64) func(*store.Tx) error {
			return func(tx *store.Tx) error { _, err := tx.TakeUser(id, epoch); return err }
		}
		wantErr(t, s, store.ErrNotFound, take(u.ID, 2))
		wantErr(t, s, store.ErrNotFound, take(disabled.ID, 1))
		wantErr(t, s, store.ErrNotFound, take(newID(), 1))
		for name, get := range map[string]func(*store.Tx) (store.User, error){
			"take":          func(tx *store.Tx) (store.User, error) { return tx.TakeUser(u.ID, 1) },
			"hold":          func(tx *store.Tx) (store.User, error) { return tx.HoldUser(u.ID) },
			"hold by email": func(tx *store.Tx) (store.User, error) { return tx.HoldUserByEmail(u.Email) },
		} {
			var got store.User
			write(t, s, func(tx *store.Tx) (err error) { got, err = get(tx); return err })
			if diff := cmp.Diff(u, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		write(t, s, func(tx *store.Tx) error { _, err := tx.HoldUser(disabled.ID); return err })
		write(t, s, func(tx *store.Tx) error { return tx.DeleteUser(u.ID) })
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.DeleteUser(u.ID) })
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { _, err := tx.HoldUserByEmail(u.Email); return err })
	})
}

// I5: a sign-in that began before a password change cannot slip a session past it. Whoever comes
// second waits for the row, and then sees what the first has done.
func TestTheUsersRowIsTheLock(t *testing.T) {
	signIn := func(userID string) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			if _, err := tx.TakeUser(userID, 1); err != nil {
				return err
			}
			tx.InsertSession(newSession(userID))
			return nil
		}
	}
	change := func(userID string) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			if _, err := tx.HoldUser(userID); err != nil {
				return err
			}
			if err := tx.SetPassword(userID, "new", now); err != nil {
				return err
			}
			_, err := tx.EndSessions(userID, "", "password_changed", now)
			return err
		}
	}
	engines(t, func(t *testing.T, s *store.Store) {
		for _, c := range []struct {
			name          string
			first, second func(userID string) func(*store.Tx) error
			want          error // of the second
		}{
			{"change first", change, signIn, store.ErrNotFound},
			{"sign-in first", signIn, change, nil},
		} {
			t.Run(c.name, func(t *testing.T) {
				u := addUser(t, s)
				begun, finished := make(chan struct{}), make(chan error, 1)
				go func() {
					<-begun
					finished <- s.Write(ctx, c.second(u.ID))
				}()
				once := false
				write(t, s, func(tx *store.Tx) error {
					if err := c.first(u.ID)(tx); err != nil {
						return err
					}
					if !once {
						once = true
						close(begun)
						time.Sleep(100 * time.Millisecond) // the second has all the time it wants
					}
					return nil
				})
				if err := <-finished; !errors.Is(err, c.want) {
					t.Errorf("the second: got %v, want %v", err, c.want)
				}
				if left := live(t, s, u.ID, now); len(left) > 0 {
					t.Errorf("sessions made with the old password live: %q", left)
				}
			})
		}
	})
}
