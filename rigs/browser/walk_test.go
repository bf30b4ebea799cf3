package browser

// The sign-in of applications from end to end, by keyboard alone, with script and without: sign up, sign in, go on as one is or
// as somebody else, allow, cancel, sign out, and end what lives on.

import (
	"net/url"
	"slices"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// walk is one person's way through the pages of a house, from two applications: its own, and one of a third party.
type walk struct {
	*person
	house       *house
	shop, forum *app
	looked      map[string]bool
}

const (
	ada = "ada@example.com"
	bob = "bob@example.com"
)

func TestAppsByKeyboardAlone(t *testing.T) {
	bothWays(t, func(t *testing.T, script bool) {
		t.Parallel()
		shop := newApp(t, "127.0.0.1", "shop", "Shop", "secret")
		forum := newApp(t, "127.0.0.1", "forum", "A Forum for Gardeners", "secret\nconsent = true")
		w := &walk{newPerson(t, script), newMall(t, shop, forum), shop, forum, map[string]bool{}}
		w.house.node.Must(goodPassword+"\n", "user", "add", "--email", bob, "--first-name", "Bob", "--last-name", "Cratchit", "--password-stdin")
		w.signsUp()
		w.signsOut()
		w.signsIn()
		w.goesOnOrIsSomebodyElse()
		w.comesBackByAForm()
		w.allows()
		w.endsSessions()
		w.isWarned()
	})
}

// looks asserts which page it is, and the first time that one of its name is met, that it keeps nobody out and fits.
func (w *walk) looks(name, title string, args ...any) {
	w.t.Helper()
	w.at(title, args...)
	if w.script && !w.looked[name] {
		w.looked[name] = true
		w.accessible(name)
		w.fits("walk "+name, screens)
	}
}

// begins opens an application's way in with parameters in pairs.
func (w *walk) begins(a *app, more ...string) {
	w.t.Helper()
	query := url.Values{}
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	w.open(a.url + "/?" + query.Encode())
}

const (
	formButton = "main form > button"
	signInHere = "main a[href^='/signin']"
	cancelLink = ".cancel a"
)

// signInStops are those of the sign-in page; before are those of whoever is signed in already.
func signInStops(before ...string) []string {
	return stops(append(before, "#email", "#password", ".show", "a[href^='/forgot-password']", formButton, "a[href^='/signup']", cancelLink)...)
}

func (w *walk) signsUp() {
	w.t.Helper()
	w.begins(w.shop)
	w.looks("sign in", "sign_in.title_app", "Shop")
	w.on("#email")
	w.walks("a[href^='/signup']", signInStops())
	w.strikes(kb.Enter)
	w.looks("sign up", "sign_up.title_app", "Shop")
	w.on("#email")
	w.typed(ada)
	w.walks(formButton, stops("#email", formButton, signInHere, cancelLink))
	w.strikes(" ")
	w.looks("check mail", "check_mail.title")
	resend := []string{"form[action='/signup'] button"}
	if w.script { // which makes it wait
		resend = nil
	}
	w.walks("a[href^='/signup']", stops(append(resend, "a[href^='/signup']", signInHere, cancelLink)...))
	w.open(w.house.mailed(ada, "/verify-email-success"))
	w.looks("complete sign-up", "complete_sign_up.title")
	w.on("#firstName")
	w.typed("Ada" + kb.Tab + "Lovelace" + kb.Tab + goodPassword)
	w.walks(formButton, stops("#email", "#firstName", "#lastName", "#password", ".show", formButton, cancelLink))
	w.strikes(kb.Enter)
	w.shop.arrives(w.person, "signed in")
	w.shop.answered()
	w.shop.lives(true)
}

func (w *walk) signsOut() {
	w.t.Helper()
	w.open(w.shop.url + "/out")
	w.looks("sign out", "sign_out.title_app", "Shop")
	w.walks(formButton, []string{"a.skip", "a.brand", formButton, "main a[href='/account']"})
	w.strikes(" ")
	w.shop.arrives(w.person, "signed out for now")
	w.shop.lives(false)
}

func (w *walk) signsIn() {
	w.t.Helper()
	w.begins(w.shop, "login_hint", ada)
	w.on("#password") // the address is filled in
	w.typed(otherPassword)
	w.strikes(kb.Enter)
	w.looks("wrong password", "sign_in.title_app", "Shop")
	w.told("problem.invalid_credentials")
	w.on("#password")
	w.typed(goodPassword)
	w.walks(formButton, signInStops())
	w.strikes(" ")
	w.shop.arrives(w.person, "signed in")
	w.shop.answered()
}

func (w *walk) goesOnOrIsSomebodyElse() {
	w.t.Helper()
	goOn := stops("form[action='/continue'] button", signInHere, cancelLink)
	w.begins(w.shop, "prompt", "select_account")
	w.looks("continue", "continue.title_app", "Shop")
	w.told("continue.button", ada)
	w.walks("form[action='/continue'] button", goOn)
	w.strikes(kb.Enter)
	w.shop.arrives(w.person, "signed in")

	w.begins(w.shop, "prompt", "select_account")
	w.walks(signInHere, goOn)
	w.strikes(kb.Enter)
	w.looks("another account", "sign_in.title_app", "Shop")
	w.told("signed_in.text", ada)
	w.on("#email")
	w.typed(bob + kb.Tab + goodPassword)
	w.walks(formButton, signInStops(".choices a", ".choices button"))
	w.strikes(kb.Enter)
	w.shop.arrives(w.person, "signed in")

	w.begins(w.shop, "prompt", "select_account")
	w.told("continue.button", bob)
	w.walks(cancelLink, goOn)
	w.strikes(kb.Enter)
	w.shop.arrives(w.person, "access_denied")
	w.shop.answered()
}

// comesBackByAForm proves who it is again, and is brought back by a form: script posts it, and elsewhere its button does.
func (w *walk) comesBackByAForm() {
	w.t.Helper()
	w.begins(w.shop, "prompt", "login", "response_mode", "form_post")
	w.typed(ada + kb.Tab + goodPassword)
	w.walks(formButton, signInStops(".choices button"))
	w.strikes(kb.Enter)
	if !w.script {
		w.await("document.querySelector('" + formButton + "') && document.body.className === 'form_post'")
		w.at("go_on.title_app", "Shop")
		w.walks(formButton, []string{"a.skip", "a.brand", formButton})
		w.strikes(" ")
	}
	w.shop.arrives(w.person, "signed in")
	w.shop.answered()
	if at := w.location(); at != w.shop.url+"/callback" {
		w.t.Errorf("the answer is in the address: %s", at)
	}
}

func (w *walk) allows() {
	w.t.Helper()
	consent := stops(signInHere, "form[action='/consent'] button", ".second a")
	w.begins(w.forum)
	w.looks("consent", "consent.title_app", "A Forum for Gardeners")
	w.told("scope.email")
	w.walks(".second a", consent)
	w.strikes(kb.Enter)
	w.forum.arrives(w.person, "access_denied")
	w.forum.answered()
	w.begins(w.forum)
	w.walks("form[action='/consent'] button", consent)
	w.strikes(" ")
	w.forum.arrives(w.person, "signed in")
	w.forum.answered()
	w.begins(w.forum, "prompt", "none", "scope", "openid") // less is not asked for again, and keeps no refresh token
	w.forum.arrives(w.person, "signed in")
}

// endsSessions ends one application's, withdraws what the other was allowed, and ends all of another browser.
func (w *walk) endsSessions() {
	w.t.Helper()
	labelled := func(key, name string) string { return "[aria-label='" + w.word(key, name) + "']" }
	endShop, endForum := labelled("account.end_app", "Shop"), labelled("account.end_app", "A Forum for Gardeners")
	withdraw := labelled("account.withdraw_this", "A Forum for Gardeners")
	const allowed, ended, endOthers = "details:has([action='/account/revoke-consent']) > summary", "details:not(:has(form)) > summary", "[action='/account/end-others'] button"
	account := func(before ...string) []string { // no application's page: the name above it leads nowhere
		return slices.DeleteFunc(stops(before...), func(css string) bool { return css == "a.brand" })
	}
	leave := []string{"a[href='/change-password']", "[action='/signout'] button"}

	w.open(w.house.url + "/account")
	w.looks("account", "account.title")
	w.walks(endShop, account(slices.Concat([]string{endForum, endForum, endShop}, leave, []string{allowed, ended})...))
	w.strikes(kb.Enter)
	w.told("account.note.ended")
	w.shop.lives(false)
	w.forum.lives(true)

	w.walks(allowed, account(slices.Concat([]string{endForum, endForum}, leave, []string{allowed, ended})...))
	w.typed(" ")
	w.await("document.querySelector(" + quoted(withdraw) + ").checkVisibility()")
	w.walks(withdraw, account(slices.Concat([]string{endForum, endForum}, leave, []string{allowed, withdraw, ended})...))
	w.strikes(kb.Enter)
	w.told("account.note.consent_revoked")
	w.forum.lives(false)

	there := newPerson(w.t, w.script)
	there.open(w.shop.url)
	there.fill("email", ada)
	there.fill("password", goodPassword)
	there.press("sign_in.button")
	w.shop.arrives(there, "signed in")
	w.open(w.house.url + "/account")
	endThere := "li:not(.current) > [action='/account/end-session'] button"
	w.walks(endOthers, account(slices.Concat([]string{endThere, endShop, endOthers}, leave, []string{ended})...))
	w.strikes(" ")
	w.told("account.note.others_ended")
	w.shop.lives(false)
	there.open(w.house.url + "/account")
	there.at("sign_in.title")
}

// isWarned comes from an application that is not registered: the page leads nowhere.
func (w *walk) isWarned() {
	w.t.Helper()
	w.open(w.shop.asks(url.Values{"redirect_uri": {w.shop.url + "/elsewhere"}}))
	w.looks("address not registered", "app_problem.title")
	w.walks("a.skip", []string{"a.skip"})
	w.open(w.shop.asks(url.Values{"client_id": {"nobody"}}))
	w.looks("application not registered", "app_problem.title")
}
