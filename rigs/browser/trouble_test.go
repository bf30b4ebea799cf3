package browser

// What goes wrong in browsers: two tabs, the back button, a double click, links that are used, expired or
// opened elsewhere, wrong passwords.

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"latchkey/rigs/stage"
)

// What one tab does holds in the other.
func TestTwoTabs(t *testing.T) {
	bothWays(t, func(t *testing.T, script bool) {
		h, one := newHouse(t, nil), newPerson(t, script)
		h.signUp(one, "ada@example.com")
		h.enter(one, "ada@example.com", goodPassword)
		two := one.newTab()
		two.open(h.url + "/account")
		two.at("account.title")
		one.press("account.sign_out")
		one.at("done.signed_out.title")
		two.press("account.sign_out") // it is done, so it is no error
		two.at("done.signed_out.title")
		h.enter(one, "ada@example.com", goodPassword)
		two.open(h.url + "/change-password")
		two.fill("oldPassword", goodPassword)
		one.press("account.sign_out")
		two.fill("newPassword", otherPassword)
		two.press("change_password.button")
		two.at("sign_in.title")
		h.enter(two, "ada@example.com", goodPassword) // and nothing was changed
	})
}

// After signing out, the back button shows nothing of the account.
func TestBackAfterSigningOut(t *testing.T) {
	bothWays(t, func(t *testing.T, script bool) {
		h, p, email := newHouse(t, nil), newPerson(t, script), "ada@example.com"
		h.signUp(p, email)
		h.enter(p, email, goodPassword)
		p.follow("account.change_password")
		p.at("change_password.title")
		p.follow("change_password.back")
		p.press("account.sign_out")
		p.at("done.signed_out.title")
		for range 3 {
			p.back()
			p.at("sign_in.title")
			if strings.Contains(p.text()+p.value("email"), email) {
				t.Errorf("going back to %s shows whose account it was", p.location())
			}
		}
	})
}

// A form that is sent twice does once what it is for. Passwords take their time to hash, so that the second
// click comes while the first is under way.
func TestDoubleClick(t *testing.T) {
	bothWays(t, func(t *testing.T, script bool) {
		h := newHouse(t, stage.Settings{"HASH_MEMORY_KIB": "16384", "HASH_TIME": "16"})
		p, email := newPerson(t, script), "ada@example.com"
		posts := func() (n int) {
			for _, q := range p.record.all() {
				if q.Method == "POST" && !strings.Contains(q.URL, "password-check") {
					n++
				}
			}
			return n
		}
		twice := func(key string) {
			t.Helper()
			p.record.forget()
			at := eval[[2]float64](p, "(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector('main form > button').getBoundingClientRect())")
			again := chromedp.Func(func(context.Context, *chromedp.Target) error { time.Sleep(50 * time.Millisecond); return nil })
			before := p.location()
			p.do(stage.Click(p.button(key)), again, chromedp.MouseClickXY(at[0], at[1]))
			p.await("location.href !== " + quoted(before))
			p.settle()
			if got := posts(); script && got != 1 {
				t.Errorf("%q was sent %d times where script runs", p.word(key), got)
			}
		}
		p.open(h.url + "/signup")
		p.fill("email", email)
		twice("sign_up.button")
		p.at("check_mail.title")
		p.open(h.mailed(email, "/verify-email-success"))
		p.fill("firstName", "Ada")
		p.fill("lastName", "Lovelace")
		p.fill("password", goodPassword)
		twice("complete_sign_up.button")
		p.at("account.title")
		p.press("account.sign_out")
		p.open(h.url + "/signin")
		p.fill("email", email)
		p.fill("password", goodPassword)
		twice("sign_in.button")
		p.at("account.title")
		p.open(h.url + "/forgot-password")
		p.fill("email", email)
		twice("forgot_password.button")
		p.open(h.mailed(email, "/reset-password"))
		p.fill("password", otherPassword)
		twice("reset_password.button")
		h.enter(p, email, otherPassword)
		p.press("account.sign_out")
		p.at("done.signed_out.title")
	})
}

// A link is worth something once, for its time, on any device.
func TestLinks(t *testing.T) {
	bothWays(t, func(t *testing.T, script bool) {
		h, email := newHouse(t, nil), "ada@example.com"
		asker, elsewhere := newPerson(t, script), newPerson(t, script)
		h.signUp(asker, email)
		asker.open(h.url + "/forgot-password")
		asker.fill("email", email)
		asker.press("forgot_password.button")
		link := h.mailed(email, "/reset-password")
		for range 2 { // looking spends nothing, as a mail scanner looks
			asker.open(link)
			asker.at("reset_password.title")
		}
		elsewhere.open(link)
		elsewhere.fill("password", otherPassword)
		elsewhere.press("reset_password.button")
		elsewhere.at("done.reset.title")

		asker.fill("password", goodPassword) // the page is still open, and the link is used up
		asker.press("reset_password.button")
		asker.at("problem.title")
		asker.told("problem.invalid_reset_token")
		asker.open(link)
		asker.at("problem.title")
		asker.follow("problem.ask_again")
		asker.at("forgot_password.title")
		h.enter(asker, email, otherPassword)

		elsewhere.back()
		elsewhere.at("problem.title")
	})
}

func TestExpiredLink(t *testing.T) {
	bothWays(t, func(t *testing.T, script bool) {
		h, p, email := newHouse(t, stage.Settings{"RESET_TTL": "2s"}), newPerson(t, script), "ada@example.com"
		h.signUp(p, email)
		p.open(h.url + "/forgot-password")
		p.fill("email", email)
		p.press("forgot_password.button")
		link := h.mailed(email, "/reset-password")
		time.Sleep(2200 * time.Millisecond)
		p.open(link)
		p.told("problem.invalid_reset_token")
		if script { // which axe-core is
			p.accessible("expired link")
		}
		p.follow("problem.ask_again")
		p.at("forgot_password.title")
	})
}

// A wrong password is told on the form, which keeps the address; many bring a wait that is told too.
func TestWrongPasswords(t *testing.T) {
	bothWays(t, func(t *testing.T, script bool) {
		h, p, email := newHouse(t, nil), newPerson(t, script), "ada@example.com"
		h.signUp(p, email)
		h.enter(p, email, goodPassword)
		stranger := newPerson(t, script)
		stranger.open(h.url + "/signin")
		for range 20 {
			stranger.signIn(email, "not the password")
			if stranger.status == 429 {
				break
			}
			stranger.told("problem.invalid_credentials")
			if stranger.status != 401 {
				t.Fatalf("a wrong password is answered %d", stranger.status)
			}
			if got := stranger.value("email"); got != email {
				t.Fatalf("the form holds %q after a wrong password, want the address", got)
			}
		}
		wait, _, _ := strings.Cut(stranger.word("problem.too_many_requests", 2), "2")
		if stranger.status != 429 || !strings.Contains(stranger.text(), wait) {
			t.Errorf("nobody told the stranger to wait: %d\n%s", stranger.status, stranger.text())
		}
		h.enter(p, email, goodPassword) // the owner's own device
	})
}
