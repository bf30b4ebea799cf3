package auth_test

// Refreshing with a real row under the rules of internal/rotation, at every door.

import (
	"slices"
	"sync"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/peer"
	"latchkey/internal/token"
)

// I2: 50 refreshes of one token at once give 50 times the one successor.
func TestRefreshAtOnce(t *testing.T) {
	throughDoors(t, func(t *testing.T, r *authtest.Rig, at door) {
		first := at.enter(t, r, "ada@example.com")
		got := make([]auth.Tokens, 50)
		errs := make([]error, len(got))
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() { got[i], errs[i] = at.refresh(r.Service, first.RefreshToken) })
		}
		wg.Wait()
		for i := range got {
			if errs[i] != nil {
				t.Fatalf("refresh %d: %v", i, errs[i])
			}
			if got[i].RefreshToken != got[0].RefreshToken {
				t.Errorf("refresh %d got another successor", i)
			}
		}
		if got[0].RefreshToken == first.RefreshToken {
			t.Error("the token did not rotate")
		}
	})
}

// A lost answer is given again, within the window and a long time after it (rules 3 and 4); an older token of the same
// burst is told to use what a sibling was given (rule 5), and neither ends anything.
func TestRefreshAgain(t *testing.T) {
	throughDoors(t, func(t *testing.T, r *authtest.Rig, at door) {
		first := at.enter(t, r, "ada@example.com")
		second, err := at.refresh(r.Service, first.RefreshToken)
		agreeCode(t, "refresh", err, "")
		for _, later := range []time.Duration{0, 29 * time.Second, time.Hour, 10 * 24 * time.Hour} {
			r.Clock.Advance(later)
			again, err := at.refresh(r.Service, first.RefreshToken)
			agreeCode(t, later.String()+" later", err, "")
			if again.RefreshToken != second.RefreshToken {
				t.Errorf("%s later the successor is another one", later)
			}
		}
		third, err := at.refresh(r.Service, second.RefreshToken)
		agreeCode(t, "refresh", err, "")
		fourth, err := at.refresh(r.Service, third.RefreshToken)
		agreeCode(t, "refresh", err, "")
		_, err = at.refresh(r.Service, second.RefreshToken)
		agreeCode(t, "an older one of the burst", err, auth.CodeRefreshSuperseded)
		at.accepts(t, r, fourth.AccessToken, "")
		_, err = at.refresh(r.Service, fourth.RefreshToken)
		agreeCode(t, "the newest", err, "")
	})
}

// Rule 6: a database that was set back knows a session of an earlier generation than its client does.
func TestRefreshAheadOfTheDatabase(t *testing.T) {
	throughDoors(t, func(t *testing.T, r *authtest.Rig, at door) {
		row := rowOf(t, r, at.enter(t, r, "ada@example.com").SessionID)
		next, err := at.refresh(r.Service, refreshOf(t, r, row, 7))
		agreeCode(t, "refresh", err, "")
		claims, err := r.Options.Master.ParseRefresh(next.RefreshToken)
		if err != nil || claims.Generation != 8 {
			t.Errorf("the successor of generation 7: %+v, %v", claims, err)
		}
	})
}

// I16: neither limit is passed, however often a session is refreshed.
func TestRefreshLimits(t *testing.T) {
	throughDoors(t, func(t *testing.T, r *authtest.Rig, at door) {
		current := at.enter(t, r, "ada@example.com")
		limit := rowOf(t, r, current.SessionID).OverallExpiresAt
		for r.Clock.Now().Add(7 * 24 * time.Hour).Before(limit) {
			r.Clock.Advance(7 * 24 * time.Hour)
			next, err := at.refresh(r.Service, current.RefreshToken)
			agreeCode(t, "refresh", err, "")
			current = next
		}
		if left := limit.Sub(r.Clock.Now()); current.RefreshExpiresIn > left+time.Second {
			t.Errorf("refresh_expires_in %s, the overall limit is %s away", current.RefreshExpiresIn, left)
		}
		r.Clock.Advance(limit.Sub(r.Clock.Now()) + time.Second)
		_, err := at.refresh(r.Service, current.RefreshToken)
		agreeCode(t, "past the overall limit", err, auth.CodeInvalidRefreshToken)
		idle := at.enter(t, r, "ada@example.com")
		r.Clock.Advance(r.Options.RefreshIdle + time.Second)
		_, err = at.refresh(r.Service, idle.RefreshToken)
		agreeCode(t, "past the inactivity limit", err, auth.CodeInvalidRefreshToken)
	})
}

