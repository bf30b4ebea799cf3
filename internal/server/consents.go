package server

// What people allowed apps: to see and to take back.

import (
	"latchkey/api"
)

func (s *server) consents(x *exchange) (reply, error) {
	list, err := s.auth.Consents(x.r.Context(), *x.caller)
	if err != nil {
		return nil, err
	}
	out := make([]api.Consent, 0, len(list))
	for _, c := range list {
		out = append(out, api.Consent{ClientAlias: c.Client, Scopes: c.Scopes, GrantedAt: api.Time{Time: c.GrantedAt}})
	}
	return ok("Apps that were allowed.", out), nil
}

func (s *server) revokeConsent(x *exchange) (reply, error) {
	if err := s.auth.RevokeConsent(x.r.Context(), *x.caller, x.r.PathValue("client"), x.peer); err != nil {
		return nil, err
	}
	return ok("The app is not allowed any more, and its sessions have ended.", nil), nil
}
