// Package audit owns the audit log: the kinds of its events, how one becomes a row, and which rows a query asks for. An
// event is written in the transaction of what it tells, once (I19 of internal/auth). It holds no secret, and never
// decides what is worth an event.
package audit

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/ids"
	"latchkey/internal/peer"
	"latchkey/internal/store"
)

// What an audit event tells. The words are kept in the database: they never change.
const (
	SignIn          = "sign_in"
	SignUp          = "sign_up"
	EmailVerified   = "email_verified"
	PasswordChanged = "password_changed"
	PasswordReset   = "password_reset"
	SessionEnded    = "session_ended"
	RefreshReuse    = "refresh_reuse"
	RefreshLate     = "refresh_late"
	RefreshAhead    = "refresh_ahead"
	UserAdded       = "user_added"
	UserDisabled    = "user_disabled"
	UserEnabled     = "user_enabled"
	UserUnlocked    = "user_unlocked"
	UserDeleted     = "user_deleted"
	EmailChanged    = "email_changed"
	KeyRotated      = "key_rotated"
	MailRetried     = "mail_retried"
	TooMany         = "throttled"
	DetailsRefused  = "session_details_refused"
	AppSignIn       = "app_sign_in"
	RefreshMisused  = "refresh_misused"
	CodeReused      = "code_reused"
	ConsentGiven    = "consent_given"
	ConsentRevoked  = "consent_revoked"
	LogoutRetried   = "logout_retried"

	OK         = "ok"
	Refused    = "refused"
	Unverified = "email_not_verified"

	NotAccepted = "not_accepted" // the old password was right, the new one was not taken
)

// Event is what a rule has to say; who and when are added by Write.
type Event struct {
	Kind, Outcome, UserID, SessionID string
}

// Write adds an event to the log in the transaction of what it tells.
func Write(tx *store.Tx, now time.Time, e Event, by peer.Peer) {
	tx.InsertAudit(e.row(ids.New(), now, by))
}

func (e Event) row(id string, now time.Time, peer peer.Peer) store.AuditEvent {
	d := peer.Describe()
	return store.AuditEvent{
		ID:        id,
		At:        now,
		Kind:      e.Kind,
		Outcome:   cmp.Or(e.Outcome, OK),
		UserID:    e.UserID,
		SessionID: e.SessionID,
		Addr:      d.Addr,
		UserAgent: d.UserAgent,
		RequestID: peer.RequestID,
		Times:     1,
	}
}

// WriteEnded audits each of the sessions that were ended at once.
func WriteEnded(tx *store.Tx, now time.Time, ids []string, e Event, peer peer.Peer) {
	e.Kind = SessionEnded
	for _, e.SessionID = range ids {
		Write(tx, now, e, peer)
	}
}

// Throttled is the event of a refusal: one row a counter and minute, which tells of the first and counts
// the others; a row each would be a flood's weapon.
func Throttled(key []byte, userID string, peer peer.Peer, now time.Time) store.AuditEvent {
	return Event{Kind: TooMany, Outcome: Refused, UserID: userID}.perMinute(hex.EncodeToString(key), peer, now)
}

// Misused is the event of a refresh token that was presented where it is not taken, or by another client than its own:
// one row a session and minute, likewise.
func Misused(sessionID, userID string, peer peer.Peer, now time.Time) store.AuditEvent {
	return Event{Kind: RefreshMisused, Outcome: Refused, UserID: userID, SessionID: sessionID}.perMinute(sessionID, peer, now)
}

func (e Event) perMinute(of string, peer peer.Peer, now time.Time) store.AuditEvent {
	minute := fmt.Append(nil, of, now.Truncate(time.Minute).Unix())
	return e.row(uuid.NewSHA1(uuid.NameSpaceOID, minute).String(), now, peer)
}

// Kinds are the words that a query may ask for.
func Kinds() []string {
	return []string{
		SignIn, SignUp, EmailVerified, PasswordChanged,
		PasswordReset, SessionEnded, RefreshReuse, RefreshLate,
		RefreshAhead, UserAdded, UserDisabled, UserEnabled,
		UserDeleted, EmailChanged, KeyRotated, MailRetried,
		TooMany, UserUnlocked, DetailsRefused,
		AppSignIn, RefreshMisused, CodeReused, ConsentGiven, ConsentRevoked, LogoutRetried,
	}
}

// Operator is the peer of a command.
var Operator = peer.Peer{UserAgent: "latchkey command"}
