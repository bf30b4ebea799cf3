package store

// The refresh of a session: one conditional statement each for the rotation and for the late mark.
// The rules that choose between them are internal/rotation's.

import "time"

// Rotation is the part of a session that a refresh changes. docs/adr/0003-refresh-tokens.md has the rules that need it.
type Rotation struct {
	Generation    int64
	RotatedAt     time.Time
	KeyID         string // master key of the current refresh token
	PrevKeyID     string // and of its predecessor
	BurstFrom     int64
	BurstAt       time.Time
	PrevFrom      int64
	PrevAt        time.Time
	LateNow       bool
	LateRun       int64
	IdleExpiresAt time.Time
}

const rotationColumns = `generation, rotated_at, kid, prev_kid, burst_from, burst_at,
	prev_from, prev_at, late_now, late_run, idle_expires_at`

// RefreshState is a session with what its tokens say of the user.
type RefreshState struct {
	Session
	Email, FirstName, LastName string
}

const refreshStateColumns = sessionColumns + `,
	COALESCE((SELECT email FROM users WHERE users.id = sessions.user_id), ''),
	COALESCE((SELECT first_name FROM users WHERE users.id = sessions.user_id), ''),
	COALESCE((SELECT last_name FROM users WHERE users.id = sessions.user_id), '')`

func scanRefreshState(scan scanner) (r RefreshState, err error) {
	err = r.Session.scan(scan, &r.Email, &r.FirstName, &r.LastName)
	return r, err
}

// RotateParams are those of one rotation: from the generation that the row must still have, by a token of generation
// Presented, to Presented+1.
type RotateParams struct {
	SessionID          string
	Kind               string // the one that the presented token opens
	Client             string // the one that the token must have been issued to; empty: any
	ExpectedGeneration int64  // the row's; Presented, unless the database was set back
	Presented          int64
	KeyID              string // master key of the successor
	IdleExpiresAt      time.Time
	Grace              time.Duration
}

// Rotate takes a live session to its next generation. ErrNotFound when it is not alive at now, or
// not at the expected generation, or of another kind or client: then nothing has changed.
func (tx *Tx) Rotate(p RotateParams, now time.Time) (RefreshState, error) {
	return one(tx, scanRefreshState, `
		UPDATE sessions
		SET generation = $4,
			rotated_at = $5,
			prev_kid = kid,
			kid = $6,
			idle_expires_at = $7,
			prev_from  = CASE WHEN $5 - burst_at > $8 THEN burst_from ELSE prev_from END,
			prev_at    = CASE WHEN $5 - burst_at > $8 THEN burst_at ELSE prev_at END,
			burst_from = CASE WHEN $5 - burst_at > $8 THEN $3 ELSE burst_from END,
			burst_at   = CASE WHEN $5 - burst_at > $8 THEN $5 ELSE burst_at END,
			late_run   = CASE WHEN late_now THEN late_run ELSE 0 END,
			late_now   = FALSE
		WHERE id = $1 AND generation = $2 AND ended_at IS NULL
			AND idle_expires_at > $5 AND overall_expires_at > $5 AND kind = $9 AND ($10 = '' OR client = $10)
		RETURNING `+refreshStateColumns,
		p.SessionID, p.ExpectedGeneration, p.Presented, p.Presented+1, now, p.KeyID, p.IdleExpiresAt, p.Grace.Microseconds(), p.Kind, p.Client)
}

// MarkLate notes the first late use of a session's previous generation. ErrNotFound when the session
// has moved on, ended, or been marked: judge again.
func (tx *Tx) MarkLate(id string, expectedGeneration int64) error {
	return tx.mustChange(`
		UPDATE sessions
		SET late_now = TRUE, late_run = late_run + 1
		WHERE id = $1 AND generation = $2 AND NOT late_now AND ended_at IS NULL`, id, expectedGeneration)
}

// RefreshStateByID reads what a refresh needs, changing nothing.
func (tx *Tx) RefreshStateByID(id string) (RefreshState, error) {
	return one(tx, scanRefreshState, `SELECT `+refreshStateColumns+` FROM sessions WHERE id = $1`, id)
}
