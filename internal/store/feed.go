package store

// The feed of ended sessions, for resource servers that check access tokens by themselves.

import "time"

// RecentEnd is the end of a session.
type RecentEnd struct {
	SessionID string
	At        time.Time
}

// RecentEnds lists, the newest first and at most limit, the ends since the given time of sessions that access tokens
// name. One that has run out is not among them: its tokens have, too. Ends that were committed later may be older, so
// whoever asks again asks for all of them.
//
// Only sessions whose whole row is kept are looked at: whoever shrinks them leaves alone what a feed tells of.
func (tx *Tx) RecentEnds(since time.Time, limit int64) ([]RecentEnd, error) {
	return many(tx, func(scan scanner) (e RecentEnd, err error) {
		err = scan(&e.SessionID, &e.At)
		return e, err
	}, `
		SELECT id, ended_at
		FROM sessions
		WHERE ended_at > $1 AND kind IN ('auth', 'oauth') AND end_reason NOT IN ('expired_idle', 'expired_overall')
		ORDER BY ended_at DESC, id DESC
		LIMIT $2`, since, limit)
}
