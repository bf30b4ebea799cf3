package server_test

// Refreshing as a client meets it. The rules (docs/adr/0003-refresh-tokens.md) have a table in internal/rotation.

import (
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/token"
)

func (a *app) refresh(refreshToken string) answer {
	a.Helper()
	return a.post("/auth/refresh-token", members{"refreshToken": refreshToken})
}

// next is the successor of a token that must still be good.
func (a *app) next(tokens api.Tokens) api.Tokens {
	a.Helper()
	return dataOf[api.Tokens](a.refresh(tokens.RefreshToken).is("200"))
}

const expired = "Refresh token has expired" // existing clients compare this sentence

func TestRefresh(t *testing.T) {
	prove(t, "POST /auth/refresh-token", nil, []proof{
		{"200", func(a *app) {
			email, first := a.in()
			second := a.next(first)
			if second.SessionID != first.SessionID || second.SessionState != first.SessionID || second.TokenType != "Bearer" || second.Scope != first.Scope {
				a.Errorf("first %+v, second %+v", first, second)
			}
			access, refresh := jwt(a.T, second.AccessToken), jwt(a.T, second.RefreshToken)
			if access.claims["email"] != email || access.claims["sid"] != first.SessionID || access.claims["azp"] != "web" {
				a.Errorf("access token %v", access.claims)
			}
			if refresh.number("gen") != 2 || refresh.claims["azp"] != "web" || refresh.number("exp") == 0 {
				a.Errorf("refresh token %v", refresh.claims)
			}
			a.get("/auth/userinfo", bearer(second.AccessToken)).is("200")
		}},
		{"200: trimmed, extra keys ignored", func(a *app) {
			_, first := a.in()
			a.post("/auth/refresh-token", members{"refreshToken": " \n" + first.RefreshToken + "\t", "grant_type": "refresh_token"}).is("200")
		}},
		{"200: a lost answer is given again, the very same", func(a *app) { // rules 3 and 4
			_, first := a.in()
			second := a.next(first)
			for _, later := range []time.Duration{0, 29 * time.Second, time.Hour, 10 * 24 * time.Hour} {
				a.Clock.Advance(later)
				if again := a.next(first); again.RefreshToken != second.RefreshToken {
					a.Errorf("%s later the successor is another one", later)
				}
			}
		}},
		{"200: a database that was set back", func(a *app) { // rule 6
			_, first := a.in()
			ahead, err := a.Options.Master.SignRefresh(token.Refresh{
				KeyID: a.Options.Master.Current(), Issuer: a.Options.Issuer, SessionID: first.SessionID, Client: "web",
				Generation: 7, IssuedAt: a.Clock.Now(), ExpiresAt: a.Clock.Now().Add(time.Hour),
			})
			if err != nil {
				a.Fatal(err)
			}
			if got := jwt(a.T, a.next(api.Tokens{RefreshToken: ahead}).RefreshToken).number("gen"); got != 8 {
				a.Errorf("generation %d, want 8", got)
			}
		}},
		{"400 invalid_request", func(a *app) {
			for body, blames := range map[string]string{
				`{}`: "refreshToken required", `{"refreshToken":null}`: "refreshToken required", `{"refreshToken":" \t"}`: "refreshToken required",
				`{"refreshToken":17}`: "refreshToken invalid_type", `{"RefreshToken":"x"}`: "refreshToken wrong_case",
			} {
				a.post("/auth/refresh-token", body).is("400 invalid_request").blames(blames)
			}
		}},
		{"401 invalid_refresh_token: garbage, which ends nothing", func(a *app) { // rule 1
			_, first := a.in()
			_, other := a.in()
			parts := strings.Split(first.RefreshToken, ".")
			for _, bad := range []string{
				"x", "a.b.c", first.AccessToken, first.RefreshToken + "A", first.RefreshToken + "=", strings.Repeat("x", 5000),
				parts[0] + "." + strings.Split(other.RefreshToken, ".")[1] + "." + parts[2],
				parts[0] + "." + parts[1] + ".", parts[0] + "." + parts[1],
			} {
				x := a.refresh(bad).is("401 invalid_refresh_token").says(expired)
				if got := x.header.Get("WWW-Authenticate"); got != `Bearer realm="latchkey"` {
					a.Errorf("challenge %q", got)
				}
			}
			a.alive(first)
			a.alive(other)
		}},
		{"401 invalid_refresh_token", func(a *app) {
			signedOut, current := first2(a.in()), first2(a.in())
			a.post("/auth/signout", nil, bearer(signedOut.AccessToken)).is("200")
			a.refresh(signedOut.RefreshToken).is("401 invalid_refresh_token").says(expired)
			a.Clock.Advance(a.Options.RefreshIdle - time.Minute)
			current = a.next(current)
			a.Clock.Advance(a.Options.RefreshIdle + time.Second) // inactivity limit
			a.refresh(current.RefreshToken).is("401 invalid_refresh_token").says(expired)
		}},
		{"401 invalid_refresh_token: the overall limit, however often it is refreshed", func(a *app) { // I16
			_, current := a.in()
			limit := a.Clock.Now().Add(a.Options.RefreshOverall)
			for a.Clock.Now().Add(7 * 24 * time.Hour).Before(limit) {
				a.Clock.Advance(7 * 24 * time.Hour)
				current = a.next(current)
			}
			if exp := jwt(a.T, current.RefreshToken).number("exp"); exp > limit.Unix() || current.RefreshExpiresIn > 7*24*3600 {
				a.Errorf("exp %d after the overall limit %d, refresh_expires_in %d", exp, limit.Unix(), current.RefreshExpiresIn)
			}
			a.Clock.Advance(limit.Sub(a.Clock.Now()) + time.Second)
			a.refresh(current.RefreshToken).is("401 invalid_refresh_token").says(expired)
		}},
		{"401 invalid_refresh_token: reuse, which ends the session", func(a *app) { // rule 7, I3
			email, stolen := a.in()
			current := stolen
			for range 3 {
				a.Clock.Advance(2 * time.Minute)
				current = a.next(current)
			}
			a.refresh(stolen.RefreshToken).is("401 invalid_refresh_token").says(expired)
			a.dead(current)
			if list := a.mailTo(email); len(list) != 1 {
				a.Errorf("%d mails tell the owner, want 1", len(list))
			}
		}},
		{"409 refresh_superseded", func(a *app) { // rule 5
			_, first := a.in()
			current := a.next(a.next(first))
			a.refresh(first.RefreshToken).is("409 refresh_superseded")
			a.alive(current)
		}},
	})
}

func first2(_ string, tokens api.Tokens) api.Tokens { return tokens }

// A token under a master key that this node does not have, but the database has known, is 503 and never 401: an
// honest user would be signed out by a slow roll-out.
func TestRefreshUnderAMissingMasterKey(t *testing.T) {
	fresh := token.NewMasterKey()
	under := func(keys string) func(*auth.Options) {
		return func(o *auth.Options) {
			var err error
			if o.Master, err = token.ParseMasterKeys(keys); err != nil {
				t.Fatal(err)
			}
		}
	}
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		before := newNode(t, db, nil).enter(t)
		_, tokens := before.in()
		newNode(t, db, under(fresh+","+authtest.Master)) // seals the signing keys anew
		after := newNode(t, db, under(fresh)).enter(t)
		x := after.refresh(tokens.RefreshToken).is("503 unavailable")
		if x.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		after.post("/auth/refresh-token", members{"refreshToken": strings.Replace(tokens.RefreshToken, "ey", "eyy", 1)}).is("401 invalid_refresh_token")
		before.alive(tokens)
	})
}
