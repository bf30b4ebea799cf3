package clients

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// browserHost reads a URL's host the way browsers do (WHATWG URL, special schemes), for the parts of
// it that an attacker plays with: tabs and newlines vanish, backslashes are slashes, any
// number of slashes follows the scheme, the last @ ends the userinfo.
func browserHost(raw string) string {
	raw = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.Trim(raw, " "))
	_, rest, _ := strings.Cut(raw, ":")
	rest = strings.TrimLeft(rest, "/")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, ']') {
		rest = rest[:colon]
	}
	return strings.ToLower(rest)
}

// What is accepted is in the registered origin both to Go and to a browser, as sent and as
// answered, and stays itself.
func FuzzEndpoint(f *testing.F) {
	clients := mustClients(f,
		Client{Alias: "web", URL: "https://app.example.com"},
		Client{Alias: "dev", URL: "http://[::1]:3000", URLs: []string{"http://127.0.0.1:3000/app"}},
	)
	f.Fuzz(func(t *testing.T, raw string) {
		base, ok := clients.Endpoint("", raw)
		if logo, ok := clients.Logo(raw); ok && logo != "" {
			if again, ok := clients.Logo(logo); !ok || again != logo || browserHost(logo) != "app.example.com" || browserHost(raw) != browserHost(logo) {
				t.Errorf("Logo(%q) = %q, which is read as %q, %v", raw, logo, again, ok)
			}
		}
		if !ok {
			return
		}
		if again, ok := clients.Endpoint("", base); !ok || again != base {
			t.Errorf("Endpoint(%q) = %q, which is read as %q, %v", raw, base, again, ok)
		}
		u, err := url.Parse(base + "/reset-password?verificationCode=t")
		if err != nil || u.User != nil || u.Query().Get("verificationCode") != "t" || !strings.HasSuffix(u.Path, "/reset-password") {
			t.Fatalf("Endpoint(%q) = %q makes a link that does not parse: %v", raw, base, err)
		}
		switch base {
		case "https://app.example.com", "http://[::1]:3000", "http://127.0.0.1:3000/app": // registered, as it stands
		default:
			t.Errorf("Endpoint(%q) = %q, which is no registered URL", raw, base)
		}
		if browserHost(raw) != browserHost(base) {
			t.Errorf("Endpoint(%q) = %q, but a browser goes to %q", raw, base, browserHost(raw))
		}
	})
}

// What is accepted is a registered URI byte for byte, or one of a loopback address with another port between its host
// and its path; whatever port stands there is no host of somebody else's to a browser.
func FuzzMayRedirect(f *testing.F) {
	set := mustClients(f, Client{Alias: "shop", URL: "https://shop.example", RedirectURIs: []string{
		"https://shop.example/callback", "https://shop.example/back%2Fhere?tenant=a%20b", "http://localhost:3000/callback",
		"http://127.0.0.1/callback", "http://[::1]:8080/callback?x=1", "com.example.shop:/callback", "capacitor://localhost/callback",
	}})
	shop, _ := set.Lookup("shop")
	f.Fuzz(func(t *testing.T, uri string) {
		accepted := shop.MayRedirect(uri)
		if slices.Contains(shop.RedirectURIs, uri) {
			if !accepted {
				t.Errorf("%q is registered and refused", uri)
			}
			return
		}
		differsInPort := false
		for host, rest := range map[string]string{"http://127.0.0.1": "/callback", "http://[::1]": "/callback?x=1"} {
			port, atHost := strings.CutPrefix(uri, host)
			port, atPath := strings.CutSuffix(port, rest)
			if atHost && atPath && isPortOrNone(port) {
				differsInPort = true
			}
		}
		if accepted != differsInPort {
			t.Errorf("MayRedirect(%q) = %v", uri, accepted)
		}
		if host := browserHost(uri); accepted && host != "127.0.0.1" && host != "[::1]" {
			t.Errorf("%q is accepted, and a browser goes to %q", uri, host)
		}
	})
}

// isPortOrNone: nothing, or a colon and a number from 1 to 65535.
func isPortOrNone(s string) bool {
	for n := 1; n <= 65535 && s != ""; n++ {
		if s == ":"+strconv.Itoa(n) {
			return true
		}
	}
	return s == ""
}
