package rigs

// After a restart: is every promise that was acknowledged still kept?

import (
	"math/rand/v2"
	"time"

	"latchkey/api"
	"latchkey/client"
)

const recent = 4 // ended sessions that each check asks for

// verify compares the restarted server with what was acknowledged. Of the sessions that ended long
// ago it asks for a few; for all, if asked.
func (a *account) verify(all bool) {
	a.verifyPassword()
	a.verifyDoubt()
	a.verifyCode()
	for _, d := range a.live {
		a.verifyLive(d)
	}
	asked := a.dead
	if !all && len(asked) > recent {
		asked = append(asked[len(asked)-recent:len(asked):len(asked)], asked[rand.IntN(len(asked))])
	}
	for _, d := range asked {
		if a.accepted(d) {
			a.complain("session %s by %s lives again after its end was acknowledged", d.id, d.way)
		}
	}
}

// verifyPassword: exactly one password works, the last acknowledged; or the one in doubt, and then
// that operation happened (I1, I6).
func (a *account) verifyPassword() {
	if a.doubt != nil && a.doubt.password != "" {
		a.settled(a.letsIn(a.doubt.password))
	}
	if a.retired != "" && a.letsIn(a.retired) {
		a.complain("the password before the last acknowledged works")
	}
	if !a.letsIn(a.password) {
		a.complain("the last acknowledged password does not work")
	}
}

// letsIn signs in and, where that works, out again.
func (a *account) letsIn(password string) bool {
	a.shown++
	tokens, err := a.cl.SignIn(a.here(), api.SignInRequest{Email: a.email, Password: password})
	if client.CodeOf(err) == "invalid_credentials" {
		return false
	}
	if err == nil {
		err = a.cl.SignOut(a.here(), tokens.AccessToken, api.SignOutRequest{})
		a.dead = append(a.dead, newDevice(tokens))
		a.moveOn()
	}
	if err != nil {
		a.complain("sign in after the restart: %v", err)
	}
	return true
}

// verifyDoubt finds out whether an operation that ends sessions happened: all of it, or nothing (I10).
func (a *account) verifyDoubt() {
	if a.doubt == nil || a.doubt.password != "" {
		return
	}
	ended := 0
	for _, d := range a.doubt.ends {
		if !a.accepted(d) {
			ended++
		}
	}
	if ended != 0 && ended != len(a.doubt.ends) {
		a.complain("%s of %d sessions ended %d of them", a.doubt.what, len(a.doubt.ends), ended)
	}
	a.settled(ended > 0)
}

// settled ends the doubt. What did not happen left the link that it would have spent as good as before.
func (a *account) settled(happened bool) {
	if happened {
		a.history = append(a.history, "  (the unanswered "+a.doubt.what+" had happened)")
		a.happened()
		return
	}
	a.history = append(a.history, "  (the unanswered "+a.doubt.what+" had not happened)")
	a.doubt, a.used = nil, ""
}

// accepted says whether a session's tokens are. Both must have the same answer, and looking with a dead
// token changes nothing.
func (a *account) accepted(d *device) bool {
	if d.way == byPage {
		seen, err := a.visit(a.here(), d)
		if err != nil {
			a.complain("page session %s after the restart: %v", d.id, err)
		}
		return seen
	}
	info, dead := a.cl.UserInfo, "invalid_refresh_token"
	if d.way == byApp {
		info, dead = a.cl.AppUserInfo, "invalid_grant"
	}
	_, err := info(a.here(), d.access)
	byAccess := err == nil
	if err != nil && client.CodeOf(err) != "invalid_token" {
		a.complain("access token of %s after the restart: %v", d.id, err)
	}
	tokens, err := a.refresh(a.here(), d, d.refresh)
	if err != nil && client.CodeOf(err) != dead {
		a.complain("refresh token of %s after the restart: %v", d.id, err)
	}
	if byRefresh := err == nil; byAccess != byRefresh {
		a.complain("session %s by %s: access token accepted %t, refresh token accepted %t", d.id, d.way, byAccess, byRefresh)
	}
	if err == nil {
		d.keep(tokens)
	}
	return err == nil
}

// verifyLive: an acknowledged refresh token works; and its predecessor yields that very token once more,
// unless an unanswered refresh may have gone one further.
func (a *account) verifyLive(d *device) {
	if d.previous != "" && !d.unsure && time.Since(d.turned) < sticky {
		tokens, err := a.refresh(a.here(), d, d.previous)
		if err != nil || tokens.RefreshToken != d.refresh {
			a.complain("session %s: the predecessor yields generation %d (%v), not the acknowledged %d", d.id, generationOf(tokens.RefreshToken), err, d.generation)
		}
	}
	was := d.generation
	if !a.accepted(d) {
		a.complain("session %s by %s is dead, and nobody ended it", d.id, d.way)
	} else if d.way != byPage && d.generation != was+1 {
		a.complain("session %s: the acknowledged generation %d yields %d", d.id, was, d.generation)
	}
}
