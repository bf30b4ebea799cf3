package auth

// What resource servers and clients may ask about a token: RFC 7662, RFC 7009, userinfo.

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"

	"latchkey/internal/store"
	"latchkey/internal/token"
)

// AuthenticateClient checks a confidential client's secret (RFC 6749 §2.3.1): CodeInvalidClient. Wrong
// ones count for this client and address alone, so that a resource server with an old secret shuts
// nobody out; once they are too many, the right one is refused as well.
func (s *Service) AuthenticateClient(ctx context.Context, alias, secret string, peer Peer) error {
	client, _ := s.o.Clients.Lookup(alias)
	if client.Secret == "" {
		client = Client{} // nothing can be guessed: public and unknown clients share a counter
	}
	key := throttleKey(clientLimit.Name, client.Alias+" "+networkOf(peer.Addr))
	if err := s.checkRate(ctx, clientLimit, key, peer); err != nil {
		return err
	}
	given, want := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(client.Secret))
	if subtle.ConstantTimeCompare(given[:], want[:]) == 1 && client.Secret != "" {
		return nil
	}
	if err := s.countRate(ctx, clientLimit, key); err != nil {
		return err
	}
	return refuse(CodeInvalidClient)
}

// Clients lists the registered clients.
func (s *Service) Clients() []Client { return s.o.Clients.List() }

// ReturnTo says where a person who came from a client's page goes back to; not ok where raw is not an
// address of the client named, or of any when alias is empty.
func (s *Service) ReturnTo(alias, raw string) (url string, ok bool) {
	return s.o.Clients.returnTo(alias, raw)
}

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
	session, err := s.session(ctx, presented.SessionID)
	if errors.Is(err, store.ErrNotFound) {
		return Introspection{}, nil
	}
	if err != nil {
		return Introspection{}, err
	}
	switch judge(session, presented.Generation, s.now(), s.o.RefreshGrace, int64(s.o.RefreshRecoveries)) {
	case verdictRotate, verdictRepeat, verdictLate, verdictAhead:
		return Introspection{
			Active: true, TokenType: "refresh_token", Scope: scope, ClientID: session.Client,
			Subject: session.UserID, Issuer: s.o.Issuer, SessionID: session.ID,
			IssuedAt: session.RotatedAt, ExpiresAt: session.ExpiresAt(),
		}, nil
	}
	return Introspection{}, nil
}

// Revoke ends the session of a refresh token of any generation, or of a valid access token. What is
// neither is a success too (RFC 7009 §2.2).
func (s *Service) Revoke(ctx context.Context, raw string, peer Peer) error {
	sessionID, err := s.sessionOf(ctx, raw)
	if err != nil || sessionID == "" {
		return err
	}
	session, err := s.session(ctx, sessionID)
	if errors.Is(err, store.ErrNotFound) {
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
	var access token.Access
	if access, err = s.parseAccess(ctx, raw); CodeOf(err) == CodeInvalidToken {
		return "", nil
	}
	return access.SessionID, err
}

// UserInfo says who the caller is, as the account stands now.
func (s *Service) UserInfo(ctx context.Context, caller Caller) (UserInfo, error) {
	var u store.User
	err := s.lookup(ctx, func(tx *store.Tx) (err error) {
		u, err = tx.UserByID(caller.UserID)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return UserInfo{}, refuse(CodeInvalidToken)
	}
	return UserInfo{
		Subject: u.ID, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName,
		EmailVerified: !u.VerifiedAt.IsZero(),
	}, err
}
