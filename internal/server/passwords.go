package server

// A password forgotten, reset, changed.

import (
	"net/url"
	"strings"

	"latchkey/api"
	"latchkey/internal/auth"
)

func (s *server) forgotPassword(x *exchange, in api.ForgotPasswordRequest) (reply, error) {
	x.readAcceptLanguage()
	got, err := s.auth.ForgotPassword(x.r.Context(), auth.ForgotPassword{
		Email:        strings.TrimSpace(in.Email),
		BrandLogoURL: strings.TrimSpace(in.BrandLogoURL),
		PlatformName: strings.TrimSpace(in.PlatformName),
		Endpoint:     strings.TrimSpace(in.Endpoint),
		ClientAlias:  strings.TrimSpace(in.ClientAlias),
	}, x.peer)
	if err != nil {
		return nil, err
	}
	return ok("If there is an account with this address, an email with a link is on its way to it.",
		api.Requested{ID: got.ID, Email: got.Email}), nil
}

func (s *server) resetPassword(x *exchange, in api.PasswordResetRequest) (reply, error) {
	device, err := s.auth.ResetPassword(x.r.Context(), auth.ResetPassword{
		Email:    strings.TrimSpace(emailInPath(x.r.URL)),
		Password: password(in.Password, in.IsPasswordEncrypted),
		Token:    in.Token,
	}, x.peer)
	if err != nil {
		return nil, err
	}
	x.rememberDevice(device)
	return ok("Your password has been changed. Please sign in with it.", nil), nil
}

// emailInPath is all that follows, percent-decoded exactly once.
func emailInPath(u *url.URL) string {
	_, email, _ := strings.Cut(u.Path, "/password-reset/")
	return email
}

func (s *server) changePassword(x *exchange, in api.ChangePasswordRequest) (reply, error) {
	device, err := s.auth.ChangePassword(x.r.Context(), x.caller, auth.ChangePassword{
		Email:       in.Email,
		OldPassword: password(in.OldPassword, in.IsPasswordEncrypted),
		NewPassword: password(in.NewPassword, in.IsPasswordEncrypted),
	}, x.peer)
	if err != nil {
		return nil, err
	}
	x.rememberDevice(device)
	return ok("Your password has been changed.", nil), nil
}

// checkPassword answers a refusal as a success, too: that is what was asked for.
func (s *server) checkPassword(x *exchange, in api.PasswordCheckRequest) (reply, error) {
	got, err := s.auth.CheckPassword(x.r.Context(), auth.PasswordCheck{
		Password:  password(in.Password, in.IsPasswordEncrypted),
		Email:     strings.TrimSpace(in.Email),
		FirstName: strings.TrimSpace(in.FirstName),
		LastName:  strings.TrimSpace(in.LastName),
	}, x.peer)
	if err != nil {
		return nil, err
	}
	return ok(got.Message, api.PasswordCheck{Accepted: got.Accepted, Strength: got.Strength, Reason: got.Reason}), nil
}
