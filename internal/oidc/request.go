package oidc

// An authorization request: what it asks for, and its one spelling. What is wrong with one is found in check.go.

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/clients"
)

// How an answer travels: OAuth 2.0 Multiple Response Types §2.1, OAuth 2.0 Form Post Response Mode §2.
const (
	ModeQuery    = "query"
	ModeFormPost = "form_post"
)

// Authenticator assurance levels, as acr_values and acr name them.
const (
	AAL1 = "aal1"
	AAL2 = "aal2"
)

// Request is what an application asks for: RFC 6749 §4.1.1 and OpenID Connect Core §3.1.2.1. What was not sent is
// empty.
type Request struct {
	// These four are all that an answer needs.
	Client       clients.Client
	RedirectURI  string // as it was sent, and registered for the client
	ResponseMode string // ModeQuery or ModeFormPost
	State        string

	Scopes      []string // those that Grantable leaves
	Nonce       string
	Challenge   string // code_challenge of S256
	Prompt      Prompt
	MaxAge      time.Duration // whole seconds; counts only with HasMaxAge, since 0 is a limit too
	HasMaxAge   bool
	LoginHint   string
	IDTokenHint string // as it was sent: not verified
	UILocales   string // BCP 47 tags with spaces between, the best first
	ACRValues   string // with spaces between, the best first; never AAL2 without AAL1
	Resource    string // one of the client's audiences
}

// Read reads a request and checks all of it that can be checked without knowing who asks. A parameter without a value
// counts as not sent (RFC 6749 §3.1), one that is not known as nothing at all.
//
// The error is *Unknown, with an empty Request, or *Refusal: then the Request has what an answer needs and no more, and
// no state where that is at fault itself or something passes its limit.
func Read(query url.Values, registered *clients.Set) (Request, error) {
	client, redirectURI, err := recipient(query, registered)
	if err != nil {
		return Request{}, err
	}
	answerable := Request{Client: client, RedirectURI: redirectURI, ResponseMode: responseMode(query)}
	if err := checkLimits(query); err != nil {
		return answerable, err
	}
	answerable.State = state(query)
	for _, check := range checks {
		if err := check(query); err != nil {
			return answerable, err
		}
	}
	full, err := answerable.complete(query)
	if err != nil {
		return answerable, err
	}
	return full, nil
}

// recipient is where an answer may go.
func recipient(query url.Values, registered *clients.Set) (client clients.Client, redirectURI string, err error) {
	alias, err := registeredName(query, "client_id")
	if err != nil {
		return client, "", err
	}
	client, ok := registered.Lookup(alias)
	if !ok {
		return client, "", &Unknown{"client_id", "not registered"}
	}
	redirectURI, err = registeredName(query, "redirect_uri")
	if err != nil {
		return client, "", err
	}
	if !client.MayRedirect(redirectURI) {
		return client, "", &Unknown{"redirect_uri", "not registered"}
	}
	return client, redirectURI, nil
}

func registeredName(query url.Values, parameter string) (string, error) {
	switch values := query[parameter]; {
	case len(values) > 1:
		return "", &Unknown{parameter, "sent twice"}
	case query.Get(parameter) == "":
		return "", &Unknown{parameter, "missing"}
	default:
		return values[0], nil
	}
}

// responseMode is how the answer travels, a refusal too: by the query unless the request clearly says otherwise.
func responseMode(query url.Values) string {
	if slices.Equal(query["response_mode"], []string{ModeFormPost}) {
		return ModeFormPost
	}
	return ModeQuery
}

// state is what an answer repeats; nothing where the request leaves open which, or where it is no text.
func state(query url.Values) string {
	if values := query["state"]; len(values) == 1 && isText(values[0]) {
		return values[0]
	}
	return ""
}

// complete adds to an answerable request what it asks for, once every check has passed.
func (r Request) complete(query url.Values) (_ Request, err error) {
	if r.Prompt, err = readPrompt(query.Get("prompt")); err != nil {
		return r, err
	}
	if r.MaxAge, r.HasMaxAge, err = readMaxAge(query.Get("max_age")); err != nil {
		return r, err
	}
	if r.Resource, err = readResource(query["resource"], r.Client); err != nil {
		return r, err
	}
	r.Scopes = Grantable(r.Client, words(query.Get("scope")))
	r.Nonce = query.Get("nonce")
	r.Challenge = query.Get("code_challenge")
	r.LoginHint = query.Get("login_hint")
	r.IDTokenHint = query.Get("id_token_hint")
	r.UILocales = query.Get("ui_locales")
	r.ACRValues = query.Get("acr_values")
	return r, nil
}

// readMaxAge reads whole seconds (OpenID Connect Core §3.1.2.1). No session lives as long as the longest that is kept,
// so whatever is longer is as good.
func readMaxAge(text string) (age time.Duration, has bool, err error) {
	if text == "" {
		return 0, false, nil
	}
	if strings.Trim(text, "0123456789") != "" {
		return 0, false, invalid("Send max_age as a whole number of seconds.")
	}
	seconds, err := strconv.ParseInt(text, 10, 32)
	if err != nil { // digits alone: the number is too long
		seconds = math.MaxInt32
	}
	return time.Duration(seconds) * time.Second, true, nil
}

// readResource takes one resource indicator (RFC 8707 §2), byte for byte one of the client's audiences.
func readResource(asked []string, client clients.Client) (string, error) {
	switch {
	case len(asked) == 0 || len(asked) == 1 && asked[0] == "":
		return "", nil
	case len(asked) > 1:
		return "", &Refusal{"invalid_target", "Send one resource: an access token has one audience."}
	case !slices.Contains(client.Audiences, asked[0]):
		return "", &Refusal{"invalid_target", "Send a resource that is registered as an audience of this client."}
	}
	return asked[0], nil
}

// words splits a list of RFC 6749 §3.3: with spaces between, and nothing else.
func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ' ' })
}

// Query is the one spelling of a request that Read has taken: read again by the same clients file, it is the same
// request. What was ignored is not in it.
func (r Request) Query() string {
	query := url.Values{}
	set := func(name, value string) {
		if value != "" {
			query.Set(name, value)
		}
	}
	set("response_type", "code")
	set("client_id", r.Client.Alias)
	set("redirect_uri", r.RedirectURI)
	set("scope", strings.Join(r.Scopes, " "))
	set("state", r.State)
	set("nonce", r.Nonce)
	set("code_challenge", r.Challenge)
	set("code_challenge_method", methodS256)
	set("prompt", r.Prompt.String())
	set("login_hint", r.LoginHint)
	set("id_token_hint", r.IDTokenHint)
	set("ui_locales", r.UILocales)
	set("acr_values", r.ACRValues)
	set("resource", r.Resource)
	if r.HasMaxAge {
		set("max_age", strconv.FormatInt(int64(r.MaxAge/time.Second), 10))
	}
	if r.ResponseMode == ModeFormPost { // the other is what counts without it
		set("response_mode", ModeFormPost)
	}
	return query.Encode()
}
