package oidc

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every other fault is told to the application, with the state that it sent where that is one state within its limit.
func TestFaultsAreToldToTheApplication(t *testing.T) {
	registered := set(t, shop())
	const state = "xyz"
	stateful := func(with ...string) url.Values { return asked(append([]string{"state", state}, with...)...) }
	for _, tc := range []struct {
		name  string
		query url.Values
		code  string
		state string // that is answered
		says  string // in the description
	}{
		{"no response_type", stateful("response_type", ""), "invalid_request", state, "response_type"},
		{"token", stateful("response_type", "token"), "unsupported_response_type", state, "response_type"},
		{"hybrid", stateful("response_type", "code id_token"), "unsupported_response_type", state, "response_type"},
		{"another case of code", stateful("response_type", "Code"), "unsupported_response_type", state, "response_type"},
		{"fragment", stateful("response_mode", "fragment"), "invalid_request", state, "response_mode"},
		{"query.jwt", stateful("response_mode", "query.jwt"), "invalid_request", state, "response_mode"},

		{"no challenge", stateful("code_challenge", ""), "invalid_request", state, "code_challenge"},
		{"no method", stateful("code_challenge_method", ""), "invalid_request", state, "S256"},
		{"neither", stateful("code_challenge", "", "code_challenge_method", ""), "invalid_request", state, "S256"},
		{"plain", stateful("code_challenge", verifier, "code_challenge_method", "plain"), "invalid_request", state, "S256"},
		{"another case of S256", stateful("code_challenge_method", "s256"), "invalid_request", state, "S256"},
		{"a short challenge", stateful("code_challenge", challenge[1:]), "invalid_request", state, "code_challenge"},
		{"a challenge with padding", stateful("code_challenge", challenge+"="), "invalid_request", state, "code_challenge"},

		{"request", stateful("request", "a.b.c"), "request_not_supported", state, "request "},
		{"request_uri", stateful("request_uri", "urn:x"), "request_uri_not_supported", state, "request_uri"},
		{"registration", stateful("registration", "{}"), "registration_not_supported", state, "registration"},

		{"none beside another", stateful("prompt", "none login"), "invalid_request", state, "prompt=none"},
		{"a prompt that is not known", stateful("prompt", "login admin"), "invalid_request", state, "select_account"},
		{"another case of a prompt", stateful("prompt", "None"), "invalid_request", state, "prompt"},
		{"max_age below nothing", stateful("max_age", "-1"), "invalid_request", state, "max_age"},
		{"max_age with a point", stateful("max_age", "1.0"), "invalid_request", state, "max_age"},
		{"max_age with a sign", stateful("max_age", "+1"), "invalid_request", state, "max_age"},
		{"max_age with a space", stateful("max_age", " 1"), "invalid_request", state, "max_age"},
		{"max_age in other digits", stateful("max_age", "\u0661"), "invalid_request", state, "max_age"},
		{"max_age in words", stateful("max_age", "never"), "invalid_request", state, "max_age"},

		{"a resource that is none of the client's", stateful("resource", "https://api.example"), "invalid_target", state, "audience"},
		{"a resource that is none, beside what is right", stateful("prompt", "login", "max_age", "1", "resource", "x"), "invalid_target", state, "audience"},
		{"a resource with a slash more", stateful("resource", "https://api.shop.example/"), "invalid_target", state, "audience"},
		{"two resources", sent(stateful(), "resource", "https://api.shop.example", "resource", "https://stock.shop.example"), "invalid_target", state, "one resource"},
		{"one resource twice", sent(stateful(), "resource", "https://api.shop.example", "resource", "https://api.shop.example"), "invalid_target", state, "one resource"},

		{"aal2", stateful("acr_values", "aal2"), "unmet_authentication_requirements", state, "aal2"},
		{"aal2, or what nobody knows", stateful("acr_values", "aal2 urn:example:gold"), "unmet_authentication_requirements", state, "aal2"},

		{"not UTF-8", stateful("login_hint", "ada\xff"), "invalid_request", state, "login_hint"},
		{"NUL", stateful("nonce", "n\x00"), "invalid_request", state, "nonce"},
		{"a newline", stateful("ui_locales", "en\r\nx"), "invalid_request", state, "ui_locales"},
		{"DEL", stateful("id_token_hint", "a\x7f"), "invalid_request", state, "id_token_hint"},
		{"a control of Latin 1", stateful("scope", "openid\u0085"), "invalid_request", state, "scope"},

		{"state not in UTF-8", asked("state", "x\xff"), "invalid_request", "", "state"},
		{"state with a newline", asked("state", "x\nSet-Cookie: a=b"), "invalid_request", "", "state"},
		{"two states", sent(stateful(), "state", "other"), "invalid_request", "", "state"},
		{"one state twice", sent(stateful(), "state", state), "invalid_request", "", "state"},
		{"a state and none", sent(stateful(), "state", ""), "invalid_request", "", "state"},

		{"state too long", asked("state", strings.Repeat("s", 2049)), "invalid_request", "", "2048"},
		{"state of 100 kB", asked("state", strings.Repeat("s", 100_000)), "invalid_request", "", "2048"},
		{"nonce too long", stateful("nonce", strings.Repeat("n", 513)), "invalid_request", "", "512"},
		{"all too long", stateful("login_hint", strings.Repeat("l", 4096)), "invalid_request", "", "4096"},
		{"what is not known too long", stateful("x", strings.Repeat("l", 4096)), "invalid_request", "", "4096"},
		{"a name too long", stateful(strings.Repeat("l", 4096), "x"), "invalid_request", "", "4096"},
		{"too many", sent(stateful(), strings.Split(strings.Repeat("x,y,", 3000), ",")[:6000]...), "invalid_request", "", "4096"},
		{"the second state too long", sent(stateful(), "state", strings.Repeat("s", 2049)), "invalid_request", "", "2048"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Read(tc.query, registered)
			refusal, ok := errors.AsType[*Refusal](err)
			if !ok || refusal.Code != tc.code || !strings.Contains(refusal.Description, tc.says) {
				t.Fatalf("Read: %v; want %s that speaks of %s", err, tc.code, tc.says)
			}
			want := Request{Client: shop(), RedirectURI: shopURI, ResponseMode: ModeQuery, State: tc.state}
			if diff := cmp.Diff(want, got, sameClient); diff != "" {
				t.Errorf("what an answer needs (-want +got):\n%s", diff)
			}
			if told := strings.Map(describing, refusal.Description); told != refusal.Description {
				t.Errorf("the description %q can only be told as %q", refusal.Description, told)
			}
		})
	}
}

