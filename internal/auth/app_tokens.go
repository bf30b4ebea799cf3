package auth

// The tokens of apps (RFC 6749, RFC 9068, OpenID Connect Core). They say of their user what their scope allows and no more.

import (
	"context"
	"errors"
	"strings"
	"time"

	"latchkey/internal/clients"
	"latchkey/internal/oidc"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// AppRefresh is a refresh at the token endpoint.
type AppRefresh struct {
	Client       clients.Client // that proved itself
	RefreshToken string
	Scopes       []string // nil: all that were granted
	Resource     string   // empty: the one that was granted
}

// RefreshApp is Refresh for an app's session, by its own client alone. The answer's scope is what was asked for of
// what had been granted. CodeInvalidTarget for another resource than was granted: the token is then as good as it was.
// What the clients file no longer allows is a dead token.
func (s *Service) RefreshApp(ctx context.Context, in AppRefresh, peer peer.Peer) (Tokens, error) {
	now := s.now()
	at := taker{kind: kindOAuth, client: in.Client.Alias}
	if err := s.refuseOtherResource(ctx, in, at, now); err != nil {
		return Tokens{}, err
	}
	r, err := s.refresh(ctx, in.RefreshToken, at, peer, now)
	if err != nil {
		return Tokens{}, err
	}
	if !mayName(in.Client, r.Resource) {
		return Tokens{}, refuse(CodeInvalidRefreshToken)
	}
	granted := r.Scope
	if in.Scopes != nil {
		granted = oidc.Common(granted, in.Scopes)
	}
	return s.appTokens(ctx, r, in.Client, granted, "", now)
}

// refuseOtherResource refuses a resource that is not the session's before anything rotates: a client that asks for the
// wrong one would come back with a token that it has used, and end its user's session. A session's resource never
// changes, so it is read beforehand. A token that is dead, or another client's, is left to refresh to judge.
func (s *Service) refuseOtherResource(ctx context.Context, in AppRefresh, at taker, now time.Time) error {
	if in.Resource == "" {
		return nil
	}
	presented, err := s.parseRefresh(ctx, in.RefreshToken)
	if CodeOf(err) == CodeInvalidRefreshToken {
		return nil
	}
	if err != nil {
		return err
	}
	session, err := s.o.Store.RefreshStateByID(ctx, presented.SessionID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if at.takes(session.Session) && session.AliveAt(now) && session.Resource != in.Resource {
		return refuse(CodeInvalidTarget)
	}
	return nil
}

// mayName says whether a client's tokens may be for a resource; empty is the configured audience.
func mayName(c clients.Client, resource string) bool {
	return resource == "" || oidc.HasResource(c, resource)
}

// appTokens makes the tokens of an app's session for a granted scope, less what the client may not have any more: an ID
// token with the scope openid, and a refresh token for first parties always, for third parties with offline_access alone.
func (s *Service) appTokens(ctx context.Context, r store.RefreshState, client clients.Client, granted, nonce string, now time.Time) (Tokens, error) {
	granted = oidc.Join(oidc.Grantable(client, oidc.Split(granted)))
	a := token.Access{
		Subject:   r.UserID,
		Audience:  r.Resource,
		SessionID: r.ID,
		Client:    r.Client,
		Scope:     granted,
		AuthTime:  r.AuthTime,
		ACR:       r.ACR,
		AMR:       strings.Fields(r.AMR),
	}
	if oidc.Has(granted, oidc.ScopeEmail) {
		a.Email, a.EmailVerified = r.Email, true // I17
	}
	if oidc.Has(granted, oidc.ScopeProfile) {
		a.GivenName, a.FamilyName = r.FirstName, r.LastName
	}
	t, err := s.signAccess(a, s.accessLife(r, now), now)
	if err != nil {
		return Tokens{}, err
	}
	if oidc.Has(granted, oidc.ScopeOpenID) {
		if t.IDToken, err = s.idToken(ctx, a, t, nonce, now); err != nil {
			return Tokens{}, err
		}
	}
	if !client.Consent || oidc.Has(r.Scope, oidc.ScopeOfflineAccess) {
		if t.RefreshToken, err = s.signRefresh(r); err != nil {
			return Tokens{}, err
		}
		t.RefreshExpiresIn = r.ExpiresAt().Sub(now).Truncate(time.Second)
	}
	return t, nil
}

// idToken signs the ID token beside an access token. It lives as long.
func (s *Service) idToken(ctx context.Context, a token.Access, t Tokens, nonce string, now time.Time) (string, error) {
	id := token.ID{
		Subject:   a.Subject,
		Audience:  a.Client,
		SessionID: a.SessionID,
		Nonce:     nonce,
		AuthTime:  a.AuthTime,
		ACR:       a.ACR,
		AMR:       a.AMR,
		IssuedAt:  now,
		ExpiresAt: now.Truncate(time.Second).Add(t.ExpiresIn),
		Email:     a.Email, GivenName: a.GivenName, FamilyName: a.FamilyName,
	}
	if oidc.Has(a.Scope, oidc.ScopeProfile) {
		user, err := s.o.Store.UserByID(ctx, a.Subject)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return "", err
		}
		id.Locale, id.UpdatedAt = user.Language, user.ChangedAt
	}
	raw, err := s.keys.SignID(id, t.AccessToken, now)
	if err != nil {
		return "", unavailable(err)
	}
	return raw, nil
}

// clientTokenLife is how long a client's own token lives: nothing can end it before.
const clientTokenLife = 5 * time.Minute

// ClientCredentials answers the grant of that name (RFC 6749 §4.4): a token of the client itself, without a session.
// CodeUnauthorizedClient for a client that has no scopes of its own, CodeInvalidScope for one it may not have,
// CodeInvalidTarget likewise. Nothing asked for is all that the client may have.
func (s *Service) ClientCredentials(client clients.Client, scopes []string, resource string) (Tokens, error) {
	if len(client.Scopes) == 0 {
		return Tokens{}, refuse(CodeUnauthorizedClient)
	}
	if len(scopes) == 0 {
		scopes = client.Scopes
	}
	granted := oidc.Join(oidc.Union(nil, scopes)) // each once: a token has room for what is registered
	if oidc.Common(granted, client.Scopes) != granted {
		return Tokens{}, refuse(CodeInvalidScope)
	}
	if !mayName(client, resource) {
		return Tokens{}, refuse(CodeInvalidTarget)
	}
	return s.signAccess(token.Access{
		Subject: client.Alias, Client: client.Alias, Audience: resource, Scope: granted,
	}, clientTokenLife, s.now())
}
