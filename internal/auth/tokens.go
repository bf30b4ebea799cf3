package auth

// The tokens of a session, made when it is signed in or refreshed and read when they come back.

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/store"
	"latchkey/internal/token"
)

const scope = "email profile"

// tokens makes the access token and derives the current refresh token of a session. The refresh
// token is a function of the row and the master key, so that a repeat gets the same one (I2). now is
// the time of the operation that wrote the row.
func (s *Service) tokens(r store.Refreshed, now time.Time) (Tokens, error) {
	refresh, err := s.o.Master.SignRefresh(token.Refresh{
		KeyID:      r.KeyID,
		Issuer:     s.o.Issuer,
		SessionID:  r.ID,
		Client:     r.Client,
		Generation: r.Generation,
		IssuedAt:   r.RotatedAt,
		ExpiresAt:  r.ExpiresAt(),
	})
	if err != nil {
		return Tokens{}, unavailable(err)
	}
	life := s.accessLife(r, now)
	access, err := s.keys.ring().SignAccess(token.Access{
		Issuer:        s.o.Issuer,
		Subject:       r.UserID,
		Audience:      s.o.Audience,
		TokenID:       uuid.NewString(),
		SessionID:     r.ID,
		Client:        r.Client,
		Email:         r.Email,
		EmailVerified: true, // I17
		GivenName:     r.FirstName,
		FamilyName:    r.LastName,
		Scope:         scope,
		IssuedAt:      now,
		ExpiresAt:     now.Truncate(time.Second).Add(life),
		AuthTime:      r.CreatedAt,
	}, now)
	if err != nil {
		return Tokens{}, unavailable(err)
	}
	return Tokens{
		AccessToken:      access,
		ExpiresIn:        life,
		RefreshToken:     refresh,
		RefreshExpiresIn: r.ExpiresAt().Sub(now).Truncate(time.Second),
		SessionID:        r.ID,
		UserID:           r.UserID,
		Scope:            scope,
	}, nil
}

// accessLife is the configured life less up to 5 %, so that clients do not refresh in step, and never
// longer than the session's.
func (s *Service) accessLife(r store.Refreshed, now time.Time) time.Duration {
	life := s.o.AccessTTL - rand.N(s.o.AccessTTL/20+1)
	return max(time.Second, min(life, r.ExpiresAt().Sub(now)).Truncate(time.Second))
}

// Authenticate accepts a Bearer token (RFC 6750) whose session is alive: a sign-out holds at once, on
// every node. CodeInvalidToken otherwise; CodeUnavailable when that cannot be found out (I11).
func (s *Service) Authenticate(ctx context.Context, accessToken string) (Caller, error) {
	access, session, err := s.readAccess(ctx, accessToken)
	if err != nil {
		return Caller{}, err
	}
	return Caller{
		UserID:    session.UserID,
		SessionID: session.ID,
		Client:    session.Client,
		Scope:     access.Scope,
		ExpiresAt: access.ExpiresAt,
	}, nil
}

func (s *Service) readAccess(ctx context.Context, raw string) (token.Access, store.Session, error) {
	access, err := s.parseAccess(ctx, raw)
	if err != nil {
		return token.Access{}, store.Session{}, err
	}
	session, err := s.liveSession(ctx, access.SessionID, access.Subject, s.now())
	return access, session, err
}

// liveSession reads a session that a token of the user's names: CodeInvalidToken when it is not alive.
func (s *Service) liveSession(ctx context.Context, id, userID string, now time.Time) (store.Session, error) {
	session, err := s.session(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Session{}, refuse(CodeInvalidToken)
	case err != nil:
		return store.Session{}, err
	case session.UserID != userID, !session.AliveAt(now):
		return store.Session{}, refuse(CodeInvalidToken)
	}
	return session, nil
}

// parseAccess checks the token alone. A key this node does not know yet may be another node's new
// one: the ring is read again, at most once a second.
func (s *Service) parseAccess(ctx context.Context, raw string) (token.Access, error) {
	now := s.now()
	access, err := s.verify(raw, now)
	if errors.Is(err, token.ErrUnknownKey) {
		if err := s.reloadKeysSoon(ctx); err != nil {
			return token.Access{}, err
		}
		access, err = s.verify(raw, now)
	}
	if err != nil {
		return token.Access{}, &Error{Code: CodeInvalidToken, Cause: err}
	}
	return access, nil
}

func (s *Service) verify(raw string, now time.Time) (token.Access, error) {
	ring := s.keys.ring()
	if access, ok := s.verified.get(raw, ring, now); ok {
		return access, nil
	}
	access, err := ring.ParseAccess(raw, s.o.Issuer, s.o.Audience, now)
	if err == nil {
		s.verified.put(raw, ring, access)
	}
	return access, err
}

func (s *Service) session(ctx context.Context, id string) (session store.Session, err error) {
	err = s.lookup(ctx, func(tx *store.Tx) error {
		session, err = tx.SessionByID(id)
		return err
	})
	return session, err
}
