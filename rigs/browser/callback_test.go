package browser

// Where an application's answer goes, Chromium goes: to another host, to a literal IPv6 address, to a program's own
// scheme. A browser holds every redirect of a form's answer to form-action, which names us alone.

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// sentTo waits until the browser is sent to an application with a code, after what has been done.
func (p *person) sentTo(redirectURI, done string) {
	p.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for _, q := range p.record.all() {
			if strings.HasPrefix(q.URL, redirectURI+"?code=") {
				p.settle()
				return
			}
		}
	}
	p.t.Fatalf("after %s nothing came to %s: %q\n%s", done, redirectURI, p.record.complaints(), p.shown())
}

func TestCallbacksInABrowser(t *testing.T) {
	bothWays(t, func(t *testing.T, script bool) {
		t.Parallel()
		web, six := newApp(t, "127.0.0.1", "web", "Web", ""), newApp(t, "[::1]", "six", "Six", "")
		h, window := newMall(t, web, six), newPerson(t, script)
		p := window
		h.node.Must(goodPassword+"\n", "user", "add", "--email", ada, "--first-name", "Ada", "--last-name", "Lovelace", "--password-stdin")
		for _, try := range []struct {
			app         *app
			redirectURI string
		}{
			{web, web.url + "/callback"},
			{six, six.url + "/callback"},
			{web, "com.example.web:/callback"},
		} {
			// Each press has a tab of its own: Chromium asks whether it may start a program in a box that keeps the mouse from the
			// tab, and from the page that comes next there.
			p = window.newTab()
			p.open(try.app.asks(url.Values{"redirect_uri": {try.redirectURI}, "prompt": {"login"}}))
			p.fill("email", ada)
			p.fill("password", goodPassword)
			p.record.forget()
			p.press("sign_in.button")
			p.sentTo(try.redirectURI, "the password")
			p = window.newTab()
			p.open(try.app.asks(url.Values{"redirect_uri": {try.redirectURI}}))
			p.record.forget()
			p.press("continue.button", ada) // without a secret, the person is asked each time
			p.sentTo(try.redirectURI, "the press")
		}
		p.at("go_on.title_app", "Web") // no program here takes the scheme: the page stays, and offers what can be done
		if eval[bool](p, "document.getElementById('language') !== null") {
			t.Error("another language is offered, which would lose the way")
		}
		p.record.forget()
		eval[bool](p, "document.querySelector('main a.button').click() ?? true") // the box is there
		p.sentTo("com.example.web:/callback", "the page's own button")
		web.answered()
		six.answered()
	})
}
