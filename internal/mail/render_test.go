package mail

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"latchkey/internal/locale"
)

// plainly are the templates Latchkey brings along.
var plainly = Must(NewTemplates(nil))

const testLink = "https://app.example.com/reset-password?verificationCode=x8Jq0mB5nS3vQ2kT7yR1wE6uL9pA4cD0fG8hZ5jN3mX&email=ada%40example.com"

func fullData() Data {
	return Data{
		To: "ada@example.com", From: "Acme <no-reply@acme.example>", Platform: "Acme & Söhne (Test)",
		LogoURL: "https://acme.example/logo.png?a=1&b=2", Link: testLink, NewEmail: "ada@new.example",
		ExpiresAt: time.Date(2026, 11, 23, 9, 5, 0, 0, time.UTC), At: time.Date(2026, 11, 23, 8, 5, 0, 0, time.UTC),
		Browser: "Firefox 140.0", OS: "Linux", Addr: "203.0.113.7",
	}
}

// escaped is how html/template writes s into text.
func escaped(s string) string { return strings.NewReplacer("&", "&amp;", "+", "&#43;").Replace(s) }

// title is the English title of a kind.
func title(t *testing.T, kind Kind) string {
	t.Helper()
	s, err := locale.For("en").Text("mail." + string(kind) + ".title")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRenderEveryKind(t *testing.T) {
	for _, k := range kinds {
		t.Run(string(k.kind), func(t *testing.T) {
			d := fullData()
			m, err := plainly.Render(k.kind, "row-1", d)
			if err != nil {
				t.Fatal(err)
			}
			if m.ID != "row-1" || m.To != d.To || m.From != d.From || !m.Date.Equal(d.At) || m.Subject != title(t, k.kind)+" - "+d.Platform || m.Language != "en" {
				t.Errorf("mail %+v", m)
			}
			for _, want := range []string{d.To, d.Platform, title(t, k.kind), "You are receiving this email because"} {
				if !strings.Contains(m.Text, want) || !strings.Contains(m.HTML, escaped(want)) {
					t.Errorf("%q is missing in:\n%s", want, m.Text)
				}
			}
			if !strings.Contains(m.HTML, `<img src="`+escaped(d.LogoURL)+`" alt="Acme &amp; Söhne (Test)"`) {
				t.Error("the logo is missing")
			}
			if k.link && (!strings.Contains(m.Text, "\n"+testLink+"\n") || strings.Count(m.HTML, escaped(testLink)) != 3) {
				t.Errorf("the link is not alone on its line, or not twice in HTML:\n%s\n%s", m.Text, m.HTML)
			}
			if strings.Contains(m.Text, "\n\n\n") || strings.Contains(m.Text+m.HTML, "<no value>") || strings.Contains(m.HTML, "ZgotmplZ") {
				t.Errorf("untidy:\n%s", m.Text)
			}
			if again, err := plainly.Render(k.kind, "row-1", d); err != nil || cmp.Diff(m, again) != "" {
				t.Errorf("a later try differs: %v %s", err, cmp.Diff(m, again))
			}
		})
	}
}

func TestRenderWithLittle(t *testing.T) {
	for _, k := range kinds {
		d := Data{To: "ada@example.com", From: "no-reply@localhost"}
		if k.link {
			if _, err := plainly.Render(k.kind, "row-1", d); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s without its link: error %v, want ErrMalformed", k.kind, err)
			}
			d.Link = testLink
		}
		if k.kind == EmailChanged {
			d.NewEmail = "ada@new.example"
		}
		m, err := plainly.Render(k.kind, "row-1", d)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(m.Subject, "Latchkey") || strings.Contains(m.Text, "\n\n\n") || strings.Contains(m.HTML, "<img") ||
			strings.Contains(m.Text, "Device:") || strings.Contains(m.Text, "When:") {
			t.Errorf("%s:\n%s", k.kind, m.Text)
		}
	}
}

