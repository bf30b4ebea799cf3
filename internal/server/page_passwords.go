package server

// A password forgotten, reset, changed, on pages.

import (
	"net/http"
	"net/url"
	"strings"

	"latchkey/internal/auth"
	"latchkey/internal/mail"
)

func (s *server) forgotPage(x *exchange, query url.Values) (reply, error) {
	return drawn(x.view("forgot_password", query)), nil
}

func (s *server) forgotPagePost(x *exchange, values url.Values) (reply, error) {
	x.retryView = x.view("forgot_password", values)
	_, err := s.auth.ForgotPassword(x.r.Context(), auth.ForgotPassword{
		Email: strings.TrimSpace(values.Get("email")), ClientAlias: x.clientAlias(values), Hosted: true, Flow: x.flowHere(),
	}, x.peer)
	if err != nil {
		return nil, err
	}
	return x.goOn("/check-mail?" + url.Values{"for": {"forgot_password"}, "email": {strings.TrimSpace(values.Get("email"))}}.Encode()), nil
}

// resetPage is where a reset link leads. It looks whether the link is alive and spends nothing.
func (s *server) resetPage(x *exchange, query url.Values) (reply, error) {
	_, err := s.auth.LinkAlive(x.r.Context(), mail.Reset, query.Get("email"), query.Get("verificationCode"), x.peer)
	if err != nil {
		return nil, err
	}
	return drawn(x.view("reset_password", query)), nil
}

func (s *server) resetPagePost(x *exchange, values url.Values) (reply, error) {
	x.retryView = x.view("reset_password", values)
	device, err := s.auth.ResetPassword(x.r.Context(), auth.ResetPassword{
		Email:    values.Get("email"),
		Password: typed(values.Get("password")),
		Token:    values.Get("verificationCode"),
	}, x.peer)
	if err != nil {
		return nil, err
	}
	x.rememberDevice(device) // a session cookie stays: it may be of another account
	return x.goOn("/done?what=reset"), nil
}

func (s *server) changePage(x *exchange, _ url.Values) (reply, error) {
	v, err := x.ownView("change_password")
	if err != nil {
		return nil, err
	}
	return drawn(v), nil
}

func (s *server) changePagePost(x *exchange, values url.Values) (reply, error) {
	v, err := x.ownView("change_password")
	if err != nil {
		return nil, err
	}
	x.retryView = v
	device, err := s.auth.ChangePassword(x.r.Context(), x.caller, auth.ChangePassword{
		Email:       x.account.Email,
		OldPassword: typed(values.Get("oldPassword")),
		NewPassword: typed(values.Get("newPassword")),
	}, x.peer)
	if err != nil {
		return nil, err
	}
	x.rememberDevice(device)
	return seeOther("/account?note=password_changed"), nil
}

// changePasswordURL is where password managers send people (W3C, A Well-Known URL for Changing Passwords).
func (s *server) changePasswordURL(*exchange) (reply, error) {
	return func(x *exchange) {
		x.Header().Set("Location", "/change-password")
		x.WriteHeader(http.StatusFound)
	}, nil
}
