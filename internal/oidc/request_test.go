package oidc

import (
	"errors"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// All that a request can ask for, and the least.
func TestReadTakesWhatIsAskedFor(t *testing.T) {
	registered := set(t, shop(), desk())
	least := Request{Client: shop(), RedirectURI: shopURI, ResponseMode: ModeQuery, Challenge: challenge}
	with := func(change func(*Request)) Request {
		r := least
		change(&r)
		return r
	}
	for _, tc := range []struct {
		name  string
		query url.Values
		want  Request
	}{
		{"the least", asked(), least},
		{"everything", asked(
			"redirect_uri", appURI, "scope", "openid email profile offline_access", "state", "af0 {\"x\":[1]} ü&=+%",
			"nonce", "n-0S6_WzA2Mj", "prompt", "login consent", "max_age", "600", "login_hint", "ada@example.org",
			"id_token_hint", "a.b.c", "ui_locales", "fr-CA fr en", "acr_values", "aal2 aal1", "resource", "https://api.shop.example",
			"response_mode", "form_post",
		), Request{
			Client: shop(), RedirectURI: appURI, ResponseMode: ModeFormPost, State: "af0 {\"x\":[1]} ü&=+%",
			Scopes: []string{"openid", "email", "profile", "offline_access"}, Nonce: "n-0S6_WzA2Mj", Challenge: challenge,
			Prompt: PromptLogin | PromptConsent, MaxAge: 10 * time.Minute, HasMaxAge: true, LoginHint: "ada@example.org",
			IDTokenHint: "a.b.c", UILocales: "fr-CA fr en", ACRValues: "aal2 aal1", Resource: "https://api.shop.example",
		}},

		{"no value is no parameter", sent(asked(), "scope", "", "state", "", "nonce", "", "prompt", "", "max_age", "", "resource", "",
			"response_mode", "", "request", "", "request_uri", "", "registration", "", "acr_values", "", "id_token_hint", ""), least},
		{"unknown parameters", asked("claims", "{}", "display", "popup", "State", "x", "state[]", "x", "client_secret", "x"), least},
		{"an unknown parameter twice", sent(asked(), "utm_source", "a", "utm_source", "\xff\x00"), least},
		{"response_mode that counts anyway", asked("response_mode", "query"), least},

		{"scopes that are not ours", asked("scope", "openid address OpenID email\u00a0x"), with(func(r *Request) { r.Scopes = []string{"openid"} })},
		{"scopes in any order, twice", asked("scope", " profile  openid profile "), with(func(r *Request) { r.Scopes = []string{"openid", "profile"} })},
		{"account of a client that may not", asked("scope", "account openid"), with(func(r *Request) { r.Scopes = []string{"openid"} })},

		{"max_age of nothing", asked("max_age", "0"), with(func(r *Request) { r.HasMaxAge = true })},
		{"max_age with zeros in front", asked("max_age", "007"), with(func(r *Request) { r.MaxAge, r.HasMaxAge = 7*time.Second, true })},
		{"max_age without an end", asked("max_age", strings.Repeat("9", 99)), with(func(r *Request) {
			r.MaxAge, r.HasMaxAge = math.MaxInt32*time.Second, true
		})},

		{"acr_values that we have", asked("acr_values", "aal1"), with(func(r *Request) { r.ACRValues = "aal1" })},
		{"acr_values that nobody here knows", asked("acr_values", "urn:example:gold AAL2"), with(func(r *Request) { r.ACRValues = "urn:example:gold AAL2" })},
		{"acr_values with a way out", asked("acr_values", "aal2 aal1"), with(func(r *Request) { r.ACRValues = "aal2 aal1" })},

		{"another redirect URI", asked("redirect_uri", tenantURI), with(func(r *Request) { r.RedirectURI = tenantURI })},
		{"a loopback port", asked("redirect_uri", "http://127.0.0.1:51004/callback"), with(func(r *Request) {
			r.RedirectURI = "http://127.0.0.1:51004/callback"
		})},
		{"another loopback port", asked("redirect_uri", "http://[::1]:51004/callback"), with(func(r *Request) {
			r.RedirectURI = "http://[::1]:51004/callback"
		})},
		{"the other audience", asked("resource", "https://stock.shop.example"), with(func(r *Request) { r.Resource = "https://stock.shop.example" })},

		{"state of the longest", asked("state", strings.Repeat("s", 2048)), with(func(r *Request) { r.State = strings.Repeat("s", 2048) })},
		{"nonce of the longest", asked("nonce", strings.Repeat("n", 512)), with(func(r *Request) { r.Nonce = strings.Repeat("n", 512) })},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Read(tc.query, registered)
			if diff := cmp.Diff(tc.want, got, sameClient); err != nil || diff != "" {
				t.Fatalf("Read: %v (-want +got):\n%s", err, diff)
			}
			again, err := Flow{Query: got.Query()}.Request(registered)
			if diff := cmp.Diff(tc.want, again, sameClient); err != nil || diff != "" || again.Query() != got.Query() {
				t.Errorf("read again from %q: %v (-want +got):\n%s", got.Query(), err, diff)
			}
		})
	}
}

