package auth

// Refreshing: a refresh token becomes its successor. Never signs an honest client out, and notices a
// stolen token that goes on being used.
//
// The common case is one conditional statement. Only when that changes no row is the row read, the
// verdict of policy.go asked for, and its consequence written, in a transaction that commits although
// the caller may be refused: a server that rolls its revocation back with the error lets a thief stay.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/mail"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// maxJudgements bounds how often a session that moves on under our eyes is judged again.
const maxJudgements = 8

// Refresh hands out the successor of a refresh token. CodeInvalidRefreshToken is one answer for every
// dead token; CodeRefreshSuperseded asks the client to use what a sibling request has just been given.
func (s *Service) Refresh(ctx context.Context, refreshToken string, peer Peer) (Tokens, error) {
	var f form
	f.required("refreshToken", refreshToken, "Send the refresh token.")
	if err := f.err(); err != nil {
		return Tokens{}, err
	}
	now := s.now()
	presented, err := s.parseRefresh(ctx, refreshToken)
	if CodeOf(err) == CodeInvalidRefreshToken {
		s.o.OnRefresh("malformed")
		return Tokens{}, err
	}
	var session store.Refreshed
	var v verdict
	if err == nil {
		session, v, err = s.turn(ctx, presented, peer, now)
	}
	if err != nil {
		s.o.OnRefresh("unavailable")
		return Tokens{}, err
	}
	s.o.OnRefresh(string(v))
	switch v {
	case verdictRotate, verdictAhead, verdictRepeat, verdictLate:
		return s.tokens(session, now)
	case verdictSuperseded:
		return Tokens{}, refuse(CodeRefreshSuperseded)
	}
	return Tokens{}, refuse(CodeInvalidRefreshToken)
}

// parseRefresh checks the MAC; what fails here has touched nothing. A token under a master key this
// process lacks, but the database knows of, is CodeUnavailable: a 401 would sign its owner out.
func (s *Service) parseRefresh(ctx context.Context, raw string) (token.Refresh, error) {
	r, err := s.o.Master.ParseRefresh(raw)
	if err == nil {
		return r, nil
	}
	if err := s.lackedKey(ctx, r.KeyID, err); err != nil {
		return token.Refresh{}, err
	}
	return token.Refresh{}, &Error{Code: CodeInvalidRefreshToken, Cause: err}
}

// turn rotates the session if the token is its current one (rule 2), else judges.
func (s *Service) turn(ctx context.Context, presented token.Refresh, peer Peer, now time.Time) (session store.Refreshed, v verdict, err error) {
	err = s.joint(ctx, func(tx *store.Tx) error {
		session, err = tx.Rotate(s.rotation(presented, presented.Generation, now), now)
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		return session, verdictRotate, err
	}
	for range maxJudgements {
		session, v, err = s.judgeAndAct(ctx, presented, peer, now)
		if !errors.Is(err, errMovedOn) {
			return session, v, err
		}
	}
	return store.Refreshed{}, "", unavailable(err)
}

// errMovedOn: the session changed between verdict and consequence; judge again.
var errMovedOn = errors.New("the session has moved on")

// judgeAndAct reads the row, asks for a verdict and writes its consequence in one transaction. A
// refusal is a value here, never an error: reuse must commit.
func (s *Service) judgeAndAct(ctx context.Context, presented token.Refresh, peer Peer, now time.Time) (session store.Refreshed, v verdict, err error) {
	err = s.write(ctx, func(tx *store.Tx) error {
		session, err = tx.RefreshedByID(presented.SessionID)
		if errors.Is(err, store.ErrNotFound) {
			v = verdictUnknown
			return nil
		}
		if err != nil {
			return err
		}
		v = judge(session.Session, presented.Generation, now, s.o.RefreshGrace, int64(s.o.RefreshRecoveries))
		about := event{UserID: session.UserID, SessionID: session.ID}
		switch v {
		case verdictRotate, verdictAhead:
			session, err = tx.Rotate(s.rotation(presented, session.Generation, now), now)
			if err == nil && v == verdictAhead {
				about.Kind = eventRefreshAhead
				err = s.audit(tx, now, about, peer)
			}
		case verdictLate:
			if err = tx.MarkLate(session.ID, session.Generation); err == nil {
				about.Kind = eventRefreshLate
				err = s.audit(tx, now, about, peer)
			}
		case verdictReuse:
			err = s.endReused(tx, session, about, peer, now)
		}
		if errors.Is(err, store.ErrNotFound) {
			return errMovedOn
		}
		return err
	})
	return session, v, err
}

// rotation is the turn from the row's generation to the presented one's successor.
func (s *Service) rotation(presented token.Refresh, judged int64, now time.Time) store.Turn {
	return store.Turn{
		SessionID:     presented.SessionID,
		Judged:        judged,
		Presented:     presented.Generation,
		KeyID:         s.o.Master.Current(),
		IdleExpiresAt: now.Add(s.o.RefreshIdle),
		Grace:         s.o.RefreshGrace,
	}
}

// endReused ends the session of a token that was used again. RFC 9700 §4.14.2: either the thief or the
// owner holds a copy, so neither keeps the session; the owner is told.
func (s *Service) endReused(tx *store.Tx, session store.Refreshed, about event, peer Peer, now time.Time) error {
	user, err := tx.HoldUser(session.UserID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	known := err == nil
	if err := tx.EndReused(session.ID, session.Generation, reasonReuse, now); err != nil {
		return err
	}
	about.Kind = eventRefreshReuse
	if err := s.audit(tx, now, about, peer); err != nil || !known {
		return err
	}
	return s.notify(tx, mail.SessionEndedReuse, letter{
		To: user.Email, User: user.ID, Client: session.Client, Browser: session.Browser, OS: session.OS, Addr: describeDevice(peer).Addr,
	}, now)
}
