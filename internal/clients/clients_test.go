package clients

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pelletier/go-toml/v2"

	"latchkey/internal/address"
)

func mustClients(t testing.TB, list ...Client) *Set {
	t.Helper()
	c, err := New(list)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewClientsRefusesMistakes(t *testing.T) {
	web := Client{Alias: "web", URL: "https://app.example.com"}
	with := func(change func(*Client)) []Client {
		c := web
		change(&c)
		return []Client{c}
	}
	for _, tc := range []struct {
		name string
		list []Client
		want string // in the sentence
	}{
		{"no alias", with(func(c *Client) { c.Alias = "" }), "alias is missing"},
		{"alias with a colon", with(func(c *Client) { c.Alias = "a:b" }), "letters, digits"},
		{"alias with a space", with(func(c *Client) { c.Alias = "a b" }), "letters, digits"},
		{"alias too long", with(func(c *Client) { c.Alias = strings.Repeat("a", 65) }), "at most 64"},
		{"same alias twice", []Client{web, web}, "twice"},
		{"two defaults", []Client{{Alias: "a", URL: web.URL, Default: true}, {Alias: "b", URL: web.URL, Default: true}}, "both the default"},
		{"no url", with(func(c *Client) { c.URL = "" }), "url is missing"},
		{"null", with(func(c *Client) { c.URL = "null" }), "would let any site in"},
		{"star", with(func(c *Client) { c.URLs = []string{"*"} }), `urls[0] "*" would let any site in`},
		{"star in host", with(func(c *Client) { c.URLs = []string{web.URL, "https://*.example.com"} }), "urls[1]"},
		{"IDN", with(func(c *Client) { c.URL = "https://bücher.example" }), "xn--"},
		{"no scheme", with(func(c *Client) { c.URL = "app.example.com" }), "absolute URL"},
		{"query", with(func(c *Client) { c.URL = "https://app.example.com/?a=b" }), "without user, query or fragment"},
		{"user", with(func(c *Client) { c.URL = "https://me@app.example.com" }), "without user"},
		{"trailing dot", with(func(c *Client) { c.URL = "https://app.example.com./" }), "absolute URL"},
		{"logo", with(func(c *Client) { c.LogoURL = "/logo.png" }), "logo_url"},
		{"from", with(func(c *Client) { c.From = "Acme <no-reply>" }), "Name <user@example.com>"},
		{"from with a newline", with(func(c *Client) { c.From = "Acme <a@b.example>\r\nBcc: eve@evil.example" }), "from"},
		{"name with a newline", with(func(c *Client) { c.Name = "Acme\r\nBcc: eve@evil.example" }), "name must be"},
		{"name too long", with(func(c *Client) { c.Name = strings.Repeat("a", 65) }), "name must be"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := New(tc.list)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("NewClients = %v; want a sentence with %q", err, tc.want)
			}
		})
	}
}

func TestClients(t *testing.T) {
	c := mustClients(t,
		Client{Alias: "web", Name: "acme.example", URL: "https://App.Example.com:443/", URLs: []string{"http://localhost:3000", "https://app.example.com/beta/"}},
		Client{Alias: "wallet", URL: "https://wallet.example.com", URLs: []string{"http://localhost:3000"}, LogoURL: "https://CDN.example.com/l.png?v=1", Default: true},
	)
	want := []Client{
		{Alias: "web", Name: "acme.example", URL: "https://app.example.com", URLs: []string{"http://localhost:3000", "https://app.example.com/beta"}},
		{Alias: "wallet", URL: "https://wallet.example.com", URLs: []string{"http://localhost:3000"}, LogoURL: "https://cdn.example.com/l.png?v=1", Default: true},
	}
	if diff := cmp.Diff(want, c.List(), cmpopts.IgnoreFields(Client{}, "Brand")); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"https://app.example.com", "http://localhost:3000", "https://wallet.example.com"}, c.Origins()); diff != "" {
		t.Errorf("Origins (-want +got):\n%s", diff)
	}
	if got, ok := c.Default(); !ok || got.Alias != "wallet" {
		t.Errorf("Default = %v, %v", got, ok)
	}
	if got, ok := c.Lookup("web"); !ok || got.Alias != "web" {
		t.Errorf("Lookup(web) = %v, %v", got, ok)
	}
	for _, alias := range []string{"", "Web", "web ", "nobody"} {
		if got, ok := c.Lookup(alias); ok {
			t.Errorf("Lookup(%q) = %v", alias, got)
		}
	}
	c.Origins()[0] = "https://evil.example"
	if _, ok := c.Endpoint("", "https://evil.example"); ok {
		t.Error("what Origins returns is the list itself")
	}
	none := mustClients(t)
	if _, ok := none.Default(); ok || len(none.Origins()) != 0 || len(none.List()) != 0 {
		t.Error("no clients, but something is there")
	}
}

