package auth

// What resource servers and clients may ask about a token: RFC 7662, RFC 7009, userinfo.

import (
	"context"
	"errors"

	"latchkey/internal/clients"
	"latchkey/internal/oidc"
	"latchkey/internal/peer"
	"latchkey/internal/rotation"
	"latchkey/internal/store"
)

// Introspect says whether a token would be accepted now, and what it says, to a client that proved itself. A client
// that people must consent to is told of its own tokens alone. It changes nothing. An error is never about the token,
// only about not being able to tell.
func (s *Service) Introspect(ctx context.Context, by clients.Client, raw string, peer peer.Peer) (Introspection, error) {
	found, err := s.introspectAccess(ctx, raw, peer)
	if CodeOf(err) == CodeInvalidToken {
		found, err = s.introspectRefresh(ctx, raw)
	}
	if err != nil || by.Consent && found.ClientID != by.Alias {
		return Introspection{}, err
	}
	return found, nil
}

// introspectAccess is CodeInvalidToken for what is no access token that is good now. A client's own token is good while
// the client is registered.
func (s *Service) introspectAccess(ctx context.Context, raw string, peer peer.Peer) (Introspection, error) {
	access, err := s.parseAccess(ctx, raw)
	if err == nil && access.SessionID != "" {
		access, _, err = s.readAccess(ctx, raw)
	} else if _, registered := s.clientsOf(peer).Lookup(access.Client); err == nil && !registered {
		err = refuse(CodeInvalidToken)
	}
	if err != nil {
		return Introspection{}, err
	}
	return Introspection{
		Active: true, TokenType: "Bearer", Scope: access.Scope, ClientID: access.Client,
		Username: access.Email, Subject: access.Subject, Issuer: access.Issuer, Audience: access.Audience,
		SessionID: access.SessionID, TokenID: access.TokenID,
		IssuedAt: access.IssuedAt, NotBefore: access.IssuedAt, ExpiresAt: access.ExpiresAt,
	}, nil
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
	if errors.Is(err, store.ErrNotFound) {
		return Introspection{}, nil
	}
	if err != nil {
		return Introspection{}, err
	}
	if session.Kind != kindAuth && session.Kind != kindOAuth { // whoever has the master key could derive one
		return Introspection{}, nil
	}
	switch rotation.Judge(session, presented.Generation, s.now(), s.o.RefreshGrace, int64(s.o.RefreshRecoveries)) {
	case rotation.VerdictRotate, rotation.VerdictRepeat, rotation.VerdictLate, rotation.VerdictAhead:
		return Introspection{
			Active: true, TokenType: "refresh_token", Scope: scopeOf(session), ClientID: session.Client,
			Subject: session.UserID, Issuer: s.o.Issuer, SessionID: session.ID,
			IssuedAt: session.RotatedAt, ExpiresAt: session.ExpiresAt(),
		}, nil
	case rotation.VerdictSuperseded, rotation.VerdictReuse, rotation.VerdictEnded, rotation.VerdictExpired, rotation.VerdictUnknown:
	}
	return Introspection{}, nil
}

// scopeOf is what the tokens of a session may say at most.
func scopeOf(session store.Session) string {
	if session.Kind == kindOAuth {
		return session.Scope
	}
	return scope
}

// Revoke ends the session of a refresh token of any generation, or of an access token, run out or not. What
// is neither is a success too (RFC 7009 §2.2), and so is an app's token that another client shows, or nobody in
// particular: it ends nothing (§2.1). by is the client that named and proved itself, if one did.
func (s *Service) Revoke(ctx context.Context, by, raw string, peer peer.Peer) error {
	sessionID, err := s.sessionOf(ctx, by, raw)
	if err != nil || sessionID == "" {
		return err
	}
	return s.endByToken(ctx, sessionID, by, peer)
}

// endByToken ends the session that a token names. One that has ended, or was swept since, is a success.
func (s *Service) endByToken(ctx context.Context, sessionID, by string, peer peer.Peer) error {
	session, err := s.o.Store.SessionByID(ctx, sessionID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	mayEnd := session.Kind == kindAuth || session.Kind == kindOAuth && session.Client == by
	if err == nil && !mayEnd { // a page's cookie is no token of this endpoint
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

func (s *Service) sessionOf(ctx context.Context, by, raw string) (string, error) {
	refresh, err := s.parseRefresh(ctx, raw)
	if err == nil {
		return refresh.SessionID, nil
	}
	if CodeOf(err) != CodeInvalidRefreshToken {
		return "", err
	}
	access, _, err := s.parseAccessAnyAge(ctx, raw)
	if CodeOf(err) == CodeInvalidToken || err == nil && access.Audience != s.o.Audience && by == "" { // an app's alone is for others
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
	info := UserInfo{
		Subject: u.ID, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName,
		EmailVerified: !u.VerifiedAt.IsZero(),
	}
	if !caller.AnyClaims && !oidc.Has(caller.Scope, oidc.ScopeEmail) {
		info.Email, info.EmailVerified = "", false
	}
	if !caller.AnyClaims && !oidc.Has(caller.Scope, oidc.ScopeProfile) {
		info.FirstName, info.LastName = "", ""
	}
	return info, err
}
