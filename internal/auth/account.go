package auth

// What people see of their own account.

import (
	"context"
	"errors"

	"latchkey/internal/store"
	"latchkey/internal/upkeep"
)

// maxEnded is how many ended sessions an account shows.
const maxEnded = 20

// Account is the caller's account as it stands now, with its live sessions, newest first, and those that
// ended in the last 30 days, the last to end first. CodeInvalidToken when there is none any more.
func (s *Service) Account(ctx context.Context, caller Caller) (Account, error) {
	now := s.now()
	var u store.User
	var live, ended []store.Session
	err := s.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		if u, err = tx.UserByID(caller.UserID); err != nil {
			return err
		}
		if live, err = tx.LiveSessions(u.ID, now); err != nil {
			return err
		}
		ended, err = tx.EndedSessions(u.ID, now.Add(-upkeep.KeepEnded), maxEnded, now)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return Account{}, refuse(CodeInvalidToken)
	}
	if err != nil {
		return Account{}, err
	}
	a := Account{
		Email: u.Email, FirstName: u.FirstName, LastName: u.LastName, Language: u.Language,
		Sessions: describeSessions(live, caller.SessionID),
		Ended:    make([]Session, len(ended)),
	}
	for i, row := range ended {
		e := explain(row, now)
		a.Ended[i] = e.Session
		a.Ended[i].EndReason = e.Reason
	}
	return a, nil
}