// return_to sends a browser on after a page of ours: to a registered origin, in a spelling that every
// reader reads alike, or nowhere.
func TestReturnToIsRegistered(t *testing.T) {
	clients := mustClients(t,
		Client{Alias: "web", URL: "https://app.example.com/app", URLs: []string{"http://localhost:3000"}},
		Client{Alias: "wallet", URL: "https://wallet.example.com"},
	)
	for _, tc := range []struct{ name, alias, raw, want string }{
		{"origin", "web", "https://app.example.com", "https://app.example.com"},
		{"any path of it", "web", "https://app.example.com/a/b", "https://app.example.com/a/b"},
		{"query and fragment", "web", "https://app.example.com/a?b=c&d=%20#e", "https://app.example.com/a?b=c&d=%20#e"},
		{"port", "web", "http://localhost:3000/cb", "http://localhost:3000/cb"},
		{"any client's without alias", "", "https://wallet.example.com/x", "https://wallet.example.com/x"},
		{"another spelling", "web", "HTTPS://APP.Example.com:443/A", "https://app.example.com/A"},
		{"an address in the query", "web", "https://app.example.com/?u=https://evil.example", "https://app.example.com/?u=https://evil.example"},
		{"an at in the path", "web", "https://app.example.com/@evil.example", "https://app.example.com/@evil.example"},

		{"nothing", "web", "", ""},
		{"another client's", "web", "https://wallet.example.com/", ""},
		{"unknown alias", "nobody", "https://app.example.com/", ""},
		{"alias in capitals", "WEB", "https://app.example.com/", ""},
		{"elsewhere", "", "https://evil.example/", ""},
		{"prefix of a name", "web", "https://app.example.com.evil.example/", ""},
		{"subdomain", "web", "https://x.app.example.com/", ""},
		{"downgrade", "web", "http://app.example.com/", ""},
		{"other port", "web", "https://app.example.com:8443/", ""},
		{"path alone", "web", "/account", ""},
		{"no scheme", "web", "//app.example.com/", ""},
		{"three slashes", "web", "https:///app.example.com/", ""},
		{"one slash", "web", "https:/app.example.com/", ""},
		{"no slash", "web", "https:app.example.com", ""},
		{"user", "web", "https://app.example.com@evil.example/", ""},
		{"user on the honest host", "web", "https://me:pw@app.example.com/", ""},
		{"empty user", "web", "https://@app.example.com/", ""},
		{"backslash before at", "web", "https://evil.example\\@app.example.com/", ""},
		{"backslash in the host", "web", "https://app.example.com\\.evil.example/", ""},
		{"backslash in the path", "web", "https://app.example.com/\\evil.example", ""},
		{"tab", "web", "https://app.example.com/\t", ""},
		{"newline", "web", "https://app.example.com/\r\nSet-Cookie: a=b", ""},
		{"NUL", "web", "https://app.example.com/\x00", ""},
		{"leading space", "web", " https://app.example.com/", ""},
		{"not ASCII", "web", "https://app.example.com/\u2028", ""},
		{"full stop of another script", "web", "https://app。example.com/", ""},
		{"escape in the host", "web", "https://app%2eexample.com/", ""},
		{"broken escape", "web", "https://app.example.com/%zz", ""},
		{"trailing dot", "web", "https://app.example.com./", ""},
		{"semicolon in the host", "web", "https://app.example.com;script-src/", ""},
		{"script", "web", "javascript:alert(1)//https://app.example.com/", ""},
		{"data", "web", "data:text/html,x", ""},
		{"view-source", "web", "view-source:https://app.example.com/", ""},
		{"too long", "web", "https://app.example.com/" + strings.Repeat("a", address.MaxURL), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, ok := clients.ReturnTo(tc.alias, tc.raw); got != tc.want || ok != (tc.want != "") {
				t.Errorf("ReturnTo(%q, %q) = %q, %t; want %q", tc.alias, tc.raw, got, ok, tc.want)
			}
		})
	}
}

