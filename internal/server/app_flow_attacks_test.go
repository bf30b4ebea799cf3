package server_test

// What attackers do with a request that is under way: swap it, show it to another user or another app, and hide script in it.

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/oidc"
)

// Two tabs of one browser: each answer has the state of its own request, whichever page is finished first and whatever else a
// form says, and the code of one is worth nothing with the verifier of the other.
func TestTwoTabs(t *testing.T) {
	onBothEngines(t, besideApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.user()
		const other = "another-verifier-of-forty-three-characters-or-so"
		first := b.open(appRequest("shop", "state", "first", "nonce", "first")).is(200, "/signin")
		second := b.open(appRequest("shop", "state", "second", "nonce", "second", "code_challenge", oidc.ChallengeOf(other))).is(200, "/signin")
		in := []string{"email", email, "password", authtest.Password, "state", "first", "client_id", "third", "redirect_uri", "https://evil.example/", "clientAlias", "third", "return_to", "https://third.example"}
		late := second.submit("/signin", in...).is(200, "/signin").goesOn().answer(shopBack)
		early := first.submit("/signin", in...).is(200, "/signin").goesOn().answer(shopBack)
		if late.Get("state") != "second" || early.Get("state") != "first" || late.Get("code") == early.Get("code") {
			t.Fatalf("the answers are %v and %v", early, late)
		}
		for code, verifiers := range map[string][2]string{early.Get("code"): {other, verifier}, late.Get("code"): {verifier, other}} {
			a.grant("shop", codeForm("shop", code, "code_verifier", verifiers[0])).is("400 invalid_grant")
			tokens := decode[api.AppTokens](a.grant("shop", codeForm("shop", code, "code_verifier", verifiers[1])).is("200"))
			if want := map[bool]string{true: "first", false: "second"}[code == early.Get("code")]; payload(t, tokens.IDToken)["nonce"] != want {
				t.Errorf("nonce %v, want %s", payload(t, tokens.IDToken)["nonce"], want)
			}
		}
	})
}

// A request of one app stays that app's: whatever stands beside it, the answer goes to the app that asked.
func TestFlowOfAnotherClient(t *testing.T) {
	onBothEngines(t, besideApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.user()
		page := b.open(appRequest("shop")).is(200, "/signin")
		flow := page.at.Query().Get("flow")
		_, third, _ := strings.Cut(appRequest("third"), "?")
		b.open("/oauth/authorize?flow="+url.QueryEscape(flow)+"&client_id=third").is(400, "/oauth/authorize")
		b.open("/signin?flow="+url.QueryEscape(flow)+"&clientAlias=third").is(200, "/signin").has("Shop").hasNot("Third")
		back := b.open("/signin?flow="+url.QueryEscape(flow)+"&clientAlias=third&return_to=https%3A%2F%2Fthird.example").
			submit("/signin", "email", email, "password", authtest.Password, "client_id", "third").goesOn().answer(shopBack)
		a.grant("third", codeForm("third", back.Get("code"))).is("400 invalid_grant")
		a.grant("third", codeForm("shop", back.Get("code"))).is("400 invalid_grant")
		a.grant("shop", codeForm("shop", back.Get("code"))).is("200")
		// a whole request beside a flow is a request of its own, which asks for consent
		b.open("/oauth/authorize?"+third+"&flow="+url.QueryEscape(flow)).is(200, "/consent").has("Third")
	})
}

// Consent counts for who was shown the page: not for who has signed in since, not in another browser, and not at the moment
// in which one user's session becomes another's.
func TestConsentOfAnotherUser(t *testing.T) {
	onBothEngines(t, besideApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		allowed := func(email string) int {
			t.Helper()
			return len(dataOf[[]api.Consent](a.get("/auth/consents", bearer(a.In(t, email).AccessToken)).is("200")))
		}
		b, ada := a.person()
		bob := a.user()
		shown := b.open(appRequest("third")).is(200, "/consent").has(ada)
		b.signsIn(bob)
		if got := shown.submit("/consent"); got.at.Path != "/consent" || allowed(ada)+allowed(bob) != 0 {
			t.Errorf("pressed as another user: at %s, Ada allowed %d, Bob %d", got.at.Path, allowed(ada), allowed(bob))
		} else {
			got.has(bob).hasNot(ada)
		}
		eve, _ := a.person()
		replayed := screen{shown.t, eve, shown.status, shown.at, shown.header, shown.text, shown.root}
		if got := replayed.submit("/consent"); got.status != http.StatusBadRequest || got.header.Get("Location") != "" {
			t.Errorf("in another browser: %d at %s", got.status, got.at.Path)
		}
		for range 5 {
			c, ann := a.person()
			page, ben := c.open(appRequest("third")).is(200, "/consent"), a.user()
			signIn := c.open("/signin")
			var both sync.WaitGroup
			both.Go(func() { page.submit("/consent") })
			both.Go(func() { signIn.submit("/signin", "email", ben, "password", authtest.Password) })
			both.Wait()
			if allowed(ben) != 0 {
				t.Errorf("%s allowed what %s was shown", ben, ann)
			}
			if got := c.open(appRequest("third")); got.at.Path != "/consent" && got.at.Path != "/signin" {
				t.Errorf("then a code without a question: at %s, %s", got.at.Path, got.header.Get("Location"))
			}
		}
		// another site's form, without the cookies that a browser keeps from it and with them
		r := b.open(appRequest("third")).is(200, "/consent").find(func(n *html.Node) bool { return n.Data == "form" && attr(n, "action") == "/consent" })
		form := url.Values{}
		walk(r, func(n *html.Node) {
			if n.Data == "input" {
				form.Set(attr(n, "name"), attr(n, "value"))
			}
		})
		cookies := "Cookie: latchkey-session=" + b.cookie("latchkey-session") + "; latchkey-browser=" + b.cookie("latchkey-browser")
		for _, site := range []string{"cross-site", "same-site"} {
			x := b.raw("POST", "/consent", form.Encode(), formEncoded, "Origin: https://evil.example", "Sec-Fetch-Site: "+site, cookies)
			if x.status != http.StatusForbidden {
				t.Errorf("a form of a %s page: %d", site, x.status)
			}
		}
		if x := b.raw("POST", "/consent", form.Encode(), formEncoded, "Origin: null", cookies); x.status != http.StatusForbidden || allowed(bob) != 0 {
			t.Errorf("a form of nobody's: %d, Bob allowed %d", x.status, allowed(bob))
		}
	})
}

