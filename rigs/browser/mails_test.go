package browser

// Every mail fits where it is read: nothing has to be scrolled sideways on the narrowest phone and in a wide
// window, light and dark, and it reads from the side that its language does. The long lane looks at every language's.

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"latchkey/internal/locale"
	"latchkey/internal/mail"
	"latchkey/rigs/stage"
)

// windows are the widths that mails are looked at.
var windows = [...]int64{320, 800}

// sheet is what is seen of a mail.
type sheet struct {
	Past            []string // elements past the edge
	Language, Side  string
	Ground, Written string // colours of the card and of the words on it
}

const seenOfAMail = `(() => {
	const card = document.querySelector(".card"), style = getComputedStyle(card);
	return {Past: ` + overflowing + `, Language: document.documentElement.lang, Side: getComputedStyle(document.querySelector("h1")).direction,
		Ground: style.backgroundColor, Written: style.color};
})()`

// longest is a look whose every part is as long as it may be, without a place to break.
func longest(language string) mail.Data {
	return mail.Data{
		Platform: strings.Repeat("Donaudampfschifffahrt", 4), Support: "https://help.example.com/" + strings.Repeat("a", 100),
		Accent: "#0b6e4f", OnAccent: "#ffffff", Language: language,
	}
}

func TestEveryMailFits(t *testing.T) {
	templates, err := mail.NewTemplates(nil)
	if err != nil {
		t.Fatal(err)
	}
	var shown sync.Map // HTML, by path
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		document, _ := shown.Load(r.URL.Path)
		fmt.Fprint(w, document)
	}))
	t.Cleanup(server.Close)
	for _, l := range locale.Languages() {
		t.Run(l.Tag, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, false)
			samples := mail.Samples(mail.Data{Language: l.Tag})
			if l.Tag == "en" || l.Direction == "rtl" { // elsewhere only words differ
				samples = append(samples, mail.Samples(longest(l.Tag))...)
			} else {
				samples = samples[:stage.Lane(t, 1, len(samples), len(samples))]
			}
			for i, sample := range samples {
				m, err := templates.Render(sample.Kind, "sample", sample.Data)
				if err != nil {
					t.Fatal(err)
				}
				if sample.Data.Link != "" && !slices.Contains(strings.Split(m.Text, "\n"), sample.Data.Link) {
					t.Errorf("%s in %s: the text part has no line with the whole link:\n%s", sample.Title, l.Tag, m.Text)
				}
				path := fmt.Sprintf("/%s/%d", l.Tag, i)
				shown.Store(path, m.HTML)
				p.open(server.URL + path)
				p.looksAtMail(sample.Title, l)
			}
		})
	}
}

// looksAtMail holds the mail that is shown to what it promises, in each window and theme.
func (p *person) looksAtMail(title string, l locale.Language) {
	p.t.Helper()
	looks := map[string]string{} // of a theme: the ground, and what is written on it
	for _, width := range windows {
		p.do(chromedp.EmulateViewport(width, 600))
		for _, theme := range themes {
			p.prefers(theme)
			got := eval[sheet](p, seenOfAMail)
			if len(got.Past) > 0 {
				p.t.Errorf("%s in %s, %d wide: past the edge: %v", title, l.Tag, width, got.Past)
			}
			if got.Language != l.Tag || got.Side != l.Direction {
				p.t.Errorf("%s in %s: is in %q and reads %s, want %s", title, l.Tag, got.Language, got.Side, l.Direction)
			}
			looks[theme] = got.Written + " on " + got.Ground
		}
	}
	if looks["light"] == looks["dark"] {
		p.t.Errorf("%s in %s: light and dark look alike: %s", title, l.Tag, looks["dark"])
	}
}
