package server_test

// A browser that keeps no cookies, on the way of an app's sign-in.

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"latchkey/internal/authtest"
)

// forgets is a browser that keeps no cookies, and counts the redirects of one click.
func (b *browser) forgets() (_ *browser, hops *int) {
	hops = new(int)
	b.staying().http.Jar = nil
	within := b.http.CheckRedirect
	b.http.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		*hops = len(via)
		return within(r, via)
	}
	return b, hops
}

// Such a browser is told so before anybody types a password, whatever the app asks for; a password that is sent all the
// same makes no session, and nothing goes round in a circle.
func TestWithoutCookiesThePageSaysSo(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, hops := a.browser().forgets()
		email := a.user()
		for _, more := range [][]string{nil, {"prompt", "create"}, {"prompt", "login"}, {"redirect_uri", "http://127.0.0.1:4711/callback"}} {
			*hops = 0
			got := b.open(appRequest("shop", more...))
			if got.status != http.StatusBadRequest || *hops != 1 {
				t.Errorf("%v: %d after %d redirects, at %s", more, got.status, *hops, got.at.Path)
			}
			got.has("Cookies are needed here", "Allow cookies for this site", shopURL, `name="back" value="`+got.at.Path+`?flow=`).
				hasNot(`type="password"`, "took too long")
		}
		if got := b.open(appRequest("shop", "prompt", "none")).answer(shopBack); got.Get("error") != "login_required" {
			t.Errorf("prompt=none: %v", got)
		}

		keeps := a.browser().staying()
		page := keeps.open(appRequest("shop")).is(200, "/signin").hasNot("Cookies are needed here")
		page.b = b // its form, sent without the cookie
		page.submit("/signin", "email", email, "password", authtest.Password).is(400, "/signin").has("Cookies are needed here", shopURL)
		if found, err := a.Service.UserSessions(t.Context(), email, true); err != nil || len(found) > 0 {
			t.Errorf("%d sessions, %v", len(found), err)
		}
		page.b = keeps
		done := page.submit("/signin", "email", email, "password", authtest.Password).is(200, "/signin")
		done.b = b // the page after it
		done.goesOn().is(400, "/oauth/authorize").has("Cookies are needed here", shopURL)
		done.b = keeps
		done.goesOn().answer(shopBack)
	})
}

// Another browser that keeps cookies hears of another browser; and a mailed link may be opened in one that has none yet.
func TestCookiesOfAnotherBrowser(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, other := a.browser().staying(), a.browser().staying()
		flow := b.open(appRequest("shop")).is(200, "/signin").at.Query().Get("flow")
		other.open(appRequest("shop")).is(200, "/signin")
		other.open("/continue?flow="+url.QueryEscape(flow)).is(400, "/continue").has("another browser", shopURL).hasNot("Cookies are needed")

		email := a.email()
		b.open(appRequest("shop", "prompt", "create")).is(200, "/signup").submit("/signup", "email", email).is(200, "/check-mail")
		link := a.mailTo(email)[0]
		a.browser().follow(link).is(200, "/verify-email-success").hasNot("Cookies are needed")
		_, query, _ := strings.Cut(link.Text, "&flow=")
		handle, _, _ := strings.Cut(query, "\n")
		a.browser().open("/signin?flow=" + strings.TrimSpace(handle)).hasNot("Cookies are needed")
	})
}
