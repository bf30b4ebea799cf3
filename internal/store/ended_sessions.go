package store

// What is kept of ended sessions. A user's newest keep their whole row; the others shrink to what says why they
// ended, so that no user's past is in the way of anybody.

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// EndedSession is what is kept of an ended session in the end.
type EndedSession struct {
	ID        string
	UserID    string
	EndedAt   time.Time
	EndReason string
}

const endedColumns = `id, user_id, ended_at, end_reason`

func scanEnded(scan scanner) (e EndedSession, err error) {
	err = scan(&e.ID, &e.UserID, &e.EndedAt, &e.EndReason)
	return e, err
}

// SessionEverByID finds a session, alive or ended, also one of which only its end is kept.
func (tx *Tx) SessionEverByID(id string) (Session, error) {
	s, err := tx.SessionByID(id)
	if !errors.Is(err, ErrNotFound) {
		return s, err
	}
	e, err := one(tx, scanEnded, `SELECT `+endedColumns+` FROM ended_sessions WHERE id = $1`, id)
	return Session{ID: e.ID, UserID: e.UserID, EndedAt: e.EndedAt, EndReason: e.EndReason}, err
}

// EndedSessions lists a user's sessions that ended or expired since then, the last to end first, at most limit,
// of those whose whole row is kept.
func (tx *Tx) EndedSessions(userID string, since time.Time, limit int64, now time.Time) ([]Session, error) {
	ended, err := many(tx, scanSession, `
		SELECT `+sessionColumns+`
		FROM sessions
		WHERE user_id = $1 AND ended_at > $2
		ORDER BY ended_at DESC
		LIMIT $3`, userID, since, limit)
	if err != nil {
		return nil, err
	}
	expired, err := many(tx, scanSession, `
		SELECT `+sessionColumns+`
		FROM sessions
		WHERE user_id = $1 AND ended_at IS NULL AND (idle_expires_at <= $4 OR overall_expires_at <= $4)
			AND `+expiresAt+` > $2
		ORDER BY `+expiresAt+` DESC
		LIMIT $3`, userID, since, limit, now)
	if err != nil {
		return nil, err
	}
	all := append(ended, expired...)
	slices.SortFunc(all, func(a, b Session) int {
		if order := b.overAt().Compare(a.overAt()); order != 0 {
			return order
		}
		return strings.Compare(b.ID, a.ID)
	})
	return all[:min(int64(len(all)), limit)], nil
}

// TrimEnded shrinks the oldest of a user's ended sessions, at most limit, that ended before the given time and
// are not among the newest `keep`. It returns how many.
func (tx *Tx) TrimEnded(userID string, keep, limit int64, before time.Time) (int64, error) {
	moved, err := many(tx, column[time.Time], `
		INSERT INTO ended_sessions (`+endedColumns+`)
		SELECT `+endedColumns+`
		FROM sessions
		WHERE user_id = $1 AND ended_at < $2 AND ended_at < (
			SELECT ended_at
			FROM sessions
			WHERE user_id = $1 AND ended_at IS NOT NULL
			ORDER BY ended_at DESC
			LIMIT 1 OFFSET $3)
		ORDER BY ended_at
		LIMIT $4
		ON CONFLICT (id) DO UPDATE
		SET end_reason = excluded.end_reason
		RETURNING ended_at`, userID, before, keep-1, limit)
	if err != nil || len(moved) == 0 {
		return 0, err
	}
	_, err = tx.exec(`
		DELETE FROM sessions
		WHERE user_id = $1 AND ended_at <= $2
			AND EXISTS (SELECT 1 FROM ended_sessions WHERE ended_sessions.id = sessions.id)`,
		userID, slices.MaxFunc(moved, time.Time.Compare))
	return int64(len(moved)), err
}

// WalkEnded looks at the next `stride` ended sessions, in the order of their users, of the users after the one
// named. It returns the last user seen whole, empty at the end, and those with more than `most`.
func (tx *Tx) WalkEnded(after string, stride, most int64) (last string, crowded []string, err error) {
	type heap struct {
		userID string
		rows   int64
	}
	heaps, err := many(tx, func(scan scanner) (h heap, err error) {
		err = scan(&h.userID, &h.rows)
		return h, err
	}, `
		SELECT user_id, count(*)
		FROM (
			SELECT user_id
			FROM sessions
			WHERE user_id > $1 AND ended_at IS NOT NULL
			ORDER BY user_id
			LIMIT $2) AS next
		GROUP BY user_id
		ORDER BY user_id`, after, stride)
	if err != nil {
		return "", nil, err
	}
	seen := int64(0)
	for _, h := range heaps {
		if seen += h.rows; h.rows > most {
			crowded = append(crowded, h.userID)
		}
	}
	switch n := len(heaps); {
	case seen < stride:
		return "", crowded, nil
	case n > 1 && heaps[n-1].rows <= most:
		return heaps[n-2].userID, crowded, nil // the last may have more: it comes next
	default:
		return heaps[n-1].userID, crowded, nil
	}
}

// SweepEnded removes at most limit of what is kept of sessions that ended before the given time.
func (tx *Tx) SweepEnded(before time.Time, limit int64) (int64, error) {
	return tx.exec(`
		DELETE FROM ended_sessions
		WHERE id IN (SELECT id FROM ended_sessions WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)`, before, limit)
}
