package server_test

// The pages as a person walks through them, on both engines, without script.

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
)

func TestFromAnAddressToSessions(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser(), a.email()
		b.open("/signup").submit("/signup", "email", email).is(200, "/check-mail").has("an email is on its way")
		link := a.mailTo(email)[0]
		b.follow(link).is(200, "/verify-email-success") // as a scanner does: it spends nothing
		b.follow(link).submit("/complete-signup", "firstName", "Ada", "lastName", "Lovelace", "password", "short").
			is(400, "/complete-signup").has("Use at least 8 characters.", "Lovelace").
			submit("/complete-signup", "password", authtest.Password).is(200, "/account").has(email) // signed in: it asked for the mail
		b.open("/account").submit("/signout").is(200, "/signed-out")
		b.follow(link).is(400, "/verify-email-success").has("This link has expired", "Request a new link", "Go to sign-in")

		b.open("/").is(200, "/signin").submit("/signin", "email", email, "password", "wrong").
			is(401, "/signin").has("The email address or the password is incorrect.", email).hasNot("wrong\"").
			has(`autocomplete="current-password" required autofocus`). // the address is there already
			submit("/signin", "password", authtest.Password).is(200, "/account").has("This device", "Firefox 145 on Linux", "computer", email)

		other := a.browser()
		other.signsIn(email).is(200, "/account")
		b.open("/account").submit("/account/end-session").is(200, "/account").has("The session has ended.", "You ended this session.")
		other.open("/account").is(200, "/signin").has("Your session has ended.")
		other.open("/account").is(200, "/signin").hasNot("Your session has ended.") // said once

		other.signsIn(email)
		b.open("/account").submit("/account/end-others").is(200, "/account").has("All other sessions have ended.")
		other.open("/change-password").is(200, "/signin")

		b.open("/change-password").submit("/change-password", "oldPassword", "wrong", "newPassword", newPassword).
			is(401, "/change-password").has("The email address or the password is incorrect.").
			submit("/change-password", "oldPassword", authtest.Password, "newPassword", authtest.Password).
			is(400, "/change-password").
			submit("/change-password", "oldPassword", authtest.Password, "newPassword", newPassword).
			is(200, "/account").has("Your password has been changed")

		b.open("/account").submit("/signout").is(200, "/signed-out")
		b.open("/account").is(200, "/signin")
		if b.cookie("latchkey-session") != "" {
			t.Error("the cookie is still there")
		}
	})
}

func TestForgottenPasswordOnPages(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser(), a.user()
		b.signsIn(email).is(200, "/account")
		b.open("/forgot-password").submit("/forgot-password", "email", email).is(200, "/check-mail")
		elsewhere := a.browser() // opened on another device
		link := a.mailTo(email)[0]
		elsewhere.follow(link).has(email).submit("/reset-password", "password", "password1").
			is(400, "/reset-password").has("Many people use this password").
			submit("/reset-password", "password", newPassword).is(200, "/done").has("Your password has been changed")
		elsewhere.follow(link).is(400, "/reset-password").has("This link has expired", "Request a new link")
		b.open("/reset-password?verificationCode=x&email=x&clientAlias=mobile").is(400, "/reset-password").has("Example Mobile")
		b.open("/account").is(200, "/signin").has("Your session has ended.")
		b.open("/signin").submit("/signin", "email", email, "password", newPassword).is(200, "/account").has("The password was reset.")
	})
}

// Signing in anew leaves one session behind, not two.
func TestSignInAnewOnPages(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser(), a.user()
		b.signsIn(email).is(200, "/account")
		copied := "latchkey-session=" + b.cookie("latchkey-session")
		b.signsIn(email).is(200, "/account").hasNot("/account/end-session")
		if x := b.once("GET", "/account", copied, nil); x.StatusCode != 303 {
			t.Errorf("the cookie from before: %d", x.StatusCode)
		}
	})
}

// Two people at one browser: who resets a password there ends their own sessions alone (I18).
func TestResetLeavesOthersSignedIn(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, own, other := a.browser(), a.user(), a.user()
		b.signsIn(other).is(200, "/account")
		b.open("/forgot-password").submit("/forgot-password", "email", own).is(200, "/check-mail")
		b.follow(a.mailTo(own)[0]).submit("/reset-password", "password", newPassword).is(200, "/done")
		b.open("/account").is(200, "/account").has(other)
	})
}

// Whatever page is shown, choosing a language leads back to it.
func TestEveryPageInAnotherLanguage(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser(), a.user()
		b.open("/forgot-password").submit("/forgot-password", "email", email)
		link := b.follow(a.mailTo(email)[0]).at
		b.signsIn(email)
		for _, path := range []string{
			"/signin?clientAlias=web", "/signup", "/forgot-password", "/check-mail?for=sign_up", "/signed-out", "/end-session?token=x",
			"/done?what=verified", "/done?what=signed_up&clientAlias=web", "/done?what=session_ended", "/done?what=reset",
			"/account", "/change-password", link.RequestURI(),
		} {
			at := b.open(path).at
			s := b.open(path).submit("/language", "language", "de").is(200, at.Path).has(`lang="de"`)
			if s.at.Query().Encode() != at.Query().Encode() {
				t.Errorf("from %s to %s", at, s.at)
			}
		}
		if u, err := a.Service.UserByEmail(t.Context(), email); err != nil || u.Language != "de" {
			t.Errorf("the account's language is %q, %v", u.Language, err)
		}
	})
}

