package auth

// What an operator may do to accounts. Every change here keeps every promise made to a
// running server: its consequences are in the database when it returns.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/mail"
	"latchkey/internal/store"
)

// ErrNoUser and ErrNoSession tell an operator that what was named is not there; ErrEmailTaken that
// another account has the address.
var (
	ErrNoUser     = errors.New("no account has this e-mail address")
	ErrNoSession  = errors.New("no session has this id (ended sessions are forgotten after 30 days)")
	ErrEmailTaken = errors.New("another account has this e-mail address")
)

// AddUser makes an account. Without a password its owner sets one through forgot-password.
func (s *Service) AddUser(ctx context.Context, in NewUser) (User, error) {
	var f form
	u := store.User{ID: newID(), Email: f.email("email", in.Email), FirstName: in.FirstName, LastName: in.LastName, Epoch: 1}
	f.personName("firstName", in.FirstName)
	f.personName("lastName", in.LastName)
	var pw secret
	if in.Password != nil {
		pw = s.password(&f, "password", Password{Value: *in.Password, Plain: true})
	}
	err := f.err()
	if err == nil && in.Password != nil {
		u.PasswordHash, err = s.newPassword(ctx, u.Email, "password", pw, s.aboutUser(u))
	}
	if err != nil {
		return User{}, err
	}
	now := s.now()
	u.CreatedAt, u.ChangedAt = now, now
	if !in.Unverified {
		u.VerifiedAt = now
	}
	err = s.write(ctx, func(tx *store.Tx) error {
		if err := tx.InsertUser(u); err != nil {
			return err
		}
		return s.audit(tx, now, event{Kind: eventUserAdded, UserID: u.ID}, operator)
	})
	if errors.Is(err, store.ErrConflict) {
		return User{}, ErrEmailTaken
	}
	return describeUser(u), err
}

// ListUsers pages through the accounts by e-mail: those after `after`, at most limit.
func (s *Service) ListUsers(ctx context.Context, after string, limit int) ([]User, error) {
	var rows []store.User
	err := s.read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.UsersAfter(after, int64(limit))
		return err
	})
	list := make([]User, len(rows))
	for i, row := range rows {
		list[i] = describeUser(row)
	}
	return list, err
}

// UserByEmail finds an account: ErrNoUser.
func (s *Service) UserByEmail(ctx context.Context, email string) (User, error) {
	u, err := s.namedUser(ctx, email)
	return describeUser(u), err
}

func (s *Service) namedUser(ctx context.Context, email string) (store.User, error) {
	var f form
	canonical := f.email("email", email)
	if err := f.err(); err != nil {
		return store.User{}, err
	}
	u, err := s.findUser(ctx, canonical)
	if err == nil && u.ID == "" {
		err = ErrNoUser
	}
	return u, err
}

// SetPassword sets a password for the owner: every session and mailed link ends, the owner is told.
func (s *Service) SetPassword(ctx context.Context, email, password string) error {
	var f form
	pw := s.password(&f, "password", Password{Value: password, Plain: true})
	if err := f.err(); err != nil {
		return err
	}
	u, err := s.namedUser(ctx, email)
	if err != nil {
		return err
	}
	phc, err := s.newPassword(ctx, u.Email, "password", pw, s.aboutUser(u))
	if err != nil {
		return err
	}
	return s.onUser(ctx, u, event{Kind: eventPasswordReset, Outcome: reasonAdmin}, func(tx *store.Tx, u store.User, now time.Time) error {
		if err := s.changePassword(tx, u, phc, "", reasonPasswordReset, now); err != nil {
			return err
		}
		if err := tx.ClearAttempts(accountKey(u.Email)); err != nil {
			return err
		}
		return s.notifyPasswordChanged(tx, u, Peer{}, now)
	})
}

