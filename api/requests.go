package api

// What clients send: JSON, and last the forms of the token endpoint. A pointer is a field whose absence differs from its
// zero value; null and absent are the same everywhere.

// SignInRequest is the body of POST /auth/signin.
type SignInRequest struct {
	Email               string `json:"email"`
	Password            string `json:"password"`
	ClientAlias         string `json:"clientAlias,omitzero"`
	IsPasswordEncrypted *bool  `json:"isPasswordEncrypted,omitzero"` // false: take password as sent
}

// RefreshRequest is the body of POST /auth/refresh-token.
type RefreshRequest struct {
	RefreshToken string `json:"refreshToken"`
}

// SignOutRequest is the optional body of POST /auth/signout.
type SignOutRequest struct {
	Sessions *[]string `json:"sessions,omitzero"` // nil: the current one
	Others   bool      `json:"others,omitzero"`   // all but the current one
}

// ForgotPasswordRequest is the body of POST /auth/forgot-password.
type ForgotPasswordRequest struct {
	Email        string `json:"email"`
	BrandLogoURL string `json:"brandLogoUrl,omitzero"`
	PlatformName string `json:"platformName,omitzero"`
	Endpoint     string `json:"endpoint,omitzero"`
	ClientAlias  string `json:"clientAlias,omitzero"`
}

// PasswordResetRequest is the body of POST /auth/password-reset/{email}.
type PasswordResetRequest struct {
	Password            string `json:"password"`
	Token               string `json:"token"`
	IsPasswordEncrypted *bool  `json:"isPasswordEncrypted,omitzero"`
}

// ChangePasswordRequest is the body of POST /auth/reset-password.
type ChangePasswordRequest struct {
	Email               string `json:"email"`
	OldPassword         string `json:"oldPassword"`
	NewPassword         string `json:"newPassword"`
	IsPasswordEncrypted *bool  `json:"isPasswordEncrypted,omitzero"`
}

// PasswordCheckRequest is the body of POST /auth/password-check.
type PasswordCheckRequest struct {
	Password            string `json:"password"`
	Email               string `json:"email,omitzero"`
	FirstName           string `json:"firstName,omitzero"`
	LastName            string `json:"lastName,omitzero"`
	IsPasswordEncrypted *bool  `json:"isPasswordEncrypted,omitzero"`
}

// VerificationMailRequest is the body of POST /auth/verification-mail.
type VerificationMailRequest struct {
	Email        string `json:"email"`
	BrandLogoURL string `json:"brandLogoUrl,omitzero"`
	PlatformName string `json:"platformName,omitzero"`
	ClientAlias  string `json:"clientAlias,omitzero"`
}

// SignUpRequest is the body of POST /auth/signup.
type SignUpRequest struct {
	Email               string `json:"email"`
	Password            string `json:"password"`
	FirstName           string `json:"firstName"`
	LastName            string `json:"lastName"`
	VerificationCode    string `json:"verificationCode,omitzero"`
	ClientAlias         string `json:"clientAlias,omitzero"`
	IsPasswordEncrypted *bool  `json:"isPasswordEncrypted,omitzero"`
}

// CodeTokenRequest is the form of POST /oauth/token with grant_type authorization_code (RFC 6749 §4.1.3).
type CodeTokenRequest struct {
	ClientID     string
	ClientSecret string // empty: a public client
	Code         string
	RedirectURI  string // as in the authorization request, byte for byte
	CodeVerifier string // RFC 7636 §4.1
	Resource     string // empty: the one of the authorization request
}

// RefreshTokenRequest is the form of POST /oauth/token with grant_type refresh_token (RFC 6749 §6).
type RefreshTokenRequest struct {
	ClientID     string
	ClientSecret string // empty: a public client
	RefreshToken string
	Scope        string // with spaces between; empty: all that was granted
	Resource     string // empty: the one that was granted
}

// ClientTokenRequest is the form of POST /oauth/token with grant_type client_credentials (RFC 6749 §4.4).
type ClientTokenRequest struct {
	ClientID     string
	ClientSecret string
	Scope        string // with spaces between; empty: all that the client may have
	Resource     string // empty: the token's audience is the configured one
}
