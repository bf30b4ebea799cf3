package clients

// What a client says of the app that signs people in: secrets, scopes, audiences, what it may do.

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	oneSecret     = "0123456789abcdef0123456789abcdef"
	anotherSecret = "fedcba9876543210fedcba9876543210"
)

// Each mistake is told by its client and key, with what to write instead, and without a secret.
func TestMistakesOfApps(t *testing.T) {
	for _, tc := range []struct {
		key  string
		app  Client
		want string // the sentence, from its beginning
	}{
		{"alias", Client{Alias: "0199a1b2-c3d4-7e5f-8a6b-0123456789ab"}, `client 2: alias "0199a1b2-c3d4-7e5f-8a6b-0123456789ab" is a UUID, as the ids of users are: write a name such as "web"`},
		{"alias", Client{Alias: "0199A1B2-C3D4-7E5F-8A6B-0123456789AB"}, `client 2: alias "0199A1B2-`},
		{"alias", Client{Audiences: []string{"https://api.shop.example", "shop"}}, `client "shop": its alias is among the audiences of client "shop": give one of them another name`},
		{"secret", Client{Secret: oneSecret[1:]}, `client "shop": secret must have at least 32 characters`},
		{"secrets", Client{Secrets: []string{oneSecret, oneSecret[1:]}}, `client "shop": secrets[1] must have at least 32 characters (openssl rand -hex 32)`},
		{"secrets", Client{Secrets: []string{""}}, `client "shop": secrets[0] must have at least 32 characters`},
		{"secrets", Client{Secrets: []string{strings.Repeat("ü", 31)}}, `client "shop": secrets[0] must have at least 32 characters`},
		{"secrets", Client{Secrets: []string{oneSecret, anotherSecret, oneSecret}}, `client "shop": there are 3 secrets, secret and secrets together: keep the newest and the one before it`},
		{"secrets", Client{Secret: oneSecret, Secrets: []string{anotherSecret, oneSecret}}, `client "shop": there are 3 secrets`},
		{"scopes", Client{Scopes: []string{"orders:read"}}, `client "shop": scopes are what the client may ask for in its own name (client_credentials), which takes a secret: write secrets too`},
		{"scopes", Client{Secret: oneSecret, Scopes: []string{"orders:read", "orders write"}}, `client "shop": scopes[1] "orders write": write one scope without space`},
		{"scopes", Client{Secret: oneSecret, Scopes: []string{""}}, `client "shop": scopes[0] "": write one scope`},
		{"scopes", Client{Secret: oneSecret, Scopes: []string{`a"b`}}, `client "shop": scopes[0] `},
		{"scopes", Client{Secret: oneSecret, Scopes: []string{`a\b`}}, `client "shop": scopes[0] `},
		{"scopes", Client{Secret: oneSecret, Scopes: []string{"é"}}, `client "shop": scopes[0] `},
		{"feed", Client{Feed: true}, `client "shop": feed = true is for a client that has a secret: write secrets too, or take feed out`},
		{"account", Client{Account: true, Consent: true}, `client "shop": account = true and consent = true exclude each other`},
		{"audiences", Client{Audiences: []string{""}}, `client "shop": audiences[0] "": write what the API looks for in aud, such as https://api.example.com`},
		{"audiences", Client{Audiences: []string{"https://api.shop.example", "https://api.shop.example/#a"}}, `client "shop": audiences[1] "https://api.shop.example/#a": write`},
		{"audiences", Client{Audiences: []string{"https://api.shop.example https://b.example"}}, `client "shop": audiences[0] `},
		{"backchannel_logout_uri", Client{BackchannelLogoutURI: "http://shop.example/logout"}, `client "shop": backchannel_logout_uri "http://shop.example/logout": write https: http is for a server on this machine alone`},
		{"backchannel_logout_uri", Client{BackchannelLogoutURI: "http://10.0.0.1/logout"}, `client "shop": backchannel_logout_uri "http://10.0.0.1/logout": write https`},
		{"backchannel_logout_uri", Client{BackchannelLogoutURI: "/logout"}, `client "shop": backchannel_logout_uri "/logout": write an absolute URL such as https://app.example.com/backchannel-logout`},
		{"backchannel_logout_uri", Client{BackchannelLogoutURI: "https://shop.example/logout#x"}, `client "shop": backchannel_logout_uri "https://shop.example/logout#x": write an absolute URL`},
		{"backchannel_logout_uri", Client{BackchannelLogoutURI: "https://me@shop.example/logout"}, `client "shop": backchannel_logout_uri "https://me@shop.example/logout": write an absolute URL`},
		{"backchannel_logout_uri", Client{BackchannelLogoutURI: "capacitor://localhost/logout"}, `client "shop": backchannel_logout_uri `},
		{"redirect_uris", Client{RedirectURIs: []string{"http://shop.example/"}}, `client "shop": redirect_uris[0] "http://shop.example/": write https: http is for 127.0.0.1, [::1] and localhost alone`},
		{"post_logout_redirect_uris", Client{PostLogoutRedirectURIs: []string{"/"}}, `client "shop": post_logout_redirect_uris[0] "/": write an absolute URI such as https://app.example.com/callback`},
	} {
		if tc.app.Alias == "" {
			tc.app.Alias = "shop"
		}
		tc.app.URL = "https://shop.example"
		_, err := New([]Client{{Alias: "web", URL: "https://app.example.com"}, tc.app})
		fault, ok := errors.AsType[*Fault](err)
		if !ok || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %s", tc.want, err, tc.want)
			continue
		}
		if fault.Client != 1 || fault.Key != tc.key {
			t.Errorf("%s: the fault is at %s of client %d, want %s", tc.want, fault.Key, fault.Client, tc.key)
		}
		if strings.Contains(err.Error(), oneSecret[1:]) || strings.Contains(err.Error(), anotherSecret) {
			t.Errorf("a secret is told: %v", err)
		}
	}
}

