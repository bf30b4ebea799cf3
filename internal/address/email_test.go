package address

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

func TestParseEmail(t *testing.T) {
	label := strings.Repeat("d", 63)
	longest := "a@" + label + "." + label + "." + label + "." + strings.Repeat("d", 60) // 2 + 192 + 60 = 254
	for _, tc := range []struct{ name, raw, want string }{                              // want empty: refused
		{"plain", "ada@example.com", "ada@example.com"},
		{"case of both parts", "Ada.LOVELACE@Example.COM", "ada.lovelace@example.com"},
		{"tag stays", "ada+shop@example.com", "ada+shop@example.com"},
		{"dots stay", "a.d.a@example.com", "a.d.a@example.com"},
		{"all of atext", "!#$%&'*+-/=?^_`{|}~0@example.com", "!#$%&'*+-/=?^_`{|}~0@example.com"},
		{"domain in its own script", "ada@bücher.example", "ada@xn--bcher-kva.example"},
		{"the same domain in ASCII", "ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"},
		{"domain in capitals of its own script", "ANNA@MÜLLER.example", "anna@xn--mller-kva.example"},
		{"mark typed after its letter", "anna@mu\u0308ller.example", "anna@xn--mller-kva.example"},
		{"both", "anna@MU\u0308LLER.example", "anna@xn--mller-kva.example"},
		{"Greek capitals", "a@ΑΒΓ.example", "a@xn--mxacd.example"},
		{"Kelvin sign", "a@\u212aelvin.example", ""},
		{"long s", "a@\u017fharp.example", ""},
		{"dotted capital I", "a@\u0130stanbul.example", ""},
		{"sharp s is not ss", "ada@straße.example", "ada@xn--strae-oqa.example"},
		{"top-level domain in its own script", "ada@उदाहरण.परीक्षा", "ada@xn--p1b6ci4b4b3a.xn--11b5bs3a9aj6g"},
		{"longest local part", strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com"},
		{"longest address", longest, longest},
		{"digits in a label", "ada@4.example", "ada@4.example"},

		{"empty", "", ""},
		{"no at", "ada.example.com", ""},
		{"no local part", "@example.com", ""},
		{"no domain", "ada@", ""},
		{"two ats", "ada@example.com@evil.example", ""},
		{"fullwidth at", "ada＠example.com", ""},
		{"small at", "ada﹫example.com", ""},
		{"local part too long", strings.Repeat("a", 65) + "@example.com", ""},
		{"address too long", "a" + longest, ""},
		{"too long only in ASCII", "a@" + strings.Repeat("é.", 40) + "com", ""},
		{"domain fits, address does not", strings.Repeat("a", 64) + "@" + strings.Repeat("é.", 24) + "com", ""},
		{"leading dot", ".ada@example.com", ""},
		{"trailing dot in local part", "ada.@example.com", ""},
		{"two dots", "ada..l@example.com", ""},
		{"quoted", `"ada"@example.com`, ""},
		{"quoted with at", `"ada@evil.example"@example.com`, ""},
		{"backslash", `ada\@evil.example@example.com`, ""},
		{"comment", "ada(hi)@example.com", ""},
		{"comment in domain", "ada@example.com(hi)", ""},
		{"display name", "Ada <ada@example.com>", ""},
		{"angle brackets", "<ada@example.com>", ""},
		{"list", "ada@example.com,eve@evil.example", ""},
		{"mailto", "mailto:ada@example.com", ""},
		{"leading space", " ada@example.com", ""},
		{"trailing space", "ada@example.com ", ""},
		{"inner space", "a da@example.com", ""},
		{"no-break space", "ada\u00a0@example.com", ""},
		{"header injection", "ada@example.com\r\nBcc: eve@evil.example", ""},
		{"newline in local part", "ada\n@example.com", ""},
		{"NUL", "ada\x00@example.com", ""},
		{"NUL in domain", "ada@example\x00.com", ""},
		{"tab", "ada\t@example.com", ""},
		{"DEL", "ada\x7f@example.com", ""},
		{"invalid UTF-8", "ada\xff@example.com", ""},
		{"invalid UTF-8 in domain", "ada@ex\xffample.com", ""},
		{"Kelvin sign", "\u212aate@example.com", ""},
		{"long s", "ro\u017fa@example.com", ""},
		{"dotless i", "ad\u0131a@example.com", ""},
		{"local part in another script", "адa@example.com", ""},
		{"Kelvin sign in domain", "ada@\u212ate.example", ""},
		{"long s in domain", "ada@ma\u017fk.example", ""},
		{"fullwidth letter in domain", "ada@\uff45xample.com", ""},
		{"fullwidth full stop", "ada@example\uff0ecom", ""},
		{"ideographic full stop", "ada@example\u3002com", ""},
		{"soft hyphen", "ada@exam\u00adple.com", ""},
		{"zero-width space", "ada@exam\u200bple.com", ""},
		{"zero-width joiner out of place", "ada@exam\u200dple.com", ""},
		{"right-to-left override", "ada@exam\u202eple.com", ""},
		{"both directions in a label", "ada@a\u05d0.example", ""},
		{"circled letter", "ada@ⓔxample.com", ""},
		{"broken punycode", "ada@xn--zzzzzzz99999.example", ""},
		{"empty punycode", "ada@xn--.example", ""},
		{"punycode of ASCII", "ada@xn--example-.com", ""},
		{"punycode of a capital", "ada@xn--Bcher-kva9b.example", ""},
		{"one label", "ada@localhost", ""},
		{"address literal", "ada@[192.0.2.1]", ""},
		{"IPv6 literal", "ada@[IPv6:2001:db8::1]", ""},
		{"bare IPv4", "ada@192.0.2.1", ""},
		{"short IPv4", "ada@127.1", ""},
		{"hexadecimal IPv4", "ada@127.0x1", ""},
		{"trailing dot", "ada@example.com.", ""},
		{"leading dot in domain", "ada@.example.com", ""},
		{"two dots in domain", "ada@example..com", ""},
		{"leading hyphen", "ada@-example.com", ""},
		{"trailing hyphen", "ada@example-.com", ""},
		{"underscore", "ada@ex_ample.com", ""},
		{"label too long", "ada@" + label + "d.com", ""},
		{"port", "ada@example.com:25", ""},
		{"percent", "ada%40evil.example", ""},
		{"UUCP", "evil.example!ada", ""},
		{"source route", "@evil.example:ada@example.com", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := ParseEmail(tc.raw)
			if got != tc.want || ok != (tc.want != "") {
				t.Errorf("ParseEmail(%q) = %q, %v; want %q", tc.raw, got, ok, tc.want)
			}
		})
	}
}

