package server_test

// Refreshing as a client meets it, at /auth/refresh-token and at /oauth/token. The rules
// (docs/adr/0003-refresh-tokens.md) have a table in internal/rotation.

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

// pair is what a client holds of a session.
type pair struct{ session, access, refresh string }

// refreshDoor is an endpoint at which sessions are refreshed: the rules are the same at each, and so are their cases.
type refreshDoor struct {
	operation           string
	refused, superseded string // how it says no
	userinfo            string // where its access tokens are taken
	enter               func(a *app) (email string, tokens pair)
	ask                 func(a *app, refreshToken string) answer
	read                func(x answer) pair
}

// next is the successor of a token that must still be good.
func (d refreshDoor) next(a *app, tokens pair) pair {
	a.Helper()
	next := d.read(d.ask(a, tokens.refresh).is("200"))
	next.session = tokens.session
	return next
}

func (d refreshDoor) alive(a *app, tokens pair) pair {
	a.Helper()
	a.get(d.userinfo, bearer(tokens.access)).is("200")
	return d.next(a, tokens)
}

func (d refreshDoor) dead(a *app, tokens pair) {
	a.Helper()
	a.get(d.userinfo, bearer(tokens.access)).is("401 invalid_token")
	d.ask(a, tokens.refresh).is(d.refused)
}

// rules are the cases of docs/adr/0003-refresh-tokens.md.
func (d refreshDoor) rules() []proof {
	return []proof{
		{"200: a lost answer is given again, the very same", func(a *app) { // rules 3 and 4
			_, first := d.enter(a)
			second := d.next(a, first)
			for _, later := range []time.Duration{0, 29 * time.Second, time.Hour, 10 * 24 * time.Hour} {
				a.Clock.Advance(later)
				if again := d.next(a, first); again.refresh != second.refresh {
					a.Errorf("%s later the successor is another one", later)
				}
			}
		}},
		{"200: a database that was set back", func(a *app) { // rule 6
			_, first := d.enter(a)
			claims, err := a.Options.Master.ParseRefresh(first.refresh)
			if err != nil {
				a.Fatal(err)
			}
			claims.Generation = 7
			ahead, err := a.Options.Master.SignRefresh(claims)
			if err != nil {
				a.Fatal(err)
			}
			if got := jwt(a.T, d.next(a, pair{refresh: ahead}).refresh).number("gen"); got != 8 {
				a.Errorf("generation %d, want 8", got)
			}
		}},
		{d.refused + ": garbage, which ends nothing", func(a *app) { // rule 1
			_, first := d.enter(a)
			_, other := d.enter(a)
			parts := strings.Split(first.refresh, ".")
			for _, bad := range []string{
				"x", "a.b.c", first.access, first.refresh + "A", first.refresh + "=", strings.Repeat("x", 5000),
				parts[0] + "." + strings.Split(other.refresh, ".")[1] + "." + parts[2],
				parts[0] + "." + parts[1] + ".", parts[0] + "." + parts[1],
			} {
				d.ask(a, bad).is(d.refused)
			}
			d.alive(a, first)
			d.alive(a, other)
		}},
		{d.refused, func(a *app) {
			_, ended := d.enter(a)
			_, current := d.enter(a)
			if err := a.Service.RevokeSession(a.Context(), ended.session); err != nil {
				a.Fatal(err)
			}
			d.dead(a, ended)
			a.Clock.Advance(a.Options.RefreshIdle - time.Minute)
			current = d.next(a, current)
			a.Clock.Advance(a.Options.RefreshIdle + time.Second) // inactivity limit
			d.dead(a, current)
		}},
		{d.refused + ": the overall limit, however often it is refreshed", func(a *app) { // I16
			_, current := d.enter(a)
			limit := a.Clock.Now().Add(a.Options.RefreshOverall)
			for a.Clock.Now().Add(7 * 24 * time.Hour).Before(limit) {
				a.Clock.Advance(7 * 24 * time.Hour)
				current = d.next(a, current)
			}
			if exp := jwt(a.T, current.refresh).number("exp"); exp > limit.Unix() {
				a.Errorf("exp %d after the overall limit %d", exp, limit.Unix())
			}
			a.Clock.Advance(limit.Sub(a.Clock.Now()) + time.Second)
			d.dead(a, current)
		}},
		{d.refused + ": reuse, which ends the session", func(a *app) { // rule 7, I3
			email, stolen := d.enter(a)
			current := stolen
			for range 3 {
				a.Clock.Advance(2 * time.Minute)
				current = d.next(a, current)
			}
			d.ask(a, stolen.refresh).is(d.refused)
			d.dead(a, current)
			if list := a.mailTo(email); len(list) != 1 {
				a.Errorf("%d mails tell the owner, want 1", len(list))
			}
		}},
		{d.superseded, func(a *app) { // rule 5
			_, first := d.enter(a)
			current := d.next(a, d.next(a, first))
			d.ask(a, first.refresh).is(d.superseded)
			d.alive(a, current)
		}},
	}
}