// Every other mistake says its key, too, so that its line can be found.
func TestFaultsNameTheirKey(t *testing.T) {
	web := Client{Alias: "web", URL: "https://app.example.com"}
	for key, change := range map[string]func(*Client){
		"alias":           func(c *Client) { c.Alias = "a b" },
		"name":            func(c *Client) { c.Name = "\n" },
		"url":             func(c *Client) { c.URL = "" },
		"urls":            func(c *Client) { c.URLs = []string{"*"} },
		"logo_url":        func(c *Client) { c.LogoURL = "/logo.png" },
		"from":            func(c *Client) { c.From = "me" },
		"colour":          func(c *Client) { c.Colour = "red" },
		"support":         func(c *Client) { c.Support = "help" },
		"texts":           func(c *Client) { c.Texts = map[string]map[string]string{"en": {"none": "x"}} },
		"nextauth_secret": func(c *Client) { c.NextAuthSecret = "x" },
	} {
		c := web
		change(&c)
		_, err := New([]Client{c})
		if fault, ok := errors.AsType[*Fault](err); !ok || fault.Key != key || fault.Client != 0 {
			t.Errorf("%s: %v, at %+v", key, err, fault)
		}
	}
	byDefault := Client{Alias: "a", URL: web.URL, Default: true}
	for key, second := range map[string]Client{"alias": {Alias: "a", URL: web.URL}, "default": {Alias: "b", URL: web.URL, Default: true}} {
		_, err := New([]Client{byDefault, second})
		if fault, ok := errors.AsType[*Fault](err); !ok || fault.Key != key || fault.Client != 1 {
			t.Errorf("%s: %v, at %+v", key, err, fault)
		}
	}
}

