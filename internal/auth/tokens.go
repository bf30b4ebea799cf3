package auth

// The tokens of a session, made when it is signed in or refreshed and read when they come back.

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/oidc"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

const scope = "email profile"

// tokens makes the access token and derives the current refresh token of a session. The refresh
// token is a function of the session's row and the master key, so that a repeat gets the same one (I2). now is
// the time of the operation that wrote that row.
func (s *Service) tokens(r store.RefreshState, now time.Time) (Tokens, error) {
	refresh, err := s.signRefresh(r)
	if err != nil {
		return Tokens{}, err
	}
	t, err := s.signAccess(token.Access{
		Subject:       r.UserID,
		SessionID:     r.ID,
		Client:        r.Client,
		Email:         r.Email,
		EmailVerified: true, // I17
		GivenName:     r.FirstName,
		FamilyName:    r.LastName,
		Scope:         scope,
		AuthTime:      r.CreatedAt,
	}, s.accessLife(r, now), now)
	if err != nil {
		return Tokens{}, err
	}
	t.RefreshToken, t.RefreshExpiresIn = refresh, r.ExpiresAt().Sub(now).Truncate(time.Second)
	return t, nil
}

// signRefresh derives the current refresh token of a session.
func (s *Service) signRefresh(r store.RefreshState) (string, error) {
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
		return "", unavailable(err)
	}
	return refresh, nil
}

// signAccess signs an access token of that life and describes it.
func (s *Service) signAccess(a token.Access, life time.Duration, now time.Time) (Tokens, error) {
	// exp is in whole seconds, expires_in counts from now: it promises no more than what is left of exp.
	exp := now.Truncate(time.Second).Add(life)
	left := exp.Sub(now).Truncate(time.Second)
	if left < time.Second {
		exp, left = exp.Add(time.Second), time.Second
	}
	a.TokenID, a.IssuedAt, a.ExpiresAt = uuid.NewString(), now, exp
	access, err := s.keys.SignAccess(a, now)
	if err != nil {
		return Tokens{}, unavailable(err)
	}
	return Tokens{AccessToken: access, ExpiresIn: left, SessionID: a.SessionID, UserID: a.Subject, Scope: a.Scope}, nil
}

// accessLife is the configured life less up to 5 %, so that clients do not refresh in step, and never
// longer than the session's.
func (s *Service) accessLife(r store.RefreshState, now time.Time) time.Duration {
	life := s.o.AccessTTL - rand.N(s.o.AccessTTL/20+1)
	return max(time.Second, min(life, r.ExpiresAt().Sub(now)).Truncate(time.Second))
}

// Authenticate accepts a Bearer token (RFC 6750) whose session is alive: a sign-out holds at once, on
// every node. CodeInvalidToken otherwise; CodeUnavailable when that cannot be found out (I11). An app's token opens
// nothing here without the scope account: CodeInsufficientScope, since it must not list or end its user's sessions.
func (s *Service) Authenticate(ctx context.Context, accessToken string) (Caller, error) {
	return s.authenticate(ctx, accessToken, func(a token.Access) bool {
		return a.Audience == s.o.Audience && oidc.Has(a.Scope, oidc.ScopeAccount)
	})
}

// AuthenticateForClaims is Authenticate for userinfo, which takes every app's token with the scope openid, whatever
// resource it is for.
func (s *Service) AuthenticateForClaims(ctx context.Context, accessToken string) (Caller, error) {
	return s.authenticate(ctx, accessToken, func(a token.Access) bool { return oidc.Has(a.Scope, oidc.ScopeOpenID) })
}

func (s *Service) authenticate(ctx context.Context, raw string, app func(token.Access) bool) (Caller, error) {
	access, session, err := s.readAccess(ctx, raw)
	if err != nil {
		return Caller{}, err
	}
	if session.Kind == kindOAuth && !app(access) {
		return Caller{}, refuse(CodeInsufficientScope)
	}
	return Caller{
		UserID:    session.UserID,
		SessionID: session.ID,
		Client:    session.Client,
		Scope:     access.Scope,
		ExpiresAt: access.ExpiresAt,
		AnyClaims: session.Kind == kindAuth,
	}, nil
}

// readAccess reads a token of ours, whatever it is for, and its session.
func (s *Service) readAccess(ctx context.Context, raw string) (token.Access, store.Session, error) {
	access, err := s.parseAccess(ctx, raw)
	if err != nil {
		return token.Access{}, store.Session{}, err
	}
	session, err := s.liveSession(ctx, access.SessionID, access.Subject, s.now(), kindAuth, kindOAuth)
	if err == nil && session.Kind == kindAuth && access.Audience != s.o.Audience { // of before the audience was changed
		err = refuse(CodeInvalidToken)
	}
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
	case session.UserID == userID && hasRunOut(session, now):
		return store.Session{}, &Error{Code: CodeInvalidToken, Cause: ErrRunOut}
	case session.UserID != userID, !session.AliveAt(now):
		return store.Session{}, refuse(CodeInvalidToken)
	case !slices.Contains(kinds, session.Kind):
		return store.Session{}, refuse(CodeInvalidToken)
	}
	return session, nil
}

// ErrRunOut is the cause of CodeInvalidToken where a session was ended by nobody: it has run out.
var ErrRunOut = errors.New("the session has run out")

// hasRunOut says whether a session has expired, marked as such or not.
func hasRunOut(session store.Session, now time.Time) bool {
	if session.EndedAt.IsZero() {
		return !session.AliveAt(now)
	}
	return session.EndReason == ReasonExpiredIdle || session.EndReason == ReasonExpiredOverall
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
	if parseErr != nil || !runOut || access.SessionID == "" || access.Audience != s.o.Audience {
		return Caller{}, err
	}
	session, findErr := s.o.Store.SessionByID(ctx, access.SessionID)
	if findErr == nil && session.Kind != kindAuth { // an app leaves by /oauth/revoke
		return Caller{}, err
	}
	if findErr != nil && !errors.Is(findErr, store.ErrNotFound) {
		return Caller{}, findErr
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

// parseAccessAnyAge is parseAccess but for exp: signature, type and issuer are asked for alike. Whom the token is for, and
// whether it names a session, is for the caller to ask.
func (s *Service) parseAccessAnyAge(ctx context.Context, raw string) (access token.Access, runOut bool, err error) {
	access, refusal, err := s.keys.ParseAccess(ctx, raw)
	switch {
	case err != nil:
		return token.Access{}, false, err
	case refusal != nil && !errors.Is(refusal, token.ErrExpired):
		return token.Access{}, false, &Error{Code: CodeInvalidToken, Cause: refusal}
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
