package locale

import (
	"strings"
	"testing"
)

func TestPlainLeavesNothingToLink(t *testing.T) {
	for _, usual := range []string{"", "Firefox", "Chrome 140", "Opera Mini 12.1.2", "Edge (mobile)", "GT-I9300_x", "Windows 10", "Samsung Browser 28.0"} {
		if got := Plain(usual); got != usual {
			t.Errorf("Plain(%q) = %q", usual, got)
		}
	}
	for _, odd := range []string{
		"latchkey-secure24.com", "evil.example", "evil1.example", "24.com", "go to evil.example now", "1.2.3.4", "evil.1e", ".com",
		"http://evil", "http:evil", "//evil", "evil/x", "eve@evil", "@eve", "#eve", "a:b", "mailto:eve",
		"1-800-555-0199", "call 1 800 555 0199", "(800) 555 0199", "800.555.0199", "555-0199", "+18005550199", "18005550199", "5_5_5_0_1_9_9",
		"evil\u2024example", "evil\u3002example", "evil\uff0eexample", "evil\uff61example", "evil\u00b7example", "evil\u06d4example", "evil\ua4f8example",
		"\uff45vil", "Fire\u202efox", "Fire\u200bfox", "Fire\u00adfox", "Fire\u2028fox", "Fire\nfox", "\x00", "Fire\u00a0fox", "<b>Firefox</b>", "a|b", "\xff",
		strings.Repeat("Firefox ", 7),
	} {
		if got := Plain(odd); got != "" {
			t.Errorf("Plain(%q) = %q", odd, got)
		}
	}
}

func TestVisible(t *testing.T) {
	for s, want := range map[string]string{
		"Ada": "Ada", "Jean-Luc O’Brien": "Jean-Luc O’Brien", "Müller": "Müller", "Mu\u0308ller": "Mu\u0308ller", "क्रेडेबल": "क्रेडेबल", "山田 太郎": "山田 太郎",
		"A\u202ed\u200ba": "Ada", "\u2066A\u2069da": "Ada", "A\u200dd\u200ca": "Ada", "A\u061cd\u00ada": "Ada", "\ufeffAda": "Ada",
		"A\u2028d\u2029a": "Ada", "A\u3164d\u115fa": "Ada", "A\ufe0fd\U000e0041a": "Ada", "A\u034fda\u2800": "Ada", "A\ue000da": "Ada", "A\x1b[31mda": "A[31mda", "A\xffda": "Ada",
		"\u202e\u200b": "",
	} {
		if got := Visible(s); got != want {
			t.Errorf("Visible(%q) = %q, want %q", s, got, want)
		}
		if again := Visible(Visible(s)); again != want {
			t.Errorf("Visible twice of %q = %q", s, again)
		}
	}
}

func TestMailboxLeavesNothingToLink(t *testing.T) {
	for address, want := range map[string]string{
		"ada@example.com": "ada@example.com", "ada.lovelace_1-x@example.com": "ada.lovelace_1-x@example.com", "o'brien@example.com": "o'brien@example.com",
		"19991231@example.com": "19991231@example.com", "ada+news_2026-x@xn--mller-kva.example": "ada+news_2026-x@xn--mller-kva.example",

		"ada+//evil.example/x@example.com": "ada+…@example.com", "ada+evil.example@example.com": "ada+…@example.com",
		"ada+www.evil.example@example.com": "ada+…@example.com", "ada+http-evil/@example.com": "ada+…@example.com",
		"ada+18005550199@example.com": "ada+…@example.com", "ada+1-800-555-0199@example.com": "ada+…@example.com", "+18005550199@example.com": "+…@example.com",
		"ada+a+b@example.com": "ada+…@example.com", "ada+@example.com": "ada+…@example.com", "ada+call=now!@example.com": "ada+…@example.com",
		"//evil.example/x@example.com": "…@example.com", "evil.example/x+y@example.com": "…+y@example.com", "www.evil.example@example.com": "…@example.com",
		"a%b@example.com": "…@example.com", "#eve@example.com": "…@example.com", "evil?x=y@example.com": "…@example.com", "*~`{|}^$&!@example.com": "…@example.com",
		"": "", "no address": "",
	} {
		if got := Mailbox(address); got != want {
			t.Errorf("Mailbox(%q) = %q, want %q", address, got, want)
		}
	}
}

// FuzzForeign: what the rules let through they let through again, and nothing in it leads anywhere.
func FuzzForeign(f *testing.F) {
	f.Add("Firefox 140.0")
	f.Add("ada+//evil.example/x@example.com")
	f.Fuzz(func(t *testing.T, s string) {
		plain, visible, mailbox := Plain(s), Visible(s), Mailbox(s)
		if Plain(plain) != plain || Visible(visible) != visible || Mailbox(mailbox) != mailbox {
			t.Errorf("%q: the second time %q, %q, %q", s, Plain(plain), Visible(visible), Mailbox(mailbox))
		}
		before := mailbox[:max(strings.LastIndexByte(mailbox, '@'), 0)]
		for _, shown := range []string{plain, before} {
			if strings.ContainsAny(shown, "/:@#<>&?=%\r\n") || strings.HasPrefix(shown, "www.") {
				t.Errorf("%q is shown as %q", s, shown)
			}
		}
	})
}