func TestRenderTellsWhatHappened(t *testing.T) {
	for kind, want := range map[Kind][]string{
		Verify:            {"until 23 November 2026, 09:05 UTC"},
		Reset:             {"until 23 November 2026, 09:05 UTC", "Firefox 140.0 on Linux", "203.0.113.7", "23 November 2026, 08:05 UTC"},
		PasswordChanged:   {"Firefox 140.0 on Linux", "203.0.113.7", "23 November 2026, 08:05 UTC"},
		EmailChanged:      {"Firefox 140.0 on Linux", "ada@new.example"},
		SessionEndedReuse: {"Firefox 140.0 on Linux", "used twice"},
	} {
		m, err := plainly.Render(kind, "row-1", fullData())
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(m.Text, w) || !strings.Contains(m.HTML, w) && !strings.Contains(m.HTML, `<strong dir="auto">`+strings.TrimPrefix(w, "until ")) {
				t.Errorf("%s does not say %q:\n%s", kind, w, m.Text)
			}
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Data){
		"platform with a line":     func(d *Data) { d.Platform = "Acme\r\nBcc: eve@example.com" },
		"platform with NUL":        func(d *Data) { d.Platform = "Acme\x00" },
		"platform, right to left":  func(d *Data) { d.Platform = "Acme\u202e" },
		"platform, encoded":        func(d *Data) { d.Platform = "=?utf-8?q?Acme?=" },
		"To with a line":           func(d *Data) { d.To = "ada@example.com\r\nBcc: eve@example.com" },
		"From with a line":         func(d *Data) { d.From = "A\r\nBcc: eve@example.com <a@b.example>" },
		"link with a line":         func(d *Data) { d.Link = "https://a.example/\r\n\r\nCall us" },
		"link with a space":        func(d *Data) { d.Link = "https://a.example/ Call us" },
		"link, javascript":         func(d *Data) { d.Link = "javascript:alert(1)" },
		"link, data":               func(d *Data) { d.Link = "data:text/html,x" },
		"link, no scheme":          func(d *Data) { d.Link = "//evil.example/x" },
		"link, relative":           func(d *Data) { d.Link = "/x" },
		"link, opaque":             func(d *Data) { d.Link = "https:evil.example" },
		"link, userinfo":           func(d *Data) { d.Link = "https://acme.example@evil.example/" },
		"link, backslash":          func(d *Data) { d.Link = `https://acme.example\@evil.example/` },
		"link, quote":              func(d *Data) { d.Link = `https://acme.example/" onclick="x` },
		"link, not ASCII":          func(d *Data) { d.Link = "https://acme.example/ü" },
		"logo, javascript":         func(d *Data) { d.LogoURL = "javascript:alert(1)" },
		"logo, no scheme":          func(d *Data) { d.LogoURL = "//evil.example/x.png" },
		"new address with a line":  func(d *Data) { d.NewEmail = "a@b.example\nCall us" },
		"new address, no address":  func(d *Data) { d.NewEmail = "call us" },
		"new address, none":        func(d *Data) { d.NewEmail = "" },
		"support with a line":      func(d *Data) { d.Support = "help@acme.example\nCall us" },
		"support, javascript":      func(d *Data) { d.Support = "javascript:alert(1)" },
		"support, words":           func(d *Data) { d.Support = "Call us" },
		"colour, a name":           func(d *Data) { d.Accent, d.OnAccent = "red", "#ffffff" },
		"colour, more than one":    func(d *Data) { d.Accent, d.OnAccent = "#112233;x:url(//evil.example)", "#ffffff" },
		"colour with a line":       func(d *Data) { d.Accent, d.OnAccent = "#112233\n", "#ffffff" },
		"colour, markup":           func(d *Data) { d.Accent, d.OnAccent = "#112233", `#ffffff"><script>` },
		"colour, alone":            func(d *Data) { d.Accent = "#112233" },
		"colour, the other alone":  func(d *Data) { d.OnAccent = "#112233" },
		"text with a line":         func(d *Data) { d.Texts = map[string]string{"mail.was_you": "Fine.\r\n.\r\nDATA"} },
		"text with NUL":            func(d *Data) { d.Texts = map[string]string{"mail.was_you": "Fine\x00"} },
		"text, right to left":      func(d *Data) { d.Texts = map[string]string{"mail.was_you": "Fine\u202e"} },
		"text with our own mark":   func(d *Data) { d.Texts = map[string]string{"mail.was_you": "Fine" + mark} },
		"text not UTF-8":           func(d *Data) { d.Texts = map[string]string{"mail.was_you": "\xff"} },
		"text without an end":      func(d *Data) { d.Texts = map[string]string{"mail.was_you": strings.Repeat("a", 1025)} },
		"text, no placeholder":     func(d *Data) { d.Texts = map[string]string{"mail.was_you": "100% fine"} },
		"text, number":             func(d *Data) { d.Texts = map[string]string{"mail.was_you": "%[1]d"} },
		"text, fifth name":         func(d *Data) { d.Texts = map[string]string{"mail.was_you": "%[5]s"} },
		"text, next name":          func(d *Data) { d.Texts = map[string]string{"mail.was_you": "%s"} },
		"To with a name":           func(d *Data) { d.To = "Ada <ada@example.com>" },
		"platform not UTF-8":       func(d *Data) { d.Platform = "\xff" },
		"platform without an end ": func(d *Data) { d.Platform = strings.Repeat("a", 257) },
	} {
		d := fullData()
		spoil(&d)
		m, err := plainly.Render(EmailChanged, "row-1", d)
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error %v, mail %+v; want ErrMalformed", name, err, m)
		}
		if err != nil && strings.Contains(err.Error(), "verificationCode") {
			t.Errorf("%s: the error holds the link: %v", name, err)
		}
	}
	if _, err := plainly.Render("no-such", "row-1", fullData()); !errors.Is(err, ErrMalformed) {
		t.Errorf("unknown kind: error %v, want ErrMalformed", err)
	}
	if _, err := plainly.Render(Reset, "row 1", fullData()); !errors.Is(err, ErrMalformed) {
		t.Errorf("bad id: error %v, want ErrMalformed", err)
	}
}

