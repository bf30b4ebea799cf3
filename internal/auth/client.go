package auth

// Which client a request is about, and which clients are registered now.

import (
	"log/slog"

	"latchkey/internal/clients"
	"latchkey/internal/locale"
	"latchkey/internal/peer"
)

// noClients stands in where none were given.
var noClients = &clients.Set{}

// ClientsNow is what the clients file says now: the one place that holds it. A request asks once, at its start.
func (s *Service) ClientsNow() *clients.Set {
	if c := s.clients.Load(); c != nil {
		return c
	}
	return noClients
}

// SetClients puts another set in place of the one before, for requests that come from now on. The one before stays
// where the error says that this one cannot be served under our address.
func (s *Service) SetClients(c *clients.Set) error {
	if err := c.FitsServer(s.o.Issuer, s.o.Audience); err != nil {
		return err
	}
	s.clients.Store(c)
	return nil
}

// clientsOf are the clients as peer's request found them.
func (s *Service) clientsOf(peer peer.Peer) *clients.Set {
	if peer.Clients != nil {
		return peer.Clients
	}
	return s.ClientsNow()
}

// client resolves the alias a request names; empty is the default one.
func (s *Service) client(peer peer.Peer, alias string) (clients.Client, error) {
	registered := s.clientsOf(peer)
	if alias == "" {
		return registered.DefaultOr(s.o.Issuer), nil
	}
	c, ok := registered.Lookup(alias)
	if !ok {
		s.notes.Warn("alias", "a request names a clientAlias that is not registered: register it, or let the client send one that is",
			slog.String("client_alias", locale.Printable(alias, maxShownAlias)), slog.Any("registered", registered.Aliases()))
		return clients.Client{}, refuse(CodeUnknownClient)
	}
	return c, nil
}

// maxShownAlias is how many bytes of an unknown alias the log shows.
const maxShownAlias = 64
