package client

// A session as programs use it: its access token, refreshed in time; an HTTP client that shows the token; the sign-out.
//
// Processes that share a file refresh without a lock, since the server gives all who ask together the same successor.
// What makes that true: a process sends the newest token that there is, reads the file again before each further attempt,
// and never sends again what the server has called superseded.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"latchkey/api"
)

// ErrSignedOut is in the chain of an error when nobody is signed in: this process or another one has signed out, the
// server has ended the session, or another person has signed in with its file. SignIn signs in anew.
var ErrSignedOut = errors.New("client: nobody is signed in")

const (
	longestLead  = 90 * time.Second // before its end a token is refreshed; never more than a third of its life
	askTimeout   = 8 * time.Second
	firstRetry   = time.Second // after the first failure at the earliest
	firstRetryIn = 5 * time.Second
	longestRetry = time.Minute
	lookEvery    = 100 * time.Millisecond // at the file, while a retry is waited for
)

// Session is somebody who is signed in. Many goroutines may use it at once, and many processes its file. It is one
// person's for good: when another person signs in with the same file it gives ErrSignedOut. When the same person does, it
// goes on with the new session.
type Session struct {
	app   App
	api   *Client
	share float64 // of the lead: not all processes refresh at once

	mu        sync.Mutex
	file      sessionFile
	user      string
	held      *record // nil: nobody is signed in, and out says why
	out       error
	since     time.Time // when held came to be held, with a monotonic reading
	sinceWall int64     // the same by this machine's clock, in milliseconds
	own       bool      // the file could not be written: what is held counts as what is kept
	dead      string    // a refresh token that the server has called superseded, or refused though the file held another
	deadWhy   error
	flight    *flight // the refresh under way; nil: none

	failed   error // of the last attempt to refresh what is held; nil: there was none
	failures int
	wait     time.Duration
	retry    time.Time // the next attempt begins no earlier
}

// flight is one refresh, and who waits for it.
type flight struct {
	over chan struct{}
	err  error // written before over is closed
}

// Token returns an access token that has not run out. It looks at the file first, so that another process's sign-out
// counts at once. Near the token's end it refreshes, once for all callers: 90 seconds before, or a third of the token's
// life where that is less, by the server's clock. Where that fails callers get the old token for as long as it lives.
//
// The error is ErrSignedOut when nobody is signed in. Any other, an *Error where the server has answered, says only that
// there is no token for now: the session stays, and a later call may succeed.
func (s *Session) Token(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	if !s.due() {
		return s.given(nil)
	}
	if s.flight == nil && time.Now().Before(s.retry) {
		return s.given(s.failed)
	}
	if s.flight == nil {
		s.flight = &flight{over: make(chan struct{})}
		var beside sync.WaitGroup // a caller that gives up does not end the refresh for the others
		begun, alone := s.flight, context.WithoutCancel(ctx)
		beside.Go(func() { s.refresh(alone, begun) })
	}
	joined := s.flight
	s.mu.Unlock()
	var err error
	select {
	case <-joined.over:
		err = joined.err
	case <-ctx.Done():
		err = fmt.Errorf("client: wait for a refresh: %w", ctx.Err())
	}
	s.mu.Lock()
	return s.given(err)
}

// given is what a caller gets when a refresh, if there was one, has ended with err.
func (s *Session) given(err error) (string, error) {
	switch {
	case s.held == nil:
		return "", s.out
	case err == nil || s.lives():
		return s.held.AccessToken, nil
	default:
		return "", err
	}
}

// SignOut ends the session for every process that shares its file, and has the server revoke it. On this machine it has
// ended whatever SignOut returns: an error says that the server could not be told, or that the file could not be removed.
// The browser stays signed in to the server. Where nobody is signed in, nothing is done.
func (s *Session) SignOut(ctx context.Context) error {
	was, kept := s.leave()
	if was == nil {
		return nil
	}
	if kept != nil {
		kept = fmt.Errorf("client: remove the session: %w", kept)
	}
	token := was.RefreshToken
	if token == "" {
		token = was.AccessToken
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	told := s.api.do(ctx, postForm("/oauth/revoke", url.Values{"token": {token}, "client_id": {s.app.ClientID}}), nil)
	if told != nil {
		told = fmt.Errorf("client: signed out on this machine, but the server was not told: %w", told)
	}
	return errors.Join(kept, told)
}

// leave signs out on this machine, and returns what was held.
func (s *Session) leave() (was *record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	if was = s.held; was != nil {
		err = s.file.end(was.SessionID)
		s.drop(ErrSignedOut)
	}
	return was, err
}

// refresh attempts to refresh, twice at most; once where the flight before has failed.
func (s *Session) refresh(ctx context.Context, f *flight) {
	for {
		wait, over := s.note(f, s.attempt(ctx))
		if over {
			return
		}
		for end := time.Now().Add(wait); time.Now().Before(end) && s.wants(); {
			time.Sleep(lookEvery)
		}
	}
}

// wants looks, and says whether there is still a need to refresh.
func (s *Session) wants() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	return s.due()
}

