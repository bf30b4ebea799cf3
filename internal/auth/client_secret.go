package auth

// The secrets of confidential clients (RFC 6749 §2.3.1).

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/url"

	"latchkey/internal/clients"
	"latchkey/internal/peer"
)

// AuthenticateClient checks a confidential client's secret, within the throttle's limit: CodeInvalidClient. A public
// client, which has none, is itself with an empty one where a public client will do.
func (s *Service) AuthenticateClient(ctx context.Context, given ClientCredentials, mayBePublic bool, peer peer.Peer) error {
	client, registered := s.clientsOf(peer).Lookup(given.Alias)
	if registered && client.Secret == "" && given.Secret == "" && mayBePublic {
		return nil
	}
	if client.Secret == "" {
		client = clients.Client{} // no secret of theirs can be found: public and unknown clients share a counter
	}
	right, err := s.throttle.TrySecret(ctx, client.Alias, given.Secret, peer, func() bool { return given.prove(client.Secret) })
	if err == nil && !right {
		err = refuse(CodeInvalidClient)
	}
	return err
}

// prove says whether the secret that was sent is the one registered, either as it is or form-encoded: RFC
// 6749 §2.3.1 asks for the encoding, and what most clients send is the secret itself.
func (c ClientCredentials) prove(secret string) bool {
	want := sha256.Sum256([]byte(secret))
	same := func(given string) int {
		sum := sha256.Sum256([]byte(given))
		return subtle.ConstantTimeCompare(sum[:], want[:])
	}
	proven := same(c.Secret)
	if decoded, err := url.QueryUnescape(c.Secret); err == nil {
		proven |= same(decoded)
	}
	return proven == 1 && secret != ""
}
