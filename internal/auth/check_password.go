package auth

// What the server would say to a new password, asked for while somebody types one.

import (
	"context"
	"errors"

	"latchkey/internal/password"
	"latchkey/internal/store"
)

// CheckPassword says whether a new password would be accepted of a person of that address and name, and how
// strong it is. No account is looked up, no hash computed, nothing kept of the password but that somebody
// asked, which counts against the address.
func (s *Service) CheckPassword(ctx context.Context, in PasswordCheck, peer Peer) (PasswordVerdict, error) {
	var f form
	pw := s.password(&f, "password", in.Password)
	if in.Password.Value == "" {
		return PasswordVerdict{}, f.err()
	}
	err := s.withinRate(ctx, checksLimit, peer, s.now(), func(*store.Tx) error { return nil })
	if err != nil {
		return PasswordVerdict{}, err
	}
	if err = f.err(); err == nil {
		about := store.User{Email: in.Email, FirstName: in.FirstName, LastName: in.LastName}
		err = s.accept("password", pw, s.aboutUser(about))
	}
	if refusal, ok := errors.AsType[*Error](err); ok && len(refusal.Fields) > 0 {
		return PasswordVerdict{Reason: refusal.Fields[0].Code, Message: refusal.Fields[0].Message}, nil
	}
	if err != nil {
		return PasswordVerdict{}, err
	}
	return PasswordVerdict{Accepted: true, Strength: password.Strength(pw.text), Message: "This password would be accepted."}, nil
}
