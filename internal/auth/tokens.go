package auth

// The tokens of a session, made when it is signed in or refreshed and read when they come back.

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/store"
	"latchkey/internal/token"
)

const scope = "email profile"

// tokens makes the access token and derives the current refresh token of a session. The refresh
// token is a function of the session's row and the master key, so that a repeat gets the same one (I2). now is
// the time of the operation that wrote that row.
func (s *Service) tokens(r store.RefreshState, now time.Time) (Tokens, error) {
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
	// exp is in whole seconds, expires_in counts from now: it promises no more than what is left of exp.
	exp := now.Truncate(time.Second).Add(s.accessLife(r, now))
	left := exp.Sub(now).Truncate(time.Second)
	if left < time.Second {
		exp, left = exp.Add(time.Second), time.Second
	}
	access, err := s.keys.SignAccess(token.Access{
		Subject:       r.UserID,
		TokenID:       uuid.NewString(),
		SessionID:     r.ID,
		Client:        r.Client,
		Email:         r.Email,
		EmailVerified: true, // I17
		GivenName:     r.FirstName,
		FamilyName:    r.LastName,
		Scope:         scope,
		IssuedAt:      now,
		ExpiresAt:     exp,
		AuthTime:      r.CreatedAt,
	}, now)
	if err != nil {
		return Tokens{}, unavailable(err)
	}
	return Tokens{
		AccessToken:      access,
		ExpiresIn:        left,
		RefreshToken:     refresh,
		RefreshExpiresIn: r.ExpiresAt().Sub(now).Truncate(time.Second),
		SessionID:        r.ID,
		UserID:           r.UserID,
		Scope:            scope,
	}, nil
}

// accessLife is the configured life less up to 5 %, so that clients do not refresh in step, and never
// longer than the session's.
func (s *Service) accessLife(r store.RefreshState, now time.Time) time.Duration {
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
	session, err := s.liveSession(ctx, access.SessionID, access.Subject, s.now(), kindAuth)
	return access, session, err
}

// liveSession reads a session that a token of the user's names: CodeInvalidToken when it is not alive, or of
// none of the kinds that such a token opens (I7).
func (s *Service) liveSession(ctx context.Context, id, userID string, now time.Time, kinds ...string) (store.Session, error) {
	session, err := s.o.Store.SessionByID(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Session{}, refuse(CodeInvalidToken)
	case err != nil:
		return store.Session{}, err
	case session.UserID != userID, !session.AliveAt(now):
		return store.Session{}, refuse(CodeInvalidToken)
	case !slices.Contains(kinds, session.Kind):
		return store.Session{}, refuse(CodeInvalidToken)
	}
	return session, nil
}

// AuthenticateLeaver is Authenticate for signing out. Whoever comes to sign out late shall not have to sign
// in first: a token that is right in everything but its expiry makes a Caller that is RunOut, and may end its
// own session and do nothing else.
func (s *Service) AuthenticateLeaver(ctx context.Context, accessToken string) (Caller, error) {
	caller, err := s.Authenticate(ctx, accessToken)
	if CodeOf(err) != CodeInvalidToken {
		return caller, err
	}
	access, runOut, parseErr := s.parseAccessAnyAge(ctx, accessToken)
	if parseErr != nil || !runOut {
		return Caller{}, err
	}
	return Caller{UserID: access.Subject, SessionID: access.SessionID, Client: access.Client, RunOut: true}, nil
}

// parseAccess checks the token alone.
func (s *Service) parseAccess(ctx context.Context, raw string) (token.Access, error) {
	access, runOut, err := s.parseAccessAnyAge(ctx, raw)
	if err == nil && runOut {
		err = &Error{Code: CodeInvalidToken, Cause: token.ErrExpired}
	}
	if err != nil {
		return token.Access{}, err
	}
	return access, nil
}

// parseAccessAnyAge is parseAccess but for exp: signature, type, issuer, audience and a session are asked for alike. A
// token for another resource opens nothing here, and neither does a client's own, which names no session.
func (s *Service) parseAccessAnyAge(ctx context.Context, raw string) (access token.Access, runOut bool, err error) {
	access, refusal, err := s.keys.ParseAccess(ctx, raw)
	switch {
	case err != nil:
		return token.Access{}, false, err
	case refusal != nil && !errors.Is(refusal, token.ErrExpired):
		return token.Access{}, false, &Error{Code: CodeInvalidToken, Cause: refusal}
	case access.Audience != s.o.Audience, access.SessionID == "":
		return token.Access{}, false, &Error{Code: CodeInvalidToken, Cause: token.ErrMalformed}
	}
	return access, refusal != nil, nil
}

// refuseUnread refuses a token that could not be read with the code given: it is not ours. Where the master key is
// one that the database knows of and this process does not have, or nobody can tell, it is CodeUnavailable: a 401 would sign its owner out.
func (s *Service) refuseUnread(ctx context.Context, masterKeyID string, cause error, code Code) error {
	if errors.Is(cause, token.ErrUnknownMasterKey) {
		if missing, err := s.keys.MissingMasterKey(ctx, masterKeyID); err != nil {
			return err
		} else if missing {
			return unavailable(cause)
		}
	}
	return &Error{Code: code, Cause: cause}
}
