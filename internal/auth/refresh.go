package auth

// Refreshing: a refresh token becomes its successor. Never signs an honest client out, and notices a
// stolen token that goes on being used.
//
// The common case is one conditional statement. Only when that changes no row is the row read, the
// verdict of internal/rotation asked for, and its consequence written, in a transaction that commits although
// the caller may be refused: a server that rolls its revocation back with the error lets a thief stay.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/fields"
	"latchkey/internal/mail"
	"latchkey/internal/outbox"
	"latchkey/internal/peer"
	"latchkey/internal/rotation"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// maxJudgements bounds how often a session that moves on under our eyes is judged again.
const maxJudgements = 8

// Refresh hands out the successor of a refresh token that /auth/signin gave. CodeInvalidRefreshToken is one answer for
// every dead token; CodeRefreshSuperseded asks the client to use what a sibling request has just been given.
func (s *Service) Refresh(ctx context.Context, refreshToken string, peer peer.Peer) (Tokens, error) {
	var f fields.Validator
	f.Required("refreshToken", refreshToken, "Send the refresh token.")
	if err := f.Err(); err != nil {
		return Tokens{}, err
	}
	now := s.now()
	session, err := s.refresh(ctx, refreshToken, taker{kind: kindAuth}, peer, now)
	if err != nil {
		return Tokens{}, err
	}
	return s.tokens(session, now)
}

// taker is where a refresh token is presented: which kind of sessions is refreshed there, and by whom.
type taker struct {
	kind   string
	client string // empty: any
}

// takes says whether a session's refresh token may be presented there. One that may not was given to nobody, or to
// another client.
func (t taker) takes(s store.Session) bool {
	return s.Kind == t.kind && (t.client == "" || s.Client == t.client)
}

// refresh is what both endpoints have in common: it returns the session as it is now.
func (s *Service) refresh(ctx context.Context, raw string, at taker, peer peer.Peer, now time.Time) (store.RefreshState, error) {
	presented, err := s.parseRefresh(ctx, raw)
	if CodeOf(err) == CodeInvalidRefreshToken {
		s.o.OnRefresh(refreshMalformed)
		return store.RefreshState{}, err
	}
	var session store.RefreshState
	var v rotation.Verdict
	if err == nil {
		session, v, err = s.rotate(ctx, presented, at, peer, now)
	}
	if err != nil {
		s.o.OnRefresh(refreshUnavailable)
		return store.RefreshState{}, err
	}
	s.o.OnRefresh(string(v))
	switch v {
	case rotation.VerdictRotate, rotation.VerdictAhead, rotation.VerdictRepeat, rotation.VerdictLate:
		return session, nil
	case rotation.VerdictSuperseded:
		return store.RefreshState{}, refuse(CodeRefreshSuperseded)
	case rotation.VerdictReuse, rotation.VerdictEnded, rotation.VerdictExpired, rotation.VerdictUnknown:
	}
	return store.RefreshState{}, refuse(CodeInvalidRefreshToken)
}

// parseRefresh checks the MAC; what fails here has touched nothing. A token under a master key that
// the database knows of and this process does not have is CodeUnavailable: a 401 would sign its owner out.
func (s *Service) parseRefresh(ctx context.Context, raw string) (token.Refresh, error) {
	r, err := s.o.Master.ParseRefresh(raw)
	if err != nil {
		return token.Refresh{}, s.refuseUnread(ctx, r.KeyID, err, CodeInvalidRefreshToken)
	}
	return r, nil
}

// rotate rotates the session if the token is its current one, and else asks for a verdict.
func (s *Service) rotate(ctx context.Context, presented token.Refresh, at taker, peer peer.Peer, now time.Time) (session store.RefreshState, v rotation.Verdict, err error) {
	session, err = s.o.Store.Rotate(ctx, s.rotateParams(presented, at, presented.Generation, now), now)
	if !errors.Is(err, store.ErrNotFound) {
		return session, rotation.VerdictRotate, err
	}
	for range maxJudgements {
		session, v, err = s.judgeAndAct(ctx, presented, at, peer, now)
		if !errors.Is(err, errMovedOn) {
			return session, v, err
		}
	}
	return store.RefreshState{}, "", unavailable(err)
}