func TestEndpoint(t *testing.T) {
	c := mustClients(t,
		Client{Alias: "web", URL: "https://app.example.com", URLs: []string{"http://localhost:3000"}},
		Client{Alias: "wallet", URL: "https://wallet.example.com/app"},
		Client{Alias: "two", URL: "https://two.example.com/a", URLs: []string{"https://two.example.com/b"}},
		Client{Alias: "plain", URL: "https://plain.example.com", URLs: []string{"https://two.example.com/default"}, Default: true},
	)
	for _, tc := range []struct{ name, alias, endpoint, want string }{
		{"own url", "web", "https://app.example.com", "https://app.example.com"},
		{"one of urls", "web", "http://localhost:3000", "http://localhost:3000"},
		{"any client's without alias", "", "https://wallet.example.com", "https://wallet.example.com/app"},
		{"path under the origin", "wallet", "https://wallet.example.com/app/", "https://wallet.example.com/app"},
		{"another spelling", "web", "HTTPS://APP.example.com:443/", "https://app.example.com"},

		// What counts of an unregistered path is its origin: the link leads to the registered URL.
		{"dead path", "web", "https://app.example.com/nothing/here", "https://app.example.com"},
		{"dead path without alias", "", "https://app.example.com/nothing/here", "https://app.example.com"},
		{"beside the registered path", "wallet", "https://wallet.example.com/other", "https://wallet.example.com/app"},
		{"below the registered path", "wallet", "https://wallet.example.com/app/x", "https://wallet.example.com/app"},
		{"above the registered path", "wallet", "https://wallet.example.com", "https://wallet.example.com/app"},
		{"the registered path in capitals", "wallet", "https://wallet.example.com/APP", "https://wallet.example.com/app"},
		{"redirect", "", "https://app.example.com//evil.example", "https://app.example.com"},
		{"dots", "", "https://app.example.com/../x", "https://app.example.com"},
		{"escape", "", "https://app.example.com/%2e%2e/%2Fevil.example", "https://app.example.com"},
		{"query", "", "https://app.example.com/?u=", "https://app.example.com"},
		{"fragment", "", "https://app.example.com/#", "https://app.example.com"},
		{"one of two of an origin", "two", "https://two.example.com/b/", "https://two.example.com/b"},
		{"none of two of an origin", "two", "https://two.example.com/c", "https://two.example.com/a"},
		{"an origin of several clients, by default", "", "https://two.example.com/c", "https://two.example.com/default"},

		{"another client's", "web", "https://wallet.example.com", ""},
		{"unknown alias", "nobody", "https://app.example.com", ""},
		{"unregistered", "", "https://evil.example", ""},
		{"downgrade", "", "http://app.example.com", ""},
		{"upgrade", "", "https://localhost:3000", ""},
		{"port", "", "https://app.example.com:8443", ""},
		{"no port", "", "http://localhost", ""},
		{"loopback's other name", "", "http://127.0.0.1:3000", ""},
		{"subdomain", "", "https://evil.app.example.com", ""},
		{"parent", "", "https://example.com", ""},
		{"prefix", "", "https://app.example.com.evil.example", ""},
		{"prefix without dot", "", "https://app.example.comevil.example", ""},
		{"suffix", "", "https://evilapp.example.com", ""},
		{"origin in path", "", "https://evil.example/https://app.example.com", ""},
		{"origin in query", "", "https://evil.example?https://app.example.com", ""},
		{"origin in fragment", "", "https://evil.example#https://app.example.com", ""},
		{"userinfo", "", "https://app.example.com@evil.example", ""},
		{"userinfo and port", "", "https://app.example.com:443@evil.example/", ""},
		{"backslash", "", `https://evil.example\@app.example.com`, ""},
		{"backslash after host", "", `https://app.example.com\@evil.example`, ""},
		{"tab", "", "https://app.example.com\t.evil.example", ""},
		{"trailing dot", "", "https://app.example.com.", ""},
		{"IDN look-alike", "", "https://\u0430pp.example.com", ""},
		{"fullwidth", "", "https://\uff41pp.example.com", ""},
		{"scheme alone", "", "https:app.example.com", ""},
		{"user on the honest host", "", "https://me@app.example.com/", ""},
		{"scheme relative", "", "//app.example.com", ""},
		{"javascript", "", "javascript://app.example.com/%0aalert(1)", ""},
		{"empty", "", "", ""},
		{"null", "", "null", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := c.Endpoint(tc.alias, tc.endpoint)
			if got != tc.want || ok != (tc.want != "") {
				t.Errorf("Endpoint(%q, %q) = %q, %v; want %q", tc.alias, tc.endpoint, got, ok, tc.want)
			}
		})
	}
}

