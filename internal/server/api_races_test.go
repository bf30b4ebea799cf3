package server_test

// What must hold when everything comes at once. The long lane's TestMutations removes what carries each of
// these, and sees it fail.

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
)

// tally counts answers by status and code.
func tally(list []answer) map[string]int {
	count := map[string]int{}
	for _, x := range list {
		count[what(x.status, x.header, x.body)]++
	}
	return count
}

// I4, I6: of 30 uses of one reset token at once one wins, and the password is the winner's. Two things hold
// this up, each alone: the token is spent where it is unspent, and a password change drops every link.
func TestResetTokenAtOnce(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		email, before := a.in()
		code := a.ForgotCode(t, email)
		pick := func(i int) string { return fmt.Sprintf("horse battery staple %d", i) }
		list := together(t, 30, func(i int) (answer, error) {
			return a.ask("POST", "/auth/password-reset/"+email, members{"password": pick(i), "token": code})
		})
		if got := tally(list); got["200"] != 1 || got["400 invalid_reset_token"] != 29 {
			t.Fatalf("answers: %v", got)
		}
		winner := slices.IndexFunc(list, func(x answer) bool { return x.status == 200 })
		a.signIn(email, pick(winner)).is("200")
		a.signIn(email, pick((winner+1)%30)).is("401 invalid_credentials")
		a.dead(before)
		notices := 0
		for _, m := range a.mailTo(email) {
			if strings.HasPrefix(m.Subject, "Your password was changed") {
				notices++
			}
		}
		if notices != 1 {
			t.Errorf("%d notices, want 1: %s", notices, a.subjects(email))
		}
	})
}

// I1: a refresh and a sign-out at once never leave a live session: only a session that lives rotates.
func TestSignOutAgainstRefresh(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		email := a.user()
		for range 15 {
			tokens := a.In(t, email)
			list := together(t, 7, func(i int) (answer, error) {
				if i == 3 {
					return a.ask("POST", "/auth/signout", nil, bearer(tokens.AccessToken))
				}
				return a.ask("POST", "/auth/refresh-token", members{"refreshToken": tokens.RefreshToken})
			})
			list[3].is("200")
			a.dead(tokens)
			for i, x := range list {
				if got := what(x.status, x.header, x.body); got == "200" && i != 3 {
					a.dead(dataOf[api.Tokens](x))
				} else if got != "200" && got != "401 invalid_refresh_token" {
					t.Errorf("answer %d: %s", i, x.body)
				}
			}
		}
	})
}

// I5: after a password change under a load of sign-ins no session made with the old password lives.
func TestPasswordChangeAgainstSignIns(t *testing.T) {
	onBothEngines(t, func(o *auth.Options) { o.Throttle = false }, func(t *testing.T, n *node) {
		a := n.enter(t)
		for round := range 4 {
			email, first := a.in()
			var changed atomic.Bool
			var mu sync.Mutex
			var made []api.Tokens
			got := together(t, 6, func(i int) (answer, error) {
				if i == 0 {
					x, err := a.ask("POST", "/auth/reset-password", members{"email": email, "oldPassword": authtest.Password, "newPassword": newPassword})
					changed.Store(true)
					return x, err
				}
				for after := 0; after < 3; { // and a few that begin when it is acknowledged
					if changed.Load() {
						after++
					}
					x, err := a.ask("POST", "/auth/signin", members{"email": email, "password": authtest.Password})
					if err != nil {
						return x, err
					}
					if what(x.status, x.header, x.body) == "200" {
						mu.Lock()
						made = append(made, dataOf[api.Tokens](x))
						mu.Unlock()
					}
				}
				return a.ask("POST", "/auth/signin", members{"email": email, "password": authtest.Password})
			})
			got[0].is("200")
			for _, x := range got[1:] {
				if x.status != 503 { // a slow machine may be busy
					x.is("401 invalid_credentials")
				}
			}
			for _, tokens := range append(made, first) {
				a.dead(tokens)
			}
			alive, err := a.Service.UserSessions(t.Context(), email, false)
			if err != nil || len(alive) != 0 {
				t.Errorf("round %d: %d sessions live: %v", round, len(alive), err)
			}
			a.signIn(email, newPassword).is("200")
		}
	})
}

// I12: of 200 sign-ups of one address at once one makes the account, with its password. Two things hold this
// up, each alone: an account is inserted where its address is free, and the code is spent where it is unspent.
func TestSignUpsAtOnce(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		email := a.email()
		code := a.code(email)
		pick := func(i int) string { return fmt.Sprintf("horse battery staple %d", i) }
		list := together(t, 200, func(i int) (x answer, err error) {
			for range 20 { // on a machine that is too busy, callers are told to come back, and do
				x, err = a.ask("POST", "/auth/signup", members{"email": email, "password": pick(i), "firstName": "Grace", "lastName": "Hopper", "verificationCode": code})
				if err != nil || x.status != http.StatusServiceUnavailable {
					break
				}
			}
			return x, err
		})
		if got := tally(list); got["201"] != 1 || got["409 already_registered"] != 199 {
			t.Fatalf("answers: %v", got)
		}
		winner := slices.IndexFunc(list, func(x answer) bool { return x.status == 201 })
		tokens := dataOf[api.Tokens](a.signIn(email, pick(winner)).is("200"))
		if got, want := a.userID(tokens), dataOf[api.SignedUp](list[winner]).UserID; got != want {
			t.Errorf("user %s, the winner was told %s", got, want)
		}
		if users, err := a.Service.ListUsers(t.Context(), "", 100); err != nil || len(users) != 1 {
			t.Errorf("%d accounts: %v", len(users), err)
		}
	})
}
