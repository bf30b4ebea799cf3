package server_test

// A flow that has run out or is another browser's: what was begun is completed, and then the app's registered address is
// offered.

import (
	"net/url"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/internal/clients"
)

const toShop = `href="` + shopURL + `">Continue to Shop</a>`

func (s screen) completes() screen {
	s.t.Helper()
	return s.is(200, "/verify-email-success").
		submit("/complete-signup", "firstName", "Ada", "lastName", "Lovelace", "password", authtest.Password)
}

// In each of these the sign-up or the reset is done, and the page that tells of it leads to the app; a flow that goes on
// leads to the sign-in instead.
func TestFlowThatEndsInAMail(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.email()
		b.open(appRequest("shop", "prompt", "create")).submit("/signup", "email", email).is(200, "/check-mail")
		done := a.browser().staying().follow(a.mailTo(email)[0]).completes().is(200, "/done").has("Your account is ready.", toShop)
		done.hasNot("Cancel and return", `href="/signin`)

		forgot := func(flow string) (email string) {
			email = a.user()
			b.open("/forgot-password?flow="+url.QueryEscape(flow)).is(200, "/forgot-password").
				submit("/forgot-password", "email", email).is(200, "/check-mail")
			return email
		}
		reset := func(from *browser, email string) screen {
			return from.follow(a.mailTo(email)[0]).is(200, "/reset-password").submit("/reset-password", "password", newPassword).is(200, "/done")
		}
		flow := b.open(appRequest("shop")).at.Query().Get("flow")
		reset(b, forgot(flow)).has(`href="/signin?`, "Cancel and return to Shop").hasNot(toShop)
		reset(a.browser().staying(), forgot(flow)).has(toShop).hasNot(`href="/signin`)
		reset(b, forgot("")).has(`href="/signin?`).hasNot(shopURL) // no app asked

		page := b.open(appRequest("shop", "prompt", "create")).is(200, "/signup")
		a.Clock.Advance(40 * time.Minute)
		email = forgot(flow)
		a.Deliver(t)
		a.Clock.Advance(40 * time.Minute)
		reset(b, email).has(`href="/signin?`).hasNot(toShop) // in a mail a flow lives longer
		reset(b, forgot(flow)).has(toShop).hasNot(`href="/signin`)
		email = a.email()
		page.submit("/signup", "email", email).is(200, "/check-mail")
		b.follow(a.mailTo(email)[0]).completes().is(200, "/done").has("Your account is ready.", toShop)
	})
}

// At the sign-in page the same: a page that is opened too late leads to the app, and a password that is typed too late
// signs in and goes on there, where the next request has its answer at once. Wrong ones are told as ever.
func TestFlowThatEndsAtTheSignIn(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.user()
		page := b.open(appRequest("shop")).is(200, "/signin").hasNot(toShop)
		a.Clock.Advance(time.Hour)
		for _, path := range []string{"/signin", "/signup", "/continue", "/cancel", "/oauth/authorize"} {
			b.open(path+"?flow="+url.QueryEscape(page.at.Query().Get("flow"))).is(400, path).has("took too long", toShop).hasNot(`type="password"`)
		}
		done := page.submit("/signin", "email", email, "password", "wrong").is(401, "/signin").has("incorrect", "Shop").
			submit("/signin", "password", authtest.Password).is(200, "/signin").has(`content="0;url=`+shopURL+`"`, "Taking you back to Shop")
		if done.header.Get("Location") != "" {
			t.Errorf("a form's answer leads to %q", done.header.Get("Location"))
		}
		if got := b.open(appRequest("shop")).answer(shopBack); got.Get("code") == "" {
			t.Errorf("the app's next request: %v", got)
		}
	})
}

// Nothing is offered of a client that is not registered any more, and its address is the one it has now.
func TestFlowThatEndsOfAClientThatIsGone(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, other, email := a.browser().staying(), a.browser().staying(), a.email()
		b.open(appRequest("shop", "prompt", "create")).submit("/signup", "email", email).is(200, "/check-mail")
		link := a.mailTo(email)[0]
		flow := url.QueryEscape(b.open(appRequest("shop")).at.Query().Get("flow"))
		other.open(appRequest("third")).is(200, "/signin") // so that it has a name, too
		set := func(list ...clients.Client) {
			t.Helper()
			now, err := clients.New(list)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Service.SetClients(now); err != nil {
				t.Fatal(err)
			}
		}
		set(clients.Client{Alias: "shop", Name: "New Shop", URL: "https://new.example"})
		other.open("/signin?flow="+flow).is(400, "/signin").has(`href="https://new.example">Continue to New Shop</a>`).hasNot(shopURL)
		set(clients.Client{Alias: "other", Name: "Other", URL: "https://other.example"})
		other.open("/signin?flow="+flow).is(200, "/signin").hasNot("Shop", shopURL)
		other.open("/oauth/authorize?flow="+flow).is(400, "/oauth/authorize").hasNot("Shop", shopURL, "Continue to")
		other.follow(link).completes().is(200, "/done").has("Your account is ready.", `href="/signin`).hasNot(shopURL)
	})
}