func TestLogo(t *testing.T) {
	c := mustClients(t,
		Client{Alias: "web", URL: "https://app.example.com", LogoURL: "https://cdn.example.com/logo.png"},
		Client{Alias: "dev", URL: "http://127.0.0.1:3000", URLs: []string{"http://app.internal", "http://localhost:3000"}},
	)
	for _, tc := range []struct {
		name, raw, want string
		ok              bool
	}{
		{"registered", "https://app.example.com/logo.png?v=2", "https://app.example.com/logo.png?v=2", true},
		{"registered, other spelling", "https://APP.example.com:443/logo.png", "https://app.example.com/logo.png", true},
		{"quotes leave escaped", `https://app.example.com/"><img>`, "https://app.example.com/%22%3E%3Cimg%3E", true},
		{"unregistered", "https://evil.example/logo.png", "", true},
		{"logo_url registers nothing", "https://cdn.example.com/other.png", "", true},
		{"downgrade", "http://app.example.com/logo.png", "", true},

		{"relative", "/logo.png", "", false},
		{"no dot", "http://localhost:3000/logo.png", "", false},
		{"IPv4", "http://127.0.0.1:3000/logo.png", "", false},
		{"IPv6", "http://[2001:db8::1]/logo.png", "", false},
		{"decimal IPv4", "http://2130706433/logo.png", "", false},
		{"octal IPv4", "http://0177.0.0.1/logo.png", "", false},
		{"local", "http://printer.local/logo.png", "", false},
		{"local in capitals", "http://printer.LOCAL/logo.png", "", false},
		{"local with trailing dot", "http://printer.local./logo.png", "", false},
		{"internal, though registered", "http://app.internal/logo.png", "", false},
		{"data", "data:image/png;base64,AAAA", "", false},
		{"javascript", "javascript:alert(1)", "", false},
		{"userinfo", "https://app.example.com@evil.example/logo.png", "", false},
		{"header injection", "https://app.example.com/\r\nBcc:", "", false},
		{"empty", "", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := c.Logo(tc.raw)
			if got != tc.want || ok != tc.ok {
				t.Errorf("Logo(%q) = %q, %v; want %q, %v", tc.raw, got, ok, tc.want, tc.ok)
			}
		})
	}
}

// A mail bears the name of a registered client or the one it would bear anyway: no word of a stranger's.
func TestPlatform(t *testing.T) {
	c := mustClients(t,
		Client{Alias: "web", Name: "Acme & Söhne", URL: "https://app.example.com"},
		Client{Alias: "dotted", Name: "acme.example", URL: "https://wallet.example.com"},
		Client{Alias: "nameless", URL: "https://nameless.example.com"},
	)
	for _, name := range []string{"Acme & Söhne", "acme.example"} {
		if got := c.Platform(name); got != name {
			t.Errorf("Platform(%q) = %q", name, got)
		}
	}
	for _, name := range []string{
		"", "Acme", "acme & söhne", "Acme & Söhne ", "Acme & So\u0308hne", "Acme & Söhne - call 1-800-555-0199", "URGENT call 1-800-555-0199",
		"evil.example", "http://evil", "<b>Acme</b>", "Acme\r\nBcc: eve", "Acme\x00", "Acme\u202egro", "evil\u2024example", strings.Repeat("x", 4096), "\xff",
	} {
		if got := c.Platform(name); got != "" {
			t.Errorf("Platform(%q) = %q", name, got)
		}
	}
}

// I14
func TestClientHidesItsSecret(t *testing.T) {
	c := Client{Alias: "web", Secret: "tiger-tiger", Secrets: []string{"another tiger"}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("client", "client", c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("client", "client", c)
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %s", c, c, []Client{c}), log.String()} {
		if strings.Contains(s, "tiger") || !strings.Contains(s, "web") {
			t.Errorf("said %q", s)
		}
	}
}

// The example is what operators start from: it must be accepted as it stands.
func TestExampleClientsFile(t *testing.T) {
	f, err := os.Open("../../examples/clients.toml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var file struct {
		Client []Client `toml:"client"`
	}
	if err := toml.NewDecoder(f).DisallowUnknownFields().Decode(&file); err != nil {
		t.Fatal(err)
	}
	c := mustClients(t, file.Client...)
	if _, ok := c.Default(); !ok || len(c.List()) < 2 {
		t.Errorf("the example shows %d clients, default %v", len(c.List()), ok)
	}
}