// note remembers how an attempt went, and says whether the flight is over, or how long to wait for the next attempt.
func (s *Session) note(f *flight, err error) (wait time.Duration, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed = err
		s.failures++
		s.wait = min(max(2*s.wait, firstRetry+rand.N(firstRetryIn-firstRetry)), longestRetry)
		wait = s.wait
		if refusal, ok := errors.AsType[*Error](err); ok {
			wait = min(max(wait, refusal.RetryAfter), longestRetry)
		}
		s.retry = time.Now().Add(wait)
	}
	if over = err == nil || s.failures > 1; over {
		s.flight, f.err = nil, err
		close(f.over)
	}
	return wait, over
}

// attempt asks the server, and asks again only with another token that it has found meanwhile. Without an error what is
// held is fresh, or nobody is signed in.
func (s *Session) attempt(ctx context.Context) error {
	for {
		sent, err := s.toSend()
		if sent == nil {
			return err
		}
		next, err := s.tokens(ctx, "refresh_token", url.Values{"refresh_token": {sent.RefreshToken}}, "", sent)
		if goOn, err := s.settle(sent, next, err); !goOn {
			return err
		}
	}
}

// toSend looks and returns what is sent now: nil where there is no need any more, or, with an error, only a token that
// must not be sent again.
func (s *Session) toSend() (*record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	switch {
	case !s.due():
		return nil, nil
	case s.held.RefreshToken == s.dead:
		return nil, s.deadWhy
	default:
		return s.held, nil
	}
}

// settle takes an answer, and says whether to go on at once with what is held now.
func (s *Session) settle(sent, next *record, err error) (goOn bool, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	refusal, refused := errors.AsType[*Error](err)
	switch {
	case err == nil:
		_ = s.keep(next, false) // what cannot be written is held all the same
		return false, nil
	case refused && refusal.Status == http.StatusBadRequest && refusal.Code == api.CodeInvalidGrant:
		return s.refuse(sent, err), nil
	case refused && refusal.Code == api.CodeRefreshSuperseded:
		s.dead, s.deadWhy = sent.RefreshToken, err
		s.look()
		return s.held == nil || s.held.RefreshToken != s.dead, err
	default:
		return false, err
	}
}

// refuse takes invalid_grant, the one answer that ends a session, and only where the token that was sent is the one that
// is kept. Else it says to go on with that one.
func (s *Session) refuse(sent *record, err error) (goOn bool) {
	kept, unread := s.file.read()
	if kept == nil || unread != nil || s.own {
		kept = s.held
	}
	switch {
	case kept == nil: // signed out meanwhile
		return false
	case kept.RefreshToken == sent.RefreshToken:
		_ = s.file.end(sent.SessionID) // where that fails, this process knows
		s.drop(fmt.Errorf("%w: %w", ErrSignedOut, err))
		return false
	}
	s.dead, s.deadWhy = sent.RefreshToken, err
	s.take(kept)
	return true
}

// look takes what the file holds: another process's sign-out, its newer tokens, or a sign-in. An absent file says nothing.
// Where the file has fallen behind, what is held is written again.
func (s *Session) look() {
	stored, err := s.file.read()
	if s.held != nil && s.file.isEnded(s.held.SessionID) {
		s.drop(ErrSignedOut)
	}
	switch {
	case err != nil:
	case stored != nil && (s.held == nil || s.held.SessionID != stored.SessionID || stored.newer(s.held)):
		s.take(stored)
	case s.held != nil && (s.own || stored != nil && s.held.newer(stored)):
		_ = s.keep(s.held, false)
	}
	if s.held != nil && s.held.RefreshToken == "" && !s.lives() {
		_ = s.file.end(s.held.SessionID) // else a file that nobody may write would stand in the way of the next sign-in
		s.drop(fmt.Errorf("%w: the access token has run out, and there is no refresh token", ErrSignedOut))
	}
}