// The metric tells what is wrong with a token from what is wrong with us.
func TestRefreshOutcomes(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		r.AddUser(t, "ada@example.com")
		good := map[string]string{}
		for _, at := range doors {
			good[at.kind] = at.enter(t, r, "ada@example.com").RefreshToken
		}
		var got []string
		r.Options.OnRefresh = func(outcome string) { got = append(got, outcome) }
		whole := r.Restart(t, authtest.Master)
		for _, at := range doors {
			for _, raw := range []string{good[at.kind], good[at.kind] + "A", "garbage"} {
				_, _ = at.refresh(whole, raw)
			}
		}
		fresh := token.NewMasterKey()
		r.Restart(t, fresh+","+authtest.Master)
		without := r.Restart(t, fresh)
		for _, at := range doors {
			_, err := at.refresh(without, good[at.kind])
			agreeCode(t, at.kind+": without its master key", err, auth.CodeUnavailable)
		}
		want := []string{"rotated", "malformed", "malformed", "rotated", "malformed", "malformed", "unavailable", "unavailable"}
		if !slices.Equal(got, want) {
			t.Errorf("counted %v, want %v", got, want)
		}
	})
}

// I3: reuse outside the windows ends the session, and the refusal does not undo that. It ends that session alone: an app's
// page session goes on.
func TestRefreshReuseEndsTheSession(t *testing.T) {
	throughDoors(t, func(t *testing.T, r *authtest.Rig, at door) {
		stolen := at.enter(t, r, "ada@example.com")
		current := stolen
		for range 3 {
			r.Clock.Advance(5 * time.Minute)
			var err error
			if current, err = at.refresh(r.Service, current.RefreshToken); err != nil {
				t.Fatal(err)
			}
		}
		at.accepts(t, r, current.AccessToken, "")
		before := len(r.Mailbox.Messages())
		for _, raw := range []string{stolen.RefreshToken, current.RefreshToken} {
			_, err := at.refresh(r.Service, raw)
			agreeCode(t, "refresh", err, auth.CodeInvalidRefreshToken)
		}
		at.accepts(t, r, current.AccessToken, auth.CodeInvalidToken)
		row := rowOf(t, r, current.SessionID)
		if row.EndReason != auth.ReasonReuse {
			t.Errorf("the session ended for %q", row.EndReason)
		}
		if row.Parent != "" && rowOf(t, r, row.Parent).EndReason != "" {
			t.Error("its page session ended, too")
		}
		if r.Deliver(t); len(r.Mailbox.Messages()) != before+1 {
			t.Errorf("%d mails tell the owner, want 1", len(r.Mailbox.Messages())-before)
		}
	})
}

// I1: a refresh and the session's end at once never leave a live session: only a session that lives rotates.
func TestRefreshAgainstItsEnd(t *testing.T) {
	throughDoors(t, func(t *testing.T, r *authtest.Rig, at door) {
		for range 10 {
			first := at.enter(t, r, "ada@example.com")
			got := make([]auth.Tokens, 6)
			errs := make([]error, len(got))
			var wg sync.WaitGroup
			for i := range got {
				wg.Go(func() {
					if i == 3 {
						errs[i] = r.Service.Revoke(t.Context(), at.client, first.RefreshToken, peer.Peer{})
						return
					}
					got[i], errs[i] = at.refresh(r.Service, first.RefreshToken)
				})
			}
			wg.Wait()
			agreeCode(t, "revoke", errs[3], "")
			for i, err := range errs {
				if err != nil {
					agreeCode(t, "refresh", err, auth.CodeInvalidRefreshToken)
					continue
				}
				if raw := got[i].RefreshToken; raw != "" {
					_, err := at.refresh(r.Service, raw)
					agreeCode(t, "refresh after the end", err, auth.CodeInvalidRefreshToken)
				}
			}
			at.accepts(t, r, first.AccessToken, auth.CodeInvalidToken)
		}
	})
}
