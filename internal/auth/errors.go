package auth

// What can go wrong, in words the API, the documentation and the tests share. A Code is stable and
// public; internal/server holds the one table that gives each its HTTP status.

import (
	"errors"
	"fmt"
	"time"

	"latchkey/internal/fields"
	"latchkey/internal/store"
	"latchkey/internal/throttle"
)

// Code names a refusal. The set is closed: the constants below.
type Code string

// The refusals of the API. Each has a status, an OpenAPI entry and a line in docs/errors.md.
const (
	CodeInvalidRequest          Code = "invalid_request"           // the form is wrong; Fields says where
	CodeInvalidCredentials      Code = "invalid_credentials"       // unknown account, wrong password, disabled: alike
	CodeEmailNotVerified        Code = "email_not_verified"        // right password, mailbox not proven yet; at sign-up a code that proves nothing
	CodeInvalidRefreshToken     Code = "invalid_refresh_token"     // one answer for every dead refresh token
	CodeRefreshSuperseded       Code = "refresh_superseded"        // a sibling request has just refreshed: use its answer
	CodeInvalidToken            Code = "invalid_token"             // RFC 6750: missing, malformed, expired or ended Bearer
	CodeForbidden               Code = "forbidden"                 // another user's
	CodeInvalidResetToken       Code = "invalid_reset_token"       // unknown, used, expired, another account's: alike
	CodeInvalidVerificationCode Code = "invalid_verification_code" // likewise
	CodePasswordNotAccepted     Code = "password_not_accepted"     // Fields says why
	CodePasswordUnchanged       Code = "password_unchanged"        // new equals old
	CodeUnknownClient           Code = "unknown_client"            // clientAlias is not registered
	CodeEndpointNotAllowed      Code = "endpoint_not_allowed"      // endpoint's origin is not registered
	CodeSignupClosed            Code = "signup_closed"             // only `latchkey user add` makes accounts
	CodeAlreadyRegistered       Code = "already_registered"        // said only to someone who proved the mailbox
	CodeInvalidClient           Code = "invalid_client"            // RFC 6749 §5.2, /oauth only
	CodeInvalidGrant            Code = "invalid_grant"             // likewise: a code or refresh token that is good for nothing
	CodeUnauthorizedClient      Code = "unauthorized_client"       // likewise: the client may not use this grant
	CodeUnsupportedGrantType    Code = "unsupported_grant_type"    // likewise
	CodeInvalidScope            Code = "invalid_scope"             // likewise
	CodeInvalidTarget           Code = "invalid_target"            // RFC 8707 §2
	CodeInsufficientScope       Code = "insufficient_scope"        // RFC 6750 §3.1: the token was given for something else
	CodeTooManyRequests         Code = "too_many_requests"         // RetryAfter says when
	CodeUnavailable             Code = "unavailable"               // store, keys or hash queue; RetryAfter says when
	CodeServerError             Code = "server_error"              // a defect; the cause is logged, never sent
)

// Error is a refusal or a failure. Callers of this package read any error that it returns with AsError: it may also be one
// of a room below, such as *throttle.Refusal.
type Error struct {
	Code       Code
	Fields     []fields.Problem
	RetryAfter time.Duration   // for CodeTooManyRequests and CodeUnavailable
	Limit      *throttle.Limit // the limit that was met, for CodeTooManyRequests
	Cause      error           // logged, never sent
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %v", e.Code, e.Cause)
	}
	return string(e.Code)
}

func (e *Error) Unwrap() error { return e.Cause }

// Is lets CodeUnavailable stand for store.ErrUnavailable, by which the rooms below tell what a later try can fix:
// the other direction of AsError.
func (e *Error) Is(target error) bool {
	return target == store.ErrUnavailable && e.Code == CodeUnavailable
}

// AsError reads any error of this package or of the rooms below as a refusal or a failure with its Code. What none of
// them explains is CodeServerError, with the error as its cause.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if r, ok := errors.AsType[*fields.Invalid](err); ok {
		return &Error{Code: CodeInvalidRequest, Fields: r.Problems}
	}
	if r, ok := errors.AsType[*throttle.Refusal](err); ok {
		return &Error{Code: CodeTooManyRequests, Limit: &r.Limit, RetryAfter: r.RetryAfter}
	}
	if errors.Is(err, store.ErrUnavailable) {
		return &Error{Code: CodeUnavailable, RetryAfter: unavailableFor, Cause: err}
	}
	return &Error{Code: CodeServerError, Cause: err}
}

// CodeOf returns the Code that AsError finds.
func CodeOf(err error) Code { return AsError(err).Code }

func refuse(code Code) error { return &Error{Code: code} }

// unavailableFor is how long a caller is asked to wait when the store, the keys or the hash queue
// cannot serve: long enough to spare a struggling server, short enough that nobody gives up.
const unavailableFor = 2 * time.Second

func unavailable(cause error) error {
	return &Error{Code: CodeUnavailable, RetryAfter: unavailableFor, Cause: cause}
}
