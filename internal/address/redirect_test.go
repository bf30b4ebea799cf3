package address

import (
	"strings"
	"testing"
)

// The port is free on the loopback addresses that RFC 8252 §7.3 names, in their one spelling, and nowhere else.
func TestWithoutLoopbackPort(t *testing.T) {
	for raw, want := range map[string]string{ // empty: another kind of URL
		"http://127.0.0.1":                    "http://127.0.0.1",
		"http://127.0.0.1:1":                  "http://127.0.0.1",
		"http://127.0.0.1:65535/callback":     "http://127.0.0.1/callback",
		"http://127.0.0.1:80/callback":        "http://127.0.0.1/callback",
		"http://127.0.0.1/callback?a=:80":     "http://127.0.0.1/callback?a=:80",
		"http://127.0.0.1:3000?a=b":           "http://127.0.0.1?a=b",
		"http://[::1]":                        "http://[::1]",
		"http://[::1]:3000/callback":          "http://[::1]/callback",
		"http://127.0.0.1:3000/callback/x":    "http://127.0.0.1/callback/x",
		"http://127.0.0.1:":                   "",
		"http://127.0.0.1:/callback":          "",
		"http://127.0.0.1:0/callback":         "",
		"http://127.0.0.1:03000/callback":     "",
		"http://127.0.0.1:65536/callback":     "",
		"http://127.0.0.1:+80/callback":       "",
		"http://127.0.0.1:3000@evil.example/": "",
		"http://127.0.0.1:3000.evil.example/": "",
		"http://127.0.0.1.evil.example/":      "",
		"http://127.0.0.1@evil.example/":      "",
		"http://127.0.0.10/callback":          "",
		"http://127.0.0.1:3000:3000/callback": "",
		"http://127.0.0.1#callback":           "",
		`http://127.0.0.1\callback`:           "",
		"http://127.0.0.2:3000/callback":      "",
		"http://127.1:3000/callback":          "",
		"http://2130706433:3000/callback":     "",
		"http://::1:3000/callback":            "",
		"http://[::1]x:3000/callback":         "",
		"http://[0:0:0:0:0:0:0:1]:3000/":      "",
		"http://[::ffff:127.0.0.1]:3000/":     "",
		"http://localhost:3000/callback":      "",
		"http://LOCALHOST:3000/callback":      "",
		"https://127.0.0.1:3000/callback":     "",
		"HTTP://127.0.0.1:3000/callback":      "",
		"http:/127.0.0.1:3000/callback":       "",
		" http://127.0.0.1:3000/callback":     "",
		"http://user@127.0.0.1:3000/callback": "",
		"":                                    "",
	} {
		if got, ok := WithoutLoopbackPort(raw); got != want || ok != (want != "") {
			t.Errorf("WithoutLoopbackPort(%q) = %q, %v; want %q", raw, got, ok, want)
		}
	}
}

func TestIsURIText(t *testing.T) {
	for _, raw := range []string{"a", "https://a.example/b?c=d%20e&f=g;h#i", "com.example.shop:/callback", "urn:example:api", strings.Repeat("a", MaxURL)} {
		if !IsURIText(raw) {
			t.Errorf("IsURIText(%q) = false", raw)
		}
	}
	for _, raw := range []string{
		"", "a b", "a\tb", "a\nb", "a\x00", "a\x7f", "bücher", "\u0430", "\xff", `a\b`, `a"b`, "a<b", "a>b", "a^b", "a`b", "a{b", "a|b", "a}b",
		strings.Repeat("a", MaxURL+1),
	} {
		if IsURIText(raw) {
			t.Errorf("IsURIText(%q) = true", raw)
		}
	}
}
