package server

// The authorization endpoint, for browsers: what an app asks for is read by internal/oidc, what it still needs is said by
// internal/auth, and here a browser is sent on, to a page of ours or back to the app.

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"latchkey/internal/auth"
	"latchkey/internal/oidc"
	"latchkey/internal/pages"
)

// authorize answers GET: a new request, or, with flow and nothing else, one that is under way.
func (s *server) authorize(x *exchange) (reply, error) {
	if prefetches(x.r) { // a code must not be made for a click that may never come
		return nil, refuse(auth.CodeUnavailable)
	}
	query, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return nil, malformed("The parameters are not correctly percent-encoded.")
	}
	if flow := query["flow"]; len(flow) == 1 && len(query) == 1 {
		return x.resume(flow[0])
	}
	request, answer, err := x.readRequest(query)
	if answer != nil || err != nil {
		return answer, err
	}
	flow := oidc.Flow{Query: request.Query(), At: s.now(), Browser: x.browser()}
	x.underway = &underway{flow, request}
	return x.proceed(request, flow)
}

// authorizePost answers POST, from anywhere: other sites' forms bring none of our cookies, so a good request goes on as
// a GET of ours, which binds it to the browser.
func (s *server) authorizePost(x *exchange) (reply, error) {
	body, err := x.body("application/x-www-form-urlencoded")
	if err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, malformed("The parameters are not correctly percent-encoded.")
	}
	request, answer, err := x.readRequest(query)
	if answer != nil || err != nil {
		return answer, err
	}
	return x.toFlow("/oauth/authorize", oidc.Flow{Query: request.Query(), At: s.now()})
}

// readRequest reads an app's request; what is wrong with it is the answer.
func (x *exchange) readRequest(query url.Values) (oidc.Request, reply, error) {
	x.uiLocales = query.Get("ui_locales")
	request, err := oidc.Read(query, x.looks.clients)
	if unknown, ok := errors.AsType[*oidc.Unknown](err); ok {
		return request, x.unknownApp(unknown), nil
	}
	if refusal, ok := errors.AsType[*oidc.Refusal](err); ok {
		return request, x.answerApp(request, request.Refuse(refusal.Code, refusal.Description, x.s.publicURL)), nil
	}
	return request, nil, err
}

// unknownApp tells a developer, on a page that leads nowhere; in a frame nothing is shown.
func (x *exchange) unknownApp(fault *oidc.Unknown) reply {
	if embedded(x.r) {
		return func(x *exchange) { x.WriteHeader(http.StatusForbidden) }
	}
	v := x.view("app_problem", url.Values{})
	v.Brand.Home = ""
	v.Data = pages.AppProblem{Unknown: strings.TrimSuffix(fault.Parameter, "_id")}
	return func(x *exchange) { x.draw(http.StatusBadRequest, v) }
}

// resume goes on with a flow.
func (x *exchange) resume(raw string) (reply, error) {
	flow, request, answer, err := x.openFlow(raw)
	if answer != nil || err != nil {
		return answer, err
	}
	if flow.Query == "" {
		return nil, refuse(auth.CodeInvalidRequest)
	}
	return x.proceed(request, flow)
}

// openFlow opens a flow of this browser. One that began before the browser signed in or out begins anew; one of another
// browser, or too old, leads to where its app is, and is noted in x.over. A flow of no app at all only says in which
// browser it began.
func (x *exchange) openFlow(raw string) (flow oidc.Flow, request oidc.Request, answer reply, err error) {
	flow, fresh, err := x.s.auth.OpenFlow(x.r.Context(), raw)
	if err != nil {
		return flow, request, nil, err
	}
	query, err := url.ParseQuery(flow.Query)
	if err != nil {
		return flow, request, nil, err
	}
	switch now, before := x.browsers(); {
	case !fresh:
		return flow, request, x.offerApp(flow, query, "flow_over"), nil
	case flow.Browser == "":
		flow.Browser = x.browser()
	case flow.Browser == now:
	case flow.Browser == before:
		flow = oidc.Flow{Query: flow.Query, At: x.s.now(), Browser: now}
	case x.keepsNoCookies() && !auth.FlowOfMail(raw):
		return flow, request, x.offerApp(flow, query, "cookies_refused"), nil
	default:
		return flow, request, x.offerApp(flow, query, "flow_over"), nil
	}
	if flow.Query != "" {
		request, answer, err = x.readRequest(query)
	}
	return flow, request, answer, err
}

