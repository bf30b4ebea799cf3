package server_test

// The language that an app asks for, from its request to the mail and to the sign-out.

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/locale"
	"latchkey/internal/peer"
)

// reading makes a browser ask for a language.
type reading struct {
	language string
	http.RoundTripper
}

func (r reading) RoundTrip(request *http.Request) (*http.Response, error) {
	request.Header.Set("Accept-Language", r.language)
	return r.RoundTripper.RoundTrip(request)
}

func (b *browser) reads(language string) *browser {
	b.http.Transport = reading{language, b.http.Transport}
	return b
}

// speaks ends the test unless the page is in that language.
func (s screen) speaks(tag string) screen {
	s.t.Helper()
	return s.has(`<html lang="` + tag + `"`)
}

// OpenID Connect Core §3.1.2.1: the first that is here, before what the browser asks for, on every page of the flow and
// after what goes wrong there; what a person has chosen on a page comes first.
func TestUILocales(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying().reads("es"), a.user()
		b.open(appRequest("shop")).speaks("es")
		b.open(appRequest("shop", "ui_locales", "nl sw")).is(200, "/signin").speaks("es")
		b.open(appRequest("nobody", "ui_locales", "ja")).is(400, "/oauth/authorize").speaks("ja")
		page := b.open(appRequest("third", "ui_locales", "nl fr-CA de")).is(200, "/signin").speaks("fr")
		b.open("/signup?flow=" + url.QueryEscape(page.at.Query().Get("flow"))).speaks("fr")
		b.open("/signup").speaks("es") // what belongs to no flow
		page.submit("/signin", "email", email, "password", "wrong").is(401, "/signin").speaks("fr").
			submit("/signin", "password", authtest.Password).is(200, "/signin").speaks("fr").goesOn().is(200, "/consent").speaks("fr").
			submit("/language", "language", "de").is(200, "/consent").speaks("de").submit("/consent").is(200, "/consent").speaks("de")
		b.open(appRequest("shop", "ui_locales", "fr", "prompt", "login")).is(200, "/signin").speaks("de")

		_, query, _ := strings.Cut(appRequest("shop", "ui_locales", "fr"), "?")
		other := a.browser().staying().reads("es")
		r, err := http.NewRequest(http.MethodPost, n.base+"/oauth/authorize", strings.NewReader(query))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		other.load(r).is(200, "/signin").speaks("fr")
	})
}

// A mail that is asked for in a flow comes in its language, and so do the pages that its link leads to, in another browser,
// too; the account that is made reads it. An account that reads another language gets its mails in that.
func TestUILocalesInMails(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying().reads("es"), a.email()
		b.open(appRequest("shop", "prompt", "create", "ui_locales", "fr")).submit("/signup", "email", email).is(200, "/check-mail").speaks("fr")
		link := a.mailTo(email)[0]
		if link.Language != "fr" {
			t.Errorf("the mail is in %q", link.Language)
		}
		b.follow(link).is(200, "/verify-email-success").speaks("fr")
		elsewhere := a.browser().staying().reads("es")
		elsewhere.follow(link).is(200, "/verify-email-success").speaks("fr").
			submit("/complete-signup", "firstName", "Ada", "lastName", "Lovelace", "password", authtest.Password).is(200, "/done").speaks("fr")
		if u, err := a.Service.UserByEmail(t.Context(), email); err != nil || u.Language != "fr" {
			t.Errorf("the account's language is %q, %v", u.Language, err)
		}

		for set, want := range map[string]string{"": "fr", "ja": "ja"} {
			email := a.user()
			if set != "" {
				session, err := a.Service.SignInPage(t.Context(), auth.SignIn{Email: email, Password: auth.Password{Value: authtest.Password}}, peer.Peer{})
				if err == nil {
					err = a.Service.SetLanguage(t.Context(), session.Caller, set)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			flow := b.open(appRequest("shop", "ui_locales", "fr")).at.Query().Get("flow")
			b.open("/forgot-password?flow="+url.QueryEscape(flow)).speaks("fr").submit("/forgot-password", "email", email)
			if got := a.mailTo(email)[0].Language; got != want {
				t.Errorf("an account that reads %q is mailed in %q", set, got)
			}
		}
	})
}

// OpenID Connect RP-Initiated Logout 1.0 §2, and discovery says which there are.
func TestUILocalesAtTheSignOut(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying().reads("es"), a.user()
		out := func(locales string) string {
			return "/oauth/logout?" + url.Values{"client_id": {"shop"}, "ui_locales": {locales}}.Encode()
		}
		b.signsIn(email)
		b.open(out("nl")).is(200, "/oauth/logout").speaks("es")
		b.open(out("nl de")).is(200, "/oauth/logout").speaks("de").submit("/oauth/logout").is(200, "/signed-out").speaks("de")
		b.open(out("fr")).is(200, "/signed-out").speaks("fr") // nobody is signed in
		b.signsIn(email)
		b.open("/oauth/logout?" + url.Values{
			"client_id": {"shop"}, "ui_locales": {"ja"}, "post_logout_redirect_uri": {shopURL + "/bye"},
		}.Encode()).speaks("ja").submit("/oauth/logout").has(shopURL + "/bye").speaks("ja")
		b.open("/signin").submit("/language", "language", "de")
		b.open(out("fr")).is(200, "/signed-out").speaks("de")

		for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
			var said struct {
				Locales []string `json:"ui_locales_supported"`
			}
			page := b.open(path)
			if err := json.Unmarshal([]byte(page.text), &said); err != nil || !slices.Equal(said.Locales, locale.Tags()) {
				t.Errorf("%s: %v, %v", path, said.Locales, err)
			}
		}
	})
}
