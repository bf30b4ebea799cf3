package address

import (
	"strings"
	"testing"
)

func TestParseOrigin(t *testing.T) {
	for _, tc := range []struct{ name, raw, want string }{ // want empty: refused
		{"origin", "https://app.example.com", "https://app.example.com"},
		{"root path", "https://app.example.com/", "https://app.example.com"},
		{"path, query, fragment", "https://app.example.com/a/b?c=d#e", "https://app.example.com"},
		{"capitals", "HTTPS://App.Example.COM/A", "https://app.example.com"},
		{"default port", "https://app.example.com:443/", "https://app.example.com"},
		{"default port of http", "http://app.example.com:80", "http://app.example.com"},
		{"http's port on https", "https://app.example.com:80", "https://app.example.com:80"},
		{"other port", "http://localhost:3000/x", "http://localhost:3000"},
		{"IPv4", "http://127.0.0.1:3000", "http://127.0.0.1:3000"},
		{"IPv6", "http://[::1]:3000", "http://[::1]:3000"},
		{"IPv6 without port", "http://[2001:DB8::1]/", "http://[2001:db8::1]"},
		{"xn-- host", "https://xn--bcher-kva.example", "https://xn--bcher-kva.example"},
		{"userinfo mark in path", "https://app.example.com/@you", "https://app.example.com"},
		{"colon in path", "https://app.example.com/a:b", "https://app.example.com"},

		{"empty", "", ""},
		{"null", "null", ""},
		{"star", "*", ""},
		{"star host", "https://*.example.com", ""},
		{"no scheme", "app.example.com", ""},
		{"scheme relative", "//app.example.com", ""},
		{"path only", "/app", ""},
		{"javascript", "javascript:alert(1)", ""},
		{"javascript with authority", "javascript://app.example.com/%0aalert(1)", ""},
		{"data", "data:text/html,hi", ""},
		{"ftp", "ftp://app.example.com", ""},
		{"blob", "blob:https://app.example.com/x", ""},
		{"no slashes", "https:app.example.com", ""},
		{"one slash", "https:/app.example.com", ""},
		{"three slashes", "https:///app.example.com", ""},
		{"no host", "https://", ""},
		{"port without host", "https://:443", ""},
		{"user", "https://app.example.com@evil.example", ""},
		{"user and password", "https://app.example.com:443@evil.example", ""},
		{"empty userinfo", "https://@app.example.com", ""},
		{"empty user and password", "https://:@app.example.com", ""},
		{"userinfo with escaped slash", "https://evil.example%2f@app.example.com", ""},
		{"backslash for slash", `https:\\app.example.com`, ""},
		{"backslash before userinfo", `https://evil.example\@app.example.com`, ""},
		{"backslash in path", `https://app.example.com\evil`, ""},
		{"backslash after a slash", `https://app.example.com/\evil.example`, ""},
		{"space in path", "https://app.example.com/a b", ""},
		{"tab in scheme", "ht\ttps://app.example.com", ""},
		{"tab in host", "https://app.exa\tmple.com", ""},
		{"newline", "https://app.example.com\n", ""},
		{"carriage return in host", "https://app\r.example.com", ""},
		{"NUL", "https://app.example.com\x00.evil.example", ""},
		{"leading space", " https://app.example.com", ""},
		{"trailing space", "https://app.example.com ", ""},
		{"space in host", "https://app .example.com", ""},
		{"trailing dot", "https://app.example.com.", ""},
		{"trailing dot before port", "https://app.example.com.:443", ""},
		{"two dots", "https://app..example.com", ""},
		{"leading dot", "https://.example.com", ""},
		{"only a dot", "https://./", ""},
		{"empty port", "https://app.example.com:", ""},
		{"port 0", "https://app.example.com:0", ""},
		{"port with leading zero", "https://app.example.com:0443", ""},
		{"port too big", "https://app.example.com:65536", ""},
		{"port wraps to 443", "https://app.example.com:65979", ""},
		{"port with sign", "https://app.example.com:+443", ""},
		{"port in letters", "https://app.example.com:https", ""},
		{"IDN", "https://bücher.example", ""},
		{"Cyrillic a", "https://\u0430pp.example.com", ""},
		{"fullwidth letter", "https://\uff41pp.example.com", ""},
		{"ideographic full stop", "https://app\u3002example.com", ""},
		{"Kelvin sign", "https://\u212a.example.com", ""},
		{"sharp s", "https://stra\u00dfe.example", ""},
		{"escaped host", "https://%61pp.example.com", ""},
		{"escaped IDN", "https://b%C3%BCcher.example", ""},
		{"escaped at", "https://app.example.com%40evil.example", ""},
		{"underscore", "https://my_app.example.com", ""},
		{"hyphen first", "https://-app.example.com", ""},
		{"label too long", "https://" + strings.Repeat("a", 64) + ".example.com", ""},
		{"host too long", "https://" + strings.Repeat("a.", 127) + "com", ""},
		{"too long", "https://app.example.com/" + strings.Repeat("a", MaxURL), ""},
		{"decimal IPv4", "http://2130706433", ""},
		{"short IPv4", "http://127.1", ""},
		{"octal IPv4", "http://0177.0.0.1", ""},
		{"hexadecimal IPv4", "http://0x7f.0.0.1", ""},
		{"hexadecimal last label", "http://127.0.0.0x1", ""},
		{"IPv4 out of range", "http://127.0.0.256", ""},
		{"bare IPv6", "http://::1", ""},
		{"long IPv6", "http://[0:0:0:0:0:0:0:1]", ""},
		{"IPv6 with zone", "http://[fe80::1%25eth0]", ""},
		{"IPv4 in IPv6", "http://[::ffff:127.0.0.1]", ""},
		{"IPv4 in brackets", "http://[127.0.0.1]", ""},
		{"name in brackets", "http://[localhost]", ""},
		{"unclosed bracket", "http://[::1", ""},
		{"text after bracket", "http://[::1]evil", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := ParseOrigin(tc.raw)
			if got != tc.want || ok != (tc.want != "") {
				t.Errorf("ParseOrigin(%q) = %q, %v; want %q", tc.raw, got, ok, tc.want)
			}
		})
	}
}

