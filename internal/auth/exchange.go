package auth

// An authorization code becomes a session (RFC 6749 §4.1.3, RFC 7636 §4.6).

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/clients"
	"latchkey/internal/ids"
	"latchkey/internal/oidc"
	"latchkey/internal/peer"
	"latchkey/internal/rotation"
	"latchkey/internal/store"
	"latchkey/internal/throttle"
)

const (
	codeLife = time.Minute

	// repeatAllowed is for how long a code that was spent may be shown again: effects run twice, libraries probe. It is
	// refused all the same. Later it tells of a copy.
	repeatAllowed = 10 * time.Second

	// maxAppSessions is how many live sessions one client may have from one page session.
	maxAppSessions = 10
)

// CodeExchange is a code at the token endpoint.
type CodeExchange struct {
	Client                      clients.Client // that proved itself
	Code, RedirectURI, Verifier string
	Resource                    string // empty: the one that was asked for
}

// newCode makes a code and what is stored of it.
func newCode() (code string, hash []byte) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the process instead
	code = base64.RawURLEncoding.EncodeToString(raw)
	return code, hashCode(code)
}

func hashCode(code string) []byte {
	sum := sha256.Sum256([]byte(code))
	return sum[:]
}

// Exchange makes the session that a code stands for. CodeInvalidGrant is one answer for every code that is good for
// nothing: unknown, another client's, run out, spent, or of a user or page session that has changed or ended since.
// Client, redirect URI and verifier are checked first: whoever has stolen a code spends nothing.
func (s *Service) Exchange(ctx context.Context, in CodeExchange, peer peer.Peer) (Tokens, error) {
	now := s.now()
	code, err := s.o.Store.CodeByHash(ctx, hashCode(in.Code))
	if errors.Is(err, store.ErrNotFound) {
		return Tokens{}, refuse(CodeInvalidGrant)
	}
	if err != nil {
		return Tokens{}, err
	}
	switch {
	case code.Client != in.Client.Alias, code.RedirectURI != in.RedirectURI, !proves(in.Verifier, code.Challenge):
		return Tokens{}, refuse(CodeInvalidGrant)
	case !code.SpentAt.IsZero():
		return Tokens{}, s.refuseSpent(ctx, code, peer, now)
	case !in.Client.MayRedirect(code.RedirectURI), !mayName(in.Client, code.Resource):
		return Tokens{}, refuse(CodeInvalidGrant)
	case in.Resource != "" && in.Resource != code.Resource:
		return Tokens{}, refuse(CodeInvalidTarget)
	}
	session, err := s.spendCode(ctx, in.Client, code, peer, now)
	if err != nil {
		return Tokens{}, err
	}
	return s.appTokens(ctx, session, in.Client, code.Scope, code.Nonce, now)
}

func proves(verifier, challenge string) bool {
	return oidc.ValidVerifier(verifier) && subtle.ConstantTimeCompare([]byte(oidc.ChallengeOf(verifier)), []byte(challenge)) == 1
}

// spendCode spends the code and inserts its session, in one transaction that holds first the user, whose epoch must be
// the code's, then the code: what ends the user's sessions meanwhile holds the user, too (I5).
func (s *Service) spendCode(ctx context.Context, client clients.Client, code store.Code, peer peer.Peer, now time.Time) (made store.RefreshState, err error) {
	id := ids.New()
	err = s.throttle.WithinCodes(ctx, throttle.CodeLimit, code.UserID, code.PageSession, peer, now, func(tx *store.Tx) error {
		user, err := tx.TakeUser(code.UserID, code.Epoch)
		if err != nil {
			return err
		}
		if allowed, err := s.allows(tx, user.ID, client, oidc.Split(code.Scope)); err != nil || !allowed {
			return cmp.Or(err, store.ErrNotFound)
		}
		parentID, err := tx.SpendCode(code.Hash, id, now)
		if err != nil {
			return err
		}
		parent, err := tx.SessionByID(parentID)
		if err != nil {
			return err
		}
		if parent.UserID != user.ID || parent.Kind != kindPage || !parent.AliveAt(now) {
			return store.ErrNotFound
		}
		session := s.appSession(id, code, parent, now)
		if !session.AliveAt(now) { // the proof is too old, although a new one has taken the code over
			return store.ErrNotFound
		}
		tx.InsertSession(session)
		evicted, err := tx.EvictChildren(user.ID, parent.ID, code.Client, id, maxAppSessions, ReasonEvicted, now)
		if err != nil {
			return err
		}
		audit.WriteEnded(tx, now, evicted, audit.Event{Outcome: ReasonEvicted, UserID: user.ID}, peer)
		audit.Write(tx, now, audit.Event{Kind: audit.AppSignIn, UserID: user.ID, SessionID: id}, peer)
		made = store.RefreshState{Session: session, Email: user.Email, FirstName: user.FirstName, LastName: user.LastName}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) { // spent or run out meanwhile, or what it was made of is not what it was
		err = refuse(CodeInvalidGrant)
	}
	return made, err
}

// appSession is the session of an app as a code makes it. How long it may live at most, and when and how its user proved
// who they are, are its page session's; no chain of sessions lives longer than one proof.
func (s *Service) appSession(id string, code store.Code, parent store.Session, now time.Time) store.Session {
	overall := code.AuthTime.Add(s.o.RefreshOverall)
	if parent.OverallExpiresAt.Before(overall) {
		overall = parent.OverallExpiresAt
	}
	return store.Session{
		ID:               id,
		UserID:           code.UserID,
		Client:           code.Client,
		Kind:             kindOAuth,
		Parent:           parent.ID,
		Rotation:         rotation.First(s.o.Master.Current(), s.o.RefreshIdle, now),
		OverallExpiresAt: overall,
		CreatedAt:        now,
		Scope:            code.Scope,
		Resource:         code.Resource,
		AuthTime:         code.AuthTime,
		AMR:              code.AMR,
		ACR:              code.ACR,
		Browser:          code.Browser,
		BrowserVersion:   code.BrowserVersion,
		OS:               code.OS,
		DeviceType:       code.DeviceType,
		UserAgent:        code.UserAgent,
		Addr:             code.Addr,
	}
}

// refuseSpent refuses a code that was spent already. RFC 6749 §4.1.2: "SHOULD revoke (when possible) all tokens
// previously issued based on that authorization code".
func (s *Service) refuseSpent(ctx context.Context, code store.Code, peer peer.Peer, now time.Time) error {
	if now.Sub(code.SpentAt) <= repeatAllowed {
		return refuse(CodeInvalidGrant)
	}
	err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.HoldUser(code.UserID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		_, err := tx.EndSession(code.SessionID, code.UserID, ReasonCodeReused, now)
		if errors.Is(err, store.ErrNotFound) { // it has ended already
			return nil
		}
		if err != nil {
			return err
		}
		audit.WriteEnded(tx, now, []string{code.SessionID}, audit.Event{Outcome: ReasonCodeReused, UserID: code.UserID}, peer)
		audit.Write(tx, now, audit.Event{Kind: audit.CodeReused, Outcome: audit.Refused, UserID: code.UserID, SessionID: code.SessionID}, peer)
		return nil
	})
	if err != nil {
		return err
	}
	return refuse(CodeInvalidGrant)
}
