package auth

// What an operator may see and do of sessions: list an account's, end one, and learn why one ended.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/ids"
	"latchkey/internal/store"
)

// UserSessions lists an account's sessions, newest first; with ended the expired and the newest ended ones too.
func (s *Service) UserSessions(ctx context.Context, email string, ended bool) ([]Session, error) {
	u, err := s.namedUser(ctx, email)
	if err != nil {
		return nil, err
	}
	var rows []store.Session
	err = s.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		if ended {
			rows, err = tx.AllSessions(u.ID)
		} else {
			rows, err = tx.LiveSessions(u.ID, s.now())
		}
		return err
	})
	return describeSessions(rows, ""), err
}

// RevokeSession ends any session, for the operator, and with a page session what came from it. One that has ended already
// is a success.
func (s *Service) RevokeSession(ctx context.Context, id string) error {
	session, err := s.namedSession(ctx, id)
	if err != nil {
		return err
	}
	now := s.now()
	return s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.HoldUser(session.UserID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		_, err := tx.EndSession(session.ID, session.UserID, ReasonAdmin, now)
		if err == nil {
			audit.Write(tx, now, audit.Event{Kind: audit.SessionEnded, Outcome: ReasonAdmin, UserID: session.UserID, SessionID: session.ID}, audit.Operator)
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return s.endChildren(tx, session.UserID, session.ID, ReasonAdmin, audit.Operator, now)
	})
}

// ExplainSession says why a session is as it is: ErrNoSession.
func (s *Service) ExplainSession(ctx context.Context, id string) (Explanation, error) {
	row, err := s.namedSession(ctx, id)
	if err != nil {
		return Explanation{}, err
	}
	return explain(row, s.now()), nil
}

// namedSession finds a session by what an operator calls it: ErrNoSession.
func (s *Service) namedSession(ctx context.Context, raw string) (store.Session, error) {
	id, ok := ids.Parse(raw)
	if !ok {
		return store.Session{}, ErrNoSession
	}
	var session store.Session
	err := s.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		session, err = tx.SessionEverByID(id) // also one of which only its end is kept
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNoSession
	}
	return session, err
}

// explain also computes the reason of a session that has expired and is not swept yet.
func explain(row store.Session, now time.Time) Explanation {
	e := Explanation{Session: describeSession(row), Alive: row.AliveAt(now), Reason: row.EndReason}
	if row.EndedAt.IsZero() && !e.Alive {
		e.Reason, e.Session.EndedAt = ReasonExpiredOverall, row.OverallExpiresAt
		if row.IdleExpiresAt.Before(row.OverallExpiresAt) {
			e.Reason, e.Session.EndedAt = ReasonExpiredIdle, row.IdleExpiresAt
		}
	}
	return e
}
