package rigs

// Two servers on one PostgreSQL database: whatever one has acknowledged holds on the other at the
// next request.

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/rigs/stage"
)

// pair starts two nodes that share a database, a master key and a mail server.
func pair(t *testing.T, p *stage.Post) [2]*client.Client {
	url := postgres(t)
	var nodes [2]*client.Client
	for i := range nodes {
		// One issuer for both, as behind a load balancer.
		n := stage.StartNode(t, stage.Settings{"DATABASE_URL": url, "SMTP_URL": p.URL(), "PUBLIC_URL": "http://localhost:8080", "SESSIONS_PER_USER": "10000"})
		nodes[i] = n.Client()
	}
	return nodes
}

func TestTwoNodes(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	nodes := pair(t, p)
	const email, password = "ada@example.com", "correct horse battery staple"
	userID := member(t, nodes[0], p, email, password)
	endOnEither(t, nodes, userID, email, password, stage.Lane(t, 8, 80, 400))
}

// endOnEither ends sessions of an account in each way, so often, on either node.
func endOnEither(t *testing.T, nodes [2]*client.Client, userID, email, password string, rounds int) {
	t.Helper()
	ctx := context.Background()

	// The other node had just accepted the session.
	ends := map[string]func(on *client.Client, s, other api.Tokens) error{
		"sign-out": func(on *client.Client, s, _ api.Tokens) error {
			return on.SignOut(ctx, s.AccessToken, api.SignOutRequest{})
		},
		"sign-out of others": func(on *client.Client, _, other api.Tokens) error {
			return on.SignOut(ctx, other.AccessToken, api.SignOutRequest{Others: true})
		},
		"delete": func(on *client.Client, s, other api.Tokens) error {
			return on.EndSession(ctx, other.AccessToken, s.SessionID)
		},
		"revocation": func(on *client.Client, s, _ api.Tokens) error { return on.Revoke(ctx, s.RefreshToken) },
		"password change": func(on *client.Client, _, other api.Tokens) error {
			fresh := password + "!"
			err := on.ChangePassword(ctx, other.AccessToken, api.ChangePasswordRequest{Email: email, OldPassword: password, NewPassword: fresh})
			password = fresh
			return err
		},
	}
	for name, end := range ends {
		for i := range rounds {
			here, there := nodes[i%2], nodes[1-i%2]
			session, other := signIn(t, there, email, password), signIn(t, here, email, password)
			if !alive(t, here, session.AccessToken) || !alive(t, there, session.AccessToken) {
				t.Fatalf("%s: a fresh session is not accepted on both nodes", name)
			}
			if err := end(here, session, other); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if alive(t, there, session.AccessToken) {
				t.Errorf("%s on one node: the access token is accepted on the other", name)
			}
			_, err := there.Refresh(ctx, session.RefreshToken)
			refused(t, err, "invalid_refresh_token")
			if !alive(t, there, other.AccessToken) {
				t.Errorf("%s: the session that ended nothing of its own is dead too", name)
			}
			if list, err := there.Sessions(ctx, other.AccessToken, userID); err != nil || hasSession(list, session.SessionID) {
				t.Errorf("%s: the list on the other node still has the session (%v)", name, err)
			}
		}
	}
}

func hasSession(list []api.Session, id string) bool {
	for _, s := range list {
		if s.ID == id {
			return true
		}
	}
	return false
}

// A client whose requests alternate between nodes refreshes as if there were one; both nodes at once
// give the same successor (I2).
func TestTwoNodesRefresh(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	nodes := pair(t, p)
	const email, password = "ada@example.com", "correct horse battery staple"
	member(t, nodes[0], p, email, password)
	refreshOnEither(t, nodes, signIn(t, nodes[1], email, password), stage.Lane(t, 40, 400, 4000))
}

// refreshOnEither refreshes a session so often, the nodes taking turns, and then on both at once.
func refreshOnEither(t *testing.T, nodes [2]*client.Client, tokens api.Tokens, rounds int) {
	t.Helper()
	for i := range rounds {
		before := generationOf(tokens.RefreshToken)
		presented := tokens.RefreshToken
		tokens = refresh(t, nodes[i%2], presented)
		if got := generationOf(tokens.RefreshToken); got != before+1 {
			t.Fatalf("refresh of generation %d gave %d", before, got)
		}
		if !alive(t, nodes[1-i%2], tokens.AccessToken) {
			t.Fatal("the other node refuses the new access token")
		}
		if again := refresh(t, nodes[1-i%2], presented); again.RefreshToken != tokens.RefreshToken {
			t.Fatal("the other node gives another successor")
		}
	}
	var all sync.WaitGroup
	var successors [20]string
	for i := range successors {
		all.Go(func() {
			got, err := nodes[i%2].Refresh(context.Background(), tokens.RefreshToken)
			if err != nil {
				t.Errorf("refresh on both nodes at once: %v", err)
			}
			successors[i] = got.RefreshToken
		})
	}
	all.Wait()
	for _, s := range successors {
		if s != successors[0] {
			t.Errorf("both nodes at once gave successors of generation %d and %d", generationOf(successors[0]), generationOf(s))
		}
	}
}

// However many workers look into the outbox, each mail goes out once.
func TestTwoNodesMailOnce(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	nodes := pair(t, p)
	ctx := context.Background()
	mailboxes := make([]string, stage.Lane(t, 40, 400, 2000))
	var all sync.WaitGroup
	for i := range mailboxes {
		mailboxes[i] = fmt.Sprintf("user%d@example.com", i)
		all.Go(func() { // both nodes are asked at once: the mailbox's budget is shared
			for _, on := range nodes {
				if err := on.RequestVerification(ctx, api.VerificationMailRequest{Email: mailboxes[i]}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, mailbox := range mailboxes {
		if p.AwaitCode(mailbox, verifyPage, "", 20*time.Second) == "" {
			t.Errorf("no mail to %s", mailbox)
		}
	}
	time.Sleep(1500 * time.Millisecond) // each node has looked once more
	for _, mailbox := range mailboxes {
		if got := p.To(mailbox); len(got) != 1 {
			t.Errorf("%d mails to %s, want 1", len(got), mailbox)
		}
	}
}
