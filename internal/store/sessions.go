package store

// Sessions: one row per sign-in. Refreshing is rotation.go.

import "time"

// Session is a session, alive or ended.
type Session struct {
	ID       string
	UserID   string
	Client   string
	Kind     string // what its token is, and so who may take it: internal/auth's word
	Parent   string // the page session that it came from; empty: none
	Rotation        // what a refresh changes

	OverallExpiresAt time.Time // written once, updated by no statement
	CreatedAt        time.Time
	EndedAt          time.Time // zero while it lives
	EndReason        string

	Scope    string    // granted, space-delimited; of an app's session alone
	Resource string    // audience of its access tokens; empty: the configured one
	AuthTime time.Time // when its user proved who they are: the row of the release before has none, and means CreatedAt
	AMR      string    // how: RFC 8176, space-delimited
	ACR      string

	Browser, BrowserVersion, OS, DeviceType, UserAgent, Addr string
}

// ExpiresAt is the earlier of the inactivity and the overall limit.
func (s Session) ExpiresAt() time.Time {
	if s.IdleExpiresAt.Before(s.OverallExpiresAt) {
		return s.IdleExpiresAt
	}
	return s.OverallExpiresAt
}

// overAt is when the session ended, or ends if nothing else ends it before.
func (s Session) overAt() time.Time {
	if s.EndedAt.IsZero() {
		return s.ExpiresAt()
	}
	return s.EndedAt
}

// AliveAt says whether the session has neither ended nor expired.
func (s Session) AliveAt(now time.Time) bool { return s.EndedAt.IsZero() && now.Before(s.ExpiresAt()) }

const sessionColumns = `id, user_id, client, kind, ` + rotationColumns + `,
	overall_expires_at, created_at, ended_at, end_reason,
	parent, scope, resource, auth_time, amr, acr,
	browser, browser_version, os, device_type, user_agent, addr`

// expiresAt is Session.ExpiresAt.
const expiresAt = `CASE WHEN idle_expires_at < overall_expires_at THEN idle_expires_at ELSE overall_expires_at END`

func scanSession(scan scanner) (s Session, err error) {
	err = s.scan(scan)
	return s, err
}

// scan reads a session's columns, and more behind them.
func (s *Session) scan(scan scanner, more ...any) error {
	err := scan(append(s.dest(), more...)...)
	if s.AuthTime.IsZero() {
		s.AuthTime = s.CreatedAt
	}
	return err
}

func (s *Session) dest() []any {
	r := &s.Rotation
	return []any{&s.ID, &s.UserID, &s.Client, &s.Kind,
		&r.Generation, &r.RotatedAt, &r.KeyID, &r.PrevKeyID, &r.BurstFrom, &r.BurstAt,
		&r.PrevFrom, &r.PrevAt, &r.LateNow, &r.LateRun, &r.IdleExpiresAt,
		&s.OverallExpiresAt, &s.CreatedAt, &s.EndedAt, &s.EndReason,
		&s.Parent, &s.Scope, &s.Resource, &s.AuthTime, &s.AMR, &s.ACR,
		&s.Browser, &s.BrowserVersion, &s.OS, &s.DeviceType, &s.UserAgent, &s.Addr}
}

