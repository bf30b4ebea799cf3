package logouts

// What an operator may see of this, and do to it.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/ids"
	"latchkey/internal/store"
)

// ErrNoLogout tells an operator that nothing is known of a session's end, or nothing can be tried again.
var ErrNoLogout = errors.New("no app is to be told of such a session (only apps are, of sessions that have ended; what is over is forgotten after a month)")

// ErrTooLate tells an operator that the session ended too long ago to be told of.
var ErrTooLate = errors.New("the session ended more than a day ago: apps are told of it no more")

// ErrUnderWay tells an operator that the app may be told this very moment.
var ErrUnderWay = errors.New("the app is being told now, or will be within a minute: see `latchkey logout show`")

// Logout is what an operator may see of telling an app that a session has ended.
type Logout struct {
	SessionID string
	UserID    string
	Client    string // alias
	CreatedAt time.Time
	NextTryAt time.Time
	ExpiresAt time.Time
	Tries     int64
	EndedAt   time.Time
	Outcome   string // delivered, none, refused, expired; empty while it waits
	LastError string
}

func describe(row store.Logout) Logout {
	return Logout{
		SessionID: row.SessionID, UserID: row.UserID, Client: row.Client, CreatedAt: row.CreatedAt, NextTryAt: row.NextTryAt,
		ExpiresAt: row.CreatedAt.Add(giveUp), Tries: row.Tries, EndedAt: row.EndedAt, Outcome: row.Outcome, LastError: row.LastError,
	}
}

// Query says which to list.
type Query struct {
	Client  string // alias, which may be registered no more; empty: every client's
	Waiting bool   // only those that are still to be told
	Limit   int
}

// List lists what apps were or are to be told, newest first.
func (l *Logouts) List(ctx context.Context, q Query) ([]Logout, error) {
	var rows []store.Logout
	err := l.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.Logouts(q.Client, q.Waiting, int64(q.Limit))
		return err
	})
	list := make([]Logout, len(rows))
	for i, row := range rows {
		list[i] = describe(row)
	}
	return list, err
}

// ByID finds what is known of telling the app of a session: ErrNoLogout.
func (l *Logouts) ByID(ctx context.Context, sessionID string) (Logout, error) {
	sessionID, ok := ids.Parse(sessionID)
	if !ok {
		return Logout{}, ErrNoLogout
	}
	var row store.Logout
	err := l.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.LogoutByID(sessionID)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return Logout{}, ErrNoLogout
	}
	return describe(row), err
}

// Retry makes the app due to be told now, also where that has ended, but delivered: ErrNoLogout for that and for what is
// not known, ErrTooLate a day after the session's end, ErrUnderWay where a deliverer may have it.
func (l *Logouts) Retry(ctx context.Context, sessionID string) error {
	sessionID, ok := ids.Parse(sessionID)
	if !ok {
		return ErrNoLogout
	}
	now := l.o.Now()
	return l.o.Store.Write(ctx, func(tx *store.Tx) error {
		row, err := tx.LogoutByID(sessionID)
		switch {
		case errors.Is(err, store.ErrNotFound), err == nil && row.Outcome == Delivered:
			return ErrNoLogout
		case err != nil:
			return err
		case now.Sub(row.CreatedAt) >= giveUp:
			return ErrTooLate
		}
		if err := makeDue(tx, row, now); err != nil {
			return err
		}
		audit.Write(tx, now, audit.Event{Kind: audit.LogoutRetried, UserID: row.UserID, SessionID: row.SessionID}, audit.Operator)
		return nil
	})
}

func makeDue(tx *store.Tx, row store.Logout, now time.Time) error {
	if !row.EndedAt.IsZero() {
		return tx.ReviveLogout(row.SessionID, now)
	}
	if row.NextTryAt.After(now) && !row.NextTryAt.After(now.Add(lease)) {
		return ErrUnderWay
	}
	err := tx.PostponeLogout(row, now, row.LastError)
	if errors.Is(err, store.ErrNotFound) { // claimed since it was read
		return ErrUnderWay
	}
	return err
}