func TestRenderEscapes(t *testing.T) {
	d := fullData()
	d.Platform = `<script>alert("1")</script> & 'co'`
	m, err := plainly.Render(Reset, "row-1", d)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(m.HTML, "<script") || !strings.Contains(m.HTML, "&lt;script&gt;") {
		t.Errorf("not escaped:\n%s", m.HTML)
	}
	if !strings.Contains(m.Text, d.Platform) {
		t.Errorf("the text part is plain text, not HTML:\n%s", m.Text)
	}
}

// Whoever asks for a mail to somebody else chooses their own User-Agent: it is no way to write to a
// stranger.
func TestRenderDropsOddDevices(t *testing.T) {
	for _, odd := range []string{
		"latchkey-secure24.com", "call 1-800-555-0199", "Win now at evil.example", "evil.example", "https://evil.example/", "see http:evil", "Firefox\r\nCall us", "<b>Firefox</b>", "@eve", "Ünix",
		strings.Repeat("Firefox ", 7), "evil.e", "\x00", "evil\u2024example", "a|b",
	} {
		d := fullData()
		d.Browser, d.OS, d.Addr = odd, odd, odd
		m, err := plainly.Render(Reset, "row-1", d)
		if err != nil {
			t.Fatalf("%q: %v", odd, err)
		}
		if strings.Contains(m.Text, "Device:") || strings.Contains(m.Text, "From:") {
			t.Errorf("%q got into the mail:\n%s", odd, m.Text)
		}
	}
	for _, tt := range [][3]string{{"Firefox", "Linux", "Device: Firefox on Linux\n"}, {"Firefox", "", "Device: Firefox\n"}, {"", "Linux", "Device: Linux\n"}} {
		d := fullData()
		d.Browser, d.OS = tt[0], tt[1]
		if m, err := plainly.Render(Reset, "row-1", d); err != nil || !strings.Contains(m.Text, tt[2]) {
			t.Errorf("%q and %q: want %q in\n%s", tt[0], tt[1], tt[2], m.Text)
		}
	}
}

// Whoever asks for a mail to somebody else chooses what stands behind a + in the address, too: the mail goes
// there and does not say it.
func TestRenderDropsOddAddresses(t *testing.T) {
	for _, k := range kinds {
		for _, odd := range []string{"ada+//evil.example/x@example.com", "ada+evil.example@example.com", "//evil.example/x@example.com", "ada+evil.example/18005550199@example.com"} {
			d := fullData()
			d.To, d.NewEmail = odd, "new"+odd
			m, err := plainly.Render(k.kind, "row-1", d)
			if err != nil {
				t.Fatalf("%s to %q: %v", k.kind, odd, err)
			}
			if m.To != odd {
				t.Errorf("%s to %q goes to %q", k.kind, odd, m.To)
			}
			for _, said := range []string{m.Subject, m.Text, m.HTML} {
				if strings.Contains(said, "evil") || strings.Contains(said, "555") {
					t.Errorf("%s to %q says\n%s", k.kind, odd, said)
				}
			}
		}
	}
}

// FuzzRender: whatever a stranger chooses, the mail has no markup and no link but ours.
func FuzzRender(f *testing.F) {
	f.Fuzz(func(t *testing.T, platform, browser, os, addr string) {
		d := fullData()
		plain := d
		plain.Platform, plain.Browser, plain.OS, plain.Addr = "Acme", "Firefox", "Linux", "203.0.113.7"
		d.Platform, d.Browser, d.OS, d.Addr = platform, browser, os, addr
		m, err := plainly.Render(Reset, "row-1", d)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		want, err := plainly.Render(Reset, "row-1", plain)
		if err != nil {
			t.Fatal(err)
		}
		// Device and address may be missing, with their markup; nothing may be there that was not.
		rest := outline(want.HTML)
		for _, part := range outline(m.HTML) {
			at := slices.Index(rest, part)
			if at < 0 {
				t.Fatalf("%s is not in the plain mail, or not there:\n%s", part, m.HTML)
			}
			rest = rest[at+1:]
		}
		if strings.Count(m.Text, "\n") > strings.Count(want.Text, "\n") {
			t.Errorf("more lines than expected:\n%s", m.Text)
		}
	})
}

// outline is the mail as a mail program reads it, without its words: each element with its attributes,
// the comments, and where the links lead.
func outline(mail string) []string {
	var parts []string
	for z := html.NewTokenizer(strings.NewReader(mail)); z.Next() != html.ErrorToken; {
		token := z.Token()
		if token.Type == html.TextToken {
			continue
		}
		part := token.Type.String() + " " + token.Data
		for _, a := range token.Attr {
			part += " " + a.Key
			if a.Key == "href" || a.Key == "src" || a.Key == "style" {
				part += "=" + a.Val
			}
		}
		parts = append(parts, part)
	}
	return parts
}