// SetEmail moves an account to another address, which the operator vouches for. Every session and
// mailed link ends, and both addresses are told. The link in either notice ends sessions from before the
// change and nothing else: whoever reads the old mailbox has no say in what came after.
func (s *Service) SetEmail(ctx context.Context, email, newEmail string) error {
	var f form
	to := f.email("newEmail", newEmail)
	if err := f.err(); err != nil {
		return err
	}
	u, err := s.namedUser(ctx, email)
	if err != nil {
		return err
	}
	err = s.onUser(ctx, u, event{Kind: eventEmailChanged}, func(tx *store.Tx, u store.User, now time.Time) error {
		if _, err := tx.EndSessions(u.ID, "", reasonAdmin, now); err != nil {
			return err
		}
		if err := tx.SetEmail(u.ID, to, now); err != nil {
			return err
		}
		for _, address := range []string{u.Email, to} {
			if err := s.dropLinks(tx, address); err != nil {
				return err
			}
			if err := s.notify(tx, mail.EmailChanged, letter{To: address, NewEmail: to, User: u.ID}, now); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, store.ErrConflict) {
		return ErrEmailTaken
	}
	return err
}

// DisableUser ends every session and mailed link of an account and lets nobody in until EnableUser.
func (s *Service) DisableUser(ctx context.Context, email string) error {
	return s.onNamedUser(ctx, email, event{Kind: eventUserDisabled}, func(tx *store.Tx, u store.User, now time.Time) error {
		if err := tx.SetDisabled(u.ID, now, now); err != nil {
			return err
		}
		return s.endAll(tx, u, reasonDisabled, now)
	})
}

// EnableUser lets the owner of a disabled account sign in again. No session comes back. An account that
// was not disabled keeps its epoch: nothing about it has changed, and links mailed before stay good.
func (s *Service) EnableUser(ctx context.Context, email string) error {
	return s.onNamedUser(ctx, email, event{Kind: eventUserEnabled}, func(tx *store.Tx, u store.User, now time.Time) error {
		if u.DisabledAt.IsZero() {
			return nil
		}
		return tx.SetDisabled(u.ID, time.Time{}, now)
	})
}

// DeleteUser removes an account; its sessions end and stay explainable until they are swept.
func (s *Service) DeleteUser(ctx context.Context, email string) error {
	return s.onNamedUser(ctx, email, event{Kind: eventUserDeleted}, func(tx *store.Tx, u store.User, now time.Time) error {
		if err := s.endAll(tx, u, reasonDeleted, now); err != nil {
			return err
		}
		return tx.DeleteUser(u.ID)
	})
}

func (s *Service) endAll(tx *store.Tx, u store.User, reason string, now time.Time) error {
	if _, err := tx.EndSessions(u.ID, "", reason, now); err != nil {
		return err
	}
	return s.dropLinks(tx, u.Email)
}

func (s *Service) onNamedUser(ctx context.Context, email string, e event, fn func(*store.Tx, store.User, time.Time) error) error {
	u, err := s.namedUser(ctx, email)
	if err != nil {
		return err
	}
	return s.onUser(ctx, u, e, fn)
}

// onUser holds the account, runs fn on the row as it then is, and audits, in one transaction.
func (s *Service) onUser(ctx context.Context, u store.User, e event, fn func(*store.Tx, store.User, time.Time) error) error {
	now := s.now()
	err := s.write(ctx, func(tx *store.Tx) error {
		held, err := tx.HoldUser(u.ID)
		if err != nil {
			return err
		}
		if err := fn(tx, held, now); err != nil {
			return err
		}
		e.UserID = u.ID
		return s.audit(tx, now, e, operator)
	})
	if errors.Is(err, store.ErrNotFound) {
		return ErrNoUser
	}
	return err
}

func describeUser(u store.User) User {
	return User{
		ID: u.ID, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName, HasPassword: u.PasswordHash != "",
		CreatedAt: u.CreatedAt, VerifiedAt: u.VerifiedAt, DisabledAt: u.DisabledAt, Language: u.Language,
	}
}
