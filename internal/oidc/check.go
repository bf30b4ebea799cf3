package oidc

// What is wrong with an authorization request whose client and redirect URI are known. Each check stands for one rule,
// and the first that fails is told to the application.

import (
	"net/url"
	"slices"
	"unicode"
	"unicode/utf8"
)

// The limits of a request, in bytes of what was sent, decoded. A request within them, sealed, still fits into a URL
// (flow.go).
const (
	maxParameters = 4096 // every name and every value
	maxState      = 2048
	maxNonce      = 512
)

// known is every parameter that means something here.
var known = [...]string{
	"response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
	"prompt", "max_age", "login_hint", "id_token_hint", "ui_locales", "acr_values", "resource", "response_mode",
	"request", "request_uri", "registration",
}

// notSupported are those that would mean something if we took them (OpenID Connect Core §6, §7.2.1).
var notSupported = [...]string{"request", "request_uri", "registration"}

// checks in the order in which a fault is told.
var checks = [...]func(url.Values) error{
	checkOnce, checkText, checkSupported, checkResponse, checkChallenge, checkACR,
}

func checkLimits(query url.Values) error {
	total := 0
	for name, values := range query {
		for _, value := range values {
			total += len(name) + len(value)
		}
	}
	switch {
	case anyLonger(query["state"], maxState):
		return invalid("Send a state of at most 2048 bytes.")
	case anyLonger(query["nonce"], maxNonce):
		return invalid("Send a nonce of at most 512 bytes.")
	case total > maxParameters:
		return invalid("Send at most 4096 bytes of parameters.")
	}
	return nil
}

func anyLonger(values []string, limit int) bool {
	return slices.ContainsFunc(values, func(value string) bool { return len(value) > limit })
}

// checkOnce: RFC 6749 §3.1 has no parameter twice. RFC 8707 §2 makes resource an exception, which readResource judges.
func checkOnce(query url.Values) error {
	for _, name := range known {
		if len(query[name]) > 1 && name != "resource" {
			return invalid("Send " + name + " once.")
		}
	}
	return nil
}

// checkText: what is kept is text, so that it can be stored, sealed and shown.
func checkText(query url.Values) error {
	for _, name := range known {
		if slices.ContainsFunc(query[name], func(value string) bool { return !isText(value) }) {
			return invalid("Send " + name + " in UTF-8, without control characters.")
		}
	}
	return nil
}

func isText(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return utf8.ValidString(s)
}

func checkSupported(query url.Values) error {
	for _, name := range notSupported {
		if query.Get(name) != "" {
			return &Refusal{name + "_not_supported", "Send the parameters themselves: " + name + " is not supported."}
		}
	}
	return nil
}

// checkResponse: RFC 6749 §3.1.1; RFC 9700 §2.1.2 leaves the code alone of all response types.
func checkResponse(query url.Values) error {
	switch query.Get("response_type") {
	case "code":
	case "":
		return invalid("Send response_type=code.")
	default:
		return &Refusal{"unsupported_response_type", "Send response_type=code: no other is supported."}
	}
	switch query.Get("response_mode") {
	case "", ModeQuery, ModeFormPost:
		return nil
	}
	return invalid("Send response_mode=query or response_mode=form_post.")
}

// checkChallenge: PKCE is for every client (RFC 9700 §2.1.1). A method left out would be plain (RFC 7636 §4.3).
func checkChallenge(query url.Values) error {
	if query.Get("code_challenge_method") != methodS256 || !ValidChallenge(query.Get("code_challenge")) {
		return invalid("Send code_challenge with code_challenge_method=S256 (RFC 7636 section 4.2).")
	}
	return nil
}

// checkACR: acr_values is voluntary (OpenID Connect Core §3.1.2.1), but whoever names aal2 and would not do with aal1
// is told at once that nobody here can give it, by the code of OpenID Connect Core Unmet Authentication Requirements
// 1.0. Values that we do not know decide nothing.
func checkACR(query url.Values) error {
	if wanted := words(query.Get("acr_values")); slices.Contains(wanted, AAL2) && !slices.Contains(wanted, AAL1) {
		return &Refusal{"unmet_authentication_requirements", "Leave aal2 out of acr_values, or add aal1: there is no second factor yet."}
	}
	return nil
}
