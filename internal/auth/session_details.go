package auth

// GET /auth/sessionDetails, from which the existing web client takes its tokens after a sign-in. Whoever knows
// a session's id must get nothing by it: an id is not a credential. What is asked for instead is the cookie
// that the client's own server made, which names the session and which script cannot read; only a client with
// a nextauth_secret has one that can be opened here.

import (
	"context"
	"errors"
	"slices"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/ids"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/studio"
	"latchkey/internal/throttle"
)

// DetailsAsked is what a request for the details of a session brings.
type DetailsAsked struct {
	SessionID string                   // as sent: wrapped for transport, or as it is
	Cookie    func(name string) string // empty for one that is not there
}

// SessionDetails are a live session's current tokens: an access token made now, and the refresh token that the
// row stands for. Nothing rotates.
type SessionDetails struct {
	Session Session
	Tokens  Tokens
}

// SessionDetails answers for the session that the cookie and the parameter both name. It is not alive when that
// has ended, or is of another kind or client: one answer. ErrNoSession where no cookie of a client's opens, or
// it names another session, which is audited.
func (s *Service) SessionDetails(ctx context.Context, in DetailsAsked, peer peer.Peer) (d SessionDetails, alive bool, err error) {
	registered := s.clientsOf(peer)
	if !registered.AnyCookie(in.Cookie) {
		return SessionDetails{}, false, ErrNoSession
	}
	now := s.now()
	if err := s.throttle.Count(ctx, throttle.DetailsLimit, peer, now); err != nil {
		return SessionDetails{}, false, err
	}
	named, clients := registered.OpenCookie(in.Cookie, now)
	if named == "" {
		return SessionDetails{}, false, ErrNoSession
	}
	// Only now: who has no cookie learns nothing of what is wrapped for transport.
	if s.unwrapID(in.SessionID) != named {
		return SessionDetails{}, false, s.refuseDetails(ctx, named, peer, now)
	}
	row, err := s.o.Store.RefreshStateByID(ctx, named)
	if errors.Is(err, store.ErrNotFound) {
		return SessionDetails{}, false, nil
	}
	if err != nil {
		return SessionDetails{}, false, err
	}
	if row.Kind != kindAuth || !slices.Contains(clients, row.Client) || !row.AliveAt(now) {
		return SessionDetails{}, false, nil
	}
	tokens, err := s.tokens(row, now)
	return SessionDetails{Session: describeSession(row.Session), Tokens: tokens}, err == nil, err
}

// refuseDetails is ErrNoSession, once it is written down whose cookie asked for a session not its own.
func (s *Service) refuseDetails(ctx context.Context, named string, peer peer.Peer, now time.Time) error {
	about := audit.Event{Kind: audit.DetailsRefused, Outcome: audit.Refused, SessionID: named}
	err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		session, err := tx.SessionEverByID(named) // also one of which only its end is kept
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		about.UserID = session.UserID
		audit.Write(tx, now, about, peer)
		return nil
	})
	if err != nil {
		return err
	}
	return ErrNoSession
}

// unwrapID reads the parameter, empty where it is no id.
func (s *Service) unwrapID(raw string) string {
	id, _ := ids.Parse(studio.OpenParameter(s.o.TransportKey, raw))
	return id
}
