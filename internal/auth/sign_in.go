package auth

// Signing in: an email and a password become a session.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/fields"
	"latchkey/internal/ids"
	"latchkey/internal/peer"
	"latchkey/internal/rotation"
	"latchkey/internal/store"
	"latchkey/internal/throttle"
	"latchkey/internal/upkeep"
)

// SignIn makes a session for the owner of an account with the right password and a verified address.
// CodeInvalidCredentials tells nobody which of the others it was (I9); CodeEmailNotVerified is said
// to the right password alone.
func (s *Service) SignIn(ctx context.Context, in SignIn, peer peer.Peer) (Tokens, error) {
	session, device, err := s.startSession(ctx, in, kindAuth, peer)
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

// startSession makes the session of a sign-in, of the kind that its tokens will be, and a device token.
func (s *Service) startSession(ctx context.Context, in SignIn, kind string, peer peer.Peer) (session store.RefreshState, device string, err error) {
	defer func() { s.o.OnSignIn(signInOutcome(err)) }()
	var f fields.Validator
	email, pw := f.Email("email", in.Email), s.password(&f, "password", in.Password)
	if err := f.Err(); err != nil {
		return store.RefreshState{}, "", err
	}
	client, err := s.client(peer, in.ClientAlias)
	if err != nil {
		return store.RefreshState{}, "", err
	}
	user, attempt, err := s.throttle.FindAttempt(ctx, "", email, peer)
	if err != nil {
		return store.RefreshState{}, "", err
	}
	var rehash string
	err = s.verifyPassword(ctx, audit.SignIn, attempt, user, pw, peer, func() (err error) {
		rehash, err = s.rehashIfOutdated(user, pw)
		return err
	})
	if err != nil {
		return store.RefreshState{}, "", err
	}
	if user.VerifiedAt.IsZero() {
		return store.RefreshState{}, "", s.refuseUnverified(ctx, attempt, user, peer)
	}
	held, err := s.heldPage(ctx, in.Replaces)
	if err == nil && held.user != "" && held.user != user.ID { // each transaction holds one user
		err = s.endPage(ctx, held, peer)
	}
	if err != nil {
		return store.RefreshState{}, "", err
	}
	session, deviceID, err := s.newSession(ctx, user, rehash, attempt, s.firstGeneration(user.ID, client.Alias, kind, peer.Describe(), s.now()), held, peer)
	if errors.Is(err, store.ErrNotFound) { // the password changed, or the account was disabled, meanwhile (I5)
		return store.RefreshState{}, "", s.rejectPassword(ctx, audit.SignIn, attempt, user, peer)
	}
	if err != nil {
		return store.RefreshState{}, "", err
	}
	s.throttle.Recheck(attempt)
	device, err = s.throttle.SignDevice(user.ID, deviceID, user.Epoch, session.CreatedAt)
	return session, device, err
}

func (s *Service) refuseUnverified(ctx context.Context, attempt throttle.Attempt, user store.User, peer peer.Peer) error {
	now := s.now()
	err := s.throttle.WithinRight(ctx, attempt, now, func(tx *store.Tx) error {
		audit.Write(tx, now, audit.Event{Kind: audit.SignIn, Outcome: audit.Unverified, UserID: user.ID}, peer)
		return nil
	})
	if err != nil {
		return err
	}
	return refuse(CodeEmailNotVerified)
}

// newSession inserts the session for a user whose epoch is still the one whose password was evaluated
// (I5): store.ErrNotFound otherwise. Beyond the limit the least recently used browser is evicted; a
// limit never refuses a sign-in. deviceID is the device to sign a token for.
func (s *Service) newSession(ctx context.Context, user store.User, rehash string, attempt throttle.Attempt, session store.Session, replaces pageClaim, peer peer.Peer) (made store.RefreshState, deviceID string, err error) {
	now := session.CreatedAt
	err = s.throttle.WithinRight(ctx, attempt, now, func(tx *store.Tx) error {
		if _, err := tx.TakeUser(user.ID, user.Epoch); err != nil {
			return err
		}
		s.throttle.TakeBack(tx, attempt)
		if rehash != "" {
			tx.Rehash(user.ID, user.PasswordHash, rehash)
		}
		if err := s.endReplaced(tx, user, replaces, session.ID, peer, now); err != nil {
			return err
		}
		tx.InsertSession(session)
		if err := s.evict(tx, session, peer, now); err != nil {
			return err
		}
		if err := s.noticeNewDevice(tx, user, session, attempt.Known(), now); err != nil {
			return err
		}
		if deviceID, err = s.throttle.KeepDevice(tx, user.ID, attempt.Device, peer.Describe(), now); err != nil {
			return err
		}
		if _, err := s.upkeep.TrimEnded(tx, user.ID, upkeep.TrimAtSignIn, now); err != nil {
			return err
		}
		audit.Write(tx, now, audit.Event{Kind: audit.SignIn, Outcome: audit.OK, UserID: user.ID, SessionID: session.ID}, peer)
		return nil
	})
	return store.RefreshState{Session: session, Email: user.Email, FirstName: user.FirstName, LastName: user.LastName}, deviceID, err
}

// evict ends the user's least recently used browsers beyond the limit.
func (s *Service) evict(tx *store.Tx, made store.Session, peer peer.Peer, now time.Time) error {
	ids, err := tx.EvictBrowsers(made.UserID, made.ID, int64(s.o.SessionsPerUser), ReasonEvicted, now)
	if err != nil {
		return err
	}
	audit.WriteEnded(tx, now, ids, audit.Event{Outcome: ReasonEvicted, UserID: made.UserID}, peer)
	return nil
}

// What a password alone proves: RFC 8176, and the assurance level of NIST SP 800-63B.
const (
	amrPassword = "pwd"
	acrPassword = "aal1"
)

// firstGeneration is a session as a sign-in makes it.
func (s *Service) firstGeneration(userID, client, kind string, d peer.Device, now time.Time) store.Session {
	return store.Session{
		ID:               ids.New(),
		UserID:           userID,
		Client:           client,
		Kind:             kind,
		Rotation:         rotation.First(s.o.Master.Current(), s.o.RefreshIdle, now),
		OverallExpiresAt: now.Add(s.o.RefreshOverall),
		CreatedAt:        now,
		AuthTime:         now,
		AMR:              amrPassword,
		ACR:              acrPassword,
		Browser:          d.Browser,
		BrowserVersion:   d.BrowserVersion,
		OS:               d.OS,
		DeviceType:       d.DeviceType,
		UserAgent:        d.UserAgent,
		Addr:             d.Addr,
	}
}