func TestParseBase(t *testing.T) {
	for _, tc := range []struct{ name, raw, want string }{
		{"origin", "https://app.example.com", "https://app.example.com"},
		{"root path", "https://app.example.com/", "https://app.example.com"},
		{"path", "https://app.example.com/a/b_c-d.e~f", "https://app.example.com/a/b_c-d.e~f"},
		{"trailing slash", "https://app.example.com/a/", "https://app.example.com/a"},
		{"query", "https://app.example.com/?next=https://evil.example", ""},
		{"empty query", "https://app.example.com/?", ""},
		{"fragment", "https://app.example.com/#/reset", ""},
		{"empty fragment", "https://app.example.com#", ""},
		{"two slashes", "https://app.example.com//evil.example", ""},
		{"two slashes at the end", "https://app.example.com//", ""},
		{"URL in path", "https://app.example.com/go/https://evil.example", ""},
		{"dot segments", "https://app.example.com/a/../go", ""},
		{"one dot", "https://app.example.com/./go", ""},
		{"escaped dot segment", "https://app.example.com/%2e%2e/go", ""},
		{"escaped slash", "https://app.example.com/a%2fb", ""},
		{"semicolon", "https://app.example.com/a;b=c", ""},
		{"markup", "https://app.example.com/\"><script>", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, got, ok := ParseBase(tc.raw, ParseWebURL)
			if got != tc.want || ok != (tc.want != "") {
				t.Errorf("ParseBase(%q) = %q, %v; want %q", tc.raw, got, ok, tc.want)
			}
		})
	}
}
