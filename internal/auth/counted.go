package auth

// What is counted by its outcome, for metrics. Every outcome there can be is listed: a counter that exists
// from the start shows its first event.

import (
	"slices"

	"latchkey/internal/rotation"
)

// RefreshOutcomes are what OnRefresh is told.
func RefreshOutcomes() []string {
	outcomes := []string{refreshMalformed, refreshUnavailable}
	for _, v := range rotation.Verdicts() {
		outcomes = append(outcomes, string(v))
	}
	return outcomes
}

// What becomes of a refresh token that is never judged.
const (
	refreshMalformed   = "malformed"
	refreshUnavailable = "unavailable"
)

// SignInOutcomes are what OnSignIn is told: success, the codes that a sign-in is refused with, and "other" for a
// request with something missing or malformed.
func SignInOutcomes() []string {
	return []string{"success", string(CodeInvalidCredentials), string(CodeEmailNotVerified), string(CodeTooManyRequests), string(CodeUnavailable), "other"}
}

func signInOutcome(err error) string {
	if err == nil {
		return "success"
	}
	if code := string(CodeOf(err)); slices.Contains(SignInOutcomes(), code) {
		return code
	}
	return "other"
}
