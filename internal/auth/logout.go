package auth

// Signing out at an app's request: OpenID Connect RP-Initiated Logout 1.0.

import (
	"context"
	"errors"

	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// LogoutRequest is what an app sends a browser with.
type LogoutRequest struct {
	Hint      string // an ID token, perhaps run out; empty: none
	Client    string // alias; empty: not said
	PageToken string // of the browser; empty: none
}

// LogoutAnswer says what became of it.
type LogoutAnswer struct {
	Client string // whose registered URI the browser may be sent to; empty: nobody's
	Ask    bool   // a person must say that they want it
	Ended  bool   // the page session of this browser, with its apps
}

// Logout ends the page session of a browser where the hint names a session that came from it. Any other request is one
// that a page elsewhere may have made: it asks. With nobody signed in there is nothing to end or to ask.
func (s *Service) Logout(ctx context.Context, in LogoutRequest, peer peer.Peer) (a LogoutAnswer, err error) {
	var hint token.ID
	if in.Hint != "" {
		if hint, err = s.readHint(ctx, in.Hint); err != nil {
			return a, err
		}
	}
	a.Client = in.Client
	if a.Client == "" {
		a.Client = hint.Audience
	}
	held, err := s.heldPage(ctx, in.PageToken)
	if err != nil || held.session == "" {
		return a, err
	}
	counts := hint.SessionID != "" && hint.Audience == a.Client
	if counts {
		if counts, err = s.cameFrom(ctx, hint, held); err != nil {
			return a, err
		}
	}
	if !counts {
		a.Ask = true
		return a, nil
	}
	a.Ended = true
	return a, s.endPage(ctx, held, peer)
}

// cameFrom says whether the hint's session, alive or ended, came from a page session.
func (s *Service) cameFrom(ctx context.Context, hint token.ID, page pageClaim) (bool, error) {
	var named store.Session
	err := s.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		named, err = tx.SessionByID(hint.SessionID)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && named.Kind == kindOAuth && named.UserID == page.user && named.Parent == page.session && named.Client == hint.Audience, err
}

// readHint reads an ID token of ours, run out or not; the zero ID where it is none. An error says that nobody can tell.
func (s *Service) readHint(ctx context.Context, raw string) (token.ID, error) {
	id, refusal, err := s.keys.ParseHint(ctx, raw)
	if err != nil || refusal != nil {
		return token.ID{}, err
	}
	return id, nil
}
