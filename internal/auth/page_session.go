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

// heldPage is what the page token says that a browser has had until now; zero where it has none of ours.
func (s *Service) heldPage(ctx context.Context, raw string) (pageClaim, error) {
	if raw == "" {
		return pageClaim{}, nil
	}
	p, err := s.parsePage(ctx, raw)
	if CodeOf(err) == CodeInvalidToken {
		return pageClaim{}, nil
	}
	return p, err
}

// endReplaced ends the page session that a held user's browser has had until now: no copy of its token goes on. What came
// from it comes from the new one; where it was ended before, other than by expiring, that ends with it. A session of
// another user is not this one's to end (I18).
func (s *Service) endReplaced(tx *store.Tx, held store.User, p pageClaim, by string, peer peer.Peer, now time.Time) error {
	if p.user != held.ID {
		return nil
	}
	old, err := pageNow(tx, p.session)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !old.EndedAt.IsZero() && !hasRunOut(old, now) {
		return s.endOrphans(tx, held.ID, ReasonSignedOutElsewhere, peer, now)
	}
	if old.EndedAt.IsZero() {
		if _, err := tx.EndSession(old.ID, held.ID, ReasonSignedOut, now); err != nil {
			return err
		}
		audit.WriteEnded(tx, now, []string{old.ID}, audit.Event{Outcome: ReasonSignedOut, UserID: held.ID}, peer)
	}
	tx.TakeOver(held.ID, old.ID, by)
	return nil
}

// SignOutPage ends the page session that a browser holds, and the sessions of apps that came from it: also where it has
// run out itself, since they live on then. Whoever has the browser has that session. A token that is not ours, or whose
// user is gone, is a success.
func (s *Service) SignOutPage(ctx context.Context, raw string, peer peer.Peer) error {
	p, err := s.heldPage(ctx, raw)
	if err != nil || p.session == "" {
		return err
	}
	return s.endPage(ctx, p, peer)
}

func (s *Service) endPage(ctx context.Context, p pageClaim, peer peer.Peer) error {
	now := s.now()
	err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.HoldUser(p.user); err != nil {
			return err
		}
		return s.endNow(tx, p.user, p.session, ReasonSignedOut, peer, now)
	})
	if errors.Is(err, store.ErrNotFound) { // the user is gone, and every session with them
		return nil
	}
	return err
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
		OnPages:   true,
	}
}