// keep writes r and holds it, unless its session has ended, or the file holds another session or newer tokens: then it
// holds those. With over it overwrites them. The error is that r could not be written.
func (s *Session) keep(r *record, over bool) error {
	var theirs *record
	check := func() (bool, error) {
		stored, err := s.file.read()
		if theirs = stored; over || stored != nil && r.newer(stored) {
			theirs = nil
		}
		return theirs == nil && !s.file.isEnded(r.SessionID), err
	}
	err := s.file.write(r, check)
	if err != nil { // a full disk has room once what is there is gone
		_ = s.file.remove(r.SessionID)
		err = s.file.write(r, check)
	}
	if s.own = err != nil; !s.own {
		_, err = s.file.read() // which takes back what is marked by now
	}
	switch {
	case s.file.isEnded(r.SessionID):
		s.drop(ErrSignedOut)
	case theirs != nil:
		s.take(theirs)
	default:
		s.hold(r)
	}
	return err
}

// take holds what another process has kept, if it is of the same person.
func (s *Session) take(r *record) {
	if r.user == s.user {
		s.hold(r)
		return
	}
	s.drop(fmt.Errorf("%w: another person has signed in with %s", ErrSignedOut, s.file.path))
}

func (s *Session) hold(r *record) {
	if s.held != r {
		s.held, s.since, s.sinceWall = r, time.Now(), s.app.now().UnixMilli()
		s.failed, s.failures, s.wait, s.retry = nil, 0, 0, time.Time{}
	}
}

func (s *Session) drop(why error) { s.held, s.out = nil, why }

// left is how long the held access token lives, by the server's clock: this machine's and the offset. A clock that is set
// back counts for no less than has passed.
func (s *Session) left() time.Duration {
	passed := s.sinceWall + time.Since(s.since).Milliseconds()
	now := max(s.app.now().UnixMilli(), passed) + s.held.Offset
	return time.Duration(s.held.EndsAt-now) * time.Millisecond
}

func (s *Session) lives() bool { return s.left() > 0 }

// due says whether there is something to refresh.
func (s *Session) due() bool {
	if s.held == nil || s.held.RefreshToken == "" {
		return false
	}
	lead := min(longestLead, s.held.life/3)
	return s.left() <= time.Duration(float64(lead)*s.share)
}

// tokens asks the token endpoint once, and makes a record of its answer: of a sign-in, with the nonce that its ID token
// must have, if it must have one; of a refresh, what is held before.
func (s *Session) tokens(ctx context.Context, grant string, form url.Values, nonce string, before *record) (*record, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var header http.Header
	c := tokenCall(s.app.ClientID, "", grant, form)
	c.answered = &header
	given, err := document[api.AppTokens](ctx, s.api, c)
	if err != nil {
		return nil, err
	}
	r := &record{
		Version: recordVersion, Issuer: s.app.Issuer, ClientID: s.app.ClientID, Kind: "oauth",
		RefreshToken: given.RefreshToken, AccessToken: given.AccessToken, IDToken: given.IDToken,
	}
	var access struct {
		SessionID string `json:"sid"`
		IssuedAt  int64  `json:"iat"`
		ExpiresAt int64  `json:"exp"`
	}
	if !readClaims(r.AccessToken, &access) {
		return nil, errTokens
	}
	issued := time.Unix(access.IssuedAt, 0)
	server, err := http.ParseTime(header.Get("Date"))
	if err != nil || server.Sub(issued).Abs() > wrongDate {
		server = issued
	}
	r.SessionID, r.EndsAt, r.Offset = access.SessionID, access.ExpiresAt*1000, server.Sub(s.app.now()).Milliseconds()
	if !r.sound() || !s.fits(r, nonce) {
		return nil, errTokens
	}
	if before != nil {
		if r.SessionID != before.SessionID || r.user != before.user || r.RefreshToken == "" {
			return nil, errTokens
		}
		r.IDToken = cmp.Or(r.IDToken, before.IDToken)
	}
	return r, nil
}

// wrongDate is how far the Date of an answer may be from its access token's iat: beyond it is a proxy's, or a cache's.
const wrongDate = time.Minute

var errTokens = errors.New("client: the tokens of the answer are not of this issuer, client, request and session")
