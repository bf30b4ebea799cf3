package browser

// The keyboard alone will do: everything is reached in the order in which it is read, and where one is shows.

import (
	"slices"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"latchkey/rigs/stage"
)

func quoted(text string) string { return strconv.Quote(text) }

// typed presses keys, wherever the focus is.
func (p *person) typed(keys string) {
	p.t.Helper()
	p.do(stage.Press(keys))
}

// on asserts what has the focus, or gets it in a moment, and that one can see it.
func (p *person) on(css string) {
	p.t.Helper()
	p.await("document.activeElement.matches(" + quoted(css) + ")")
	if !eval[bool](p, `(e => { const s = getComputedStyle(e), r = e.getBoundingClientRect();
		return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && r.top >= 0 && r.left >= 0 && r.width > 0; })(document.activeElement)`) {
		p.t.Errorf("nobody sees that the focus is on %s", css)
	}
}

// stops are what Tab stops at on a page, in order: before what is its own come the header's, and after it the footer's.
func stops(own ...string) []string {
	return slices.Concat([]string{"a.skip", "a.brand"}, own, []string{"#language", ".languages button"})
}

// walks goes with Tab to the last of a page's stops, and from there with Shift+Tab to the one that is wanted. On the way it
// asserts the order, that the focus shows at each, and that the page has no others.
func (p *person) walks(to string, stops []string) {
	p.t.Helper()
	if !p.script {
		stops = slices.DeleteFunc(stops, func(css string) bool { return css == ".show" }) // which script brings
	}
	seen := eval[int](p, `[...document.querySelectorAll("a[href], button:enabled, input:not([type=hidden]), select, summary")].filter(e => e.checkVisibility()).length`)
	if seen != len(stops) {
		p.t.Errorf("%s has %d stops, want %q\n%s", p.location(), seen, stops, p.shown())
	}
	at := slices.IndexFunc(stops, func(css string) bool { return eval[bool](p, "document.activeElement.matches("+quoted(css)+")") })
	for at++; at < len(stops); at++ {
		p.typed(kb.Tab)
		p.on(stops[at])
	}
	for at--; stops[at] != to; {
		at--
		p.do(stage.Press(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
		p.on(stops[at])
	}
}

// strikes presses a key on what has the focus, which leads to another page.
func (p *person) strikes(key string) {
	p.t.Helper()
	p.load(stage.Press(key))
}

func TestKeyboardAlone(t *testing.T) {
	bothWays(t, func(t *testing.T, script bool) {
		h, p, email := newHouse(t, nil), newPerson(t, script), "ada@example.com"
		pastShow := func() { // the button that shows the password, where there is script for it
			if script {
				p.on(".show")
				p.typed(kb.Tab)
			}
		}
		p.open(h.url + "/signup")
		p.on("#email")
		p.typed(email)
		p.load(stage.Press(kb.Enter))
		p.at("check_mail.title")
		p.open(h.mailed(email, "/verify-email-success"))
		p.on("#firstName")
		p.typed("Ada" + kb.Tab)
		p.on("#lastName")
		p.typed("Lovelace" + kb.Tab)
		p.on("#password")
		p.typed(goodPassword + kb.Tab)
		if script {
			p.on(".show")
			p.typed(" ")
			if eval[string](p, "document.getElementById('password').type") != "text" {
				t.Error("the space bar does not press the show button")
			}
		}
		pastShow()
		p.on("main form > button")
		p.load(stage.Press(kb.Enter))
		p.at("account.title")
		for _, stop := range []string{"a.skip", "a[href='/change-password']", "form[action='/signout'] button"} {
			p.typed(kb.Tab)
			p.on(stop)
		}
		p.load(stage.Press(kb.Enter))
		p.open(h.url + "/signin")
		p.on("#email")
		p.typed(email + kb.Tab)
		p.on("#password")
		p.typed(goodPassword + kb.Tab)
		pastShow()
		p.on("a[href^='/forgot-password']")
		p.typed(kb.Tab)
		p.on("main form > button")
		p.load(stage.Press(kb.Enter))
		p.at("account.title")
		for _, stop := range []string{"a.skip", "a[href='/change-password']", "form[action='/signout'] button", "summary", "#language", "form[action='/language'] button"} {
			p.typed(kb.Tab)
			p.on(stop)
		}
	})
}
