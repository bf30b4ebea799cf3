package auth_test

// How many authorization codes one page session makes, on both engines.

import (
	"context"
	"slices"
	"testing"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/oidc"
	"latchkey/internal/peer"
	"latchkey/internal/store"
)

// A page session makes 240 codes in ten minutes, exchanged or not, for whichever app. Beyond that nothing is written but
// one row of the audit log; the next comes with its interval, and another browser's never waits.
func TestCodesOfOnePageSession(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		r.Clock.Stop()
		user := r.AddUser(t, "ada@example.com")
		page, other := inPage(t, r, "ada@example.com"), inPage(t, r, "ada@example.com")
		ask := func(page auth.PageSession, alias string, more ...string) (auth.Authorized, error) {
			request := asks(t, r, alias, more...)
			flow := oidc.Flow{Query: request.Query(), At: r.Clock.Now(), Proved: page.Caller.SessionID}
			return r.Service.Authorize(context.Background(), request, flow, page.Token, peer.Peer{})
		}
		for i := range 240 {
			if a, err := ask(page, []string{"shop", "desk"}[i%2]); err != nil || a.Code == "" {
				t.Fatalf("code %d: %+v, %v", i+1, a, err)
			}
		}
		for range 3 {
			for _, more := range [][]string{nil, {"prompt", "none"}} {
				a, err := ask(page, "shop", more...)
				if agreeCode(t, "beyond", err, auth.CodeTooManyRequests); a.Code != "" {
					t.Errorf("a code beyond the limit: %+v", a)
				}
			}
		}
		if got := r.Tally(t)["codes: live"]; got != 240 {
			t.Errorf("%d codes are kept", got)
		}
		q := audit.Query{User: user.ID, Kinds: []string{audit.TooMany}, Limit: 1000}
		rows, err := r.Service.AuditEvents(context.Background(), q)
		rows = slices.DeleteFunc(rows, func(e store.AuditEvent) bool { return !q.Fits(e) })
		if err != nil || len(rows) != 1 || rows[0].Times != 6 {
			t.Errorf("audited: %+v, %v", rows, err)
		}
		exchange(t, r, "shop", codeFor(t, r, other, "shop")) // another browser, and the limit of exchanges is another

		r.Clock.Advance(10*time.Minute/240 - time.Millisecond)
		_, err = ask(page, "shop")
		agreeCode(t, "too early", err, auth.CodeTooManyRequests)
		r.Clock.Advance(time.Millisecond)
		if a, err := ask(page, "shop"); err != nil || a.Code == "" {
			t.Errorf("after an interval: %+v, %v", a, err)
		}
	})
}

// A request that comes to nothing counts nothing.
func TestWhatMakesNoCodeCountsNothing(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		r.Clock.Stop()
		r.AddUser(t, "ada@example.com")
		page := inPage(t, r, "ada@example.com")
		for range 300 {
			if a := authorize(t, r, page, asks(t, r, "third")); a.Need != auth.NeedConsent {
				t.Fatalf("needs %q", a.Need)
			}
		}
		codeFor(t, r, page, "shop")
	})
}
