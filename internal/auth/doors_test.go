package auth_test

// The two endpoints at which sessions are refreshed. The rules of refreshing are the same at both, and so are their tests.

import (
	"context"
	"testing"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/peer"
)

// door is one of them: the kind of the sessions that it refreshes, how one is made, and what is done with its tokens. Its
// refusals have the same codes at either; what HTTP makes of them is internal/server's to test.
type door struct {
	kind    string
	client  string // whose the tokens are, and who may revoke them; empty: anybody's
	enter   func(t *testing.T, r *authtest.Rig, email string) auth.Tokens
	refresh func(s *auth.Service, raw string) (auth.Tokens, error)
}

var doors = []door{
	{
		kind: "auth",
		enter: func(t *testing.T, r *authtest.Rig, email string) auth.Tokens {
			t.Helper()
			tokens, err := r.Service.SignIn(t.Context(), auth.SignIn{Email: email, Password: auth.Password{Value: authtest.Password}}, peer.Peer{})
			agreeCode(t, "sign in", err, "")
			return tokens
		},
		refresh: func(s *auth.Service, raw string) (auth.Tokens, error) {
			return s.Refresh(context.Background(), raw, peer.Peer{})
		},
	},
	{
		kind:   "oauth",
		client: "shop",
		enter: func(t *testing.T, r *authtest.Rig, email string) auth.Tokens {
			t.Helper()
			return exchange(t, r, "shop", codeFor(t, r, inPage(t, r, email), "shop"))
		},
		refresh: func(s *auth.Service, raw string) (auth.Tokens, error) {
			client, _ := s.ClientsNow().Lookup("shop")
			return s.RefreshApp(context.Background(), auth.AppRefresh{Client: client, RefreshToken: raw}, peer.Peer{})
		},
	},
}

// throughDoors runs a test for each door, on both engines; ada@example.com has an account, and shop is registered.
func throughDoors(t *testing.T, test func(t *testing.T, r *authtest.Rig, at door)) {
	t.Helper()
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		r.AddUser(t, "ada@example.com")
		for _, at := range doors {
			t.Run(at.kind, func(t *testing.T) { test(t, r, at) })
		}
	})
}

// accepts says what a resource server's question and userinfo are answered for an access token.
func (d door) accepts(t *testing.T, r *authtest.Rig, access string, want auth.Code) {
	t.Helper()
	_, err := r.Service.AuthenticateForClaims(t.Context(), access)
	agreeCode(t, d.kind+": userinfo", err, want)
	if seen, err := r.Service.Introspect(t.Context(), clients.Client{}, access, peer.Peer{}); err != nil || seen.Active != (want == "") {
		t.Errorf("%s: introspected: %+v, %v", d.kind, seen, err)
	}
}
