package auth

// Whether a mailed link is alive.

import (
	"bytes"
	"context"

	"latchkey/internal/mail"
	"latchkey/internal/token"
)

// LinkAlive looks at a reset or verification link, spends nothing and marks nothing, so that a page can
// tell of a dead link before anybody fills a form in. What is wrong, used up, expired or cut off counts
// against the address, and is CodeInvalidResetToken or CodeInvalidVerificationCode. needsPassword is said of
// a live verification link alone: it can be signed up with, since the address has no password yet.
func (s *Service) LinkAlive(ctx context.Context, kind mail.Kind, email, code string, peer Peer) (needsPassword bool, err error) {
	address, _ := ParseEmail(email)
	dead := CodeInvalidResetToken
	if kind == mail.Verify {
		dead = CodeInvalidVerificationCode
	}
	if _, err := s.liveLink(ctx, string(kind), address, code, dead, peer); err != nil {
		return false, err
	}
	if kind != mail.Verify || !s.o.SignupOpen {
		return false, nil
	}
	user, err := s.findUser(ctx, address)
	return err == nil && user.PasswordHash == "", err
}

// liveLink returns the hash of a mailed token that can still be spent; any other counts against the address
// and is the code given.
func (s *Service) liveLink(ctx context.Context, purpose, email, raw string, dead Code, peer Peer) (hash []byte, err error) {
	hash, wellFormed := token.OneTimeHash(purpose, raw)
	row, err := s.oneTime(ctx, purpose, email)
	if err != nil {
		return nil, err
	}
	if !wellFormed || !bytes.Equal(hash, row.Hash) || !row.UsedAt.IsZero() || !s.now().Before(row.ExpiresAt) {
		return nil, s.wrongToken(ctx, peer, dead)
	}
	return hash, nil
}