// offerApp notes that a flow ends here, and leads to the app itself, where a sign-in can begin again.
func (x *exchange) offerApp(flow oidc.Flow, query url.Values, what string) reply {
	x.uiLocales = query.Get("ui_locales")
	x.over = &over{what: what, query: flow.Query}
	x.over.client, _ = x.looks.clients.Lookup(query.Get("client_id"))
	return x.over.page
}

// proceed takes the next step of a flow. In a frame no page is ever shown: there a request is answered as with
// prompt=none, and one that another site frames as if nobody were signed in.
func (x *exchange) proceed(request oidc.Request, flow oidc.Flow) (reply, error) {
	refused := func(code, description string) (reply, error) {
		return x.answerApp(request, request.Refuse(code, description, x.s.publicURL)), nil
	}
	if embedded(x.r) {
		if x.r.Header.Get("Sec-Fetch-Site") == "cross-site" {
			return refused(oidc.LoginRequired, "")
		}
		request.Prompt |= oidc.PromptNone
	}
	a, err := x.s.auth.Authorize(x.r.Context(), request, flow, x.s.cookies.get(x.r, sessionCookie), x.peer)
	switch {
	case auth.CodeOf(err) == auth.CodeTooManyRequests:
		x.code = auth.CodeTooManyRequests
		x.linger()
		return refused(oidc.TemporarilyUnavailable, "Too many sign-ins in this browser: wait a little and try again.")
	case err != nil:
		return nil, err
	case a.Refusal != "":
		return refused(a.Refusal, "")
	case a.Need != auth.NeedNothing:
		return x.toFlow(needPages[a.Need], flow)
	}
	return x.answerApp(request, request.Grant(a.Code, x.s.publicURL)), nil
}

// needPages are where a person does what a request needs.
var needPages = map[auth.Need]string{
	auth.NeedSignIn: "/signin", auth.NeedSignUp: "/signup", auth.NeedContinue: "/continue", auth.NeedConsent: "/consent",
}

// embedded says whether a browser loads something into a frame, an image or the like, and not as the page itself.
func embedded(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return dest != "" && dest != "document"
}

// toFlow sends a browser on to an address of ours, with the flow.
func (x *exchange) toFlow(path string, flow oidc.Flow) (reply, error) {
	sealed, err := x.s.auth.SealFlow(flow)
	if err != nil {
		return nil, err
	}
	return seeOther(path + "?" + url.Values{"flow": {sealed}}.Encode()), nil
}

// goOnFlow ends a form that a page posted. Browsers hold every redirect of a form's answer to form-action, so this is a
// page, which leads on by itself or by its link.
func (x *exchange) goOnFlow(request oidc.Request, flow oidc.Flow) (reply, error) {
	sealed, err := x.s.auth.SealFlow(flow)
	if err != nil {
		return nil, err
	}
	return x.goOnTo(request.Client.Alias, "/oauth/authorize?"+url.Values{"flow": {sealed}}.Encode()), nil
}

// goOnTo is a page that leads on by itself, on the way to an app or away from it.
func (x *exchange) goOnTo(alias, target string) reply {
	v := x.view("go_on", url.Values{"clientAlias": {alias}})
	v.App, v.Cancel, v.Here, v.Data = v.Brand.Name, "", "", pages.GoOn{URL: template.URL(target)}
	return drawn(v)
}

// answerApp hands an answer to the app that asked: by a redirect, or by a form that the browser posts.
func (x *exchange) answerApp(request oidc.Request, a oidc.Answer) reply {
	if a.Action == "" {
		return seeOther(a.URL)
	}
	v := x.view("form_post", url.Values{"clientAlias": {request.Client.Alias}})
	v.App, v.Cancel, v.Data = v.Brand.Name, "", pages.FormPost{Action: template.URL(a.Action)}
	for _, field := range a.Form {
		v.Hidden = append(v.Hidden, pages.Hidden{Name: field.Name, Value: field.Value})
	}
	return func(x *exchange) {
		x.draw(http.StatusOK, v)
	}
}
