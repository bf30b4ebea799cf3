package auth

// What resource servers and clients may ask about a token: RFC 7662, RFC 7009, userinfo.

import (
	"context"
	"errors"

	"latchkey/internal/peer"
	"latchkey/internal/rotation"
	"latchkey/internal/store"
)

// Introspect says whether a token would be accepted now, and what it says. It changes nothing. An
// error is never about the token, only about not being able to tell.
func (s *Service) Introspect(ctx context.Context, raw string) (Introspection, error) {
	access, session, err := s.readAccess(ctx, raw)
	if err == nil {
		return Introspection{
			Active: true, TokenType: "Bearer", Scope: access.Scope, ClientID: access.Client,
			Username: access.Email, Subject: access.Subject, Issuer: access.Issuer, Audience: access.Audience,
			SessionID: session.ID, TokenID: access.TokenID,
			IssuedAt: access.IssuedAt, NotBefore: access.IssuedAt, ExpiresAt: access.ExpiresAt,
		}, nil
	}
	if CodeOf(err) != CodeInvalidToken {
		return Introspection{}, err
	}
	return s.introspectRefresh(ctx, raw)
}

func (s *Service) introspectRefresh(ctx context.Context, raw string) (Introspection, error) {
	presented, err := s.parseRefresh(ctx, raw)
	if CodeOf(err) == CodeInvalidRefreshToken {
		return Introspection{}, nil
	}
	if err != nil {
		return Introspection{}, err
	}
	session, err := s.o.Store.SessionByID(ctx, presented.SessionID)
	if errors.Is(err, store.ErrNotFound) || err == nil && session.Kind != kindAuth {
		return Introspection{}, nil
	}
	if err != nil {
		return Introspection{}, err
	}
	switch rotation.Judge(session, presented.Generation, s.now(), s.o.RefreshGrace, int64(s.o.RefreshRecoveries)) {
	case rotation.VerdictRotate, rotation.VerdictRepeat, rotation.VerdictLate, rotation.VerdictAhead:
		return Introspection{
			Active: true, TokenType: "refresh_token", Scope: scope, ClientID: session.Client,
			Subject: session.UserID, Issuer: s.o.Issuer, SessionID: session.ID,
			IssuedAt: session.RotatedAt, ExpiresAt: session.ExpiresAt(),
		}, nil
	case rotation.VerdictSuperseded, rotation.VerdictReuse, rotation.VerdictEnded, rotation.VerdictExpired, rotation.VerdictUnknown:
	}
	return Introspection{}, nil
}

// Revoke ends the session of a refresh token of any generation, or of an access token, run out or not. What
// is neither is a success too (RFC 7009 §2.2).
func (s *Service) Revoke(ctx context.Context, raw string, peer peer.Peer) error {
	sessionID, err := s.sessionOf(ctx, raw)
	if err != nil || sessionID == "" {
		return err
	}
	return s.endByToken(ctx, sessionID, peer)
}

// endByToken ends the session that a token names. One that has ended, or was swept since, is a success.
func (s *Service) endByToken(ctx context.Context, sessionID string, peer peer.Peer) error {
	session, err := s.o.Store.SessionByID(ctx, sessionID)
	if errors.Is(err, store.ErrNotFound) || err == nil && session.Kind != kindAuth { // a page's cookie is no token of this endpoint
		return nil
	}
	if err != nil {
		return err
	}
	err = s.endOwn(ctx, Caller{UserID: session.UserID, SessionID: session.ID}, []string{session.ID}, peer)
	if CodeOf(err) == CodeInvalidToken { // its user is gone, and the session with it
		return nil
	}
	return err
}

func (s *Service) sessionOf(ctx context.Context, raw string) (string, error) {
	refresh, err := s.parseRefresh(ctx, raw)
	if err == nil {
		return refresh.SessionID, nil
	}
	if CodeOf(err) != CodeInvalidRefreshToken {
		return "", err
	}
	access, _, err := s.parseAccessAnyAge(ctx, raw)
	if CodeOf(err) == CodeInvalidToken {
		return "", nil
	}
	return access.SessionID, err
}

// UserInfo says who the caller is, as the account stands now.
func (s *Service) UserInfo(ctx context.Context, caller Caller) (UserInfo, error) {
	u, err := s.o.Store.UserByID(ctx, caller.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return UserInfo{}, refuse(CodeInvalidToken)
	}
	return UserInfo{
		Subject: u.ID, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName,
		EmailVerified: !u.VerifiedAt.IsZero(),
	}, err
}
