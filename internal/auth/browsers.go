package auth

// What ends together. A page session with the sessions of the apps that came from it is one browser: it counts once
// against the limit, is shown as one, and is signed out as one.

import (
	"errors"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/peer"
	"latchkey/internal/store"
)

// Browsers groups sessions by browser: first the page session, or what has none among them and stands by itself, then what
// came from it. Otherwise they stay in their order.
func Browsers(list []Session) (browsers [][]Session) {
	listed := map[string]bool{}
	for _, s := range list {
		listed[s.ID] = true
	}
	place := map[string]int{}
	for _, s := range list {
		if !listed[s.Parent] {
			place[s.ID] = len(browsers)
			browsers = append(browsers, []Session{s})
		}
	}
	for _, s := range list {
		if !listed[s.Parent] {
			continue
		}
		if at, ok := place[s.Parent]; ok {
			browsers[at] = append(browsers[at], s)
		} else { // TakeOver lets nothing come from what came from something; but none is to be missing
			browsers = append(browsers, []Session{s})
		}
	}
	return browsers
}

// endWith does what goes with the end of a held user's session by that user: a page session takes the sessions that came
// from it along; and an app whose session was ended from elsewhere signs nobody in from that browser again without a press.
func (s *Service) endWith(tx *store.Tx, over store.Ended, caller Caller, peer peer.Peer, now time.Time) error {
	switch {
	case over.Kind == kindPage:
		return s.endChildren(tx, caller.UserID, over.ID, ReasonSignedOutElsewhere, peer, now)
	case over.Parent != "" && over.ID != caller.SessionID: // not the app's own sign-out
		tx.NoteAppEnd(over.Parent, over.Client, now)
		tx.DropCodes(caller.UserID, over.Client, over.Parent)
	}
	return nil
}

// endNow ends a held user's session, or the page session that has taken its place in its browser since, and what came
// from it. What has ended already stays as it is.
func (s *Service) endNow(tx *store.Tx, userID, id, reason string, peer peer.Peer, now time.Time) error {
	named, err := pageNow(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = tx.EndSession(named.ID, userID, reason, now)
	if err == nil {
		audit.WriteEnded(tx, now, []string{named.ID}, audit.Event{Outcome: reason, UserID: userID}, peer)
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return s.endChildren(tx, userID, named.ID, ReasonSignedOutElsewhere, peer, now)
}

// pageNow finds a session, or the page session that has taken its place in its browser since: the answer with the new
// cookie may have been lost, or have come before that of another sign-in at the same time.
func pageNow(tx *store.Tx, id string) (store.Session, error) {
	session, err := tx.SessionByID(id)
	if err == nil && session.Kind == kindPage && session.Parent != "" {
		return tx.SessionByID(session.Parent)
	}
	return session, err
}

// endChildren ends the sessions that came from a held user's page session: also where that has run out, since they live
// on then.
func (s *Service) endChildren(tx *store.Tx, userID, pageSession, reason string, peer peer.Peer, now time.Time) error {
	ids, err := tx.EndChildren(userID, pageSession, reason, now)
	if err != nil {
		return err
	}
	audit.WriteEnded(tx, now, ids, audit.Event{Outcome: reason, UserID: userID}, peer)
	return nil
}

// endOrphans ends a held user's sessions whose page session has been ended.
func (s *Service) endOrphans(tx *store.Tx, userID, reason string, peer peer.Peer, now time.Time) error {
	ids, err := tx.EndOrphans(userID, reason, now)
	if err != nil {
		return err
	}
	audit.WriteEnded(tx, now, ids, audit.Event{Outcome: reason, UserID: userID}, peer)
	return nil
}
