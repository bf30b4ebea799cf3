package store

// What apps are to be told of their sessions that have ended: written where sessions end, and claimed by one deliverer at
// a time.

import (
	"cmp"
	"time"
)

// kindOAuth is the kind of an app's session.
const kindOAuth = "oauth"

// Logout is a session of an app that has ended, and what became of telling the app so.
type Logout struct {
	SessionID string
	UserID    string
	Client    string // alias
	CreatedAt time.Time
	NextTryAt time.Time // also the end of a lease
	Tries     int64
	EndedAt   time.Time // zero while it waits
	Outcome   string
	LastError string
}

const logoutColumns = `session_id, user_id, client, created_at, next_try_at, tries, ended_at, outcome, last_error`

func scanLogout(scan scanner) (l Logout, err error) {
	err = scan(&l.SessionID, &l.UserID, &l.Client, &l.CreatedAt, &l.NextTryAt, &l.Tries, &l.EndedAt, &l.Outcome, &l.LastError)
	return l, err
}

// end carries out an UPDATE that ends sessions, and returns them. Of each that is an app's it is written down, in the same
// transaction, that the app is to be told. Every statement that ends sessions comes through here, but those of the sweep.
func (tx *Tx) end(update string, args ...any) ([]Ended, error) {
	over, err := many(tx, scanEnd, update+`
		RETURNING id, user_id, client, kind, parent, ended_at`, args...)
	for _, e := range over {
		if e.Kind == kindOAuth {
			tx.execDeferred(`
				INSERT INTO logouts (`+logoutColumns+`)
				VALUES ($1, $2, $3, $4, $4, 0, NULL, '', '')
				ON CONFLICT (session_id) DO NOTHING`, e.ID, e.UserID, e.Client, e.At)
		}
	}
	return over, err
}

// endOne is end for one session: ErrNotFound where there is none.
func (tx *Tx) endOne(update string, args ...any) (Ended, error) {
	over, err := tx.end(update, args...)
	if err != nil || len(over) == 0 {
		return Ended{}, cmp.Or(err, ErrNotFound)
	}
	return over[0], nil
}

// endAll is end for callers who need no more than the ids.
func (tx *Tx) endAll(update string, args ...any) (ids []string, err error) {
	over, err := tx.end(update, args...)
	for _, e := range over {
		ids = append(ids, e.ID)
	}
	return ids, err
}

// untold says that an app's session among those from $1 (exclusive) to $2 has ended and nothing is written down of it: the
// release before ended it.
const untold = `kind = '` + kindOAuth + `' AND ended_at IS NOT NULL AND id NOT IN (
	SELECT session_id FROM logouts WHERE session_id > $1 AND session_id <= $2)`

// tellEnded writes down that apps are to be told, for all of their sessions from one id to another that have ended and of
// which it is not written down.
func (tx *Tx) tellEnded(from, to string, now time.Time) error {
	_, err := tx.exec(`
		INSERT INTO logouts (`+logoutColumns+`)
		SELECT id, user_id, client, CAST($3 AS BIGINT), CAST($3 AS BIGINT), 0, NULL, '', ''
		FROM sessions
		WHERE id >= $1 AND id <= $2 AND kind = '`+kindOAuth+`' AND ended_at IS NOT NULL
		ON CONFLICT (session_id) DO NOTHING`, from, to, now)
	return err
}

// ClientDue is a client that is to be told something, and when the first of that is due.
type ClientDue struct {
	Client string
	At     time.Time
}

// ClientsDue lists the clients for whom anything waits. It looks at one row of each, however many wait.
func (tx *Tx) ClientsDue() ([]ClientDue, error) {
	return many(tx, func(scan scanner) (d ClientDue, err error) {
		err = scan(&d.Client, &d.At)
		return d, err
	}, `
		WITH RECURSIVE next(client) AS (
			SELECT min(client) FROM logouts WHERE client > '' AND ended_at IS NULL
			UNION ALL
			SELECT (SELECT min(logouts.client) FROM logouts WHERE logouts.client > next.client AND ended_at IS NULL)
			FROM next
			WHERE next.client IS NOT NULL)
		SELECT client, (SELECT min(next_try_at) FROM logouts WHERE logouts.client = next.client AND ended_at IS NULL)
		FROM next
		WHERE client IS NOT NULL`)
}

