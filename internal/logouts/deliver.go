package logouts

// Telling an app: claim what is due, make the token, post it, note what came of it.

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"

	"latchkey/internal/store"
	"latchkey/internal/token"
)

const (
	lease     = time.Minute       // longer than a try may take
	giveUp    = 24 * time.Hour    // since the session ended
	tokenLife = 120 * time.Second // Back-Channel Logout §2.4: "preferably at most two minutes in the future"

	firstBackoff = 4 * time.Second // with the second that a deliverer may take to look again it is five
	maxBackoff   = 5 * time.Minute

	maxError = 300 // bytes of an error that are kept
)

// LongestWait is the longest that telling an app is put off.
const LongestWait = maxBackoff

// destination is where a client is told.
type destination struct {
	client, uri, host string
}

// DeliverNext tells one app of what has been due longest, of those whose host has nothing under way; false where there is
// none. What no registered client wants to know it ends on the way. An error is the store's; an app's trouble postpones
// the row.
func (l *Logouts) DeliverNext(ctx context.Context) (bool, error) { return l.deliverOne(ctx, false) }

// DeliverSteady is DeliverNext for hosts whose last try went well, or which were not tried yet.
func (l *Logouts) DeliverSteady(ctx context.Context) (bool, error) { return l.deliverOne(ctx, true) }

func (l *Logouts) deliverOne(ctx context.Context, steady bool) (bool, error) {
	due, err := l.due(ctx)
	if err != nil || ctx.Err() != nil { // a process that stops begins nothing
		return false, err
	}
	for _, d := range due {
		to, ok := l.destination(d.Client)
		if !ok {
			return true, l.endUnwanted(ctx, d.Client)
		}
		if !l.lanes.enter(to.host, steady) {
			continue
		}
		found, err := l.deliverTo(ctx, to)
		l.lanes.leave(to.host)
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// due are the clients for whom something is due, the longest first.
func (l *Logouts) due(ctx context.Context) (due []store.ClientDue, err error) {
	now := l.o.Now()
	err = l.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		due, err = tx.ClientsDue()
		return err
	})
	due = slices.DeleteFunc(due, func(d store.ClientDue) bool { return d.At.After(now) })
	slices.SortFunc(due, func(a, b store.ClientDue) int { return a.At.Compare(b.At) })
	return due, err
}

// destination is where the clients file says that a client is told; not ok where it says nothing.
func (l *Logouts) destination(alias string) (to destination, ok bool) {
	client, ok := l.o.Clients().Lookup(alias)
	if !ok || client.BackchannelLogoutURI == "" {
		return destination{}, false
	}
	u, err := url.Parse(client.BackchannelLogoutURI)
	if err != nil { // the clients file is checked
		return destination{}, false
	}
	return destination{alias, client.BackchannelLogoutURI, strings.ToLower(u.Host)}, true
}

// endUnwanted ends a bite of what is due for a client that is not told.
func (l *Logouts) endUnwanted(ctx context.Context, client string) error {
	var ended int64
	err := l.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		ended, err = tx.EndLogoutsOf(client, None, l.o.Now(), store.Bite)
		return err
	})
	if err != nil {
		return err
	}
	for range ended {
		l.o.OnLogout(None)
	}
	return nil
}

// deliverTo tells a client of what has been due longest for it; false where another process was faster.
func (l *Logouts) deliverTo(ctx context.Context, to destination) (bool, error) {
	now := l.o.Now()
	row, err := l.o.Store.ClaimLogout(ctx, to.client, now, now.Add(lease))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if now.Sub(row.CreatedAt) >= giveUp {
		l.warn(row, "an app could not be told within a day that a session has ended", row.LastError)
		return true, l.end(ctx, row, Expired, row.LastError)
	}
	err = l.tell(ctx, row, to)
	var refusal refusedError
	switch {
	case err == nil:
		l.lanes.note(to.host, true)
		return true, l.end(ctx, row, Delivered, "")
	case errors.As(err, &refusal):
		l.lanes.note(to.host, true) // it answers
		l.warn(row, "an app refused to be told that a session has ended; after fixing what was wrong, `latchkey logout retry` tells it again", err.Error())
		return true, l.end(ctx, row, Refused, err.Error())
	}
	if ctx.Err() == nil {
		l.lanes.note(to.host, false)
	}
	return true, l.postpone(ctx, row, err)
}

// tell has one logout token posted.
func (l *Logouts) tell(ctx context.Context, row store.Logout, to destination) error {
	now := l.o.Now()
	raw, err := l.o.Keys.SignLogout(token.Logout{
		Subject: row.UserID, Audience: row.Client, SessionID: row.SessionID, TokenID: tokenID(row.SessionID),
		IssuedAt: now, ExpiresAt: now.Add(tokenLife),
	}, now)
	if err != nil {
		return err
	}
	return l.poster.post(ctx, to.uri, raw)
}

// tokenID is the jti of every token that tells of a session's end: an app that was told already may know it by that. It is
// no id of anything else.
func tokenID(sessionID string) string {
	sum := sha256.Sum256([]byte("back-channel logout of " + sessionID))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// end notes the end, unless the lease was lost: then the row is another deliverer's.
func (l *Logouts) end(ctx context.Context, row store.Logout, outcome, lastError string) error {
	return l.noteTry(outcome, l.o.Store.EndLogout(ctx, row, outcome, lastError, l.o.Now()))
}

// postpone gives the row back: at once when the process is stopping, else after a while that grows.
func (l *Logouts) postpone(ctx context.Context, row store.Logout, cause error) error {
	wait := backoff(row.Tries)
	if ctx.Err() != nil {
		wait = 0
	}
	said := cause.Error()
	said = strings.ToValidUTF8(said[:min(len(said), maxError)], "")
	l.warn(row, "an app could not be told that a session has ended, and will be tried again", said)
	return l.noteTry(postponed, l.o.Store.PostponeLogout(ctx, row, l.o.Now().Add(wait), said))
}

// warn logs a line a minute for each client and message: an app that is away is so for all of its sessions.
func (l *Logouts) warn(row store.Logout, message, cause string) {
	l.notes.Warn(message+" "+row.Client, message, slog.String("client", row.Client), slog.String("session", row.SessionID),
		slog.Int64("tries", row.Tries), slog.String("cause", cause))
}

// noteTry counts what became of a try once that was written; nothing is where the lease was lost meanwhile.
func (l *Logouts) noteTry(outcome string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		l.o.OnLogout(outcome)
	}
	return err
}

// backoff doubles from 4 s to 5 min, and is up to a quarter shorter so that many do not return in step.
func backoff(tries int64) time.Duration {
	wait := maxBackoff
	if tries < 8 {
		wait = min(maxBackoff, firstBackoff<<max(0, tries-1))
	}
	return wait - rand.N(wait/4)
}
