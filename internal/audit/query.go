package audit

// Reading the log: which events a query asks for.

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"latchkey/internal/store"
)

// Query says which part of the audit log to read.
type Query struct {
	Since time.Time
	After string // the id of the last event of the page before, whose time is Since
	User  string // whose events; empty: everybody's. Events takes an id; internal/auth also an email address
	Limit int    // events read, before what follows is looked at

	Until time.Time    // the zero time: no end
	Kinds []string     // none: every kind
	From  netip.Prefix // the zero prefix: from everywhere
}

// ErrNoEvent: the log has no event of this id.
var ErrNoEvent = errors.New("no audit event has this id: it may be older than LATCHKEY_AUDIT_DAYS; begin again with --since")

// Events reads a page of the log, oldest first: at most Limit, before Fits is asked.
func (q Query) Events(tx *store.Tx) ([]store.AuditEvent, error) {
	if q.Since.IsZero() {
		q.Since = time.Unix(0, 0)
	}
	if q.User == "" {
		return tx.AuditEvents(q.Since, q.After, int64(q.Limit))
	}
	return tx.AuditEventsOf(q.User, q.Since, q.After, int64(q.Limit))
}

// GoOnAfter makes q begin after the event with this id, or ErrNoEvent; with none, at the beginning.
func (q *Query) GoOnAfter(tx *store.Tx, id string) error {
	if id == "" {
		return nil
	}
	id = strings.ToLower(id)
	at, err := tx.AuditEventTime(id)
	if errors.Is(err, store.ErrNotFound) {
		return ErrNoEvent
	}
	if err == nil {
		q.Since, q.After = at, id
	}
	return err
}

// Fits says whether an event of the log is of the kinds, and from the network, that q asks for.
func (q Query) Fits(e store.AuditEvent) bool {
	if len(q.Kinds) > 0 && !slices.Contains(q.Kinds, e.Kind) {
		return false
	}
	if !q.From.IsValid() {
		return true
	}
	from, err := netip.ParseAddr(e.Addr)
	return err == nil && q.From.Contains(from.Unmap().WithZone(""))
}
