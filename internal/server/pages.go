package server

// What every page has in common: its language, whose it is, what it may load, and how a refusal looks there.
// GET shows and POST acts, since mail scanners and previews follow links; what succeeded is redirected from,
// so that going back or reloading does nothing twice. internal/pages draws; the page_*.go files say what.

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"latchkey/internal/auth"
	"latchkey/internal/fields"
	"latchkey/internal/pages"
)

// pageCSP allows what pages bring along themselves, and forms that post back to us. A browser holds a form's
// redirect to form-action too, so the one place to go back to is named there.
func pageCSP(returnTo string) string {
	target := ""
	if u, err := url.Parse(returnTo); err == nil && u.Host != "" {
		target = " " + u.Scheme + "://" + u.Host
	}
	return "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'" +
		target + "; base-uri 'none'; frame-ancestors 'none'"
}

// carried are the parameters that go along from page to page.
func carried(values url.Values) url.Values { return keep(values, "clientAlias", "return_to", "flow") }

// keep are those of the parameters named that say something.
func keep(values url.Values, names ...string) url.Values {
	kept := url.Values{}
	for _, name := range names {
		if value := values.Get(name); value != "" {
			kept.Set(name, value)
		}
	}
	return kept
}

// clientAlias is the client in whose look a page is shown and its mails are sent: the app under way, or the one whose flow
// has ended, else the one that the page's address or form names.
func (x *exchange) clientAlias(values url.Values) string {
	switch {
	case x.underway.ofApp():
		return x.underway.request.Client.Alias
	case x.over.ofApp():
		return x.over.client.Alias
	}
	return values.Get("clientAlias")
}

// view begins a page: values are the request's query or form.
func (x *exchange) view(name string, values url.Values) *pages.View {
	look := x.looks.brands.of(x.clientAlias(values))
	v := &pages.View{
		Name:        name,
		Printer:     look.Printer(x.language()),
		Brand:       look,
		Now:         x.s.now(),
		Values:      map[string]string{},
		Carried:     carried(values),
		SignUpOpen:  x.s.auth.SignupOpen(),
		PasswordMin: x.s.auth.PasswordMin(),
	}
	for _, name := range [...]string{"email", "firstName", "lastName", "verificationCode", "token"} {
		v.Values[name] = values.Get(name)
	}
	v.Here = here(x.r.URL.Path, values)
	if x.caller != nil {
		v.SignedIn = x.account.Email
	}
	if x.underway.ofApp() {
		v.App = look.Name
		v.Cancel = "/cancel?" + keep(values, "flow").Encode()
	}
	return v
}

