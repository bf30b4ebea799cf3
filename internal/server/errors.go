package server

// What a refusal looks like from outside: the one table from codes to statuses and sentences, and
// the only code that writes an error.

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/fields"
)

// Refusals that HTTP knows and the rules do not.
const (
	codeNotFound         auth.Code = "not_found"
	codeMethodNotAllowed auth.Code = "method_not_allowed"
	codeBodyTooLarge     auth.Code = "body_too_large"
	codeUnsupportedMedia auth.Code = "unsupported_media_type"
)

// refusal is what one code means over HTTP.
type refusal struct {
	code     auth.Code
	route    string // empty: wherever no other line names the route
	status   int
	sentence string // for people: existing clients show it as it is
}

// refusals is walked from the top; the first line that fits holds. docs/errors.md and
// api/openapi.yaml say the same, and tests compare them.
var refusals = [...]refusal{
	{auth.CodeInvalidRequest, "", 400, "The request is not well-formed."},
	{auth.CodeInvalidCredentials, "", 401, "Invalid Credentials"}, // existing clients compare this sentence
	{auth.CodeEmailNotVerified, "POST /auth/signup", 400, "This address is not verified yet: open the link in the email sent to it."},
	{auth.CodeEmailNotVerified, "", 401, "This address is not verified yet: open the link in the email sent to it."},
	{auth.CodeInvalidRefreshToken, tokenRoute, 400, "This refresh token is no longer valid: sign in again."},
	{auth.CodeInvalidRefreshToken, "", 401, "Refresh token has expired"}, // this one too
	{auth.CodeRefreshSuperseded, tokenRoute, 503, "Another request has just refreshed this session: use its answer."},
	{auth.CodeRefreshSuperseded, "", 409, "Another request has just refreshed this session: use its answer."},
	{auth.CodeInvalidToken, "", 401, "Please sign in again: the access token is missing or no longer valid."},
	{auth.CodeForbidden, "", 403, "You are not allowed to see or change this."},
	{auth.CodeInvalidResetToken, "", 400, "This link has expired or is no longer valid: request a new one."},
	{auth.CodeInvalidVerificationCode, "", 400, "This link has expired or is no longer valid: request a new one."},
	{auth.CodePasswordNotAccepted, "", 400, "This password cannot be used: choose a different one."},
	{auth.CodePasswordUnchanged, "", 400, "The new password is the same as the old one: choose a different one."},
	{auth.CodeUnknownClient, "", 400, "This clientAlias is not registered."},
	{auth.CodeEndpointNotAllowed, "", 400, "This endpoint is not registered."},
	{auth.CodeSignupClosed, "", 403, "Sign-up is closed: ask the operator for an account."},
	{auth.CodeAlreadyRegistered, "", 409, "There is already an account with this address: sign in instead."},
	{auth.CodeInvalidClient, "", 401, "Client authentication failed."},
	{auth.CodeInvalidGrant, "", 400, "This code is no longer valid, or is not this client's: start the sign-in again."},
	{auth.CodeUnauthorizedClient, "GET /oauth/revocations", 403, "This client may not read which sessions have ended: the clients file does not say feed = true of it."},
	{auth.CodeUnauthorizedClient, "POST /oauth/revocations", 403, "This client may not read which sessions have ended: the clients file does not say feed = true of it."},
	{auth.CodeUnauthorizedClient, "", 400, "This client may not use this grant: the clients file gives it no scopes."},
	{auth.CodeUnsupportedGrantType, "", 400, "Use authorization_code, refresh_token or client_credentials as grant_type."},
	{auth.CodeInvalidScope, "", 400, "This client may not have one of these scopes."},
	{auth.CodeInvalidTarget, "", 400, "This resource is not one that these tokens may be for."},
	{auth.CodeInsufficientScope, "", 403, "This token was given to an app for something else."},
	{codeNotFound, "", 404, "There is nothing here."},
	{codeMethodNotAllowed, "", 405, "This method is not allowed here: the Allow header says which are."},
	{codeBodyTooLarge, "", 413, "The request body is larger than 16 KiB."},
	{codeUnsupportedMedia, "", 415, "The Content-Type of the body is not the one this endpoint takes."},
	{auth.CodeTooManyRequests, tokenRoute, 429, "Too many sign-ins of this app: wait a little and try again."},
	{auth.CodeTooManyRequests, "", 429, "Too many attempts: wait a little and try again."},
	{auth.CodeServerError, "", 500, "Something went wrong on our side."},
	{auth.CodeUnavailable, "", 503, "The service is busy: try again in a moment."},
}

func refusalOf(code auth.Code, route string) refusal {
	for _, v := range refusals {
		if v.code == code && (v.route == "" || v.route == route) {
			return v
		}
	}
	return refusalOf(auth.CodeServerError, route)
}

// refuse is what this package itself says no with.
func refuse(code auth.Code, problems ...fields.Problem) error {
	return &auth.Error{Code: code, Fields: problems}
}

