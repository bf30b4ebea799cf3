package store

// Sessions: one row per sign-in. Refreshing is rotation.go.

import "time"

// Session is a session, alive or ended.
type Session struct {
	ID       string
	UserID   string
	Client   string
	Rotation // what a refresh changes

	OverallExpiresAt time.Time // written once, updated by no statement
	CreatedAt        time.Time
	EndedAt          time.Time // zero while it lives
	EndReason        string

	Browser, BrowserVersion, OS, DeviceType, UserAgent, Addr string
}

// ExpiresAt is the earlier of the inactivity and the overall limit.
func (s Session) ExpiresAt() time.Time {
	if s.IdleExpiresAt.Before(s.OverallExpiresAt) {
		return s.IdleExpiresAt
	}
	return s.OverallExpiresAt
}

// AliveAt says whether the session has neither ended nor expired.
func (s Session) AliveAt(now time.Time) bool { return s.EndedAt.IsZero() && now.Before(s.ExpiresAt()) }

const sessionColumns = `id, user_id, client, ` + rotationColumns + `,
	overall_expires_at, created_at, ended_at, end_reason,
	browser, browser_version, os, device_type, user_agent, addr`

// expiresAt is Session.ExpiresAt.
const expiresAt = `CASE WHEN idle_expires_at < overall_expires_at THEN idle_expires_at ELSE overall_expires_at END`

func scanSession(scan scanner) (s Session, err error) {
	err = scan(s.dest()...)
	return s, err
}

func (s *Session) dest() []any {
	r := &s.Rotation
	return []any{&s.ID, &s.UserID, &s.Client,
		&r.Generation, &r.RotatedAt, &r.KeyID, &r.PrevKeyID, &r.BurstFrom, &r.BurstAt,
		&r.PrevFrom, &r.PrevAt, &r.LateNow, &r.LateRun, &r.IdleExpiresAt,
		&s.OverallExpiresAt, &s.CreatedAt, &s.EndedAt, &s.EndReason,
		&s.Browser, &s.BrowserVersion, &s.OS, &s.DeviceType, &s.UserAgent, &s.Addr}
}

