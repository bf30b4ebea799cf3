package server_test

// Ids in any case: RFC 9562 §4 asks readers for it, and Swift's UUID writes them in upper case.

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"latchkey/api"
	"latchkey/internal/audit"
	"latchkey/internal/auth"
	"latchkey/internal/outbox"
)

func TestIDsInAnyCase(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		email, here := a.in()
		there, elsewhere, more := a.In(t, email), a.In(t, email), a.In(t, email)
		_, stranger := a.in()
		mixed := strings.ToUpper(there.SessionID[:20]) + there.SessionID[20:]

		list := dataOf[[]api.Session](a.get("/auth/"+strings.ToUpper(a.userID(here))+"/sessions", bearer(here.AccessToken)).is("200"))
		if ids := idsOf(list); len(ids) != 4 || slices.ContainsFunc(ids, func(id string) bool { return id != strings.ToLower(id) }) || list[0].UserID != a.userID(here) {
			t.Errorf("list %+v", list)
		}
		a.endSession(mixed, here).is("200")
		a.dead(there)
		a.endSession(strings.ToUpper(there.SessionID), here).is("200") // ended already
		a.endSession(strings.ToUpper(stranger.SessionID), here).is("403 forbidden")
		a.post("/auth/signout", members{"sessions": []string{strings.ToUpper(elsewhere.SessionID), elsewhere.SessionID}}, bearer(here.AccessToken)).is("200")
		a.dead(elsewhere)
		a.post("/auth/signout", members{"sessions": []string{strings.ToUpper(here.SessionID)}}, bearer(here.AccessToken)).is("200")
		a.dead(here)
		if e, err := a.Service.ExplainSession(t.Context(), here.SessionID); err != nil || e.Reason != "signed_out" { // its own, and not revoked
			t.Errorf("%+v: %v", e, err)
		}

		if err := a.Service.RevokeSession(t.Context(), strings.ToUpper(more.SessionID)); err != nil {
			t.Errorf("session end: %v", err)
		}
		a.dead(more)
		if e, err := a.Service.ExplainSession(t.Context(), strings.ToUpper(more.SessionID)); err != nil || e.Session.ID != more.SessionID {
			t.Errorf("session explain: %+v %v", e, err)
		}
		for _, bad := range []string{"{" + more.SessionID + "}", "urn:uuid:" + more.SessionID} {
			if _, err := a.Service.ExplainSession(t.Context(), bad); !errors.Is(err, auth.ErrNoSession) {
				t.Errorf("explain %s: %v", bad, err)
			}
		}
		events, err := a.Service.AuditEvents(t.Context(), audit.Query{User: strings.ToUpper(a.userID(here)), Limit: 100})
		if err != nil || len(events) == 0 {
			t.Errorf("audit list --user: %d events, %v", len(events), err)
		}
		for _, e := range events {
			if e.SessionID != strings.ToLower(e.SessionID) {
				t.Errorf("the audit log keeps %+v", e)
			}
		}
	})
}

func TestMailIDsInAnyCase(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		a.post("/auth/forgot-password", members{"email": a.user()}).is("200")
		list, err := a.Service.Outbox().List(t.Context(), outbox.Query{Limit: 10})
		if err != nil || len(list) == 0 {
			t.Fatalf("mails %+v: %v", list, err)
		}
		if m, err := a.Service.Outbox().ByID(t.Context(), strings.ToUpper(list[0].ID)); err != nil || m.ID != list[0].ID {
			t.Errorf("mail show: %+v %v", m, err)
		}
		if err := a.Service.Outbox().Retry(t.Context(), strings.ToUpper(list[0].ID)); err != nil && !errors.Is(err, outbox.ErrUnderWay) {
			t.Errorf("mail retry: %v", err)
		}
	})
}

func idsOf(list []api.Session) (ids []string) {
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return ids
}
