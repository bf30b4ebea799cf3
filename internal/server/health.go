package server

// Is it alive, does it want traffic: for load balancers, without detail on the public listener.

import (
	"latchkey/internal/auth"
)

func (s *server) healthz(x *exchange) (reply, error) {
	x.probe = true
	return ok("Alive.", nil), nil
}

func (s *server) readyz(x *exchange) (reply, error) {
	x.probe = true
	if err := s.ready(x.r.Context()); err != nil {
		return nil, &auth.Error{Code: auth.CodeUnavailable, Cause: err}
	}
	return ok("Ready.", nil), nil
}
