package auth

// The secrets of confidential clients (RFC 6749 §2.3.1).

import (
	"context"

	"latchkey/internal/clients"
	"latchkey/internal/peer"
)

// AuthenticateClient finds a client by its alias and checks its secret, within the throttle's limit: CodeInvalidClient. A
// public client, which has none, is itself with an empty one where a public client will do.
func (s *Service) AuthenticateClient(ctx context.Context, given ClientCredentials, mayBePublic bool, peer peer.Peer) (clients.Client, error) {
	client, registered := s.clientsOf(peer).Lookup(given.Alias)
	if registered && !client.Confidential() && given.Secret == "" && mayBePublic {
		return client, nil
	}
	if !client.Confidential() {
		client = clients.Client{} // no secret of theirs can be found: public and unknown clients share a counter
	}
	right, err := s.throttle.TrySecret(ctx, client.Alias, given.Secret, peer, func() bool { return client.HasSecret(given.Secret) })
	if err == nil && !right {
		err = refuse(CodeInvalidClient)
	}
	return client, err
}
