package auth

// What an operator may read of the audit log, and of what the database should not hold.

import (
	"context"
	"errors"
	"fmt"

	"latchkey/internal/audit"
	"latchkey/internal/ids"
	"latchkey/internal/store"
)

// AuditEvents pages through the audit log, oldest first, from q on. The last event is where the next
// page goes on: audit.Query{Since: last.At, After: last.ID}.
func (s *Service) AuditEvents(ctx context.Context, q audit.Query) (rows []store.AuditEvent, err error) {
	if q.User, err = s.auditedUser(ctx, q.User); err != nil {
		return nil, err
	}
	err = s.o.Store.Read(ctx, func(tx *store.Tx) error {
		rows, err = q.Events(tx)
		return err
	})
	return rows, err
}

// GoOnAfter makes q begin after the event with this id, or audit.ErrNoEvent; with none, at the beginning.
func (s *Service) GoOnAfter(ctx context.Context, q *audit.Query, id string) error {
	return s.o.Store.Read(ctx, func(tx *store.Tx) error { return q.GoOnAfter(tx, id) })
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