// here is a page's own address, to come back to in another language. What a form was filled with is not in
// it, but for the proof that came with a mailed link. Empty: what an app asked for is not asked for again.
func here(path string, values url.Values) string {
	if strings.HasPrefix(path, "/oauth/") {
		return ""
	}
	if path == "/complete-signup" { // which its link shows
		path = "/verify-email-success"
	}
	query := keep(values, "clientAlias", "return_to", "flow", "for", "what", "token", "verificationCode")
	if query.Has("verificationCode") {
		query.Set("email", values.Get("email"))
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// page reads a GET's query for a page.
func page(h func(x *exchange, query url.Values) (reply, error)) handler {
	return func(x *exchange) (reply, error) {
		query, err := parseValues(x.r.URL.RawQuery)
		if err != nil {
			return nil, err
		}
		if err := x.noteFlow(query); err != nil {
			return nil, err
		}
		x.params = query
		return h(x, query)
	}
}

// htmlForm makes a handler of one that takes the form a page posts.
func htmlForm(h func(x *exchange, values url.Values) (reply, error)) handler {
	return func(x *exchange) (reply, error) {
		values, err := x.formValues()
		if err != nil {
			return nil, err
		}
		if err := x.noteFlow(values); err != nil {
			return nil, err
		}
		x.params, x.peer.Language = values, x.language()
		return h(x, values)
	}
}

// newCrossOrigin refuses forms that another site posts in a visitor's name. Behind a proxy the Host
// header need not be the public one, so the public URL is named.
func newCrossOrigin(publicURL string) *http.CrossOriginProtection {
	c := http.NewCrossOriginProtection()
	if u, err := url.Parse(publicURL); err == nil {
		_ = c.AddTrustedOrigin(u.Scheme + "://" + u.Host) // cmd has checked the URL; without it only Host counts
	}
	return c
}

// failPage tells a person what went wrong: on the form, where they can fix it, else on a page of its own.
func (x *exchange) failPage(v refusal, e *auth.Error) {
	if e.Code == auth.CodeInvalidToken {
		x.signInAgain(errors.Is(e, auth.ErrRunOut))
		return
	}
	view := x.retryView
	if view == nil || isDeadLink(e.Code) {
		view = x.view("problem", x.params)
		view.Here = view.Link("/signin")
		view.Data = wayOn(view, e.Code)
	}
	view.Problem = &pages.Said{Key: "problem." + string(v.code)}
	if v.status == http.StatusTooManyRequests {
		view.Problem.Args = []any{wholeSeconds(e.RetryAfter)}
	}
	view.FieldErrors = map[string]pages.Said{}
	for _, f := range e.Fields {
		view.FieldErrors[f.Name] = fieldProblem(view, f)
	}
	x.draw(v.status, view)
}

// isDeadLink says whether the link is used up or expired, which no form can fix.
func isDeadLink(code auth.Code) bool {
	return code == auth.CodeInvalidResetToken || code == auth.CodeInvalidVerificationCode
}

// wayOn is where to go from a page that only says what went wrong; nil: to sign-in.
func wayOn(v *pages.View, code auth.Code) any {
	switch code {
	case auth.CodeInvalidResetToken:
		return pages.Done{Next: template.URL(v.Link("/forgot-password")), Say: "problem.ask_again"}
	case auth.CodeInvalidVerificationCode:
		return pages.Done{Next: template.URL(v.Link("/signup")), Say: "problem.ask_again"}
	default:
		return nil
	}
}

// fieldProblem is what is wrong with a field, in words that depend on its code alone.
func fieldProblem(v *pages.View, f fields.Problem) pages.Said {
	said := pages.Said{Key: "field_error." + f.Code}
	if f.Code == "too_short" {
		said.Args = []any{v.PasswordMin}
	}
	if !v.Printer.Has(said.Key) {
		said.Key = "field_error.not_allowed"
	}
	return said
}

// drawn is a page as a success.
func drawn(v *pages.View) reply {
	return func(x *exchange) { x.draw(http.StatusOK, v) }
}

// referrerPolicy is a page's. Browsers that send no Sec-Fetch-Site say by Origin whose form they post, and under
// no-referrer they say null; so pages let their own origin be told where they are, and no other. A page whose
// address carries a token tells nobody more than its origin.
func referrerPolicy(page *url.URL) string {
	query := page.Query()
	for _, secret := range [...]string{"token", "verificationCode", "key", "flow"} {
		if query.Has(secret) {
			return "strict-origin"
		}
	}
	return "same-origin"
}

func (x *exchange) draw(status int, v *pages.View) {
	body, err := x.s.drawing.Draw(v)
	if err != nil {
		panic(fmt.Errorf("draw page: %w", err)) // the tests have drawn ours, and the start an operator's own
	}
	x.Header().Set("Referrer-Policy", referrerPolicy(x.r.URL))
	policy := pageCSP(x.returnTo(v.Carried))
	if v.Name == "form_post" { // browsers hold every redirect of a form's answer to form-action, and the app's are its own
		policy = strings.Replace(policy, "form-action 'self'; ", "", 1)
	}
	x.Header().Set("Content-Security-Policy", policy)
	x.Header().Add("Vary", "Accept-Language, Cookie")
	x.send(status, "text/html; charset=utf-8", body)
}

// seeOther sends a browser on with a GET (RFC 9110 §15.4.4), to a path of ours or a checked URL.
func seeOther(target string) reply {
	return func(x *exchange) {
		x.Header().Set("Location", target)
		x.WriteHeader(http.StatusSeeOther)
	}
}

// goOn sends a browser on to a page of ours, with what goes along.
func (x *exchange) goOn(path string) reply {
	return seeOther((&pages.View{Carried: carried(x.params)}).Link(path))
}
