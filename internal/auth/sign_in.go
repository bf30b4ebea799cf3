package auth

// Signing in: an e-mail and a password become a session.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/store"
)

// SignIn makes a session for the owner of an account with the right password and a verified address.
// CodeInvalidCredentials tells nobody which of the others it was (I9); CodeEmailNotVerified is said
// to the right password alone.
func (s *Service) SignIn(ctx context.Context, in SignIn, peer Peer) (Tokens, error) {
	session, device, err := s.enter(ctx, in, peer)
	if err != nil {
		return Tokens{}, err
	}
	tokens, err := s.tokens(session, session.CreatedAt)
	if err != nil {
		return Tokens{}, err
	}
	tokens.Device = device
	return tokens, nil
}

// enter makes the session of a sign-in, whatever its tokens will be, and a device token.
func (s *Service) enter(ctx context.Context, in SignIn, peer Peer) (session store.Refreshed, device string, err error) {
	var f form
	email, pw := f.email("email", in.Email), s.password(&f, "password", in.Password)
	if err := f.err(); err != nil {
		return store.Refreshed{}, "", err
	}
	client, err := s.client(in.ClientAlias)
	if err != nil {
		return store.Refreshed{}, "", err
	}
	user, g, deviceID, err := s.guesser(ctx, nil, email, peer)
	if err != nil {
		return store.Refreshed{}, "", err
	}
	e, err := s.try(ctx, g, user, pw, peer)
	if err != nil {
		return store.Refreshed{}, "", err
	}
	if user.VerifiedAt.IsZero() {
		return store.Refreshed{}, "", s.refuseUnverified(ctx, user, peer)
	}
	session, err = s.newSession(ctx, user, e, g, client, in.Replaces, peer)
	if errors.Is(err, store.ErrNotFound) { // the password changed, or the account was disabled, meanwhile (I5)
		return store.Refreshed{}, "", s.refuseTry(ctx, g, user, peer)
	}
	if err != nil {
		return store.Refreshed{}, "", err
	}
	device, err = s.deviceToken(user.ID, deviceID, user.Epoch, session.CreatedAt)
	return session, device, err
}

func (s *Service) refuseUnverified(ctx context.Context, user store.User, peer Peer) error {
	now := s.now()
	err := s.write(ctx, func(tx *store.Tx) error {
		return s.audit(tx, now, event{Kind: eventSignIn, Outcome: outcomeUnverified, UserID: user.ID}, peer)
	})
	if err != nil {
		return err
	}
	return refuse(CodeEmailNotVerified)
}

// newSession inserts a session for a user whose epoch is still the one whose password was evaluated
// (I5): store.ErrNotFound otherwise. Beyond the limit the least recently used session is evicted; a
// limit never refuses a sign-in.
func (s *Service) newSession(ctx context.Context, user store.User, e evaluation, g guess, client Client, replaces string, peer Peer) (store.Refreshed, error) {
	now := s.now()
	session := s.firstGeneration(user.ID, client.Alias, describeDevice(peer), now)
	err := s.write(ctx, func(tx *store.Tx) error {
		if _, err := tx.TakeUser(user.ID, user.Epoch); err != nil {
			return err
		}
		if err := tx.ClearAttempts(g.counter()); err != nil { // only the budget it came through
			return err
		}
		if e.rehash != "" {
			if err := tx.Rehash(user.ID, user.PasswordHash, e.rehash); err != nil {
				return err
			}
		}
		if err := s.endReplaced(tx, user, replaces, peer, now); err != nil {
			return err
		}
		if err := tx.InsertSession(session); err != nil {
			return err
		}
		if err := s.evict(tx, session, peer, now); err != nil {
			return err
		}
		if err := s.noticeNewDevice(tx, user, session, g.own != nil, now); err != nil {
			return err
		}
		return s.audit(tx, now, event{Kind: eventSignIn, Outcome: outcomeOK, UserID: user.ID, SessionID: session.ID}, peer)
	})
	return store.Refreshed{Session: session, Email: user.Email, FirstName: user.FirstName, LastName: user.LastName}, err
}

// evict ends the user's least recently used sessions beyond the limit.
func (s *Service) evict(tx *store.Tx, made store.Session, peer Peer, now time.Time) error {
	ids, err := tx.EvictSessions(made.UserID, made.ID, int64(s.o.SessionsPerUser), reasonEvicted, now)
	if err != nil {
		return err
	}
	return s.auditEnded(tx, now, ids, event{Outcome: reasonEvicted, UserID: made.UserID}, peer)
}

// firstGeneration is a session as a sign-in makes it.
func (s *Service) firstGeneration(userID, client string, d Device, now time.Time) store.Session {
	never := time.Unix(0, 0).UTC()
	return store.Session{
		ID:     newID(),
		UserID: userID,
		Client: client,
		Rotation: store.Rotation{
			Generation:    1,
			RotatedAt:     now,
			KeyID:         s.o.Master.Current(),
			BurstFrom:     1,
			BurstAt:       never,
			PrevFrom:      1,
			PrevAt:        never,
			IdleExpiresAt: now.Add(s.o.RefreshIdle),
		},
		OverallExpiresAt: now.Add(s.o.RefreshOverall),
		CreatedAt:        now,
		Browser:          d.Browser,
		BrowserVersion:   d.BrowserVersion,
		OS:               d.OS,
		DeviceType:       d.DeviceType,
		UserAgent:        d.UserAgent,
		Addr:             d.Addr,
	}
}
