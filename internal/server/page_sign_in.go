package server

// Signing in to the pages and out of them. A page's session is a session like any other: same store, same
// limits, same list. Its token lives in a cookie, is of its own kind, and opens nothing under /auth.

import (
	"cmp"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"latchkey/internal/auth"
	"latchkey/internal/oidc"
	"latchkey/internal/pages"
)

const sessionCookie = "latchkey-session"

// recognise reads the cookie: CodeInvalidToken where there is none or its session is over.
func (x *exchange) recognise() error {
	raw := x.s.cookies.get(x.r, sessionCookie)
	if raw == "" {
		return refuse(auth.CodeInvalidToken)
	}
	caller, err := x.s.auth.PageCaller(x.r.Context(), raw)
	if err != nil {
		return err
	}
	x.identify(&caller)
	return nil
}

// signInAgain sends who is not signed in, or not any more, to do so. The cookie of a session that has run out stays: the
// sessions of apps that came from it live on, and the next sign-in takes them over.
func (x *exchange) signInAgain(runOut bool) {
	target := "/signin"
	if x.s.cookies.get(x.r, sessionCookie) != "" {
		if !runOut {
			x.s.cookies.set(x, sessionCookie, "", 0, http.SameSiteLaxMode)
		}
		target += "?ended=yes"
	}
	seeOther(target)(x)
}

func (s *server) homePage(*exchange) (reply, error) { return seeOther("/account"), nil }

func (s *server) signInPage(x *exchange, query url.Values) (reply, error) {
	if x.over.ofApp() || x.over.needsCookies() {
		return x.over.page, nil
	}
	v := x.view("sign_in", query)
	if query.Get("ended") == "yes" {
		v.Note = &pages.Said{Key: "sign_in.ended"}
	}
	if !s.cookies.allowed {
		v.Problem = &pages.Said{Key: "problem.no_cookie"}
	}
	x.sayWho(v, query)
	return drawn(v), nil
}

// sayWho notes on a sign-in or sign-up page whom the app expects (OpenID Connect Core §3.1.2.1, login_hint), who is signed
// in already, and where they go on as they are: where a new proof is asked for, nowhere. The page is there also where that
// cannot be found out.
func (x *exchange) sayWho(v *pages.View, query url.Values) {
	if x.underway.ofApp() && v.Values["email"] == "" {
		v.Values["email"] = x.underway.request.LoginHint
	}
	if x.s.cookies.get(x.r, sessionCookie) == "" || x.recognise() != nil {
		return
	}
	var err error
	if x.account, err = x.s.auth.Account(x.r.Context(), *x.caller); err != nil {
		return
	}
	v.SignedIn = x.account.Email
	switch u := x.underway; {
	case !u.ofApp():
		v.Onward = template.URL(cmp.Or(x.returnTo(query), "/account"))
	case !u.request.Prompt.Has(oidc.PromptLogin):
		v.Onward = template.URL(v.Link("/continue"))
	}
}

func (s *server) signInPagePost(x *exchange, values url.Values) (reply, error) {
	if x.over.needsCookies() {
		return x.over.page, nil
	}
	x.retryView = x.view("sign_in", values)
	if !s.cookies.allowed {
		x.retryView.Problem = &pages.Said{Key: "problem.no_cookie"}
		return drawn(x.retryView), nil
	}
	session, err := s.auth.SignInPage(x.r.Context(), auth.SignIn{
		Email:       strings.TrimSpace(values.Get("email")),
		Password:    typed(values.Get("password")),
		ClientAlias: values.Get("clientAlias"),
		Replaces:    s.cookies.get(x.r, sessionCookie),
	}, x.peer)
	if err != nil {
		return nil, err
	}
	return x.welcome(session, values, "/account")
}

// welcome gives a browser its page session and goes on: with the app that waits, or to the app that waits no more, or to
// where the person wants to be, or else to the page named.
func (x *exchange) welcome(session auth.PageSession, values url.Values, page string) (reply, error) {
	x.identify(&session.Caller)
	x.rememberDevice(session.Device)
	x.s.cookies.set(x, sessionCookie, session.Token, session.MaxAge, http.SameSiteLaxMode)
	name := x.renewBrowser()
	if u := x.underway; u.ofApp() {
		u.flow.Browser, u.flow.Proved = name, session.Caller.SessionID
		return x.goOnFlow(u.request, u.flow)
	}
	if x.over.ofApp() { // which asks again, and has its answer at once
		return x.goOnTo(x.over.client.Alias, x.over.client.URL), nil
	}
	return seeOther(cmp.Or(x.returnTo(values), page)), nil
}

// signOutPagePost ends the session, if it has not ended, and takes the cookie back.
func (s *server) signOutPagePost(x *exchange, values url.Values) (reply, error) {
	if err := s.auth.SignOutPage(x.r.Context(), s.cookies.get(x.r, sessionCookie), x.peer); err != nil {
		return nil, err
	}
	x.forgetSession()
	// Where no script runs, nothing makes a browser ask again for the pages that it keeps to go back to. Elsewhere
	// page.js does, and has said so: a browser takes seconds to clear a full cache.
	if values.Get("script") == "" {
		x.Header().Set("Clear-Site-Data", `"cache"`)
	}
	return seeOther("/signed-out"), nil
}

func (s *server) signedOutPage(x *exchange, query url.Values) (reply, error) {
	x.uiLocales = query.Get("ui_locales")
	return drawn(x.done("signed_out", query)), nil
}

// done is the page that tells of a success, with the way back to the application or to sign-in.
func (x *exchange) done(what string, values url.Values) *pages.View {
	v := x.view("done", values)
	data := pages.Done{What: what, Next: template.URL(v.Link("/signin")), Say: "done.next.sign_in"}
	if back := x.returnTo(values); back != "" && what != "reset" && what != "signed_up" && what != "verified" {
		data.Next, data.Say = template.URL(back), "done.next.go_on"
	}
	if x.over.ofApp() {
		data = x.over.done(what)
	}
	v.Data = data
	return v
}

// returnTo is the application's page to go back to; empty unless its origin is registered.
func (x *exchange) returnTo(values url.Values) string {
	if values.Get("return_to") == "" {
		return ""
	}
	back, ok := x.looks.clients.ReturnTo(values.Get("clientAlias"), values.Get("return_to"))
	if !ok {
		return ""
	}
	return back
}

// typed is a password that a person typed into a page: never encrypted for transport.
func typed(value string) auth.Password { return auth.Password{Value: value, Plain: true} }