func TestThatWasNotMe(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		email, tokens := a.in()
		a.change(email, authtest.Password, newPassword, bearer(tokens.AccessToken)).is("200")
		notice := a.mailTo(email)[0]
		b := a.browser()
		b.follow(notice).is(200, "/end-session").has("Nothing happens until you press the button.")
		a.alive(tokens)
		b.follow(notice).submit("/end-session").is(200, "/check-mail").has("That session has ended.")
		a.get("/auth/userinfo", bearer(tokens.AccessToken)).is("401 invalid_token")
		b.follow(a.mailTo(email)[0]).is(200, "/reset-password").
			submit("/reset-password", "password", "yet "+newPassword).is(200, "/done")
	})
}

// A session of the pages is one like any other: what ends sessions ends it, at the next click.
func TestWhatEndsPageSessions(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		for name, end := range map[string]func(email string){
			"reset": func(email string) { a.reset(email, a.ForgotCode(t, email), newPassword).is("200") },
			"disable": func(email string) {
				if err := a.Service.DisableUser(t.Context(), email); err != nil {
					t.Fatal(err)
				}
			},
			"sign-out of all others": func(email string) {
				a.post("/auth/signout", members{"others": true}, bearer(a.In(t, email).AccessToken)).is("200")
			},
			"change of the password": func(email string) { a.change(email, authtest.Password, newPassword).is("200") },
			"deletion": func(email string) {
				if err := a.Service.DeleteUser(t.Context(), email); err != nil {
					t.Fatal(err)
				}
			},
		} {
			b, email := a.browser(), a.user()
			b.signsIn(email).is(200, "/account")
			end(email)
			if at := b.open("/account").at.Path; at != "/signin" {
				t.Errorf("after %s: at %s", name, at)
			}
		}
		b, email := a.browser(), a.user()
		b.signsIn(email)
		for range 29 { // in use, it lives until its overall limit
			a.Clock.Advance(24 * time.Hour)
			b.open("/account").is(200, "/account")
		}
		a.Clock.Advance(25 * time.Hour)
		b.open("/account").is(200, "/signin")
		b.signsIn(email)
		a.Clock.Advance(14*24*time.Hour + time.Second) // out of use, until the other
		b.open("/account").is(200, "/signin")
	})
}

// I7: a page's token opens nothing under /auth, neither as a cookie nor as a Bearer, and no other token opens
// a page.
func TestPageTokensOpenPagesAlone(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser(), a.user()
		b.signsIn(email)
		raw := b.cookie("latchkey-session")
		if raw == "" {
			t.Fatal("no cookie")
		}
		id := a.userID(a.In(t, email))
		for _, credential := range []string{bearer(raw), "Cookie: latchkey-session=" + raw} {
			a.get("/auth/userinfo", credential).is("401 invalid_token")
			a.get("/auth/"+id+"/sessions", credential).is("401 invalid_token")
			a.post("/auth/signout", nil, credential).is("401 invalid_token")
			a.send("DELETE", "/auth/"+id+"/sessions", nil, credential).is("401 invalid_token")
		}
		a.post("/auth/refresh-token", members{"refreshToken": raw}).is("401 invalid_refresh_token")
		signedIn := a.signIn(email, authtest.Password).is("200")
		for _, other := range []string{a.In(t, email).AccessToken, a.In(t, email).RefreshToken, signedIn.header.Get("X-Latchkey-Device"), raw + "x", ""} {
			x := b.once("GET", "/account", "latchkey-session="+other, nil)
			if x.StatusCode != 303 || !strings.HasPrefix(x.Header.Get("Location"), "/signin") {
				t.Errorf("%.20s…: %d, %s", other, x.StatusCode, x.Header.Get("Location"))
			}
		}
		if x := b.once("GET", "/account", "latchkey-session="+raw, nil); x.StatusCode != 200 {
			t.Errorf("the page's own token: %d", x.StatusCode)
		}
	})
}

// After signing in a browser goes on where it came from, if that is the client's; anything else is a page of
// ours.
func TestReturnTo(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser(), a.user()
		for back, want := range map[string]string{
			webURL + "/after?x=1#y":        webURL + "/after?x=1#y",
			"http://localhost:3000/":       "http://localhost:3000/",
			"":                             "/account",
			"https://elsewhere.example/":   "/account",
			"//elsewhere.example/":         "/account",
			"/\\elsewhere.example":         "/account",
			"https://web.example.com@x.io": "/account",
			"javascript:alert(1)":          "/account",
			mobileURL:                      "/account", // another client's
		} {
			form := url.Values{"email": {email}, "password": {authtest.Password}, "clientAlias": {"web"}, "return_to": {back}}
			x := b.once("POST", "/signin", "", form)
			if got := x.Header.Get("Location"); x.StatusCode != 303 || got != want {
				t.Errorf("return_to %q: %d to %q, want %q", back, x.StatusCode, got, want)
			}
		}
		csp := b.open("/signin?clientAlias=web&return_to=" + url.QueryEscape(webURL+"/after")).header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "form-action 'self' "+webURL+";") {
			t.Errorf("the policy keeps the form from going back: %s", csp)
		}
		csp = b.open("/signin?clientAlias=web&return_to=" + url.QueryEscape("https://elsewhere.example/")).header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "form-action 'self';") {
			t.Errorf("the policy names a stranger: %s", csp)
		}
	})
}

// Where sign-up is closed its page says so, and offers no form.
func TestSignUpClosedOnPages(t *testing.T) {
	onBothEngines(t, func(o *auth.Options) { o.SignupOpen = false }, func(t *testing.T, n *node) {
		b := n.enter(t).browser()
		s := b.open("/signup").is(200, "/signup").has("New accounts are created by the people who run this service.")
		if strings.Contains(s.text, `action="/signup"`) {
			t.Error("there is a form")
		}
		b.open("/signin").hasNot("Create an account")
	})
}
