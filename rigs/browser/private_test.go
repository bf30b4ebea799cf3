package browser

// A page whose address carries a token keeps it to itself: it loads nothing from elsewhere and tells nobody
// where it was. And the token goes along when the language changes.

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"latchkey/internal/locale"
)

// keptToItself asserts that all requests since forget went to the house alone, and that no Referer told of a token.
func (h *house) keptToItself(p *person, what string) {
	h.t.Helper()
	p.settle()
	requests, assets := p.record.all(), 0
	for _, q := range requests {
		if !strings.HasPrefix(q.URL, h.url+"/") {
			h.t.Errorf("%s: a request went to %s", what, q.URL)
		}
		if secret := strings.Contains(q.Referer, "token=") || strings.Contains(q.Referer, "verificationCode="); secret || q.Referer != "" && !strings.HasPrefix(q.Referer, h.url+"/") {
			h.t.Errorf("%s: %s %s was told of %s", what, q.Method, q.URL, q.Referer)
		}
		if strings.HasSuffix(q.URL, ".css") || strings.HasSuffix(q.URL, ".js") {
			assets++
		}
	}
	if assets == 0 {
		h.t.Errorf("%s: not even the stylesheet was seen among %d requests", what, len(requests))
	}
	p.record.forget()
}

func TestPagesWithATokenKeepItToThemselves(t *testing.T) {
	h, p, thief, email := newHouse(t, nil), newPerson(t, true), newPerson(t, true), "ada@example.com"
	thief.uses("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0")
	p.open(h.url + "/signup")
	p.fill("email", email)
	p.press("sign_up.button")
	p.record.forget()
	link := h.mailed(email, "/verify-email-success")
	p.open(link)
	p.fill("firstName", "Ada")
	p.fill("lastName", "Lovelace")
	p.fill("password", goodPassword)
	p.await("document.querySelector('.advice').matches('.good')") // the field has asked the server
	h.keptToItself(p, "verification link")
	p.press("complete_sign_up.button")
	h.keptToItself(p, "what follows it")
	p.press("account.sign_out")
	p.open(h.url + "/signin")
	p.signIn(email, goodPassword)
	h.enter(thief, email, goodPassword)
	p.record.forget()
	p.open(h.mailed(email, "/end-session"))
	h.keptToItself(p, "link of a notice")
	p.press("end_session.button")
	p.record.forget()
	p.open(h.mailed(email, "/reset-password"))
	h.keptToItself(p, "reset link")
	p.fill("password", otherPassword)
	p.press("reset_password.button")
	h.keptToItself(p, "what follows it")
}

// Changing the language of a page with a token keeps the token, and the page speaks that language.
func TestLanguageOfALink(t *testing.T) {
	bothWays(t, func(t *testing.T, script bool) {
		h, email := newHouse(t, nil), "ada@example.com"
		owner := newPerson(t, script)
		h.signUp(owner, email)
		owner.open(h.url + "/forgot-password")
		owner.fill("email", email)
		owner.press("forgot_password.button")
		link := h.mailed(email, "/reset-password")
		sent, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		p := newPerson(t, script)
		p.open(link)
		for _, l := range locale.Languages() {
			p.do(chromedp.SetValue(chromedp.ID("language"), l.Tag))
			p.press("layout.change")
			p.words = locale.For(l.Tag)
			p.at("reset_password.title")
			if got, want := eval[string](p, "document.documentElement.lang + ' ' + document.documentElement.dir"), l.Tag+" "+l.Direction; got != want {
				t.Errorf("the page is in %q, want %q", got, want)
			}
			for _, name := range []string{"verificationCode", "email"} {
				got := eval[string](p, fmt.Sprintf("document.querySelector('main form [name=%s]').value", name))
				if want := sent.Query().Get(name); got != want {
					t.Errorf("in %s the form's %s is %q, want %q", l.Name, name, got, want)
				}
			}
		}
		p.fill("password", otherPassword)
		p.press("reset_password.button")
		p.at("done.reset.title")
	})
}
