package auth

// The audit log: what happened to whose account, written in the transaction of what it tells (I19).

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/store"
)

// What an audit event tells. The words are kept in the database: they never change.
const (
	eventSignIn          = "sign_in"
	eventSignUp          = "sign_up"
	eventEmailVerified   = "email_verified"
	eventPasswordChanged = "password_changed"
	eventPasswordReset   = "password_reset"
	eventSessionEnded    = "session_ended"
	eventRefreshReuse    = "refresh_reuse"
	eventRefreshLate     = "refresh_late"
	eventRefreshAhead    = "refresh_ahead"
	eventUserAdded       = "user_added"
	eventUserDisabled    = "user_disabled"
	eventUserEnabled     = "user_enabled"
	eventUserDeleted     = "user_deleted"
	eventEmailChanged    = "email_changed"
	eventKeyRotated      = "key_rotated"
	eventMailRetried     = "mail_retried"
	eventThrottled       = "throttled"

	outcomeOK         = "ok"
	outcomeRefused    = "refused"
	outcomeUnverified = "email_not_verified"
)

// event is what a rule has to say; who and when are added by audit.
type event struct {
	Kind, Outcome, UserID, SessionID string
}

func (s *Service) audit(tx *store.Tx, now time.Time, e event, peer Peer) error {
	return tx.InsertAudit(e.row(newID(), now, peer))
}

func (e event) row(id string, now time.Time, peer Peer) store.AuditEvent {
	d := describeDevice(peer)
	return store.AuditEvent{
		ID:        id,
		At:        now,
		Kind:      e.Kind,
		Outcome:   cmp.Or(e.Outcome, outcomeOK),
		UserID:    e.UserID,
		SessionID: e.SessionID,
		Addr:      d.Addr,
		UserAgent: d.UserAgent,
		RequestID: peer.RequestID,
		Times:     1,
	}
}

// auditEnded audits each of the sessions that were ended at once.
func (s *Service) auditEnded(tx *store.Tx, now time.Time, ids []string, e event, peer Peer) error {
	e.Kind = eventSessionEnded
	for _, e.SessionID = range ids {
		if err := s.audit(tx, now, e, peer); err != nil {
			return err
		}
	}
	return nil
}

// throttled is the event of a refusal: one row a counter and minute, which tells of the first and counts
// the others; a row each would be a flood's weapon.
func throttled(key []byte, userID string, peer Peer, now time.Time) store.AuditEvent {
	minute := fmt.Append(nil, hex.EncodeToString(key), now.Truncate(time.Minute).Unix())
	e := event{Kind: eventThrottled, Outcome: outcomeRefused, UserID: userID}
	return e.row(uuid.NewSHA1(uuid.NameSpaceOID, minute).String(), now, peer)
}

// AuditEvents pages through the audit log, oldest first, from q on. The last event is where the next
// page goes on: AuditQuery{Since: last.At, After: last.ID}.
func (s *Service) AuditEvents(ctx context.Context, q AuditQuery) ([]AuditEvent, error) {
	userID, err := s.auditedUser(ctx, q.User)
	if err != nil {
		return nil, err
	}
	if q.Since.IsZero() {
		q.Since = time.Unix(0, 0)
	}
	var rows []store.AuditEvent
	err = s.read(ctx, func(tx *store.Tx) (err error) {
		if userID == "" {
			rows, err = tx.AuditEvents(q.Since, q.After, int64(q.Limit))
		} else {
			rows, err = tx.AuditEventsOf(userID, q.Since, q.After, int64(q.Limit))
		}
		return err
	})
	list := make([]AuditEvent, len(rows))
	for i, row := range rows {
		list[i] = AuditEvent(row)
	}
	return list, err
}

// auditedUser is the id of the account that a query names: the log knows no addresses, since they change.
func (s *Service) auditedUser(ctx context.Context, named string) (string, error) {
	if named == "" || isID(named) {
		return named, nil
	}
	u, err := s.namedUser(ctx, named)
	if errors.Is(err, ErrNoUser) {
		err = fmt.Errorf("%w now; name one that was deleted, or had it before, by its user id", err)
	}
	return u.ID, err
}

// Violations reads the whole database and returns every row that breaks an invariant it can see.
func (s *Service) Violations(ctx context.Context) ([]Violation, error) {
	found, err := s.o.Store.Violations(ctx)
	list := make([]Violation, len(found))
	for i, v := range found {
		list[i] = Violation(v)
	}
	return list, fault(err)
}

// operator is the peer of a command.
var operator = Peer{UserAgent: "latchkey command"}
