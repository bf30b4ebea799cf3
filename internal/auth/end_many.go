package auth

// Ending many sessions at once, for the operator: a key was stolen, a client is given up, an account is not its
// owner's any more.

import (
	"context"
	"errors"
	"slices"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/node"
	"latchkey/internal/store"
)

// usersABite is how many users' sessions end in one transaction: callers wait for no longer than that takes.
const usersABite = 20

// EndSelection says which live sessions to end; what is zero narrows nothing.
type EndSelection struct {
	Email  string    // of one account
	Client string    // signed in with this client alias, which may be registered no more
	Before time.Time // made by then, or by a clock that was ahead
}

// EndMany ends the live sessions of a selection, and says how many. Each user's end together, in one transaction
// with the audit events; those of many users in several, in the order of the users. After an error what has ended
// stays ended, and another call goes on with the rest. What is signed in meanwhile is left alone. No step looks at
// more sessions than another, however few of them are selected.
func (s *Service) EndMany(ctx context.Context, which EndSelection) (ended int, err error) {
	now := s.now()
	if which.Before.IsZero() || which.Before.After(now) {
		which.Before = now
	}
	if which.Email != "" {
		u, err := s.namedUser(ctx, which.Email)
		if err != nil {
			return 0, err
		}
		return s.endBite(ctx, []string{u.ID}, which, now)
	}
	for after := (store.SignedIn{}); ; {
		var seen []store.SignedIn
		err := s.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
			seen, err = tx.WalkSignedIn(after, store.Stride)
			return err
		})
		if err != nil || len(seen) == 0 {
			return ended, err
		}
		for users := range slices.Chunk(which.usersOf(seen, now), usersABite) {
			n, err := s.endBite(ctx, users, which, now)
			if ended += n; err != nil {
				return ended, err
			}
		}
		after = seen[len(seen)-1]
	}
}

// usersOf are those who have a selected session among the ones seen, which are in the order of their users.
func (which EndSelection) usersOf(seen []store.SignedIn, now time.Time) (users []string) {
	for _, x := range seen {
		made := !x.CreatedAt.After(which.Before) || x.CreatedAt.After(now.Add(node.ClockSlack))
		if made && (which.Client == "" || x.Client == which.Client) {
			users = append(users, x.UserID)
		}
	}
	return slices.Compact(users)
}

// endBite ends the selected sessions of users, who are held in the order of their ids.
func (s *Service) endBite(ctx context.Context, users []string, which EndSelection, now time.Time) (ended int, err error) {
	err = s.o.Store.Write(ctx, func(tx *store.Tx) error {
		ended = 0
		for _, user := range users {
			if _, err := tx.HoldUser(user); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			ids, err := tx.EndSessionsBefore(user, which.Client, which.Before, ReasonAdmin, node.ClockSlack, now)
			if err != nil {
				return err
			}
			ended += len(ids)
			audit.WriteEnded(tx, now, ids, audit.Event{Outcome: ReasonAdmin, UserID: user}, audit.Operator)
			if err := s.endOrphans(tx, user, ReasonAdmin, audit.Operator, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return ended, nil
}
