package store

// The audit log: append-only, written in the transaction of what it tells.

import "time"

// AuditEvent is one line of the audit log. It holds no secret.
type AuditEvent struct {
	ID        string // UUIDv7
	At        time.Time
	Kind      string
	Outcome   string
	UserID    string
	SessionID string
	Addr      string
	UserAgent string
	RequestID string
	Times     int64 // how often, where one row stands for many
}

const auditColumns = `id, at, kind, outcome, user_id, session_id, addr, user_agent, request_id, times`

// InsertAudit appends an event.
func (tx *Tx) InsertAudit(e AuditEvent) {
	tx.execDeferred(`
		INSERT INTO audit_events (`+auditColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1)`,
		e.ID, e.At, e.Kind, e.Outcome, e.UserID, e.SessionID, e.Addr, e.UserAgent, e.RequestID)
}

// CountAudit appends an event that stands for e.Times, or adds that to the one with its id.
func (tx *Tx) CountAudit(e AuditEvent) {
	tx.execDeferred(`
		INSERT INTO audit_events (`+auditColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (id) DO UPDATE
		SET times = audit_events.times + excluded.times`,
		e.ID, e.At, e.Kind, e.Outcome, e.UserID, e.SessionID, e.Addr, e.UserAgent, e.RequestID, e.Times)
}

func scanAudit(scan scanner) (e AuditEvent, err error) {
	err = scan(&e.ID, &e.At, &e.Kind, &e.Outcome, &e.UserID, &e.SessionID, &e.Addr, &e.UserAgent, &e.RequestID, &e.Times)
	return e, err
}

// AuditEvents pages through the log, oldest first: what came after the event of the given time and id.
func (tx *Tx) AuditEvents(at time.Time, id string, limit int64) ([]AuditEvent, error) {
	return many(tx, scanAudit, `
		SELECT `+auditColumns+`
		FROM audit_events
		WHERE at >= $1 AND (at > $1 OR id > $2)
		ORDER BY at, id
		LIMIT $3`, at, id, limit)
}

// AuditEventsOf is AuditEvents of one user.
func (tx *Tx) AuditEventsOf(userID string, at time.Time, id string, limit int64) ([]AuditEvent, error) {
	return many(tx, scanAudit, `
		SELECT `+auditColumns+`
		FROM audit_events
		WHERE user_id = $1 AND at >= $2 AND (at > $2 OR id > $3)
		ORDER BY at, id
		LIMIT $4`, userID, at, id, limit)
}

// AuditEventTime is when the event with this id was.
func (tx *Tx) AuditEventTime(id string) (time.Time, error) {
	return one(tx, column[time.Time], `
		SELECT at
		FROM audit_events
		WHERE id = $1`, id)
}

// SweepAudit removes at most limit events from before the given time.
func (tx *Tx) SweepAudit(before time.Time, limit int64) (int64, error) {
	return tx.exec(`
		DELETE FROM audit_events
		WHERE id IN (SELECT id FROM audit_events WHERE at < $1 ORDER BY at LIMIT $2)`, before, limit)
}
