package auth

// Mailed links as their readers bring them back: alive or dead, and counted when dead.

import (
	"context"
	"errors"

	"latchkey/internal/address"
	"latchkey/internal/links"
	"latchkey/internal/mail"
	"latchkey/internal/peer"
)

// LinkAlive looks at a reset or verification link, spends nothing and marks nothing, so that a page can
// tell of a dead link before anybody fills a form in. What is wrong, used up, expired or cut off counts
// against the address, and is CodeInvalidResetToken or CodeInvalidVerificationCode. needsPassword is said of
// a live verification link alone: it can be signed up with, since the address has no password yet.
func (s *Service) LinkAlive(ctx context.Context, kind mail.Kind, email, code string, peer peer.Peer) (needsPassword bool, err error) {
	address, _ := address.ParseEmail(email)
	dead := CodeInvalidResetToken
	if kind == mail.Verify {
		dead = CodeInvalidVerificationCode
	}
	if _, err := s.links.FindAlive(ctx, kind, address, code); err != nil {
		return false, s.refuseLink(ctx, err, dead, peer)
	}
	if kind != mail.Verify || !s.o.SignupOpen {
		return false, nil
	}
	user, err := s.findUser(ctx, address)
	return err == nil && user.PasswordHash == "", err
}

// refuseLink counts a dead link against the address and is the code given; a cause other than links.ErrDead is
// returned as it is.
func (s *Service) refuseLink(ctx context.Context, cause error, dead Code, peer peer.Peer) error {
	if !errors.Is(cause, links.ErrDead) {
		return cause
	}
	if err := s.throttle.CountDeadLink(ctx, peer); err != nil {
		return err
	}
	return refuse(dead)
}
