package oidc

// Scopes: what a token may be used for, and what it says of the person.

import (
	"slices"

	"latchkey/internal/clients"
)

// The scopes that a person can grant.
const (
	ScopeOpenID        = "openid"         // OpenID Connect Core §3.1.2.1: an ID token, and userinfo
	ScopeEmail         = "email"          // §5.4
	ScopeProfile       = "profile"        // §5.4
	ScopeOfflineAccess = "offline_access" // §11; a client that asks for consent has no refresh token without it
	ScopeAccount       = "account"        // the account itself, by the API under /auth
)

var scopes = [...]string{ScopeOpenID, ScopeEmail, ScopeProfile, ScopeOfflineAccess, ScopeAccount}

// Scopes returns every scope, for discovery's scopes_supported.
func Scopes() []string { return slices.Clone(scopes[:]) }

// Grantable returns those of the scopes asked for that exist and that the client may have, each once and in one order.
// The others are ignored: RFC 6749 §3.3.
func Grantable(c clients.Client, asked []string) []string {
	var granted []string
	for _, scope := range scopes {
		if slices.Contains(asked, scope) && (scope != ScopeAccount || c.Account) {
			granted = append(granted, scope)
		}
	}
	return granted
}
