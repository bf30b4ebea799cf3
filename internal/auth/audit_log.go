package auth

// What an operator may read of the audit log, and of what the database should not hold.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/ids"
	"latchkey/internal/store"
)

// AuditEvents pages through the audit log, oldest first, from q on. The last event is where the next
// page goes on: audit.Query{Since: last.At, After: last.ID}.
func (s *Service) AuditEvents(ctx context.Context, q audit.Query) (rows []store.AuditEvent, err error) {
	userID, err := s.auditedUser(ctx, q.User)
	if err != nil {
		return nil, err
	}
	if q.Since.IsZero() {
		q.Since = time.Unix(0, 0)
	}
	err = s.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		if userID == "" {
			rows, err = tx.AuditEvents(q.Since, q.After, int64(q.Limit))
		} else {
			rows, err = tx.AuditEventsOf(userID, q.Since, q.After, int64(q.Limit))
		}
		return err
	})
	return rows, err
}

// ErrNoEvent: the audit log has no event of this id.
var ErrNoEvent = errors.New("no audit event has this id: it may be older than LATCHKEY_AUDIT_DAYS; begin again with --since")

// GoOnAfter makes q begin after the event with this id; with none, at the beginning.
func (s *Service) GoOnAfter(ctx context.Context, q *audit.Query, id string) error {
	if id == "" {
		return nil
	}
	id = strings.ToLower(id)
	return s.o.Store.Read(ctx, func(tx *store.Tx) error {
		at, err := tx.AuditEventTime(id)
		if errors.Is(err, store.ErrNotFound) {
			return ErrNoEvent
		}
		if err == nil {
			q.Since, q.After = at, id
		}
		return err
	})
}

// auditedUser is the id of the account that a query names: the log knows no addresses, since they change.
func (s *Service) auditedUser(ctx context.Context, named string) (string, error) {
	if id, ok := ids.Parse(named); named == "" || ok {
		return id, nil
	}
	u, err := s.namedUser(ctx, named)
	if errors.Is(err, ErrNoUser) {
		err = fmt.Errorf("%w now; name one that was deleted, or had it before, by its user id", err)
	}
	return u.ID, err
}

// Violations reads the whole database and returns every row that breaks an invariant it can see.
func (s *Service) Violations(ctx context.Context) ([]store.Violation, error) {
	return s.o.Store.Violations(ctx)
}
