package auth_test

// A code that is exchanged while what it stands on ends: whichever comes first, no session of it is left.

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/peer"
)

// Eight exchanges of codes of one user, all at the moment of an end that was acknowledged: then none of their sessions lives.
func TestExchangeAgainstEveryEnd(t *testing.T) {
	const at, fine = "ada%d@example.com", "another fine passphrase"
	ctx := context.Background()
	ends := map[string]func(r *authtest.Rig, page auth.PageSession, email string) error{
		"sign-out": func(r *authtest.Rig, page auth.PageSession, _ string) error {
			return r.Service.SignOutPage(ctx, page.Token, peer.Peer{})
		},
		"disabling": func(r *authtest.Rig, _ auth.PageSession, email string) error {
			return r.Service.DisableUser(ctx, email)
		},
		"a reset": func(r *authtest.Rig, _ auth.PageSession, email string) error {
			return r.Service.SetPassword(ctx, email, fine)
		},
		"a deletion": func(r *authtest.Rig, _ auth.PageSession, email string) error { return r.Service.DeleteUser(ctx, email) },
		"the operator": func(r *authtest.Rig, page auth.PageSession, _ string) error {
			return r.Service.RevokeSession(ctx, page.Caller.SessionID)
		},
		"a password change": func(r *authtest.Rig, page auth.PageSession, email string) error {
			_, err := r.Service.ChangePassword(ctx, &page.Caller, auth.ChangePassword{
				Email: email, OldPassword: auth.Password{Value: authtest.Password}, NewPassword: auth.Password{Value: fine},
			}, peer.Peer{})
			return err
		},
	}
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		n := 0
		for name, end := range ends {
			t.Run(name, func(t *testing.T) {
				for range 3 {
					n++
					email := fmt.Sprintf(at, n)
					r.AddUser(t, email)
					page := inPage(t, r, email)
					before := exchange(t, r, "shop", codeFor(t, r, page, "shop"))
					codes := make([]string, 8)
					for i := range codes {
						codes[i] = codeFor(t, r, page, "shop")
					}
					made := exchangedDuring(t, r, codes, func() error { return end(r, page, email) })
					for _, tokens := range append(made, before) {
						_, err := refreshApp(r, "shop", tokens.RefreshToken)
						agreeCode(t, "a refresh afterwards", err, auth.CodeInvalidRefreshToken)
						_, err = r.Service.AuthenticateForClaims(ctx, tokens.AccessToken)
						agreeCode(t, "its access token", err, auth.CodeInvalidToken)
					}
					for _, code := range codes {
						_, err := r.Service.Exchange(ctx, exchangeOf(r, "shop", code), peer.Peer{})
						agreeCode(t, "an exchange afterwards", err, auth.CodeInvalidGrant)
					}
				}
			})
		}
		found, err := r.Service.Violations(ctx)
		if err != nil || len(found) > 0 {
			t.Errorf("%v, %v", found, err)
		}
	})
}

// exchangedDuring exchanges codes while something ends, and returns the tokens of those that were in time.
func exchangedDuring(t *testing.T, r *authtest.Rig, codes []string, end func() error) (made []auth.Tokens) {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	for i, code := range codes {
		if i == len(codes)/2 {
			all.Go(func() {
				if err := end(); err != nil {
					t.Errorf("the end: %v", err)
				}
			})
		}
		all.Go(func() {
			tokens, err := r.Service.Exchange(context.Background(), exchangeOf(r, "shop", code), peer.Peer{})
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				made = append(made, tokens)
				return
			}
			agreeCode(t, "one that came late", err, auth.CodeInvalidGrant)
		})
	}
	all.Wait()
	return made
}
