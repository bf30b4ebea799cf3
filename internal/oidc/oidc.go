// Package oidc reads what applications ask of the authorization endpoint, and says how an answer travels back to them.
// It owns authorization requests and their faults, PKCE, the names of scopes and prompts, redirects and posted forms,
// and the sealed flow, which carries a request through the pages of a sign-in.
//
// It promises: an answer goes nowhere but to a redirect URI registered for the client that the request names; of what a
// request says an answer repeats only the state, within its limit; a flow opens only under a master key of the ring,
// and the request in it is checked again, by the clients file of that moment, each time it is read.
//
// It never asks who is signed in or what they have allowed, writes no HTTP, knows neither store nor session, and reads no
// clock. Packages auth and server call it.
package oidc

// This file holds what the others share: the faults of a request, and the codes that tell them.

// Codes of an authorization error response that stand in more than one place, or that the rules above decide on.
const (
	InvalidRequest      = "invalid_request"      // RFC 6749 §4.1.2.1
	AccessDenied        = "access_denied"        // the same: the person, or the server, said no
	LoginRequired       = "login_required"       // OpenID Connect Core §3.1.2.6: prompt=none, and nobody is signed in
	InteractionRequired = "interaction_required" // the same: somebody is, and has to press a button
	ConsentRequired     = "consent_required"     // the same: or has to consent

	TemporarilyUnavailable = "temporarily_unavailable" // RFC 6749 §4.1.2.1
)

// Unknown is the error of a request that names no registered client, or no redirect URI registered for it. It is told
// on a page of ours, and nothing is redirected (RFC 6749 §4.1.2.1).
type Unknown struct {
	Parameter string // client_id or redirect_uri
	Fault     string // missing, sent twice, or not registered
}

// Error never repeats what was sent.
func (u *Unknown) Error() string { return u.Parameter + " is " + u.Fault }

// Refusal is the error of a request whose application is to be told what is wrong, by Request.Refuse.
type Refusal struct {
	Code        string // of RFC 6749 §4.1.2.1 or of an extension
	Description string // a sentence for developers, which says how to fix it and never repeats what was sent
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Description }

func invalid(description string) *Refusal { return &Refusal{InvalidRequest, description} }