// Whoever names no client, or no redirect URI of it, sends nobody anywhere.
func TestUnknownIsNeverRedirected(t *testing.T) {
	registered := set(t, shop(), desk())
	for _, tc := range []struct {
		name      string
		query     url.Values
		parameter string
		fault     string
	}{
		{"nothing at all", url.Values{}, "client_id", "missing"},
		{"no client", asked("client_id", ""), "client_id", "missing"},
		{"empty client", sent(asked("client_id", ""), "client_id", ""), "client_id", "missing"},
		{"another client", asked("client_id", "nobody"), "client_id", "not registered"},
		{"another case", asked("client_id", "Shop"), "client_id", "not registered"},
		{"NUL in the client", asked("client_id", "shop\x00"), "client_id", "not registered"},
		{"two clients", sent(asked(), "client_id", "desk"), "client_id", "sent twice"},
		{"one client twice", sent(asked(), "client_id", "shop"), "client_id", "sent twice"},

		{"no redirect URI", asked("redirect_uri", ""), "redirect_uri", "missing"},
		{"none, of a client with one only", asked("client_id", "desk", "redirect_uri", ""), "redirect_uri", "missing"},
		{"two", sent(asked(), "redirect_uri", "https://evil.example/"), "redirect_uri", "sent twice"},
		{"one twice", sent(asked(), "redirect_uri", shopURI), "redirect_uri", "sent twice"},
		{"another client's", asked("redirect_uri", "https://desk.example/callback"), "redirect_uri", "not registered"},
		{"of a client without any", asked("client_id", "mails"), "redirect_uri", "not registered"},
		{"the client's url", asked("redirect_uri", "https://shop.example"), "redirect_uri", "not registered"},
		{"another host", asked("redirect_uri", "https://evil.example/callback"), "redirect_uri", "not registered"},
		{"a longer path", asked("redirect_uri", shopURI+"/x"), "redirect_uri", "not registered"},
		{"a slash more", asked("redirect_uri", shopURI+"/"), "redirect_uri", "not registered"},
		{"another query", asked("redirect_uri", shopURI+"?x=y"), "redirect_uri", "not registered"},
		{"a fragment", asked("redirect_uri", shopURI+"#x"), "redirect_uri", "not registered"},
		{"another case of the host", asked("redirect_uri", "https://Shop.example/callback"), "redirect_uri", "not registered"},
		{"the port that https implies", asked("redirect_uri", "https://shop.example:443/callback"), "redirect_uri", "not registered"},
		{"a user", asked("redirect_uri", "https://shop.example@evil.example/callback"), "redirect_uri", "not registered"},
		{"a space behind", asked("redirect_uri", shopURI+" "), "redirect_uri", "not registered"},
		{"a newline behind", asked("redirect_uri", shopURI+"\n"), "redirect_uri", "not registered"},
		{"a loopback port of a user", asked("redirect_uri", "http://127.0.0.1:80@evil.example/callback"), "redirect_uri", "not registered"},
		{"a loopback port that is none", asked("redirect_uri", "http://127.0.0.1:x/callback"), "redirect_uri", "not registered"},
		{"a port elsewhere", asked("redirect_uri", "https://shop.example:8443/callback"), "redirect_uri", "not registered"},
		{"another loopback address", asked("redirect_uri", "http://127.0.0.2/callback"), "redirect_uri", "not registered"},
		{"of 100 kB", asked("redirect_uri", shopURI+strings.Repeat("x", 100_000)), "redirect_uri", "not registered"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Read(tc.query, registered)
			unknown, ok := errors.AsType[*Unknown](err)
			if !ok || unknown.Parameter != tc.parameter || unknown.Fault != tc.fault {
				t.Errorf("Read: %v; want %s %s", err, tc.parameter, tc.fault)
			}
			if diff := cmp.Diff(Request{}, got, sameClient); diff != "" {
				t.Errorf("the request is not empty (-want +got):\n%s", diff)
			}
			if answer := got.Refuse(InvalidRequest, "", issuer); answer.URL != "" || answer.Action != "" {
				t.Errorf("an answer goes to %q %q", answer.URL, answer.Action)
			}
			for _, value := range append(tc.query["client_id"], tc.query["redirect_uri"]...) {
				if err != nil && len(value) > 4 && strings.Contains(err.Error(), value) {
					t.Errorf("%v repeats what was sent", err)
				}
			}
		})
	}
}
