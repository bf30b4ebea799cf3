package server

// The pages that mailed links lead to when no front end of the client's own does: plain, without
// script, with nothing from elsewhere (their URL carries a token). GET shows, POST acts: mail
// scanners and previews follow links.

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"latchkey/internal/auth"
)

//go:embed pages
var pageFiles embed.FS

// pageCSP allows our own stylesheet and forms that post back to us.
const pageCSP = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// page is what pages/page.html shows.
type page struct {
	Title, Problem, Text string
	Form                 *pageForm
}

// pageForm posts a mailed code back.
type pageForm struct {
	Action, Button string
	Email, Code    string
	Token          string // of a notice's link
	AsksPassword   bool
}

func resetForm(values url.Values) *pageForm {
	return &pageForm{
		Action: "/reset-password", Button: "Change password", AsksPassword: true,
		Email: values.Get("email"), Code: values.Get("verificationCode"),
	}
}

func verifyForm(values url.Values) *pageForm {
	return &pageForm{
		Action: "/verify-email-success", Button: "Yes, this is my address",
		Email: values.Get("email"), Code: values.Get("verificationCode"),
	}
}

func (s *server) resetPage(x *exchange) (reply, error) {
	values, err := parseValues(x.r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	return html("page.html", page{Title: "Choose a new password", Form: resetForm(values)}), nil
}

func (s *server) resetPagePost(x *exchange) (reply, error) {
	values, err := x.pageValues()
	if err != nil {
		return nil, err
	}
	x.again = &page{Title: "Choose a new password", Form: resetForm(values)}
	device, err := s.auth.ResetPassword(x.r.Context(), auth.ResetPassword{
		Email:    values.Get("email"),
		Password: auth.Password{Value: values.Get("password"), Plain: true},
		Token:    values.Get("verificationCode"),
	}, x.peer)
	if err != nil {
		return nil, err
	}
	x.rememberDevice(device)
	return html("page.html", page{
		Title: "Your password is changed",
		Text:  "You have been signed out everywhere. Please sign in with the new password.",
	}), nil
}

func (s *server) verifyPage(x *exchange) (reply, error) {
	values, err := parseValues(x.r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	form := verifyForm(values)
	return html("page.html", page{Title: "Is this your address?", Text: form.Email, Form: form}), nil
}

func (s *server) verifyPagePost(x *exchange) (reply, error) {
	values, err := x.pageValues()
	if err != nil {
		return nil, err
	}
	err = s.auth.VerifyEmail(x.r.Context(), values.Get("email"), values.Get("verificationCode"), x.peer)
	if err != nil {
		return nil, err
	}
	return html("page.html", page{Title: "Your address is verified", Text: "You can close this page and go on where you signed up."}), nil
}

func (s *server) endSessionPage(x *exchange) (reply, error) {
	values, err := parseValues(x.r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	return html("page.html", page{
		Title: "That was not you?",
		Text:  "This signs out what the e-mail told you of.",
		Form:  &pageForm{Action: "/end-session", Button: "Sign out", Token: values.Get("token")},
	}), nil
}

func (s *server) endSessionPagePost(x *exchange) (reply, error) {
	values, err := x.pageValues()
	if err != nil {
		return nil, err
	}
	resetAsked, err := s.auth.EndByLink(x.r.Context(), values.Get("token"), x.peer)
	if err != nil {
		return nil, err
	}
	if resetAsked {
		return html("page.html", page{
			Title: "Signed out",
			Text:  "Now choose a new password: a mail with a link is on its way to your account's address.",
		}), nil
	}
	return html("page.html", page{
		Title: "Signed out",
		Text:  "Now choose a new password: ask for it with “Forgot password” where you sign in. If your address was changed, too, tell the people who run this service.",
	}), nil
}

func (s *server) pageCSS(*exchange) (reply, error) {
	css, err := pageFiles.ReadFile("pages/page.css")
	if err != nil {
		return nil, fmt.Errorf("read stylesheet: %w", err)
	}
	return cacheable(time.Hour, func(x *exchange) { x.send(http.StatusOK, "text/css; charset=utf-8", css) }), nil
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

// pageValues reads a page's own form.
func (x *exchange) pageValues() (url.Values, error) {
	if x.s.cross.Check(x.r) != nil {
		return nil, refuse(auth.CodeForbidden)
	}
	return x.formValues()
}

// failPage tells a person what went wrong, with the form again when another password would mend it.
func (x *exchange) failPage(status int, sentence string) {
	p := page{Title: "That did not work", Problem: sentence}
	if x.again != nil && x.code == auth.CodePasswordNotAccepted {
		p = *x.again
		p.Problem = sentence
	}
	x.render(status, "page.html", p)
}

func html(name string, data any) reply {
	return func(x *exchange) { x.render(http.StatusOK, name, data) }
}

func (x *exchange) render(status int, name string, data any) {
	var b bytes.Buffer
	if err := x.s.templates.ExecuteTemplate(&b, name, data); err != nil {
		panic(fmt.Errorf("render page: %w", err)) // only our own templates and structs meet here
	}
	x.Header().Set("Content-Security-Policy", pageCSP)
	x.send(status, "text/html; charset=utf-8", b.Bytes())
}

func parseTemplates() *template.Template {
	return template.Must(template.ParseFS(pageFiles, "pages/*.html"))
}