// Whoever opens the sign-up link that a stranger asked for while signing in to an app completes the stranger's sign-up, stays
// who they are, and is sent to the app without a code (login CSRF).
func TestSignUpLinkOfAStranger(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		attacker, address := a.browser().staying(), a.email()
		attacker.open(appRequest("shop", "prompt", "create")).is(200, "/signup").submit("/signup", "email", address).is(200, "/check-mail")
		link := a.mailTo(address)[0]
		victim, own := a.person()
		end := victim.follow(link).submit("/complete-signup", "firstName", "Eve", "lastName", "Evil", "password", authtest.Password)
		if strings.Contains(end.text, "http-equiv=\"refresh\"") || strings.Contains(end.text, "code=") {
			t.Errorf("it leads on by itself: %s", end.text)
		}
		victim.open("/account").is(200, "/account").has(own).hasNot(address)
		attacker, address = a.browser().staying(), a.email()
		attacker.open(appRequest("shop", "prompt", "create")).is(200, "/signup").submit("/signup", "email", address).is(200, "/check-mail")
		nobody := a.browser().staying()
		nobody.follow(a.mailTo(address)[0]).submit("/complete-signup", "firstName", "Eve", "lastName", "Evil", "password", authtest.Password).is(200, "/done")
		nobody.open("/account").is(200, "/signin")
		back := victim.open(appRequest("shop", "prompt", "none")).answer(shopBack)
		if got := payload(t, victim.exchange(back.Get("code")).IDToken)["email"]; got != own {
			t.Errorf("the app hears of %v", got)
		}
	})
}