// errMovedOn: the session changed between verdict and consequence; judge again.
var errMovedOn = errors.New("the session has moved on")

// judgeAndAct reads the row, asks for a verdict and writes its consequence in one transaction. A
// refusal is a value here, never an error: reuse must commit.
func (s *Service) judgeAndAct(ctx context.Context, presented token.Refresh, at taker, peer peer.Peer, now time.Time) (session store.RefreshState, v rotation.Verdict, err error) {
	err = s.o.Store.Write(ctx, func(tx *store.Tx) error {
		session, err = tx.RefreshStateByID(presented.SessionID)
		if errors.Is(err, store.ErrNotFound) {
			v = rotation.VerdictUnknown
			return nil
		}
		if err != nil {
			return err
		}
		if !at.takes(session.Session) {
			v = rotation.VerdictUnknown
			tx.CountAudit(audit.Misused(session.ID, session.UserID, peer, now))
			return nil
		}
		v = rotation.Judge(session.Session, presented.Generation, now, s.o.RefreshGrace, int64(s.o.RefreshRecoveries))
		about := audit.Event{UserID: session.UserID, SessionID: session.ID}
		switch v {
		case rotation.VerdictRotate, rotation.VerdictAhead:
			session, err = tx.Rotate(s.rotateParams(presented, at, session.Generation, now), now)
			if err == nil && v == rotation.VerdictAhead {
				about.Kind = audit.RefreshAhead
				audit.Write(tx, now, about, peer)
			}
		case rotation.VerdictLate:
			if err = tx.MarkLate(session.ID, session.Generation); err == nil {
				about.Kind = audit.RefreshLate
				audit.Write(tx, now, about, peer)
			}
		case rotation.VerdictReuse:
			err = s.endReused(tx, session, about, peer, now)
		case rotation.VerdictRepeat, rotation.VerdictSuperseded, rotation.VerdictEnded, rotation.VerdictExpired, rotation.VerdictUnknown:
			// the row stays as it is
		}
		if errors.Is(err, store.ErrNotFound) {
			return errMovedOn
		}
		return err
	})
	return session, v, err
}

// rotateParams are those of a rotation from the generation that the row is expected to have to the successor of the
// presented one.
func (s *Service) rotateParams(presented token.Refresh, at taker, expected int64, now time.Time) store.RotateParams {
	return store.RotateParams{
		SessionID:          presented.SessionID,
		Kind:               at.kind,
		Client:             at.client,
		ExpectedGeneration: expected,
		Presented:          presented.Generation,
		KeyID:              s.o.Master.Current(),
		IdleExpiresAt:      now.Add(s.o.RefreshIdle),
		Grace:              s.o.RefreshGrace,
	}
}

// endReused ends the session of a token that was used again. RFC 9700 §4.14.2: either the thief or the
// owner holds a copy, so neither keeps the session; the owner is told.
func (s *Service) endReused(tx *store.Tx, session store.RefreshState, about audit.Event, peer peer.Peer, now time.Time) error {
	user, err := tx.HoldUser(session.UserID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	known := err == nil
	if err := tx.EndReused(session.ID, session.Generation, ReasonReuse, now); err != nil {
		return err
	}
	about.Kind = audit.RefreshReuse
	audit.Write(tx, now, about, peer)
	if !known {
		return nil
	}
	return s.outbox.Notify(tx, mail.SessionEndedReuse, outbox.Request{
		To: user.Email, User: user.ID, Client: session.Client, Browser: session.Browser, OS: session.OS, Addr: peer.Describe().Addr,
	}, now)
}
