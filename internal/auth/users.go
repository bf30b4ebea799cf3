package auth

// What an operator may do to accounts. Every change here keeps every promise made to a
// running server: its consequences are in the database when it returns.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/fields"
	"latchkey/internal/ids"
	"latchkey/internal/mail"
	"latchkey/internal/outbox"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/throttle"
)

// ErrNoUser and ErrNoSession tell an operator that what was named is not there; ErrEmailTaken that
// another account has the address.
var (
	ErrNoUser     = errors.New("no account has this email address")
	ErrNoSession  = errors.New("no session has this id (ended sessions are forgotten after 30 days)")
	ErrEmailTaken = errors.New("another account has this email address")
)

// AddUser makes an account. Without a password its owner sets one through forgot-password.
func (s *Service) AddUser(ctx context.Context, in NewUser) (User, error) {
	var f fields.Validator
	u := store.User{ID: ids.New(), Email: f.Email("email", in.Email), Epoch: 1}
	u.FirstName, u.LastName = f.PersonName("firstName", in.FirstName), f.PersonName("lastName", in.LastName)
	var pw plaintext
	if in.Password != nil {
		pw = s.password(&f, "password", Password{Value: *in.Password, Plain: true})
	}
	err := f.Err()
	if err == nil && in.Password != nil {
		u.PasswordHash, err = s.newPassword(ctx, u.Email, "password", pw, aboutUser(s.ClientsNow(), u))
	}
	if err != nil {
		return User{}, err
	}
	now := s.now()
	u.CreatedAt, u.ChangedAt = now, now
	if !in.Unverified {
		u.VerifiedAt = now
	}
	err = s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.InsertUser(u); err != nil {
			return err
		}
		s.throttle.Reset(tx, u.Email) // of before there was an account
		audit.Write(tx, now, audit.Event{Kind: audit.UserAdded, UserID: u.ID}, audit.Operator)
		return nil
	})
	if errors.Is(err, store.ErrConflict) {
		return User{}, ErrEmailTaken
	}
	s.throttle.RecheckAccounts(u.Email)
	return describeUser(u), err
}

