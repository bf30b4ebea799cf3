package server

// Signing out at an app's request (OpenID Connect RP-Initiated Logout 1.0): the app sends the browser here.

import (
	"net/http"
	"net/url"

	"latchkey/internal/auth"
	"latchkey/internal/oidc"
	"latchkey/internal/pages"
)

// logoutParameters go along to the page that asks.
var logoutParameters = []string{"id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"}

// logout answers GET.
func (s *server) logout(x *exchange, query url.Values) (reply, error) {
	if prefetches(x.r) {
		return nil, refuse(auth.CodeUnavailable)
	}
	x.uiLocales = query.Get("ui_locales")
	return x.logout(query)
}

// logoutPost answers POST. The page's own button confirms; a form of another site brings none of our cookies, and goes on
// as a GET of ours.
func (s *server) logoutPost(x *exchange, values url.Values) (reply, error) {
	if s.cross.Check(x.r) != nil {
		return seeOther("/oauth/logout?" + keep(values, logoutParameters...).Encode()), nil
	}
	x.uiLocales = values.Get("ui_locales")
	if values.Get("confirmed") != "yes" {
		return x.logout(values)
	}
	if err := s.auth.SignOutPage(x.r.Context(), s.cookies.get(x.r, sessionCookie), x.peer); err != nil {
		return nil, err
	}
	x.forgetSession()
	a, err := s.auth.Logout(x.r.Context(), auth.LogoutRequest{Hint: values.Get("id_token_hint"), Client: values.Get("client_id")}, x.peer)
	if err != nil {
		return nil, err
	}
	if back := x.afterLogout(a.Client, values); back != "" {
		return x.goOnTo(a.Client, back), nil
	}
	return signedOutOn(values), nil
}

func (x *exchange) logout(values url.Values) (reply, error) {
	a, err := x.s.auth.Logout(x.r.Context(), auth.LogoutRequest{
		Hint: values.Get("id_token_hint"), Client: values.Get("client_id"), PageToken: x.s.cookies.get(x.r, sessionCookie),
	}, x.peer)
	if err != nil {
		return nil, err
	}
	if a.Ask {
		if embedded(x.r) {
			return nil, refuse(auth.CodeForbidden)
		}
		v := x.view("sign_out", url.Values{"clientAlias": {a.Client}})
		v.Hidden = []pages.Hidden{{Name: "confirmed", Value: "yes"}}
		for _, name := range logoutParameters {
			if value := values.Get(name); value != "" {
				v.Hidden = append(v.Hidden, pages.Hidden{Name: name, Value: value})
			}
		}
		return drawn(v), nil
	}
	if a.Ended {
		x.forgetSession()
	}
	if back := x.afterLogout(a.Client, values); back != "" {
		return seeOther(back), nil
	}
	return signedOutOn(values), nil
}

// signedOutOn is the page that says so, in the language that the app asked for.
func signedOutOn(values url.Values) reply {
	return seeOther((&url.URL{Path: "/signed-out", RawQuery: keep(values, "ui_locales").Encode()}).String())
}

// forgetSession takes the page session's cookie back, and gives the browser another name.
func (x *exchange) forgetSession() {
	x.s.cookies.set(x, sessionCookie, "", 0, http.SameSiteLaxMode)
	x.renewBrowser()
}

// afterLogout is where the app wants the browser to go on, with its state; empty unless it is registered for it.
func (x *exchange) afterLogout(alias string, values url.Values) string {
	client, ok := x.looks.clients.Lookup(alias)
	back := values.Get("post_logout_redirect_uri")
	if !ok || !client.MayReturnAfterLogout(back) {
		return ""
	}
	return oidc.WithState(back, values.Get("state"))
}
