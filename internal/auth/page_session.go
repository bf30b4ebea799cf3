package auth

// Sessions of the hosted pages. Such a session is a row like any other: listed, evicted, ended and explained
// alike. What its browser holds is a page token, a signed claim of its own kind: nothing is stored for
// it, and nothing under /auth or /oauth takes it (I7).
//
// No refresh token of such a session is ever handed out. One could be derived from the row and the master
// key alone, so whoever could forge it has all of them anyway.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/peer"
	"latchkey/internal/store"
)

const (
	labelPageSession = "page session v1"

	// pageUseNoted: a session in use is written to at most once in so long, or twice in a shorter limit.
	pageUseNoted = 5 * time.Minute
)

// SignInPage is SignIn for a browser on the hosted pages.
func (s *Service) SignInPage(ctx context.Context, in SignIn, peer peer.Peer) (PageSession, error) {
	session, device, err := s.startSession(ctx, in, kindPage, peer)
	if err != nil {
		return PageSession{}, err
	}
	raw, err := s.o.Master.SignClaim(session.KeyID, labelPageSession, session.ID, session.UserID)
	if err != nil {
		return PageSession{}, unavailable(err)
	}
	return PageSession{Token: raw, Device: device, MaxAge: s.o.RefreshOverall, Caller: pageCaller(session.Session)}, nil
}

// endReplaced ends the session of the page token that a browser has until it is given another: no copy of it
// goes on. A session of another user is not a held user's to end (I18).
func (s *Service) endReplaced(tx *store.Tx, held store.User, raw string, peer peer.Peer, now time.Time) error {
	fields, _, err := s.o.Master.ParseClaim(labelPageSession, raw, 2)
	if err != nil { // none, or not ours
		return nil
	}
	err = tx.EndSession(fields[0], held.ID, ReasonSignedOut, now)
	if errors.Is(err, store.ErrNotFound) { // another's, or over
		return nil
	}
	if err != nil {
		return err
	}
	audit.WriteEnded(tx, now, fields[:1], audit.Event{Outcome: ReasonSignedOut, UserID: held.ID}, peer)
	return nil
}

// PageCaller accepts a page token whose session is alive, and counts that as use of the session: its
// inactivity limit moves, its overall limit never does (I16). CodeInvalidToken otherwise; CodeUnavailable
// when that cannot be found out (I11).
func (s *Service) PageCaller(ctx context.Context, raw string) (Caller, error) {
	p, err := s.parsePage(ctx, raw)
	if err != nil {
		return Caller{}, err
	}
	now := s.now()
	session, err := s.liveSession(ctx, p.session, p.user, now, kindPage, kindAuth)
	if err == nil && session.Kind == kindAuth {
		session, err = s.adoptPage(ctx, p, now)
	}
	if err != nil {
		return Caller{}, err
	}
	if now.Sub(session.RotatedAt) > min(pageUseNoted, s.o.RefreshIdle/2) {
		if session, err = s.notePageUse(ctx, p, session, now); err != nil {
			return Caller{}, err
		}
	}
	return pageCaller(session), nil
}

// pageClaim is what a page token says: whose session it opens.
type pageClaim struct {
	session, user, kid string
}

// parsePage checks the MAC; what fails here has touched nothing.
func (s *Service) parsePage(ctx context.Context, raw string) (pageClaim, error) {
	fields, kid, err := s.o.Master.ParseClaim(labelPageSession, raw, 2)
	if err != nil {
		return pageClaim{}, s.refuseUnread(ctx, kid, err, CodeInvalidToken)
	}
	return pageClaim{session: fields[0], user: fields[1], kid: kid}, nil
}

// adoptPage sets the kind of a session that a release without kinds made for a page. The cookie is the proof:
// none ever named a session whose refresh token was given to somebody.
func (s *Service) adoptPage(ctx context.Context, p pageClaim, now time.Time) (store.Session, error) {
	err := s.o.Store.SetKind(ctx, p.session, kindAuth, kindPage)
	if err != nil && !errors.Is(err, store.ErrNotFound) { // not found: ended since it was read, or another request was first
		return store.Session{}, err
	}
	return s.liveSession(ctx, p.session, p.user, now, kindPage)
}

// notePageUse rotates the session to its next generation, as a refresh does. Its key stays the one that signed
// the cookie, so that `key list` counts the session until that key may be dropped (I20).
func (s *Service) notePageUse(ctx context.Context, p pageClaim, session store.Session, now time.Time) (store.Session, error) {
	rotated, err := s.o.Store.Rotate(ctx, store.RotateParams{
		SessionID:          session.ID,
		Kind:               kindPage,
		ExpectedGeneration: session.Generation,
		Presented:          session.Generation,
		KeyID:              p.kid,
		IdleExpiresAt:      now.Add(s.o.RefreshIdle),
		Grace:              s.o.RefreshGrace,
	}, now)
	if errors.Is(err, store.ErrNotFound) { // ended since it was read, or another request was first
		return s.liveSession(ctx, p.session, p.user, now, kindPage)
	}
	return rotated.Session, err
}

func pageCaller(session store.Session) Caller {
	return Caller{
		UserID:    session.UserID,
		SessionID: session.ID,
		Client:    session.Client,
		Scope:     scope,
		ExpiresAt: session.ExpiresAt(),
	}
}