// I12: what is accepted is one ASCII spelling, stays itself, and differs from what was sent in nothing
// but the case of letters, the script of the domain and the way its marks were typed.
func FuzzParseEmail(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw string) {
		canonical, ok := ParseEmail(raw)
		if !ok {
			return
		}
		if again, ok := ParseEmail(canonical); !ok || again != canonical {
			t.Errorf("ParseEmail(%q) = %q, which is read as %q, %v", raw, canonical, again, ok)
		}
		if len(canonical) > maxEmail || strings.ContainsFunc(canonical, func(r rune) bool { return r <= ' ' || r >= 0x7f || r >= 'A' && r <= 'Z' }) {
			t.Errorf("ParseEmail(%q) = %q: not lower-case printable ASCII of at most %d bytes", raw, canonical, maxEmail)
		}
		sentLocal, sentDomain, _ := strings.Cut(raw, "@")
		local, domain, _ := strings.Cut(canonical, "@")
		if len(local) != len(sentLocal) || !strings.EqualFold(local, sentLocal) {
			t.Errorf("ParseEmail(%q) changed the local part to %q", raw, local)
		}
		// Each label is sent in either of its two spellings, and nothing becomes an ASCII letter that was none.
		labels := strings.Split(domain, ".")
		sentLabels := strings.Split(sentDomain, ".")
		if len(labels) != len(sentLabels) {
			t.Fatalf("ParseEmail(%q) made %d labels of %d", raw, len(labels), len(sentLabels))
		}
		for i, label := range labels {
			inScript, err := idna.Punycode.ToUnicode(label)
			sent := sentLabels[i]
			folded := norm.NFC.String(strings.ToLower(sent))
			if err != nil || countASCII(folded) > countASCII(sent) || folded != label && folded != inScript {
				t.Errorf("ParseEmail(%q) folded %q into %q (%q)", raw, sent, label, inScript)
			}
		}
	})
}

func countASCII(s string) (count int) {
	for _, r := range s {
		if r < utf8.RuneSelf {
			count++
		}
	}
	return count
}