// ClaimLogout leases what has been due longest for a client until leaseEnd: ErrNotFound where nothing is, or another
// deliverer was faster. The lease is named by its end: see EndLogout and PostponeLogout.
func (tx *Tx) ClaimLogout(client string, now, leaseEnd time.Time) (Logout, error) {
	return one(tx, scanLogout, `
		UPDATE logouts
		SET next_try_at = $3, tries = tries + 1
		WHERE ended_at IS NULL AND next_try_at <= $2 AND session_id = (
			SELECT session_id
			FROM logouts
			WHERE client = $1 AND next_try_at <= $2 AND ended_at IS NULL
			ORDER BY next_try_at
			LIMIT 1)
		RETURNING `+logoutColumns, client, now, leaseEnd)
}

// EndLogout ends what is leased still: ErrNotFound otherwise.
func (tx *Tx) EndLogout(l Logout, outcome, lastError string, now time.Time) error {
	return tx.mustChange(`
		UPDATE logouts
		SET ended_at = $5, outcome = $3, last_error = $4
		WHERE session_id = $1 AND next_try_at = $2 AND ended_at IS NULL`, l.SessionID, l.NextTryAt, outcome, lastError, now)
}

// EndLogoutsOf ends at most limit of what is due for a client, and returns how many.
func (tx *Tx) EndLogoutsOf(client, outcome string, now time.Time, limit int64) (int64, error) {
	return tx.exec(`
		UPDATE logouts
		SET ended_at = $3, outcome = $2
		WHERE ended_at IS NULL AND next_try_at <= $3 AND session_id IN (
			SELECT session_id
			FROM logouts
			WHERE client = $1 AND next_try_at <= $3 AND ended_at IS NULL
			ORDER BY next_try_at
			LIMIT $4)`, client, outcome, now, limit)
}

// PostponeLogout gives a lease back, or moves what nobody has: it is due again at next.
func (tx *Tx) PostponeLogout(l Logout, next time.Time, lastError string) error {
	return tx.mustChange(`
		UPDATE logouts
		SET next_try_at = $3, last_error = $4
		WHERE session_id = $1 AND next_try_at = $2 AND ended_at IS NULL`, l.SessionID, l.NextTryAt, next, lastError)
}

// ReviveLogout makes what has ended due again: ErrNotFound where it waits.
func (tx *Tx) ReviveLogout(sessionID string, now time.Time) error {
	return tx.mustChange(`
		UPDATE logouts
		SET ended_at = NULL, outcome = '', next_try_at = $2
		WHERE session_id = $1 AND ended_at IS NOT NULL`, sessionID, now)
}

// LogoutByID finds what is written down of a session.
func (tx *Tx) LogoutByID(sessionID string) (Logout, error) {
	return one(tx, scanLogout, `SELECT `+logoutColumns+` FROM logouts WHERE session_id = $1`, sessionID)
}

// Logouts lists the newest; only those of one client, where it is named, and only what waits, if asked.
func (tx *Tx) Logouts(client string, waiting bool, limit int64) ([]Logout, error) {
	return many(tx, scanLogout, `
		SELECT `+logoutColumns+`
		FROM logouts
		WHERE ($1 = '' OR client = $1) AND (NOT $2 OR ended_at IS NULL)
		ORDER BY created_at DESC, session_id DESC
		LIMIT $3`, client, waiting, limit)
}

// WaitingLogouts says how many wait, and since when the oldest does (zero: none).
func (tx *Tx) WaitingLogouts() (depth int64, oldest time.Time, err error) {
	type waiting struct {
		depth  int64
		oldest time.Time
	}
	w, err := one(tx, func(scan scanner) (w waiting, err error) {
		err = scan(&w.depth, &w.oldest)
		return w, err
	}, `
		SELECT count(*), min(created_at)
		FROM logouts
		WHERE ended_at IS NULL AND next_try_at > 0`) // all of them: by the index of those that wait
	return w.depth, w.oldest, err
}

// SettleLogouts makes at most limit that wait until after the given time due at next.
func (tx *Tx) SettleLogouts(after, next time.Time, limit int64) (int64, error) {
	return tx.exec(`
		UPDATE logouts
		SET next_try_at = $2
		WHERE ended_at IS NULL AND session_id IN (
			SELECT session_id
			FROM logouts
			WHERE ended_at IS NULL AND next_try_at > $1
			ORDER BY next_try_at
			LIMIT $3)`, after, next, limit)
}

// SweepLogouts removes at most limit that have ended and were made before the given time.
func (tx *Tx) SweepLogouts(before time.Time, limit int64) (int64, error) {
	return tx.exec(`
		DELETE FROM logouts
		WHERE session_id IN (
			SELECT session_id FROM logouts WHERE created_at < $1 AND ended_at IS NOT NULL ORDER BY created_at LIMIT $2)`, before, limit)
}
