package verify

// The sessions that have ended, as the issuer's feed tells them: polled by one goroutine, looked up by every check.

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	feedPath     = "/oauth/revocations"
	feedAtOnce   = 5 * time.Second  // for an answer that waits for nothing
	feedWaiting  = 35 * time.Second // for one that may wait: the issuer has it wait 25 seconds at most
	feedBytes    = 4 << 20          // several times as long as 10,000 sessions are
	feedEvery    = 200 * time.Millisecond
	feedRetry    = time.Second // after the first failure, then doubled
	feedRetryMax = 15 * time.Second
	feedOpenFor  = 5 * time.Minute // unless configured
)

// feed knows which sessions have ended.
type feed struct {
	v       *Verifier
	client  *url.Userinfo
	openFor time.Duration
	known   atomic.Pointer[ends] // written by run alone
	first   chan struct{}        // closed when the first poll is over
}

// ends is what a poll has told, and how the last one went. Nothing of it is changed.
type ends struct {
	sessions map[string]struct{}
	floor    time.Time // zero: none
	cursor   string
	told     time.Time // when; before the first answer, when New was called
	away     bool      // the last poll has failed, or there was none
}

func newFeed(v *Verifier, c Feed) *feed {
	if c.OpenFor == 0 {
		c.OpenFor = feedOpenFor
	}
	f := &feed{v: v, client: url.UserPassword(c.ClientID, c.ClientSecret), openFor: max(c.OpenFor, 0), first: make(chan struct{})}
	f.known.Store(&ends{told: v.now(), away: true})
	return f
}

// check refuses the token of a session that has ended, and any where the feed has been away for too long.
func (f *feed) check(ctx context.Context, c Claims) *Error {
	select {
	case <-f.first:
	case <-ctx.Done():
	}
	known := f.known.Load()
	if _, ended := known.sessions[c.SessionID]; ended {
		return invalidToken("The session has ended.")
	}
	if !known.floor.IsZero() && !c.IssuedAt.After(known.floor) {
		return invalidToken("The session may have ended: refresh the token.")
	}
	if known.away && f.v.now().Sub(known.told) >= f.openFor {
		return unavailable("feed_unavailable", "Which sessions have ended is not known now.")
	}
	return nil
}

// run polls until ctx ends.
func (f *feed) run(ctx context.Context) {
	defer func() {
		select {
		case <-f.first:
		default:
			close(f.first)
		}
	}()
	for retry, first := time.Duration(0), true; ctx.Err() == nil; first = false {
		start, before := time.Now(), f.known.Load()
		cursor := before.cursor
		if before.away {
			cursor = "" // to be answered at once
		}
		told, err := f.poll(ctx, cursor)
		pause := feedEvery - time.Since(start)
		if err == nil {
			retry = 0
		} else {
			retry = min(max(2*retry, feedRetry), feedRetryMax)
			told, pause = *before, retry
			told.away = true
		}
		if ctx.Err() != nil {
			return
		}
		f.known.Store(&told)
		f.log(*before, told, first, err)
		if first {
			close(f.first)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// log tells what is news: that the feed is away, and that it is there again.
func (f *feed) log(before, after ends, first bool, err error) {
	switch {
	case after.away && (first || !before.away):
		f.v.issuers.log.Warn("which sessions have ended cannot be had", "issuer", f.v.issuer, "error", err)
	case before.away && !after.away && !first:
		f.v.issuers.log.Info("which sessions have ended can be had again", "issuer", f.v.issuer)
	}
}

// poll asks once. With the cursor of what is known the answer waits until there is more.
func (f *feed) poll(ctx context.Context, cursor string) (ends, error) {
	path, patience := feedPath, feedAtOnce
	if cursor != "" {
		path, patience = path+"?after="+url.QueryEscape(cursor), feedWaiting
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, _, err := f.v.issuers.get(ctx, path, f.client, feedBytes)
	if err != nil {
		return ends{}, err
	}
	payload, err := f.v.open(ctx, string(body), revocationsType)
	if err != nil {
		return ends{}, fmt.Errorf("read the answer: %w", err)
	}
	return f.read(payload)
}

// read reads the claims of an answer, which must be this issuer's, for this client, and of now.
func (f *feed) read(payload []byte) (ends, error) {
	var said struct {
		Issuer    string   `json:"iss"`
		Audience  string   `json:"aud"`
		ExpiresAt int64    `json:"exp"`
		Cursor    string   `json:"cursor"`
		Sessions  []string `json:"sids"`
		Floor     int64    `json:"floor"`
	}
	if err := json.Unmarshal(payload, &said); err != nil {
		return ends{}, fmt.Errorf("read the answer: %w", err)
	}
	now := f.v.now()
	switch {
	case said.Issuer != f.v.issuer, said.Audience != f.client.Username(), said.Cursor == "", said.Sessions == nil:
		return ends{}, errors.New("the answer is another issuer's or another client's, or is not whole")
	case now.After(time.Unix(said.ExpiresAt, 0).Add(leeway)):
		return ends{}, errors.New("the answer has run out: this machine's clock and the issuer's differ")
	}
	told := ends{sessions: make(map[string]struct{}, len(said.Sessions)), cursor: said.Cursor, told: now}
	for _, id := range said.Sessions {
		told.sessions[id] = struct{}{}
	}
	if said.Floor != 0 {
		told.floor = time.Unix(said.Floor, 0)
	}
	return told, nil
}