// refreshDoors are the endpoint of what /auth/signin gave, and that of apps.
func refreshDoors() []refreshDoor {
	return []refreshDoor{
		{
			"POST /auth/refresh-token", "401 invalid_refresh_token", "409 refresh_superseded", "/auth/userinfo",
			func(a *app) (string, pair) {
				email, t := a.in()
				return email, pair{t.SessionID, t.AccessToken, t.RefreshToken}
			},
			func(a *app, refreshToken string) answer { return a.refresh(refreshToken) },
			func(x answer) pair {
				t := dataOf[api.Tokens](x)
				return pair{t.SessionID, t.AccessToken, t.RefreshToken}
			},
		},
		{
			"POST /oauth/token", "400 invalid_grant", "503 refresh_superseded", "/oauth/userinfo",
			func(a *app) (string, pair) {
				b, email := a.person()
				t := b.tokensFor("shop")
				return email, pair{jwt(a.T, t.AccessToken).claims["sid"].(string), t.AccessToken, t.RefreshToken}
			},
			func(a *app, refreshToken string) answer { return a.grant("shop", refreshForm(refreshToken)) },
			func(x answer) pair {
				t := decode[api.AppTokens](x)
				return pair{"", t.AccessToken, t.RefreshToken}
			},
		},
	}
}

func TestRefreshAtEitherEndpoint(t *testing.T) {
	for _, d := range refreshDoors() {
		t.Run(d.operation, func(t *testing.T) { prove(t, d.operation, besideApps, d.rules()) })
	}
}

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
		{"200: not for longer than the overall limit", func(a *app) {
			_, current := a.in()
			for range 4 {
				a.Clock.Advance(7 * 24 * time.Hour)
				current = a.next(current)
			}
			if current.RefreshExpiresIn > 2*24*3600 {
				a.Errorf("refresh_expires_in %d", current.RefreshExpiresIn)
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
		{"401 invalid_refresh_token: in the words that existing clients compare", func(a *app) {
			_, signedOut := a.in()
			a.post("/auth/signout", nil, bearer(signedOut.AccessToken)).is("200")
			for _, bad := range []string{"x", signedOut.AccessToken, signedOut.RefreshToken} {
				x := a.refresh(bad).is("401 invalid_refresh_token").says(expired)
				if got := x.header.Get("WWW-Authenticate"); got != `Bearer realm="latchkey"` {
					a.Errorf("challenge %q", got)
				}
			}
		}},
		{"409 refresh_superseded", func(a *app) {
			_, first := a.in()
			a.next(a.next(first))
			a.refresh(first.RefreshToken).is("409 refresh_superseded")
		}},
	})
}

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
		before := newNode(t, db, besideApps).enter(t)
		held := map[string]pair{}
		for _, d := range refreshDoors() {
			_, held[d.operation] = d.enter(before)
		}
		newNode(t, db, under(fresh+","+authtest.Master)) // seals the signing keys anew
		after := newNode(t, db, func(o *auth.Options) { besideApps(o); under(fresh)(o) }).enter(t)
		for _, d := range refreshDoors() {
			tokens := held[d.operation]
			x := d.ask(after, tokens.refresh).is("503 unavailable")
			if x.header.Get("Retry-After") == "" {
				t.Errorf("%s: no Retry-After", d.operation)
			}
			d.ask(after, strings.Replace(tokens.refresh, "ey", "eyy", 1)).is(d.refused)
			d.alive(before, tokens)
		}
	})
}