// fail answers with err. It is called at most once for an exchange that has not been answered.
func (x *exchange) fail(err error) {
	e := x.asError(err)
	v := refusalOf(e.Code, x.route)
	x.code = v.code
	x.logCause(v, e)
	if x.status != 0 {
		return // the answer had begun: nothing can be taken back
	}
	if v.status == http.StatusTooManyRequests {
		x.linger()
	}
	x.keepBrowser()
	h := x.Header()
	if challenge := x.challenge(v); challenge != "" && x.speaks != inHTML {
		h.Set("WWW-Authenticate", challenge)
	}
	if v.status == http.StatusTooManyRequests || v.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter(e.RetryAfter))
	}
	if l := e.Limit; l != nil { // draft-ietf-httpapi-ratelimit-headers-10
		h.Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", l.Name, l.Quota, int(l.Window.Seconds())))
		h.Set("RateLimit", fmt.Sprintf("%q;r=0;t=%s", l.Name, retryAfter(e.RetryAfter)))
	}
	switch x.speaks {
	case inHTML:
		x.failPage(v, e)
	case inOAuth:
		if v.status == http.StatusServiceUnavailable && x.route == tokenRoute {
			x.unavailableText(v)
			return
		}
		x.sendJSON(v.status, api.OAuthError{Error: oauthWord(v), ErrorDescription: sentence(v, e)})
	default:
		x.sendJSON(v.status, api.Error{
			StatusCode: v.status, Error: http.StatusText(v.status), Message: sentence(v, e),
			Code: string(v.code), RequestID: x.peer.RequestID, Errors: fieldErrors(e.Fields),
		})
	}
}

// refusalPause is how late a caller who is throttled is answered. One who asks again at once gets ten
// answers a second on a connection: repeating a refusal must not take the cores from everybody else.
const refusalPause = 100 * time.Millisecond

// linger waits for refusalPause, or for the caller to hang up or the server to stop.
func (x *exchange) linger() {
	pause := time.NewTimer(refusalPause)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-x.r.Context().Done():
	case <-x.s.stopping:
	}
}

// asError gives what has no code one: a defect, unless it is only that the client hung up.
func (x *exchange) asError(err error) *auth.Error {
	e := auth.AsError(err)
	if e.Code == auth.CodeServerError && x.r.Context().Err() != nil {
		return &auth.Error{Code: auth.CodeUnavailable, Cause: err}
	}
	return e
}

// logCause logs, once, what the answer does not say.
func (x *exchange) logCause(v refusal, e *auth.Error) {
	if v.status < 500 {
		return
	}
	level := slog.LevelError
	if v.status == http.StatusServiceUnavailable {
		level = slog.LevelWarn
	}
	x.s.log.LogAttrs(x.r.Context(), level, "request failed",
		slog.String("route", x.route), slog.String("code", string(v.code)),
		slog.String("request_id", x.peer.RequestID), slog.Any("cause", e.Cause))
}

// challenge is RFC 6750 §3: a request without credentials is not told of an error. Empty: none. A client
// is asked for Basic only where it used that (RFC 6749 §5.2): browsers would ask the person.
func (x *exchange) challenge(v refusal) string {
	switch {
	case v.code == auth.CodeInsufficientScope:
		return `Bearer realm="latchkey", error="insufficient_scope"`
	case v.status != http.StatusUnauthorized:
		return ""
	case v.code == auth.CodeInvalidClient && len(x.r.Header["Authorization"]) == 0:
		return ""
	case v.code == auth.CodeInvalidClient:
		return `Basic realm="latchkey", charset="UTF-8"`
	case v.code == auth.CodeInvalidToken && len(x.r.Header["Authorization"]) > 0:
		return `Bearer realm="latchkey", error="invalid_token"`
	default:
		return `Bearer realm="latchkey"`
	}
}

// retryAfter is in whole seconds, rounded up, and at least one.
func retryAfter(wait time.Duration) string { return strconv.Itoa(wholeSeconds(wait)) }

func wholeSeconds(wait time.Duration) int { return int(math.Max(1, math.Ceil(wait.Seconds()))) }

// sentence is what people read: what the fields say, where they say something.
func sentence(v refusal, e *auth.Error) string {
	said := make([]string, 0, len(e.Fields))
	for _, f := range e.Fields {
		if f.Message != "" {
			said = append(said, f.Message)
		}
	}
	if len(said) == 0 {
		return v.sentence
	}
	return strings.Join(said, " ")
}

func fieldErrors(problems []fields.Problem) []api.Field {
	out := make([]api.Field, 0, len(problems))
	for _, f := range problems {
		if f.Name != "" { // else it is said of the whole request, in the message
			out = append(out, api.Field{Field: f.Name, Code: f.Code, Message: f.Message})
		}
	}
	return out
}

// oauthWords are the codes that OAuth itself has.
var oauthWords = map[auth.Code]bool{
	auth.CodeInvalidClient: true, auth.CodeInvalidGrant: true, auth.CodeUnauthorizedClient: true,
	auth.CodeUnsupportedGrantType: true, auth.CodeInvalidScope: true, auth.CodeInvalidTarget: true,
}

// oauthWord is the error of RFC 6749 §5.2 (and §4.1.2.1 for what is not the caller's fault).
func oauthWord(v refusal) string {
	switch {
	case v.code == auth.CodeInvalidRefreshToken:
		return string(auth.CodeInvalidGrant)
	case oauthWords[v.code]:
		return string(v.code)
	case v.status == http.StatusTooManyRequests && v.route == tokenRoute:
		return "slow_down"
	case v.status == http.StatusServiceUnavailable, v.status == http.StatusTooManyRequests:
		return "temporarily_unavailable"
	case v.status >= 500:
		return "server_error"
	default:
		return "invalid_request"
	}
}
