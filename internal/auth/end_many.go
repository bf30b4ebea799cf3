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

// EndSelection says which live sessions to end; what is zero narrows nothing. Client and Before are asked of each session,
// and a page session that they select takes along what came from it: with whichever client, whenever made, and also where it
// has run out itself, for as long as its row is whole. An app's session that is selected leaves its page session as it is.
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
			seen, err = tx.WalkSignedIn(after, which.Client, which.Before, node.ClockSlack, now, store.Stride)
			return err
		})
		if err != nil || len(seen) == 0 {
			return ended, err
		}
		for users := range slices.Chunk(selectedUsers(seen), usersABite) {
			n, err := s.endBite(ctx, users, which, now)
			if ended += n; err != nil {
				return ended, err
			}
		}
		after = seen[len(seen)-1]
	}
}

// selectedUsers are those who have a selected session among the ones seen, which are in the order of their users.
func selectedUsers(seen []store.SignedIn) (users []string) {
	for _, x := range seen {
		if x.Selected {
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
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return ended, nil
}