func TestAppsAsTheyMayBe(t *testing.T) {
	c := mustClients(t,
		Client{Alias: "shop", URL: "https://shop.example", Secret: oneSecret, Secrets: []string{anotherSecret}, Scopes: []string{"orders:read", "!#[]~"}, Feed: true, Account: true,
			BackchannelLogoutURI: "https://shop.example/logout?tenant=1", Audiences: []string{"https://api.shop.example", "urn:example:orders", "orders"}},
		Client{Alias: "third", URL: "https://third.example", Consent: true, BackchannelLogoutURI: "http://localhost:3000/logout?x", Audiences: []string{"https://api.shop.example"}},
		Client{Alias: "0199a1b2c3d47e5f8a6b0123456789ab", URL: "https://third.example", BackchannelLogoutURI: "http://[::1]:3000/logout", Account: true},
		Client{Alias: "here", URL: "http://localhost:3000", BackchannelLogoutURI: "http://127.0.0.1:3000/logout", Secrets: []string{oneSecret}},
	)
	var confidential []string
	for _, client := range c.List() {
		if client.Confidential() {
			confidential = append(confidential, client.Alias)
		}
	}
	if diff := cmp.Diff([]string{"shop", "here"}, confidential); diff != "" {
		t.Errorf("confidential (-want +got):\n%s", diff)
	}
	shop, _ := c.Lookup("shop")
	if diff := cmp.Diff([]string{oneSecret, anotherSecret}, shop.Secrets); diff != "" || shop.Secret != "" {
		t.Errorf("secrets, of which secret is the first (-want +got):\n%s", diff)
	}
}

// An alias is the aud of a client's ID tokens, and so never that of access tokens.
func TestFitsServer(t *testing.T) {
	c := mustClients(t,
		Client{Alias: "shop", URL: "https://shop.example", Audiences: []string{"https://api.shop.example"}},
		Client{Alias: "studio", URL: "https://studio.example", NextAuthSecret: oneSecret},
	)
	for _, tc := range []struct {
		publicURL, audience, want string // want empty: it fits
		key                       string
		client                    int
	}{
		{"https://id.example.com", "https://id.example.com", "", "", 0},
		{"https://id.example.com", "Shop", "", "", 0},
		{"https://shop.example", "https://api.shop.example", "", "", 0},
		{"", "", "", "", 0},
		{"https://id.example.com", "shop", `client "shop": its alias is LATCHKEY_AUDIENCE`, "alias", 0},
		{"https://id.example.com", "studio", `client "studio": its alias is LATCHKEY_AUDIENCE`, "alias", 1},
		{"https://studio.example", "x", `client "studio" has a nextauth_secret and is on the origin of LATCHKEY_PUBLIC_URL, https://studio.example`, "nextauth_secret", 1},
	} {
		err := c.FitsServer(tc.publicURL, tc.audience)
		fault, _ := errors.AsType[*Fault](err)
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%s, %s: %v", tc.publicURL, tc.audience, err)
		case tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want) || fault.Key != tc.key || fault.Client != tc.client):
			t.Errorf("%s, %s: %v at %+v, want %s", tc.publicURL, tc.audience, err, fault, tc.want)
		}
	}
	if err := (*Set)(nil).FitsServer("https://id.example.com", "x"); err != nil {
		t.Errorf("no clients: %v", err)
	}
}

// Either secret proves the client, as it is or form-encoded, while the one replaces the other.
func TestHasSecret(t *testing.T) {
	const odd = "100%25 sure, 50% off & a=b; %zz +"
	for name, c := range map[string]Client{
		"secret and secrets": {Secret: oneSecret, Secrets: []string{odd}},
		"secrets":            {Secrets: []string{odd, oneSecret}},
	} {
		c.Alias, c.URL = "shop", "https://shop.example"
		made, _ := mustClients(t, c).Lookup("shop")
		for _, sent := range []string{oneSecret, odd, url.QueryEscape(odd)} {
			if !made.HasSecret(sent) {
				t.Errorf("%s: %q is wrong", name, sent)
			}
		}
		for _, sent := range []string{"", anotherSecret, oneSecret + "+", oneSecret[1:], oneSecret + odd, url.QueryEscape(url.QueryEscape(odd)), strings.ToUpper(oneSecret)} {
			if made.HasSecret(sent) {
				t.Errorf("%s: %q is right", name, sent)
			}
		}
	}
	for _, sent := range []string{"", oneSecret} {
		if (Client{}).HasSecret(sent) {
			t.Errorf("a client without a secret proves %q", sent)
		}
	}
}
