package store

// A browser: a page session with the sessions of the apps that came from it, its children. A session without a parent
// is a browser of its own.

import "time"

// browserOf names the browser of a session, which is the id of its page session or its own.
const browserOf = `CASE WHEN parent = '' THEN id ELSE parent END`

// orphaned says that a session's page session has ended, but not by expiring: then it goes on without it.
const orphaned = `parent <> '' AND EXISTS (
	SELECT 1
	FROM sessions AS parents
	WHERE parents.id = sessions.parent AND parents.ended_at IS NOT NULL
		AND parents.end_reason NOT IN ('expired_idle', 'expired_overall'))`

// EndChildren ends a held user's sessions that came from a page session, and returns their ids.
func (tx *Tx) EndChildren(userID, pageSession, reason string, now time.Time) (ids []string, err error) {
	return tx.endAll(`
		UPDATE sessions
		SET ended_at = $4, end_reason = $3
		WHERE user_id = $1 AND parent = $2 AND parent <> '' AND ended_at IS NULL`, userID, pageSession, reason, now)
}

// EndOtherBrowsers is EndSessions, but that the sessions which came from the one that is kept live on, too.
func (tx *Tx) EndOtherBrowsers(userID, keep, reason string, now time.Time) (ids []string, err error) {
	return tx.endAll(`
		UPDATE sessions
		SET ended_at = $4, end_reason = $3
		WHERE user_id = $1 AND id <> $2 AND parent <> $2 AND ended_at IS NULL`, userID, keep, reason, now)
}

// EndOrphans ends a held user's sessions whose page session has ended, but for one that has expired: they go on
// without it. It returns their ids.
func (tx *Tx) EndOrphans(userID, reason string, now time.Time) (ids []string, err error) {
	return tx.endAll(`
		UPDATE sessions
		SET ended_at = $3, end_reason = $2
		WHERE user_id = $1 AND ended_at IS NULL AND `+orphaned, userID, reason, now)
}

// TakeOver makes what came from one page session of a held user come from another: sessions, alive or ended, codes that
// are not spent, and what is remembered of apps whose session was ended. The other is the parent of the one, too: so what
// is known of the one still leads to what the browser has now.
func (tx *Tx) TakeOver(userID, from, to string) {
	tx.execDeferred(`
		UPDATE sessions
		SET parent = $3
		WHERE user_id = $1 AND (id = $2 OR parent = $2 AND parent <> '')`, userID, from, to)
	tx.execDeferred(`
		UPDATE codes
		SET page_session = $3
		WHERE page_session = $2 AND user_id = $1 AND spent_at IS NULL`, userID, from, to)
	tx.execDeferred(`
		UPDATE app_ends
		SET page_session = $2
		WHERE page_session = $1`, from, to)
}

// EvictBrowsers ends every session of a taken user's least recently used browsers beyond the newest `most`, never
// the browser named keep, and returns their ids. A browser was last used when any of its sessions was.
func (tx *Tx) EvictBrowsers(userID, keep string, most int64, reason string, now time.Time) (ids []string, err error) {
	return tx.endAll(`
		UPDATE sessions
		SET ended_at = $5, end_reason = $4
		WHERE user_id = $1 AND ended_at IS NULL AND `+browserOf+` IN (
			SELECT `+browserOf+`
			FROM sessions
			WHERE user_id = $1 AND `+browserOf+` <> $2 AND ended_at IS NULL
				AND idle_expires_at > $5 AND overall_expires_at > $5
			GROUP BY `+browserOf+`
			ORDER BY MAX(rotated_at) DESC, `+browserOf+` DESC
			LIMIT 1000000 OFFSET $3)`, userID, keep, most-1, reason, now)
}

// EvictChildren ends the least recently used of a taken user's live sessions that one client has from one page
// session, beyond the newest `most`, never the one named keep, and returns their ids.
func (tx *Tx) EvictChildren(userID, pageSession, client, keep string, most int64, reason string, now time.Time) (ids []string, err error) {
	return tx.endAll(`
		UPDATE sessions
		SET ended_at = $7, end_reason = $6
		WHERE ended_at IS NULL AND id IN (
			SELECT id
			FROM sessions
			WHERE user_id = $1 AND parent = $2 AND parent <> '' AND client = $3 AND id <> $4 AND ended_at IS NULL
				AND idle_expires_at > $7 AND overall_expires_at > $7
			ORDER BY rotated_at DESC, id DESC
			LIMIT 1000000 OFFSET $5)`, userID, pageSession, client, keep, most-1, reason, now)
}

// NoteAppEnd remembers that its user ended an app's session which came from a page session.
func (tx *Tx) NoteAppEnd(pageSession, client string, now time.Time) {
	tx.execDeferred(`
		INSERT INTO app_ends (page_session, client, ended_at)
		VALUES ($1, $2, $3)
		ON CONFLICT (page_session, client) DO UPDATE
		SET ended_at = excluded.ended_at`, pageSession, client, now)
}

// AppEnded says whether that is remembered.
func (tx *Tx) AppEnded(pageSession, client string) (bool, error) {
	found, err := many(tx, column[int64], `SELECT ended_at FROM app_ends WHERE page_session = $1 AND client = $2`, pageSession, client)
	return len(found) > 0, err
}

// ForgetAppEnd forgets it.
func (tx *Tx) ForgetAppEnd(pageSession, client string) {
	tx.execDeferred(`DELETE FROM app_ends WHERE page_session = $1 AND client = $2`, pageSession, client)
}

// SweepAppEnds removes at most limit of those from before the given time.
func (tx *Tx) SweepAppEnds(before time.Time, limit int64) (int64, error) {
	return tx.exec(`
		DELETE FROM app_ends
		WHERE (page_session, client) IN (
			SELECT page_session, client FROM app_ends WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)`, before, limit)
}