// Markup in a state and in the names of apps stays text, in every page of the way; and every answer says who answers.
func TestMarkupOnTheWay(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>'&{{.}}`
	n := newNode(t, authtest.SQLite(t), func(o *auth.Options) { // HTML alone: no engine is asked
		set, err := clients.New([]clients.Client{
			{Alias: "shop", Name: evil, URL: shopURL, RedirectURIs: []string{shopBack, "http://127.0.0.1/callback"}},
			{Alias: "third", Name: evil, URL: "https://third.example", RedirectURIs: []string{"https://third.example/cb"}, Secret: secret, Consent: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		o.Clients = set
	})
	a := n.enter(t)
	b, email := a.browser().staying(), a.user()
	plain := func(s screen) screen {
		t.Helper()
		if found := s.find(func(n *html.Node) bool {
			return n.Data == "script" && attr(n, "src") != "/page.js" || attr(n, "onerror") != ""
		}); found != nil {
			t.Errorf("%s has a script of somebody's:\n%s", s.at.Path, s.text)
		}
		return s
	}
	in := plain(b.open(appRequest("third", "state", evil)).is(200, "/signin"))
	plain(in.submit("/signin", "email", evil, "password", evil))
	consent := plain(plain(in.submit("/signin", "email", email, "password", authtest.Password)).goesOn().is(200, "/consent"))
	plain(consent.submit("/consent"))
	plain(b.open(appRequest("shop", "redirect_uri", "http://127.0.0.1:1/callback", "state", evil)).is(200, "/continue"))
	plain(b.open("/oauth/logout?"+url.Values{"client_id": {"shop"}, "state": {evil}}.Encode()).is(200, "/oauth/logout"))
	for _, more := range [][]string{nil, {"code_challenge", ""}, {"prompt", "none"}} {
		posted := plain(b.open(appRequest("shop", append([]string{"response_mode", "form_post", "state", evil}, more...)...)).is(200, "/oauth/authorize"))
		fields := map[string]string{}
		walk(posted.root, func(n *html.Node) {
			if n.Data == "input" {
				fields[attr(n, "name")] = attr(n, "value")
			}
		})
		if fields["state"] != evil || fields["iss"] != n.rig.Options.Issuer {
			t.Errorf("%v: the form says %v", more, fields)
		}
		back := b.open(appRequest("shop", append([]string{"state", evil}, more...)...)).answer(shopBack)
		if back.Get("state") != evil || back.Get("iss") != n.rig.Options.Issuer {
			t.Errorf("%v: the answer says %v", more, back)
		}
	}
}

// max_age in every wrong spelling is a fault; nothing of it opens the door wider than the app asked.
func TestMaxAgeOfAttackers(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.person()
		a.Clock.Advance(time.Minute)
		for _, age := range []string{"-1", "-0", "+5", "1e9", "0x10", "60.0", " 60", "60 ", "６０", "NaN", "9223372036854775808x", "60,60", "-9223372036854775809"} {
			if back := b.open(appRequest("shop", "max_age", age)).answer(shopBack); back.Get("error") != "invalid_request" || back.Has("code") {
				t.Errorf("max_age %q: %v", age, back)
			}
		}
		for _, age := range []string{"9223372036854775807", "9223372036854775808", "18446744073709551616", strings.Repeat("9", 500)} { // and never below nothing
			if back := b.open(appRequest("shop", "max_age", age)).answer(shopBack); back.Get("code") == "" {
				t.Errorf("max_age %.20s: %v", age, back)
			}
		}
		for _, age := range []string{"0", "00", "59"} {
			if back := b.open(appRequest("shop", "max_age", age, "prompt", "none")).answer(shopBack); back.Get("error") != "login_required" {
				t.Errorf("max_age %s without a question: %v", age, back)
			}
		}
		in := b.open(appRequest("shop", "max_age", "0")).is(200, "/signin")
		b.open("/continue?flow="+url.QueryEscape(in.at.Query().Get("flow"))).submit("/continue").goesOn().is(200, "/signin") // a press is no proof
		if back := in.submit("/signin", "email", email, "password", authtest.Password).goesOn().answer(shopBack); back.Get("code") == "" {
			t.Errorf("proved anew: %v", back)
		}
	})
}

// Another site learns of no sign-in: what it makes a browser load is answered alike whoever is signed in, and no page is shown.
func TestNobodyIsProbed(t *testing.T) {
	n := newNode(t, authtest.SQLite(t), besideApps) // HTTP alone: no engine is asked
	a := n.enter(t)
	b, _ := a.person()
	b.tokensFor("third")
	cookies := "Cookie: latchkey-session=" + b.cookie("latchkey-session") + "; latchkey-browser=" + b.cookie("latchkey-browser")
	for _, dest := range []string{"iframe", "frame", "image", "script", "style", "object", "embed", "empty", "fencedframe", "video", "report", "worker", "somethingnew"} {
		for _, path := range []string{
			appRequest("shop", "prompt", "none"), appRequest("shop"), appRequest("shop", "prompt", "login"), appRequest("third", "prompt", "none"), appRequest("shop", "redirect_uri", "http://127.0.0.1:1/callback"),
			appRequest("nobody"), "/oauth/logout?client_id=shop&post_logout_redirect_uri=" + url.QueryEscape(shopURL+"/bye"), "/oauth/logout",
		} {
			headers := []string{"Sec-Fetch-Dest: " + dest, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"}
			signedIn, nobody := b.raw("GET", path, "", append(headers, cookies)...), b.raw("GET", path, "", headers...)
			if strings.HasPrefix(path, "/oauth/logout") {
				if signedIn.status == http.StatusOK || signedIn.header.Get("Location") != "" || strings.Contains(string(signedIn.body), "<form method=\"post\" action=\"/oauth/logout\"") {
					t.Errorf("%s as %s: %d to %q", path, dest, signedIn.status, signedIn.header.Get("Location"))
				}
				continue // Lax cookies do not come along, so it is nobody's
			}
			if signedIn.status != nobody.status || signedIn.header.Get("Location") != nobody.header.Get("Location") || string(signedIn.body) != string(nobody.body) || signedIn.header.Get("Set-Cookie") != "" && nobody.header.Get("Set-Cookie") == "" {
				t.Errorf("%s as %s: %d to %q with %d bytes; of nobody %d to %q with %d bytes", path, dest, signedIn.status, signedIn.header.Get("Location"), len(signedIn.body), nobody.status, nobody.header.Get("Location"), len(nobody.body))
			}
			if strings.Contains(signedIn.header.Get("Location"), "code=") || signedIn.status == http.StatusOK || len(signedIn.body) > 0 && signedIn.status/100 != 3 {
				t.Errorf("%s as %s: %d to %q: %s", path, dest, signedIn.status, signedIn.header.Get("Location"), signedIn.body)
			}
		}
	}
	b.open("/account").is(200, "/account") // nothing has signed anybody out
}
