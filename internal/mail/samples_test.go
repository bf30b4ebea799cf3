package mail

// Every mail in every language, as a reader's program takes it apart.

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/net/html"

	"latchkey/internal/locale"
)

// wellFormed walks a document whose every element must be closed, in order, and hands each tag to see.
func wellFormed(t *testing.T, document string, see func(html.Token)) {
	t.Helper()
	tokens := html.NewTokenizer(strings.NewReader(document))
	var open []string
	for {
		kind := tokens.Next()
		token := tokens.Token()
		switch kind {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("%q are never closed", open)
			}
			return
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				t.Fatalf("</%s> closes %q", token.Data, open)
			}
			open = open[:len(open)-1]
		case html.StartTagToken:
			see(token)
			if !slices.Contains([]string{"meta", "br", "img"}, token.Data) {
				open = append(open, token.Data)
			}
		}
	}
}

func attribute(token html.Token, name string) string {
	for _, a := range token.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

var wide = regexp.MustCompile(`(?:^|[^-])width:\s*\d`) // max-width is welcome

func TestEverySampleInEveryLanguage(t *testing.T) {
	brand := Data{Platform: "Acme & Söhne", LogoURL: "https://acme.example/logo.png", Accent: "#0a7d4f", OnAccent: "#fefefe", Support: "help@acme.example"}
	for _, l := range locale.Languages() {
		brand.Language = l.Tag
		shown := map[Kind]bool{}
		for _, s := range Samples(brand) {
			shown[s.Kind] = true
			t.Run(l.Tag+" "+s.Title, func(t *testing.T) {
				m, err := plainly.Render(s.Kind, "row-1", s.Data)
				if err != nil {
					t.Fatal(err)
				}
				if m.Language != l.Tag || strings.Contains(m.Subject+m.Text+m.HTML, "%!") || strings.Contains(m.Text+m.HTML, mark) || strings.Contains(m.HTML, "ZgotmplZ") {
					t.Errorf("%s: %s\n%s", m.Language, m.Subject, m.Text)
				}
				if s.Data.Link != "" && !slices.Contains(strings.Split(m.Text, "\n"), s.Data.Link) {
					t.Errorf("the link is not alone on its line:\n%s", m.Text)
				}
				if s.Data.Hosted != "" && (!slices.Contains(strings.Split(m.Text, "\n"), s.Data.Hosted) || !strings.Contains(m.HTML, `<a href="`+escaped(s.Data.Hosted)+`"`)) {
					t.Errorf("the link to our own pages is not in both parts, alone on its line:\n%s", m.Text)
				}
				checkDocument(t, m.HTML, l, s.Data)
			})
		}
		if len(shown) != len(kinds) {
			t.Errorf("samples show %d of %d kinds", len(shown), len(kinds))
		}
	}
}

// checkDocument: it says its language and direction where readers that drop <html> find it too, fits a
// screen of 320 pixels, fetches nothing but the logo, and leads nowhere but to the link, to the same on our own pages, and to support.
func checkDocument(t *testing.T, document string, l locale.Language, d Data) {
	t.Helper()
	said, buttons := 0, 0
	wellFormed(t, document, func(tag html.Token) {
		style := attribute(tag, "style")
		if attribute(tag, "lang") != "" {
			said++
			if attribute(tag, "lang") != l.Tag || attribute(tag, "dir") != l.Direction {
				t.Errorf("%s, want lang %s and dir %s", tag, l.Tag, l.Direction)
			}
		}
		if side := map[string]string{"ltr": "left", "rtl": "right"}[l.Direction]; strings.Contains(style, "text-align:") && !strings.Contains(style, "text-align:"+side) {
			t.Errorf("%s, want lines to begin at the %s", tag, side)
		}
		if w := attribute(tag, "width"); w != "" && w != "100%" && tag.Data != "meta" || wide.MatchString(style) {
			t.Errorf("%s does not shrink", tag)
		}
		switch href := attribute(tag, "href"); {
		case tag.Data == "a" && href == d.Link && strings.Contains(style, "color:"+d.OnAccent):
			buttons++
		case tag.Data == "a" && d.Hosted != "" && href == d.Hosted:
		case tag.Data == "a" && href != d.Link && href != "mailto:"+d.Support, tag.Data != "a" && href != "":
			t.Errorf("%s leads elsewhere", tag)
		}
		if src := attribute(tag, "src"); src != "" && (tag.Data != "img" || src != d.LogoURL) || strings.Contains(style, "url(") || tag.Data == "link" || tag.Data == "script" {
			t.Errorf("%s fetches something", tag)
		}
		for _, a := range tag.Attr {
			if strings.HasPrefix(a.Key, "on") {
				t.Errorf("%s has a handler", tag)
			}
		}
	})
	if want := map[bool]int{true: 1}[d.Link != ""]; said != 2 || buttons != want || strings.Count(document, "background:"+d.Accent) != want {
		t.Errorf("%d elements say their language, want 2; %d buttons in the brand's colours, want %d", said, buttons, want)
	}
	if !strings.Contains(document, "prefers-color-scheme: dark") || !strings.Contains(document, `<meta name="color-scheme" content="light dark">`) {
		t.Error("readers in the dark are not thought of")
	}
}

// messageKeys are those of English's messages that mails say.
func messageKeys(t *testing.T) (keys []string) {
	t.Helper()
	text, err := os.ReadFile("../locale/messages/en.toml")
	if err != nil {
		t.Fatal(err)
	}
	var messages struct{ Mail map[string]any }
	if err := toml.Unmarshal(text, &messages); err != nil {
		t.Fatal(err)
	}
	for name, value := range messages.Mail {
		of, isKind := value.(map[string]any)
		if !isKind {
			keys = append(keys, "mail."+name)
		}
		for part := range of {
			keys = append(keys, "mail."+name+"."+part)
		}
	}
	return keys
}

// Every message of mails is in some mail, so that none is translated for nothing; and each can be said
// in a client's own words, which are text and never markup.
func TestEveryMessageCanBeSaidOtherwise(t *testing.T) {
	for _, key := range messageKeys(t) {
		own := `100%% <b>ours</b> & "more" for %[1]s {{.Link}}`
		found := false
		for _, s := range Samples(Data{Support: "https://acme.example/help", Texts: map[string]string{key: own}}) {
			m, err := plainly.Render(s.Kind, "row-1", s.Data)
			if err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			if strings.Contains(m.HTML, "<b>") || strings.Contains(m.Subject+m.Text+m.HTML, "%!") {
				t.Errorf("%s is taken for more than text:\n%s", key, m.HTML)
			}
			want := `100% <b>ours</b> & "more" for ` + s.Data.To + " {{.Link}}"
			if key == "mail.copy" { // beside the button, which the text part has not
				found = found || strings.Contains(m.HTML, "100% &lt;b&gt;ours")
			}
			found = found || strings.Contains(m.Text, want) && strings.Contains(m.HTML, "100% &lt;b&gt;ours&lt;/b&gt; &amp; ")
			wellFormed(t, m.HTML, func(html.Token) {})
		}
		if !found {
			t.Errorf("%s is in no mail", key)
		}
	}
	d := fullData()
	d.Texts = map[string]string{"date.full": "%[1]s only", "account.browser_on": "%[9]s"} // of pages
	if m, err := plainly.Render(Reset, "row-1", d); err != nil || !strings.Contains(m.Text, "2026, 08:05 UTC") {
		t.Errorf("a text of pages changed a mail: %v\n%s", err, m.Text)
	}
}

// Hostile names change nothing but the words they stand in.
func TestHostileNamesStayWords(t *testing.T) {
	for _, s := range Samples(Data{}) {
		plain, err := plainly.Render(s.Kind, "row-1", s.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{
			`<script>alert(1)</script>`, `</td></tr></table>`, `"><img src=x onerror=alert(1)>`, `{{.Link}}`, `%s %[1]s %!`, `&lt;b&gt;`, `' or 1=1 --`, `javascript:alert(1)`,
		} {
			d := s.Data
			d.Platform, d.Browser, d.OS, d.Addr = name, name, name, name
			m, err := plainly.Render(s.Kind, "row-1", d)
			if err != nil {
				t.Fatalf("%s, %q: %v", s.Title, name, err)
			}
			tags := 0
			wellFormed(t, m.HTML, func(html.Token) { tags++ })
			wellFormed(t, plain.HTML, func(html.Token) { tags-- })
			if tags > 0 || strings.Count(m.Text, "\n") > strings.Count(plain.Text, "\n") || !strings.HasSuffix(m.Subject, " - "+name) || strings.Contains(m.Text, "Device:") {
				t.Errorf("%s: %q is more than a name:\n%s\n%s", s.Title, name, m.Subject, m.Text)
			}
		}
	}
}
