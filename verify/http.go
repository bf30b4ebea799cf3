package verify

// How a request is let in, and how it is refused (RFC 6750 §3, RFC 9470 §3).

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error is why a token is not taken. Codes are only added: treat one that you do not know by its status.
type Error struct {
	Status      int           // 401, 403 or 503
	Code        string        // invalid_request, invalid_token, insufficient_scope, insufficient_user_authentication, keys_unavailable, feed_unavailable; none where no token was sent
	Description string        // a sentence for developers
	Challenge   string        // for WWW-Authenticate; none with 503
	RetryAfter  time.Duration // 0 but with 503
}

func (e *Error) Error() string {
	if e.Code == "" {
		return e.Description
	}
	return e.Code + ": " + e.Description
}

// Middleware lets in requests that show a good access token as required, and answers all others. What is below finds the
// token's claims by [FromContext].
func (v *Verifier) Middleware(required Require) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, refused := shown(r)
			var claims Claims
			if refused == nil {
				claims, refused = v.verify(r.Context(), token, required)
			}
			if refused != nil {
				refused.answer(w)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), claimsKey{}, claims)))
		})
	}
}

type claimsKey struct{}

// FromContext returns what the access token of a request says that Middleware has let in.
func FromContext(ctx context.Context) (Claims, bool) {
	claims, ok := ctx.Value(claimsKey{}).(Claims)
	return claims, ok
}

// shown returns the token of a request, which may be in the Authorization header alone. None is no error.
func shown(r *http.Request) (string, *Error) {
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return "", refused("invalid_request", "There is more than one Authorization header.")
	}
	if len(headers) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	return strings.TrimLeft(token, " "), nil
}

func (e *Error) answer(w http.ResponseWriter) {
	if e.Challenge != "" {
		w.Header().Set("WWW-Authenticate", e.Challenge)
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter/time.Second)))
	}
	http.Error(w, e.Error(), e.Status)
}

// challenge is what each has in common: RFC 6750 §3 asks for one parameter at least.
const challenge = `Bearer realm="latchkey"`

// nothingSent has no code: the caller may not know that it needs a token (RFC 6750 §3.1).
func nothingSent() *Error {
	return &Error{Status: http.StatusUnauthorized, Description: "Send an access token: Authorization: Bearer ...", Challenge: challenge}
}

// refused is 401 with a code. So is invalid_request, which RFC 6750 would rather have be 400: proxies that ask whether to
// pass a request on hand on 401 and 403 alone.
func refused(code, description string) *Error {
	return &Error{
		Status: http.StatusUnauthorized, Code: code, Description: description,
		Challenge: fmt.Sprintf("%s, error=%s, error_description=%s", challenge, quoted(code), quoted(description)),
	}
}

func invalidToken(description string) *Error { return refused("invalid_token", description) }

func insufficientScope(r Require) *Error {
	e := refused("insufficient_scope", "The token was given for something else.")
	e.Status, e.Challenge = http.StatusForbidden, e.Challenge+", scope="+quoted(r.Scope)
	return e
}

// insufficientAuthentication tells the app how to have the person sign in anew (RFC 9470 §3).
func insufficientAuthentication(r Require, description string) *Error {
	e := refused("insufficient_user_authentication", description)
	if r.ACR != "" {
		e.Challenge += ", acr_values=" + quoted(r.ACR)
	}
	if r.MaxAge > 0 {
		e.Challenge += ", max_age=" + quoted(strconv.Itoa(int(r.MaxAge/time.Second)))
	}
	return e
}

// quoted is a quoted-string (RFC 9110 §5.6.4).
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

const retryAfter = 2 * time.Second

// unavailable says nothing about the token.
func unavailable(code, description string) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Code: code, Description: description, RetryAfter: retryAfter}
}

// refusal makes an answer of an error of open.
func refusal(err error) *Error {
	switch {
	case errors.Is(err, errNoKeys):
		return unavailable("keys_unavailable", "The keys to check the token with cannot be had now.")
	case errors.Is(err, errUnknownKey):
		return invalidToken("No key of the issuer has signed the token.")
	default:
		return invalidToken("It is no access token, or its signature does not fit.")
	}
}