// Each parameter that means something is taken once; RFC 8707 calls it another fault of resource.
func TestNoParameterTwice(t *testing.T) {
	registered := set(t, shop())
	for _, name := range known {
		if name == "client_id" || name == "redirect_uri" || name == "resource" {
			continue // told in another way, as tests above show
		}
		query := asked()
		query[name] = []string{"1", "1"}
		_, err := Read(query, registered)
		if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Code != InvalidRequest || refusal.Description != "Send "+name+" once." {
			t.Errorf("%s twice: %v", name, err)
		}
	}
}

// A refusal travels as the request asked, whatever else is wrong with it.
func TestRefusalsTravelAsAsked(t *testing.T) {
	registered := set(t, shop())
	for _, tc := range []struct {
		name  string
		query url.Values
		want  string
	}{
		{"form_post", asked("response_mode", "form_post", "prompt", "admin"), ModeFormPost},
		{"form_post, and too long", asked("response_mode", "form_post", "state", strings.Repeat("s", 2049)), ModeFormPost},
		{"form_post twice", sent(asked("response_mode", "form_post"), "response_mode", "form_post"), ModeQuery},
		{"what is not known", asked("response_mode", "web_message"), ModeQuery},
	} {
		if got, err := Read(tc.query, registered); err == nil || got.ResponseMode != tc.want {
			t.Errorf("%s: by %s with %v; want %s", tc.name, got.ResponseMode, err, tc.want)
		}
	}
}

// The limit of all parameters is one of names and values together, to the byte.
func TestLimitOfAllParameters(t *testing.T) {
	registered := set(t, shop())
	used := 0
	for name, values := range asked() {
		used += len(name) + len(values[0])
	}
	rest := maxParameters - used - len("login_hint")
	if _, err := Read(asked("login_hint", strings.Repeat("l", rest)), registered); err != nil {
		t.Errorf("%d bytes: %v", maxParameters, err)
	}
	if _, err := Read(asked("login_hint", strings.Repeat("l", rest+1)), registered); err == nil {
		t.Errorf("%d bytes are taken", maxParameters+1)
	}
}
