package auth

// The sessions of a user: listing them, ending them.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/fields"
	"latchkey/internal/peer"
	"latchkey/internal/store"
)

// Why a session ended. The words are public: docs/operations.md explains them.
const (
	ReasonSignedOut       = "signed_out"
	ReasonRevoked         = "revoked"
	ReasonPasswordChanged = "password_changed"
	ReasonPasswordReset   = "password_reset"
	ReasonReuse           = "refresh_reuse"
	ReasonExpiredIdle     = "expired_idle"
	ReasonExpiredOverall  = "expired_overall"
	ReasonEvicted         = "evicted"
	ReasonDisabled        = "user_disabled"
	ReasonDeleted         = "user_deleted"
	ReasonAdmin           = "admin"

	ReasonSignedOutElsewhere = "signed_out_elsewhere" // its page session was ended by its user
	ReasonCodeReused         = "code_reused"
	ReasonConsentRevoked     = "consent_revoked"
)

// The kinds of sessions, which say what opens one. A database may hold kinds that a later release made: whoever
// looks for a session by a token asks for the kinds that such a token opens, and no other is touched.
const (
	kindAuth  = "auth"  // a refresh token and access tokens
	kindPage  = "page"  // the page token in a browser's cookie, and nothing else
	kindOAuth = "oauth" // likewise, of an app: its refresh token is taken at /oauth/token alone
)

// maxListed is how many sessions one sign-out may name.
const maxListed = 100

// Sessions lists the caller's own live sessions, newest first. CodeForbidden for another user's.
func (s *Service) Sessions(ctx context.Context, caller Caller, userID string) ([]Session, error) {
	var f fields.Validator
	userID = f.ID("userId", userID)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if userID != caller.UserID {
		return nil, refuse(CodeForbidden)
	}
	rows, err := s.o.Store.LiveSessions(ctx, userID, s.now())
	return describeSessions(rows, caller.SessionID), err
}

// SignOut ends the caller's session, or the listed ones, or all others. Each listed one must be the
// caller's own, else nothing ends; one that has ended already is a success. A caller whose token has run out
// ends that token's session and no other.
func (s *Service) SignOut(ctx context.Context, caller Caller, in SignOut, peer peer.Peer) error {
	switch {
	case caller.RunOut && (in.Listed || in.Others):
		return refuse(CodeInvalidToken)
	case caller.RunOut:
		return s.endByToken(ctx, caller.SessionID, "", peer)
	case in.Listed && in.Others:
		var f fields.Validator
		f.Add("others", "conflict", "Send sessions or others, and not both.")
		return f.Err()
	case in.Listed:
		ids, err := readListed(in.Sessions)
		if err != nil {
			return err
		}
		return s.endOwn(ctx, caller, ids, peer)
	case in.Others:
		return s.endOthers(ctx, caller, peer)
	}
	return s.endOwn(ctx, caller, []string{caller.SessionID}, peer)
}

// EndSession ends one of the caller's sessions. CodeForbidden for one that is not the caller's, or
// nobody's.
func (s *Service) EndSession(ctx context.Context, caller Caller, id string, peer peer.Peer) error {
	var f fields.Validator
	id = f.ID("sessionId", id)
	if err := f.Err(); err != nil {
		return err
	}
	return s.endOwn(ctx, caller, []string{id}, peer)
}

func readListed(raw []string) ([]string, error) {
	var f fields.Validator
	switch {
	case len(raw) == 0:
		f.Add("sessions", "required", "Name at least one session, or leave sessions out to end this one.")
	case len(raw) > maxListed:
		f.Add("sessions", "too_many", "Name at most 100 sessions.")
	}
	read := make([]string, len(raw))
	for i := 0; i < len(raw) && f.Err() == nil; i++ {
		read[i] = f.ID("sessions", raw[i])
	}
	return read, f.Err()
}

// endOwn asks "is it the caller's own" in the statement that ends it. The refusal rolls back what
// ended before it: nothing ends.
func (s *Service) endOwn(ctx context.Context, caller Caller, ids []string, peer peer.Peer) error {
	now := s.now()
	return s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := s.holdCaller(tx, caller); err != nil {
			return err
		}
		for _, id := range ids {
			reason := ReasonRevoked
			if id == caller.SessionID {
				reason = ReasonSignedOut
			}
			over, err := tx.EndSession(id, caller.UserID, reason, now)
			switch {
			case err == nil:
				ended := audit.Event{Kind: audit.SessionEnded, Outcome: reason, UserID: caller.UserID, SessionID: id}
				audit.Write(tx, now, ended, peer)
			case errors.Is(err, store.ErrNotFound):
				if over, err = s.endedOwn(tx, id, caller.UserID, now); err != nil {
					return err
				}
			default:
				return err
			}
			if err := s.endWith(tx, over, caller, peer, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// endedOwn looks for a session of the user's own that has ended: CodeForbidden for any other. One that has run out is
// returned, since what came from it lives on; whether upkeep has marked it as such yet makes no difference.
func (s *Service) endedOwn(tx *store.Tx, id, userID string, now time.Time) (store.Ended, error) {
	session, err := tx.SessionEverByID(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && session.UserID != userID {
		err = refuse(CodeForbidden)
	}
	if err != nil || !hasRunOut(session, now) {
		return store.Ended{}, err
	}
	return store.Ended{ID: session.ID, Client: session.Client, Kind: session.Kind, Parent: session.Parent}, nil
}

func (s *Service) endOthers(ctx context.Context, caller Caller, peer peer.Peer) error {
	now := s.now()
	return s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := s.holdCaller(tx, caller); err != nil {
			return err
		}
		end := tx.EndSessions
		if caller.OnPages { // the apps of this browser are this browser
			end = tx.EndOtherBrowsers
		}
		ids, err := end(caller.UserID, caller.SessionID, ReasonRevoked, now)
		if err != nil {
			return err
		}
		audit.WriteEnded(tx, now, ids, audit.Event{Outcome: ReasonRevoked, UserID: caller.UserID}, peer)
		return nil
	})
}

// holdCaller locks the caller's row; a user deleted since the token was read holds no session.
func (s *Service) holdCaller(tx *store.Tx, caller Caller) error {
	_, err := tx.HoldUser(caller.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return refuse(CodeInvalidToken)
	}
	return err
}

func describeSessions(rows []store.Session, current string) []Session {
	list := make([]Session, len(rows))
	for i, row := range rows {
		list[i] = describeSession(row)
		list[i].Current = row.ID == current
	}
	return list
}

func describeSession(row store.Session) Session {
	return Session{
		ID:         row.ID,
		UserID:     row.UserID,
		Client:     row.Client,
		Via:        row.Kind,
		Parent:     row.Parent,
		CreatedAt:  row.CreatedAt,
		LastUsedAt: row.RotatedAt,
		ExpiresAt:  row.ExpiresAt(),
		EndedAt:    row.EndedAt,
		EndReason:  row.EndReason,
		Device: peer.Device{
			Browser:        row.Browser,
			BrowserVersion: row.BrowserVersion,
			OS:             row.OS,
			DeviceType:     row.DeviceType,
			UserAgent:      row.UserAgent,
			Addr:           row.Addr,
		},
	}
}