// ListUsers pages through the accounts by email: those after `after`, at most limit.
func (s *Service) ListUsers(ctx context.Context, after string, limit int) ([]User, error) {
	var rows []store.User
	err := s.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
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
	var f fields.Validator
	canonical := f.Email("email", email)
	if err := f.Err(); err != nil {
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
	var f fields.Validator
	pw := s.password(&f, "password", Password{Value: password, Plain: true})
	if err := f.Err(); err != nil {
		return err
	}
	u, err := s.namedUser(ctx, email)
	if err != nil {
		return err
	}
	phc, err := s.newPassword(ctx, u.Email, "password", pw, aboutUser(s.ClientsNow(), u))
	if err != nil {
		return err
	}
	defer s.throttle.RecheckAccounts(u.Email)
	return s.onUser(ctx, u, audit.Event{Kind: audit.PasswordReset, Outcome: ReasonAdmin}, func(tx *store.Tx, u store.User, now time.Time) error {
		if err := s.changePassword(tx, u, phc, "", ReasonPasswordReset, now); err != nil {
			return err
		}
		s.throttle.Reset(tx, u.Email)
		return s.notifyPasswordChanged(tx, u, peer.Peer{}, now)
	})
}

// SetEmail moves an account to another address, which the operator vouches for. Every session and
// mailed link ends, and both addresses are told. The link in either notice ends sessions from before the
// change and nothing else: whoever reads the old mailbox has no say in what came after.
func (s *Service) SetEmail(ctx context.Context, email, newEmail string) error {
	var f fields.Validator
	to := f.Email("newEmail", newEmail)
	if err := f.Err(); err != nil {
		return err
	}
	u, err := s.namedUser(ctx, email)
	if err != nil {
		return err
	}
	err = s.onUser(ctx, u, audit.Event{Kind: audit.EmailChanged}, func(tx *store.Tx, u store.User, now time.Time) error {
		if _, err := tx.EndSessions(u.ID, "", ReasonAdmin, now); err != nil {
			return err
		}
		if err := tx.SetEmail(u.ID, to, now); err != nil {
			return err
		}
		for _, address := range []string{u.Email, to} {
			if err := s.links.Drop(tx, address); err != nil {
				return err
			}
			s.throttle.Reset(tx, address)
			if err := s.outbox.Notify(tx, mail.EmailChanged, outbox.Request{To: address, NewEmail: to, User: u.ID}, now); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, store.ErrConflict) {
		return ErrEmailTaken
	}
	s.throttle.RecheckAccounts(u.Email, to)
	return err
}

// DisableUser ends every session and mailed link of an account and lets nobody in until EnableUser.
func (s *Service) DisableUser(ctx context.Context, email string) error {
	return s.onNamedUser(ctx, email, audit.Event{Kind: audit.UserDisabled}, func(tx *store.Tx, u store.User, now time.Time) error {
		if err := tx.SetDisabled(u.ID, now, now); err != nil {
			return err
		}
		return s.endAll(tx, u, ReasonDisabled, now)
	})
}

// EnableUser lets the owner of a disabled account sign in again. No session comes back. An account that
// was not disabled keeps its epoch: nothing about it has changed, and links mailed before stay good.
func (s *Service) EnableUser(ctx context.Context, email string) error {
	return s.onNamedUser(ctx, email, audit.Event{Kind: audit.UserEnabled}, func(tx *store.Tx, u store.User, now time.Time) error {
		if u.DisabledAt.IsZero() {
			return nil
		}
		return tx.SetDisabled(u.ID, time.Time{}, now)
	})
}

// DeleteUser removes an account; its sessions end and stay explainable until they are swept.
func (s *Service) DeleteUser(ctx context.Context, email string) error {
	return s.onNamedUser(ctx, email, audit.Event{Kind: audit.UserDeleted}, func(tx *store.Tx, u store.User, now time.Time) error {
		if err := s.endAll(tx, u, ReasonDeleted, now); err != nil {
			return err
		}
		s.throttle.Reset(tx, u.Email)
		return tx.DeleteUser(u.ID)
	})
}

// UnlockUser forgets the wrong passwords that were counted against an account.
func (s *Service) UnlockUser(ctx context.Context, email string) error {
	return s.onNamedUser(ctx, email, audit.Event{Kind: audit.UserUnlocked}, func(tx *store.Tx, u store.User, _ time.Time) error {
		s.throttle.Reset(tx, u.Email)
		return nil
	})
}

// Standing says how the throttle sees an account.
func (s *Service) Standing(ctx context.Context, email string) (throttle.Standing, error) {
	u, err := s.namedUser(ctx, email)
	if err != nil {
		return throttle.Standing{}, err
	}
	return s.throttle.Standing(ctx, u.Email)
}

func (s *Service) endAll(tx *store.Tx, u store.User, reason string, now time.Time) error {
	if _, err := tx.EndSessions(u.ID, "", reason, now); err != nil {
		return err
	}
	return s.links.Drop(tx, u.Email)
}

func (s *Service) onNamedUser(ctx context.Context, email string, e audit.Event, fn func(*store.Tx, store.User, time.Time) error) error {
	u, err := s.namedUser(ctx, email)
	if err != nil {
		return err
	}
	defer s.throttle.RecheckAccounts(u.Email)
	return s.onUser(ctx, u, e, fn)
}

// onUser holds the account, runs fn on the row as it then is, and audits, in one transaction.
func (s *Service) onUser(ctx context.Context, u store.User, e audit.Event, fn func(*store.Tx, store.User, time.Time) error) error {
	now := s.now()
	err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		held, err := tx.HoldUser(u.ID)
		if err != nil {
			return err
		}
		if err := fn(tx, held, now); err != nil {
			return err
		}
		e.UserID = u.ID
		audit.Write(tx, now, e, audit.Operator)
		return nil
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
