package server

// From an address to an account.

import (
	"cmp"
	"strings"

	"latchkey/api"
	"latchkey/internal/auth"
)

// verificationMail takes clientAlias from the body or, as existing clients send it, from the query.
func (s *server) verificationMail(x *exchange, in api.VerificationMailRequest) (reply, error) {
	query, err := parseValues(x.r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	x.readAcceptLanguage()
	err = s.auth.RequestVerification(x.r.Context(), auth.VerificationMail{
		Email:        strings.TrimSpace(in.Email),
		BrandLogoURL: strings.TrimSpace(in.BrandLogoURL),
		PlatformName: strings.TrimSpace(in.PlatformName),
		ClientAlias:  cmp.Or(strings.TrimSpace(in.ClientAlias), query.Get("clientAlias")),
	}, x.peer)
	if err != nil {
		return nil, err
	}
	return created("An email is on its way to this address.", nil), nil
}

func (s *server) verify(x *exchange) (reply, error) {
	query, err := parseValues(x.r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	if err := s.auth.VerifyEmail(x.r.Context(), query.Get("email"), query.Get("verificationCode"), x.peer); err != nil {
		return nil, err
	}
	return ok("Your address is verified.", nil), nil
}

func (s *server) signUp(x *exchange, in api.SignUpRequest) (reply, error) {
	x.readAcceptLanguage()
	made, err := s.auth.SignUp(x.r.Context(), auth.SignUp{
		Email:            in.Email,
		Password:         password(in.Password, in.IsPasswordEncrypted),
		FirstName:        strings.TrimSpace(in.FirstName),
		LastName:         strings.TrimSpace(in.LastName),
		VerificationCode: in.VerificationCode,
		ClientAlias:      in.ClientAlias,
	}, x.peer)
	if err != nil {
		return nil, err
	}
	x.userID = made.UserID
	x.rememberDevice(made.Device)
	return created("Your account is ready. Please sign in.", api.SignedUp{UserID: made.UserID}), nil
}

func (s *server) clientAliases(x *exchange) (reply, error) {
	clients := x.looks.clients.List()
	out := make([]api.ClientAlias, 0, len(clients))
	for _, c := range clients {
		out = append(out, api.ClientAlias{ClientAlias: c.Alias, ClientURL: c.URL})
	}
	return ok("Registered clients.", out), nil
}
