package auth

// What the server would say to a new password, asked for while somebody types one.

import (
	"context"

	"latchkey/internal/fields"
	"latchkey/internal/password"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/throttle"
)

// CheckPassword says whether a new password would be accepted of a person of that address and name, and how
// strong it is. No account is looked up, no hash computed, nothing kept of the password but that somebody
// asked, which counts against the address. It never decrypts: an answer about what is encrypted for transport
// would tell whoever has seen a password on its way, with no limit of an account's, which one it is.
func (s *Service) CheckPassword(ctx context.Context, in PasswordCheck, peer peer.Peer) (CheckedPassword, error) {
	var f fields.Validator
	if s.isWrapped(in.Password) {
		f.Add("password", "invalid_format", "Send the password as it is typed, not encrypted for transport.")
		return CheckedPassword{}, f.Err()
	}
	pw := s.password(&f, "password", in.Password)
	if in.Password.Value == "" {
		return CheckedPassword{}, f.Err()
	}
	err := s.throttle.Count(ctx, throttle.CheckLimit, peer, s.now())
	if err != nil {
		return CheckedPassword{}, err
	}
	if err = f.Err(); err == nil {
		about := store.User{Email: in.Email, FirstName: in.FirstName, LastName: in.LastName}
		err = s.checkPolicy("password", pw, aboutUser(s.clientsOf(peer), about))
	}
	if refusal := AsError(err); err != nil && len(refusal.Fields) > 0 {
		return CheckedPassword{Reason: refusal.Fields[0].Code, Message: refusal.Fields[0].Message}, nil
	}
	if err != nil {
		return CheckedPassword{}, err
	}
	return CheckedPassword{Accepted: true, Strength: password.Strength(pw.text), Message: "This password would be accepted."}, nil
}
