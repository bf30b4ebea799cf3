package api

// The codes of refusals (Error.Code), and under /oauth those that RFC 6749 does not name otherwise. docs/errors.md says what
// each means and what a client does about it. A code never changes its meaning; new ones may be added, so a client
// treats one that it does not know by the answer's status.
const (
	CodeInvalidRequest          = "invalid_request"
	CodeInvalidCredentials      = "invalid_credentials"
	CodeEmailNotVerified        = "email_not_verified"
	CodeInvalidRefreshToken     = "invalid_refresh_token"
	CodeRefreshSuperseded       = "refresh_superseded"
	CodeInvalidToken            = "invalid_token"
	CodeForbidden               = "forbidden"
	CodeInvalidResetToken       = "invalid_reset_token"
	CodeInvalidVerificationCode = "invalid_verification_code"
	CodePasswordNotAccepted     = "password_not_accepted"
	CodePasswordUnchanged       = "password_unchanged"
	CodeUnknownClient           = "unknown_client"
	CodeEndpointNotAllowed      = "endpoint_not_allowed"
	CodeSignupClosed            = "signup_closed"
	CodeAlreadyRegistered       = "already_registered"
	CodeInvalidClient           = "invalid_client"
	CodeInvalidGrant            = "invalid_grant"
	CodeUnauthorizedClient      = "unauthorized_client"
	CodeUnsupportedGrantType    = "unsupported_grant_type"
	CodeInvalidScope            = "invalid_scope"
	CodeInvalidTarget           = "invalid_target"
	CodeInsufficientScope       = "insufficient_scope"
	CodeNotFound                = "not_found"
	CodeMethodNotAllowed        = "method_not_allowed"
	CodeBodyTooLarge            = "body_too_large"
	CodeUnsupportedMediaType    = "unsupported_media_type"
	CodeTooManyRequests         = "too_many_requests"
	CodeUnavailable             = "unavailable"
	CodeServerError             = "server_error"
)

// Codes lists every code once.
var Codes = [...]string{
	CodeInvalidRequest, CodeInvalidCredentials, CodeEmailNotVerified, CodeInvalidRefreshToken, CodeRefreshSuperseded,
	CodeInvalidToken, CodeForbidden, CodeInvalidResetToken, CodeInvalidVerificationCode, CodePasswordNotAccepted,
	CodePasswordUnchanged, CodeUnknownClient, CodeEndpointNotAllowed, CodeSignupClosed, CodeAlreadyRegistered,
	CodeInvalidClient, CodeInvalidGrant, CodeUnauthorizedClient, CodeUnsupportedGrantType, CodeInvalidScope,
	CodeInvalidTarget, CodeInsufficientScope, CodeNotFound, CodeMethodNotAllowed, CodeBodyTooLarge, CodeUnsupportedMediaType,
	CodeTooManyRequests, CodeUnavailable, CodeServerError,
}
