package auth_test

// What the operator ends at once, on both engines.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/peer"
)

// Each selection ends what it names and nothing else, of every kind of session, audited one by one; again it ends none.
func TestEndMany(t *testing.T) {
	const half = 30 * time.Second // of a step of the clock: PostgreSQL's own may be some way off it
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		clients, err := clients.New([]clients.Client{
			{Alias: "app", Name: "App", URL: "https://app.example.com"},
			{Alias: "web", Name: "Web", URL: "https://web.example.com", Default: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name  string
			which auth.EndSelection
			ends  func(user, client int, old bool) bool
		}{
			{"all", auth.EndSelection{}, func(int, int, bool) bool { return true }},
			{"an account's", auth.EndSelection{Email: "U7@example.com"}, func(user, _ int, _ bool) bool { return user == 7 }},
			{"a client's", auth.EndSelection{Client: "app"}, func(_, client int, _ bool) bool { return client == 0 }},
			{"a client's, which is not there", auth.EndSelection{Client: "gone"}, func(int, int, bool) bool { return false }},
			{"old ones", auth.EndSelection{Before: time.Unix(1, 0)}, func(_, _ int, old bool) bool { return old }},
			{"an account's old ones with a client", auth.EndSelection{Email: "u3@example.com", Client: "web", Before: time.Unix(1, 0)},
				func(user, client int, old bool) bool { return user == 3 && client == 1 && old }},
		} {
			r := authtest.New(t, db, func(o *auth.Options) { o.Clients, o.Throttle = clients, false })
			type made struct {
				user, client int
				old          bool
			}
			sessions := map[string]made{}
			const users = 23 // more than a bite
			for u := range users {
				email := fmt.Sprintf("u%d@example.com", u)
				if _, err := r.Service.UserByEmail(ctx, email); err != nil {
					r.AddUser(t, email)
				}
			}
			for _, old := range []bool{true, false} {
				for u := range users {
					if u%3 != 0 && u != 7 {
						continue
					}
					in := auth.SignIn{Email: fmt.Sprintf("u%d@example.com", u), Password: auth.Password{Value: authtest.Password}, ClientAlias: []string{"app", "web"}[u%2]}
					tokens, err := r.Service.SignIn(ctx, in, peer.Peer{})
					if err != nil {
						t.Fatal(err)
					}
					in.ClientAlias = "web"
					page, err := r.Service.SignInPage(ctx, in, peer.Peer{})
					if err != nil {
						t.Fatal(err)
					}
					sessions[tokens.SessionID], sessions[page.Caller.SessionID] = made{u, u % 2, old}, made{u, 1, old}
				}
				if old && !c.which.Before.IsZero() {
					c.which.Before = r.Clock.Now().Add(half)
				}
				r.Clock.Advance(time.Minute)
			}
			since := r.Clock.Now().Add(-half)
			n, err := r.Service.EndMany(ctx, c.which)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			var want, ended, audited []string
			for id, m := range sessions {
				if c.ends(m.user, m.client, m.old) {
					want = append(want, id)
				}
				if row := rowOf(t, r, id); row.EndReason == "admin" {
					ended = append(ended, id)
				} else if row.EndReason != "" {
					t.Errorf("%s: a session ended as %q", c.name, row.EndReason)
				}
			}
			events, err := r.Service.AuditEvents(ctx, audit.Query{Since: since, Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if _, mine := sessions[e.SessionID]; mine && e.Kind == "session_ended" && e.Outcome == "admin" {
					audited = append(audited, e.SessionID)
				}
			}
			for _, list := range [][]string{want, ended, audited} {
				slices.Sort(list)
			}
			agreeList(t, c.name+": ended", ended, want...)
			agreeList(t, c.name+": audited", audited, want...)
			if n != len(want) {
				t.Errorf("%s: says %d, ended %d", c.name, n, len(want))
			}
			if n, err = r.Service.EndMany(ctx, c.which); n != 0 || err != nil {
				t.Errorf("%s, again: %d, %v", c.name, n, err)
			}
			if _, err := r.Service.EndMany(ctx, auth.EndSelection{}); err != nil { // for the next
				t.Fatal(err)
			}
		}
		r := authtest.New(t, db)
		if _, err := r.Service.EndMany(ctx, auth.EndSelection{Email: "nobody@example.com"}); !errors.Is(err, auth.ErrNoUser) {
			t.Errorf("nobody's: %v", err)
		}
	})
}