// InsertSession adds a session for a user taken in the same transaction.
func (tx *Tx) InsertSession(s Session) {
	r := s.Rotation
	tx.execDeferred(`
		INSERT INTO sessions (`+sessionColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31)`,
		s.ID, s.UserID, s.Client, s.Kind,
		r.Generation, r.RotatedAt, r.KeyID, r.PrevKeyID, r.BurstFrom, r.BurstAt,
		r.PrevFrom, r.PrevAt, r.LateNow, r.LateRun, r.IdleExpiresAt,
		s.OverallExpiresAt, s.CreatedAt, s.EndedAt, s.EndReason,
		s.Parent, s.Scope, s.Resource, s.AuthTime, s.AMR, s.ACR,
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

// AllSessions lists a user's sessions, newest first, the ended ones included whose whole row is kept.
func (tx *Tx) AllSessions(userID string) ([]Session, error) {
	return many(tx, scanSession, `
		SELECT `+sessionColumns+`
		FROM sessions
		WHERE user_id = $1
		ORDER BY id DESC`, userID)
}

// SetKind makes a live session of one kind one of another. ErrNotFound when it is not alive, or not of that kind.
func (tx *Tx) SetKind(id, from, to string) error {
	return tx.mustChange(`
		UPDATE sessions
		SET kind = $3
		WHERE id = $1 AND kind = $2 AND ended_at IS NULL`, id, from, to)
}

// Ended is a session that has just ended.
type Ended struct {
	ID, UserID, Client, Kind, Parent string
	At                               time.Time
}

func scanEnd(scan scanner) (e Ended, err error) {
	err = scan(&e.ID, &e.UserID, &e.Client, &e.Kind, &e.Parent, &e.At)
	return e, err
}

// EndSession ends one session, if it lives and is the user's own. ErrNotFound otherwise.
func (tx *Tx) EndSession(id, userID, reason string, now time.Time) (Ended, error) {
	return tx.endOne(`
		UPDATE sessions
		SET ended_at = $4, end_reason = $3
		WHERE id = $1 AND user_id = $2 AND ended_at IS NULL`, id, userID, reason, now)
}

// EndReused ends a session whose generation is still the one that was judged. ErrNotFound when it
// has moved on or ended: judge again.
func (tx *Tx) EndReused(id string, judged int64, reason string, now time.Time) error {
	_, err := tx.endOne(`
		UPDATE sessions
		SET ended_at = $4, end_reason = $3
		WHERE id = $1 AND generation = $2 AND ended_at IS NULL`, id, judged, reason, now)
	return err
}

// EndSessions ends all sessions of a held user but one (keep may be empty) and returns their ids. The one that is kept
// has no parent from then on.
func (tx *Tx) EndSessions(userID, keep, reason string, now time.Time) (ids []string, err error) {
	if keep != "" {
		tx.execDeferred(`
			UPDATE sessions
			SET parent = ''
			WHERE id = $1 AND user_id = $2 AND parent <> '' AND ended_at IS NULL`, keep, userID)
	}
	return tx.endAll(`
		UPDATE sessions
		SET ended_at = $4, end_reason = $3
		WHERE user_id = $1 AND id <> $2 AND ended_at IS NULL`, userID, keep, reason, now)
}

// selected says that a session is with client $2 (empty: with any) and was made by $3, or after $4, by a clock that was
// ahead; or that the page session which it came from is and was: also one that has ended by itself, since what came from it
// lives on. What is selected of a browser's apps does not select the browser.
const selected = `(($2 = '' OR client = $2) AND (created_at <= $3 OR created_at > $4)
	OR parent <> '' AND EXISTS (
		SELECT 1
		FROM sessions AS parents
		WHERE parents.id = sessions.parent
			AND ($2 = '' OR parents.client = $2) AND (parents.created_at <= $3 OR parents.created_at > $4)))`

// EndSessionsBefore ends a held user's sessions with a client (empty: with any) that were made by the given time, or
// by a clock ahead by more than slack, and with a page session what came from it. It returns their ids.
func (tx *Tx) EndSessionsBefore(userID, client string, made time.Time, reason string, slack time.Duration, now time.Time) (ids []string, err error) {
	return tx.endAll(`
		UPDATE sessions
		SET ended_at = $6, end_reason = $5
		WHERE user_id = $1 AND ended_at IS NULL AND `+selected, userID, client, made, now.Add(slack), reason, now)
}

// SignedIn is a session that has not ended, as WalkSignedIn finds it.
type SignedIn struct {
	UserID, ID string
	Selected   bool // EndSessionsBefore with the same arguments ends it
}

// WalkSignedIn lists the next sessions that have not ended after the one given, at most stride, in the order of
// their users and ids. The zero SignedIn comes before the first.
func (tx *Tx) WalkSignedIn(after SignedIn, client string, made time.Time, slack time.Duration, now time.Time, stride int64) ([]SignedIn, error) {
	return many(tx, func(scan scanner) (s SignedIn, err error) {
		err = scan(&s.UserID, &s.ID, &s.Selected)
		return s, err
	}, `
		SELECT user_id, id, `+selected+`
		FROM sessions
		WHERE ended_at IS NULL AND (user_id, id) > ($1, $5)
		ORDER BY user_id, id
		LIMIT $6`, after.UserID, client, made, now.Add(slack), after.ID, stride)
}

// Age says when a session is old enough to be forgotten.
type Age struct {
	Expired time.Time // live ones whose limit passed before are marked as expired
	Ended   time.Time // those that ended before are deleted
	Now     time.Time
}

// WalkSessions looks at the next `stride` sessions after the id `after`. It returns the last of them,
// empty at the end of the table, and the first `limit` for which SweepSessions has something to do.
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
			AND (ended_at < $3 OR ended_at IS NULL AND (idle_expires_at < $4 OR overall_expires_at < $4 OR `+orphaned+`)
				OR `+untold+`)
		ORDER BY id
		LIMIT $5`, after, last, old.Ended, old.Expired, limit)
	return last, stale, err
}

// SweepSessions deletes or marks what is old enough among the sessions from one id to another, and ends those whose page
// session was ended by a server of the release before, which does not know that they go with it. Apps are to be told of
// whatever it marks or ends, and of what the release before ended.
func (tx *Tx) SweepSessions(from, to string, old Age) error {
	_, err := tx.exec(`DELETE FROM sessions WHERE id >= $1 AND id <= $2 AND ended_at < $3`, from, to, old.Ended)
	if err != nil {
		return err
	}
	tx.execDeferred(`
		UPDATE sessions
		SET ended_at = $3, end_reason = 'signed_out_elsewhere'
		WHERE id >= $1 AND id <= $2 AND ended_at IS NULL AND `+orphaned, from, to, old.Now)
	_, err = tx.exec(`
		UPDATE sessions
		SET ended_at = `+expiresAt+`,
			end_reason = CASE WHEN idle_expires_at < overall_expires_at THEN 'expired_idle' ELSE 'expired_overall' END
		WHERE id >= $1 AND id <= $2 AND ended_at IS NULL
			AND (idle_expires_at < $3 OR overall_expires_at < $3)`, from, to, old.Expired)
	if err != nil {
		return err
	}
	return tx.tellEnded(from, to, old.Now)
}

// CountLiveSessions counts, among the next `stride` sessions after the id `after`, those that have neither ended nor
// run out. It returns the last id it looked at, empty at the end of the table.
func (tx *Tx) CountLiveSessions(after string, stride int64, now time.Time) (last string, live int64, err error) {
	type counted struct {
		last string
		live int64
	}
	c, err := one(tx, func(scan scanner) (c counted, err error) {
		err = scan(&c.last, &c.live)
		return c, err
	}, `
		SELECT COALESCE(max(id), ''), count(CASE WHEN ended_at IS NULL AND idle_expires_at > $3 AND overall_expires_at > $3 THEN 1 END)
		FROM (
			SELECT id, ended_at, idle_expires_at, overall_expires_at
			FROM sessions
			WHERE id > $1
			ORDER BY id
			LIMIT $2) AS next`, after, stride, now)
	return c.last, c.live, err
}