// InsertSession adds a session for a user taken in the same transaction.
func (tx *Tx) InsertSession(s Session) error {
	r := s.Rotation
	return tx.post(`
		INSERT INTO sessions (`+sessionColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)`,
		s.ID, s.UserID, s.Client,
		r.Generation, r.RotatedAt, r.KeyID, r.PrevKeyID, r.BurstFrom, r.BurstAt,
		r.PrevFrom, r.PrevAt, r.LateNow, r.LateRun, r.IdleExpiresAt,
		s.OverallExpiresAt, s.CreatedAt, s.EndedAt, s.EndReason,
		s.Browser, s.BrowserVersion, s.OS, s.DeviceType, s.UserAgent, s.Addr)
}

// SessionByID finds a session, alive or ended.
func (tx *Tx) SessionByID(id string) (Session, error) {
	return one(tx, scanSession, `SELECT `+sessionColumns+` FROM sessions WHERE id = $1`, id)
}

// LiveSessions lists a user's sessions that neither ended nor expired, newest first.
func (tx *Tx) LiveSessions(userID string, now time.Time) ([]Session, error) {
	return many(tx, scanSession, `
		SELECT `+sessionColumns+`
		FROM sessions
		WHERE user_id = $1 AND ended_at IS NULL AND idle_expires_at > $2 AND overall_expires_at > $2
		ORDER BY id DESC`, userID, now)
}

// AllSessions lists a user's sessions, newest first, the ended ones included.
func (tx *Tx) AllSessions(userID string) ([]Session, error) {
	return many(tx, scanSession, `
		SELECT `+sessionColumns+`
		FROM sessions
		WHERE user_id = $1
		ORDER BY id DESC`, userID)
}

// EndedSessions lists a user's sessions that ended or expired since then, the last to end first, at most limit.
func (tx *Tx) EndedSessions(userID string, since time.Time, limit int64, now time.Time) ([]Session, error) {
	return many(tx, scanSession, `
		SELECT `+sessionColumns+`
		FROM sessions
		WHERE user_id = $1 AND (ended_at IS NOT NULL OR idle_expires_at <= $4 OR overall_expires_at <= $4)
			AND COALESCE(ended_at, `+expiresAt+`) > $2
		ORDER BY COALESCE(ended_at, `+expiresAt+`) DESC, id DESC
		LIMIT $3`, userID, since, limit, now)
}

// EndSession ends one session, if it lives and is the user's own. ErrNotFound otherwise.
func (tx *Tx) EndSession(id, userID, reason string, now time.Time) error {
	return tx.mustChange(`
		UPDATE sessions
		SET ended_at = $4, end_reason = $3
		WHERE id = $1 AND user_id = $2 AND ended_at IS NULL`, id, userID, reason, now)
}

// EndReused ends a session whose generation is still the one that was judged. ErrNotFound when it
// has moved on or ended: judge again.
func (tx *Tx) EndReused(id string, judged int64, reason string, now time.Time) error {
	return tx.mustChange(`
		UPDATE sessions
		SET ended_at = $4, end_reason = $3
		WHERE id = $1 AND generation = $2 AND ended_at IS NULL`, id, judged, reason, now)
}

// EndSessions ends all sessions of a held user but one (keep may be empty) and returns their ids.
func (tx *Tx) EndSessions(userID, keep, reason string, now time.Time) (ids []string, err error) {
	return many(tx, column[string], `
		UPDATE sessions
		SET ended_at = $4, end_reason = $3
		WHERE user_id = $1 AND id <> $2 AND ended_at IS NULL
		RETURNING id`, userID, keep, reason, now)
}

// EndSessionsBefore ends a held user's sessions that were made by the given time and returns their ids.
func (tx *Tx) EndSessionsBefore(userID string, made time.Time, reason string, now time.Time) (ids []string, err error) {
	return many(tx, column[string], `
		UPDATE sessions
		SET ended_at = $4, end_reason = $3
		WHERE user_id = $1 AND created_at <= $2 AND ended_at IS NULL
		RETURNING id`, userID, made, reason, now)
}

// Seen is where a session was made.
type Seen struct{ Browser, OS, Addr string }

// SeenDevices lists where a user's sessions were made, ended ones included, but one.
func (tx *Tx) SeenDevices(userID, but string) ([]Seen, error) {
	return many(tx, func(scan scanner) (s Seen, err error) {
		err = scan(&s.Browser, &s.OS, &s.Addr)
		return s, err
	}, `
		SELECT DISTINCT browser, os, addr
		FROM sessions
		WHERE user_id = $1 AND id <> $2`, userID, but)
}

// EvictSessions ends the least recently used of a taken user's live sessions beyond the newest
// `most`, never the one named keep, and returns their ids.
func (tx *Tx) EvictSessions(userID, keep string, most int64, reason string, now time.Time) (ids []string, err error) {
	return many(tx, column[string], `
		UPDATE sessions
		SET ended_at = $5, end_reason = $4
		WHERE ended_at IS NULL AND id IN (
			SELECT id
			FROM sessions
			WHERE user_id = $1 AND id <> $2 AND ended_at IS NULL
				AND idle_expires_at > $5 AND overall_expires_at > $5
			ORDER BY rotated_at DESC, id DESC
			LIMIT 1000000 OFFSET $3)
		RETURNING id`, userID, keep, most-1, reason, now)
}

// Age says when a session is old enough to be forgotten.
type Age struct {
	Expired time.Time // live ones whose limit passed before are marked as expired
	Ended   time.Time // those that ended before are deleted
}

// WalkSessions looks at the next `stride` sessions after the id `after`. It returns the last of them,
// empty at the end of the table, and the first `limit` that are old enough to be swept.
func (tx *Tx) WalkSessions(after string, stride, limit int64, old Age) (last string, stale []string, err error) {
	last, err = one(tx, column[string], `
		SELECT COALESCE(max(id), '')
		FROM (SELECT id FROM sessions WHERE id > $1 ORDER BY id LIMIT $2) AS next`, after, stride)
	if err != nil || last == "" {
		return "", nil, err
	}
	stale, err = many(tx, column[string], `
		SELECT id
		FROM sessions
		WHERE id > $1 AND id <= $2
			AND (ended_at < $3 OR ended_at IS NULL AND (idle_expires_at < $4 OR overall_expires_at < $4))
		ORDER BY id
		LIMIT $5`, after, last, old.Ended, old.Expired, limit)
	return last, stale, err
}

// SweepSessions deletes or marks what is old enough among the sessions from one id to another.
func (tx *Tx) SweepSessions(from, to string, old Age) error {
	_, err := tx.exec(`DELETE FROM sessions WHERE id >= $1 AND id <= $2 AND ended_at < $3`, from, to, old.Ended)
	if err != nil {
		return err
	}
	_, err = tx.exec(`
		UPDATE sessions
		SET ended_at = `+expiresAt+`,
			end_reason = CASE WHEN idle_expires_at < overall_expires_at THEN 'expired_idle' ELSE 'expired_overall' END
		WHERE id >= $1 AND id <= $2 AND ended_at IS NULL
			AND (idle_expires_at < $3 OR overall_expires_at < $3)`, from, to, old.Expired)
	return err
}
