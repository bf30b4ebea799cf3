package store

// The auditor: what must be true of every database, as statements that find where it is not.

import (
	"context"
	"fmt"
)

// Violation is a row that breaks an invariant (I1 … I20 of internal/auth).
type Violation struct {
	Invariant string
	What      string // a sentence
	ID        string // of the row
}

// checks find the rows that break an invariant. Each selects their ids and takes no argument. What is
// older than the audit log, which is swept by a limit of its own, is not looked for in it.
var checks = [...]struct{ invariant, what, sql string }{
	{"I1", "a live session has no user", `
		SELECT id FROM sessions
		WHERE ended_at IS NULL AND user_id NOT IN (SELECT id FROM users)`},
	{"I1", "a live session belongs to a disabled user", `
		SELECT id FROM sessions
		WHERE ended_at IS NULL AND user_id IN (SELECT id FROM users WHERE disabled_at IS NOT NULL)`},
	{"I17", "a live session belongs to an unverified user", `
		SELECT id FROM sessions
		WHERE ended_at IS NULL AND user_id IN (SELECT id FROM users WHERE verified_at IS NULL)`},
	{"I5", "a live session belongs to a user without a password", `
		SELECT id FROM sessions
		WHERE ended_at IS NULL AND user_id IN (SELECT id FROM users WHERE password_hash = '')`},
	{"I1", "a session has ended without a reason, or has a reason and lives", `
		SELECT id FROM sessions
		WHERE (ended_at IS NULL) <> (end_reason = '')`},
	{"I2", "a session's bookkeeping of refreshes is out of order", `
		SELECT id FROM sessions
		WHERE generation < 1 OR burst_from > generation OR prev_from > burst_from OR late_run < 0
			OR (generation = 1 AND (late_now OR burst_from <> 1))`},
	{"I16", "a session lives beyond what its sign-in allowed", `
		SELECT id FROM sessions
		WHERE overall_expires_at <= created_at OR rotated_at > overall_expires_at`},
	{"I3", "a session ended by reuse is not in the audit log", `
		SELECT id FROM sessions
		WHERE end_reason = 'refresh_reuse' AND ended_at >= (SELECT min(at) FROM audit_events)
			AND id NOT IN (SELECT session_id FROM audit_events WHERE kind = 'refresh_reuse')`},
	{"I3", "a session ended by reuse, of which only its end is kept, is not in the audit log", `
		SELECT id FROM ended_sessions
		WHERE end_reason = 'refresh_reuse' AND ended_at >= (SELECT min(at) FROM audit_events)
			AND id NOT IN (SELECT session_id FROM audit_events WHERE kind = 'refresh_reuse')`},
	{"I1", "a session is kept twice, or its end without a reason", `
		SELECT id FROM ended_sessions
		WHERE end_reason = '' OR id IN (SELECT id FROM sessions)`},
	{"I19", "a sign-in is not in the audit log, or more than once", `
		SELECT id FROM sessions
		LEFT JOIN (
			SELECT session_id, count(*) AS times FROM audit_events
			WHERE kind = 'sign_in' AND outcome = 'ok'
			GROUP BY session_id) AS told ON told.session_id = sessions.id
		WHERE kind <> 'oauth' AND created_at >= (SELECT min(at) FROM audit_events)
			AND COALESCE(told.times, 0) <> 1`},
	{"I19", "an app's sign-in is not in the audit log, or more than once", `
		SELECT id FROM sessions
		LEFT JOIN (
			SELECT session_id, count(*) AS times FROM audit_events
			WHERE kind = 'app_sign_in' AND outcome = 'ok'
			GROUP BY session_id) AS told ON told.session_id = sessions.id
		WHERE kind = 'oauth' AND created_at >= (SELECT min(at) FROM audit_events)
			AND COALESCE(told.times, 0) <> 1`},
	{"I1", "an app's session lives on though its page session was ended", `
		SELECT id FROM sessions
		WHERE ended_at IS NULL AND parent <> '' AND EXISTS (
			SELECT 1 FROM sessions AS parents
			WHERE parents.id = sessions.parent AND parents.ended_at IS NOT NULL
				AND parents.end_reason NOT IN ('expired_idle', 'expired_overall'))`},
	{"I4", "a code was spent for a session that is not its own, or for none", `
		SELECT session_id FROM codes
		WHERE (spent_at IS NULL) <> (session_id = '') OR session_id <> '' AND EXISTS (
			SELECT 1 FROM sessions
			WHERE sessions.id = codes.session_id AND (sessions.user_id <> codes.user_id OR sessions.client <> codes.client OR sessions.kind <> 'oauth'))`},
	{"I16", "an app's session outlives what its user's proof allowed", `
		SELECT id FROM sessions
		WHERE kind = 'oauth' AND EXISTS (
			SELECT 1 FROM sessions AS parents
			WHERE parents.id = sessions.parent AND sessions.overall_expires_at > parents.overall_expires_at)`},
	{"I4", "a reset link outlives the password it was asked for", `
		SELECT email FROM one_time_links
		WHERE purpose = 'reset' AND used_at IS NULL AND EXISTS (
			SELECT 1 FROM users WHERE users.email = one_time_links.email AND users.changed_at >= one_time_links.requested_at)`},
	{"I4", "a reset link belongs to no account, or to a disabled one", `
		SELECT email FROM one_time_links
		WHERE purpose = 'reset' AND NOT EXISTS (
			SELECT 1 FROM users WHERE users.email = one_time_links.email AND users.disabled_at IS NULL)`},
	{"I4", "a reset link was spent, and others of its address were not dropped with it", `
		SELECT email FROM one_time_links
		WHERE purpose = 'reset' AND used_at IS NOT NULL`},
	{"I4", "a sign-up link was spent, and another from before can be spent still", `
		SELECT email FROM one_time_links
		WHERE purpose = 'verify' AND used_at IS NULL AND EXISTS (
			SELECT 1 FROM one_time_links AS spent
			WHERE spent.email = one_time_links.email AND spent.purpose = 'verify' AND spent.used_at >= one_time_links.requested_at)
			AND NOT EXISTS (
				SELECT 1 FROM users WHERE users.email = one_time_links.email AND users.changed_at >= one_time_links.requested_at)`},
	{"I13", "a mail has ended as nothing known, or keeps its payload", `
		SELECT id FROM outbox
		WHERE ended_at IS NOT NULL
			AND (payload IS NOT NULL AND outcome <> 'refused' OR outcome NOT IN ('sent', 'no_account', 'superseded', 'capped', 'refused', 'expired'))`},
	{"I13", "a mail waits without a payload, or with an outcome", `
		SELECT id FROM outbox
		WHERE ended_at IS NULL AND (payload IS NULL OR outcome <> '')`},
	{"I13", "an app's session has ended, and nothing says that the app is to be told", `
		SELECT id FROM sessions
		WHERE kind = 'oauth' AND ended_at IS NOT NULL AND id NOT IN (SELECT session_id FROM logouts)`},
	{"I13", "telling an app has ended as nothing known, or waits with an outcome", `
		SELECT session_id FROM logouts
		WHERE (ended_at IS NULL) <> (outcome = '') OR outcome NOT IN ('', 'delivered', 'none', 'refused', 'expired')`},
	{"I12", "an address is not in canonical form", `
		SELECT id FROM users
		WHERE email <> lower(email) OR email NOT LIKE '%_@_%._%'`},
	{"I14", "a password is not stored as a hash", `
		SELECT id FROM users
		WHERE password_hash <> '' AND password_hash NOT LIKE '$argon2id$v=19$%'`},
	{"I20", "a signing key is sealed under a master key that was never given", `
		SELECT id FROM signing_keys
		WHERE kid NOT IN (SELECT id FROM master_keys)`},
}

// Violations runs every check and returns at most ten rows for each. It reads the whole database, so it
// has no time limit.
func (s *Store) Violations(ctx context.Context) (found []Violation, err error) {
	err = s.engine.read(ctx, func(q querier) error {
		found, err = (&Tx{ctx: ctx, q: q}).violations()
		return err
	})
	return found, err
}

func (tx *Tx) violations() ([]Violation, error) {
	var found []Violation
	for _, c := range checks {
		ids, err := many(tx, column[string], c.sql+` LIMIT 10`)
		if err != nil {
			return nil, fmt.Errorf("check that %s: %w", c.what, err)
		}
		for _, id := range ids {
			found = append(found, Violation{c.invariant, c.what, id})
		}
	}
	return found, nil
}
