package browser

// What people come for, from the first mail to the last click, with JavaScript and without.

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/rigs/stage"
)

// One account's life: sign up, sign in on two devices, end one from the other, change, forget and reset the
// password, sign out. Each page on the way is looked at by axe.
func TestALifeOnPages(t *testing.T) {
	bothWays(t, func(t *testing.T, script bool) {
		h, email := newHouse(t, nil), "ada@example.com"
		here, there := newPerson(t, script), newPerson(t, script)
		look := func(p *person) {
			if script {
				p.accessible(p.location())
			}
		}
		here.open(h.url + "/")
		here.at("sign_in.title")
		look(here)
		here.follow("sign_in.sign_up")
		here.fill("email", email)
		look(here)
		here.press("sign_up.button")
		here.at("check_mail.title")
		look(here)
		here.open(h.mailed(email, "/verify-email-success"))
		here.at("complete_sign_up.title")
		look(here)
		here.fill("firstName", "Ada")
		here.fill("lastName", "Lovelace")
		here.fill("password", "password")
		here.press("complete_sign_up.button")
		here.at("complete_sign_up.title")
		here.told("field_error.too_common")
		if got := here.value("firstName"); got != "Ada" {
			t.Errorf("the first name is %q after a refused form, want what was typed", got)
		}
		look(here)
		here.fill("password", goodPassword)
		here.press("complete_sign_up.button")
		here.at("account.title")
		here.told("account.note.signed_up")
		look(here)
		here.press("account.sign_out")
		here.open(h.url + "/signin")
		here.signIn(email, goodPassword)
		here.at("account.title")
		here.told("account.this_device")
		look(here)

		h.enter(there, email, goodPassword)
		here.open(h.url + "/account")
		here.load(click("form[action='/account/end-session'] button"))
		here.told("account.note.ended")
		here.do(click("summary"))
		here.told("reason.revoked")
		look(here)
		there.follow("account.change_password")
		there.at("sign_in.title")

		here.follow("account.change_password")
		look(here)
		here.fill("oldPassword", goodPassword)
		here.fill("newPassword", otherPassword)
		here.press("change_password.button")
		here.told("account.note.password_changed")

		there.open(h.url + "/signin")
		there.follow("sign_in.forgot")
		there.fill("email", email)
		look(there)
		there.press("forgot_password.button")
		there.at("check_mail.title")
		there.open(h.mailed(email, "/reset-password"))
		there.at("reset_password.title")
		look(there)
		there.fill("password", goodPassword)
		there.press("reset_password.button")
		there.at("done.reset.title")
		here.follow("account.change_password")
		here.at("sign_in.title") // a reset ends every session

		there.follow("done.next.sign_in")
		there.signIn(email, goodPassword)
		there.at("account.title")
		there.press("account.sign_out")
		there.at("done.signed_out.title")
		look(there)
		there.open(h.url + "/account")
		there.at("sign_in.title")
	})
}

// The link in a notice of a new device ends that session and brings a reset.
func TestThatWasNotMe(t *testing.T) {
	bothWays(t, func(t *testing.T, script bool) {
		h, email := newHouse(t, nil), "ada@example.com"
		owner, thief := newPerson(t, script), newPerson(t, script)
		thief.uses("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0")
		h.signUp(owner, email)
		h.enter(owner, email, goodPassword)
		h.enter(thief, email, goodPassword)
		link := h.mailed(email, "/end-session")

		owner.open(link)
		owner.at("end_session.title")
		if script {
			owner.accessible("that was not you")
		}
		thief.open(h.url + "/account")
		thief.at("account.title") // looking does nothing
		owner.press("end_session.button")
		owner.at("check_mail.title")
		owner.told("check_mail.end_session")
		thief.follow("account.change_password")
		thief.at("sign_in.title")

		owner.open(h.mailed(email, "/reset-password"))
		owner.fill("password", otherPassword)
		owner.press("reset_password.button")
		owner.at("done.reset.title")
		thief.signIn(email, goodPassword)
		thief.told("problem.invalid_credentials")
	})
}

// return_to leads back to a registered application and nowhere else.
func TestReturnToInABrowser(t *testing.T) {
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!doctype html><title>app</title><h1>the application</h1>"))
	}))
	t.Cleanup(application.Close)
	clients := filepath.Join(t.TempDir(), "clients.toml")
	text := "[[client]]\nalias = \"web\"\nname = \"Acme\"\nurl = \"" + application.URL + "\"\n"
	if err := os.WriteFile(clients, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	bothWays(t, func(t *testing.T, script bool) {
		h, email := newHouse(t, stage.Settings{"CLIENTS_FILE": clients}), "ada@example.com"
		p := newPerson(t, script)
		h.signUp(p, email)
		for _, try := range []struct{ to, want string }{
			{application.URL + "/welcome?a=b", application.URL + "/welcome?a=b"},
			{"https://elsewhere.example/", h.url + "/account"},
			{"//elsewhere.example/", h.url + "/account"},
			{application.URL + "@elsewhere.example/", h.url + "/account"},
			{"javascript:alert(1)", h.url + "/account"},
		} {
			p.open(h.url + "/signin?" + url.Values{"clientAlias": {"web"}, "return_to": {try.to}}.Encode())
			p.signIn(email, goodPassword)
			if got := p.location(); got != try.want {
				t.Errorf("return_to=%s led to %s, want %s", try.to, got, try.want)
			}
		}
	})
}

// Where password managers send people.
func TestWellKnownChangePassword(t *testing.T) {
	h, p := newHouse(t, nil), newPerson(t, true)
	h.signUp(p, "ada@example.com")
	h.enter(p, "ada@example.com", goodPassword)
	p.open(h.url + "/.well-known/change-password")
	p.at("change_password.title")
	if got := p.location(); !strings.HasSuffix(got, "/change-password") {
		t.Errorf("it led to %s", got)
	}
}
