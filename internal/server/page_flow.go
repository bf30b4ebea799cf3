package server

// The pages that a flow needs beside sign-in and sign-up: "continue as", consent, and the way back to the app.

import (
	"html/template"
	"net/http"
	"net/url"

	"latchkey/internal/auth"
	"latchkey/internal/clients"
	"latchkey/internal/oidc"
	"latchkey/internal/pages"
)

// underway is the flow that a page belongs to.
type underway struct {
	flow    oidc.Flow
	request oidc.Request // of an app; zero where none asked
}

// ofApp says whether an app waits for an answer.
func (u *underway) ofApp() bool { return u != nil && u.flow.Query != "" }

// over is a flow that does not go on in this browser.
type over struct {
	what   string         // a page says of it: cookies_refused or flow_over
	query  string         // the request
	client clients.Client // whose request it was, as registered now; zero: nobody's
}

// noBrowser is the name of none: a flow of it only says which app to go back to.
const noBrowser = "none"

// ofApp says whether there is an app to go back to.
func (o *over) ofApp() bool { return o != nil && o.client.Alias != "" }

// needsCookies says whether nobody can be signed in: whoever types a password would be asked for it again.
func (o *over) needsCookies() bool { return o != nil && o.what == "cookies_refused" }

// page leads to the app.
func (o *over) page(x *exchange) {
	v := x.view("done", x.params)
	v.Data = o.done(o.what)
	x.draw(http.StatusBadRequest, v)
}

// done tells of something and offers the app's registered address.
func (o *over) done(what string) pages.Done {
	return pages.Done{What: what, Next: template.URL(o.client.URL), Say: "done.next.go_on", App: o.client.Brand.Name}
}

// flowHere is the flow that a mail asked for on this page leads back to: the one under way, or one that ends where the one
// of this page has ended, or one of no app.
func (x *exchange) flowHere() *oidc.Flow {
	if x.underway != nil {
		return &x.underway.flow
	}
	if x.over.ofApp() {
		return &oidc.Flow{Query: x.over.query, At: x.s.now(), Browser: noBrowser}
	}
	return &oidc.Flow{At: x.s.now(), Browser: x.browser()}
}

// flowPage makes a handler of one for a page that only a flow leads to, and only for who is signed in.
func flowPage(h func(x *exchange, values url.Values, u underway) (reply, error)) func(*exchange, url.Values) (reply, error) {
	return func(x *exchange, values url.Values) (reply, error) {
		flow, request, answer, err := x.openFlow(values.Get("flow"))
		if answer != nil || err != nil {
			return answer, err
		}
		if flow.Query == "" {
			return nil, refuse(auth.CodeInvalidRequest)
		}
		x.underway = &underway{flow, request}
		if err := x.recognise(); auth.CodeOf(err) == auth.CodeInvalidToken {
			return x.toFlow("/signin", flow)
		} else if err != nil {
			return nil, err
		}
		return h(x, values, *x.underway)
	}
}

// shownSession is the field that says whom a page showed: a press counts for nobody else.
const shownSession = "session"

// askView begins a page that asks whoever is signed in for a press.
func (x *exchange) askView(name string, values url.Values) (v *pages.View, err error) {
	if x.account, err = x.s.auth.Account(x.r.Context(), *x.caller); err != nil {
		return nil, err
	}
	v = x.view(name, values)
	v.Hidden = []pages.Hidden{{Name: shownSession, Value: x.caller.SessionID}}
	return v, nil
}

func (s *server) continuePage(x *exchange, values url.Values, _ underway) (reply, error) {
	v, err := x.askView("continue", values)
	if err != nil {
		return nil, err
	}
	return drawn(v), nil
}

func (s *server) continuePagePost(x *exchange, values url.Values, u underway) (reply, error) {
	if values.Get(shownSession) != x.caller.SessionID { // another user has signed in since
		return x.toFlow("/continue", u.flow)
	}
	if err := s.auth.Press(x.r.Context(), *x.caller, u.request.Client); err != nil {
		return nil, err
	}
	u.flow.Continued = x.caller.SessionID
	return x.goOnFlow(u.request, u.flow)
}

func (s *server) consentPage(x *exchange, values url.Values, u underway) (reply, error) {
	v, err := x.askView("consent", values)
	if err != nil {
		return nil, err
	}
	v.Data = pages.Consent{Scopes: u.request.Scopes}
	return drawn(v), nil
}

func (s *server) consentPagePost(x *exchange, values url.Values, u underway) (reply, error) {
	if values.Get(shownSession) != x.caller.SessionID {
		return x.toFlow("/consent", u.flow)
	}
	if err := s.auth.Consent(x.r.Context(), *x.caller, u.request, x.peer); err != nil {
		return nil, err
	}
	u.flow.Consented = x.caller.SessionID
	return x.goOnFlow(u.request, u.flow)
}

// cancelFlow goes back to the app without a code.
func (s *server) cancelFlow(x *exchange, values url.Values) (reply, error) {
	flow, request, answer, err := x.openFlow(values.Get("flow"))
	if answer != nil || err != nil {
		return answer, err
	}
	if flow.Query == "" {
		return nil, refuse(auth.CodeInvalidRequest)
	}
	return x.answerApp(request, request.Refuse(oidc.AccessDenied, "The person chose to go back.", s.publicURL)), nil
}

// noteFlow opens the flow that comes along with a page which works without one, too. One that is of no use is left out,
// unless it says which app to go back to (x.over): then each page after this one says so, too.
func (x *exchange) noteFlow(values url.Values) error {
	if values.Get("flow") == "" {
		return nil
	}
	flow, request, answer, err := x.openFlow(values.Get("flow"))
	if err != nil && auth.CodeOf(err) == auth.CodeUnavailable {
		return err
	}
	if err != nil || answer != nil {
		if !x.over.ofApp() {
			values.Del("flow")
		}
		return nil
	}
	x.underway = &underway{flow, request}
	return nil
}
