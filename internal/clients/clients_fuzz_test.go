package clients

import (
	"net/url"
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
