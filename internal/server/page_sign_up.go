package server

// From an address to an account, on pages: ask for the link, open it, name and password.

import (
	"net/url"
	"slices"
	"strings"

	"latchkey/internal/auth"
	"latchkey/internal/mail"
	"latchkey/internal/pages"
)

func (s *server) signUpPage(x *exchange, query url.Values) (reply, error) {
	if x.over.ofApp() || x.over.needsCookies() {
		return x.over.page, nil
	}
	v := x.view("sign_up", query)
	x.sayWho(v, query)
	return drawn(v), nil
}

func (s *server) signUpPagePost(x *exchange, values url.Values) (reply, error) {
	if x.over.needsCookies() {
		return x.over.page, nil
	}
	x.retryView = x.view("sign_up", values)
	err := s.auth.RequestVerification(x.r.Context(), auth.VerificationMail{
		Email: strings.TrimSpace(values.Get("email")), ClientAlias: x.clientAlias(values), Hosted: true, Flow: x.flowHere(),
	}, x.peer)
	if err != nil {
		return nil, err
	}
	return x.goOn("/check-mail?" + url.Values{"for": {"sign_up"}, "email": {strings.TrimSpace(values.Get("email"))}}.Encode()), nil
}

func (s *server) checkMailPage(x *exchange, query url.Values) (reply, error) {
	asked := query.Get("for")
	if !slices.Contains([]string{"sign_up", "forgot_password", "end_session"}, asked) {
		return nil, refuse(codeNotFound)
	}
	v := x.view("check_mail", query)
	v.Data = pages.CheckMail{For: asked}
	if s.inbox.allows(x.r) && s.inbox.key.is(s.cookies.get(x.r, inboxCookie)) {
		v.Inbox = "/dev/inbox"
	}
	return drawn(v), nil
}

// verifyPage is where a verification link leads. It looks whether the link is alive and spends nothing.
func (s *server) verifyPage(x *exchange, query url.Values) (reply, error) {
	needsPassword, err := s.auth.LinkAlive(x.r.Context(), mail.Verify, query.Get("email"), query.Get("verificationCode"), x.peer)
	if err != nil {
		return nil, err
	}
	if needsPassword {
		return drawn(x.view("complete_sign_up", query)), nil
	}
	return drawn(x.view("verify", query)), nil
}

func (s *server) verifyPagePost(x *exchange, values url.Values) (reply, error) {
	err := s.auth.VerifyEmail(x.r.Context(), values.Get("email"), values.Get("verificationCode"), x.peer)
	if err != nil {
		return nil, err
	}
	return x.goOn("/done?what=verified"), nil
}

func (s *server) completeSignUpPost(x *exchange, values url.Values) (reply, error) {
	x.retryView = x.view("complete_sign_up", values)
	alias := values.Get("clientAlias")
	if _, ok := x.looks.clients.Lookup(alias); !ok { // gone since the mail was sent: that keeps nobody from signing up
		alias = ""
	}
	made, err := s.auth.SignUp(x.r.Context(), auth.SignUp{
		Email:            values.Get("email"),
		Password:         typed(values.Get("password")),
		FirstName:        strings.TrimSpace(values.Get("firstName")),
		LastName:         strings.TrimSpace(values.Get("lastName")),
		VerificationCode: values.Get("verificationCode"),
		ClientAlias:      alias,
	}, x.peer)
	if auth.CodeOf(err) == auth.CodeEmailNotVerified { // the code is used up, expired or replaced
		err = refuse(auth.CodeInvalidVerificationCode)
	}
	if err != nil {
		return nil, err
	}
	x.userID = made.UserID
	if x.underway == nil || x.recognise() == nil { // the mail was asked for elsewhere, or another user is signed in here
		x.rememberDevice(made.Device)
		return x.goOn("/done?what=signed_up"), nil
	}
	session, err := s.auth.SignInPage(x.r.Context(), auth.SignIn{
		Email: values.Get("email"), Password: typed(values.Get("password")), ClientAlias: alias,
		Replaces: s.cookies.get(x.r, sessionCookie),
	}, x.peer)
	if err != nil {
		return nil, err
	}
	return x.welcome(session, values, "/account?note=signed_up")
}

// donePage tells what was done just now.
func (s *server) donePage(x *exchange, query url.Values) (reply, error) {
	what := query.Get("what")
	if !slices.Contains([]string{"verified", "signed_up", "reset", "session_ended"}, what) {
		return nil, refuse(codeNotFound)
	}
	return drawn(x.done(what, query)), nil
}
