package browser

// Every page fits: nothing has to be scrolled sideways, from the narrowest phone to the desktop, from left
// to right and from right to left; every language's in the long lane. LATCHKEY_SCREENSHOTS names a folder that takes a picture of each.

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"latchkey/internal/locale"
	"latchkey/rigs/stage"
)

// screen is a size of a window.
type screen struct {
	name          string
	width, height int64
	pictured      bool
}

// screens are the widths that pages are looked at; 320 is what WCAG 1.4.10 asks for.
var screens = []screen{{"narrow", 320, 640, false}, {"phone", 390, 844, true}, {"desktop", 1280, 800, true}}

// overflowing names what reaches past the edge of the window.
const overflowing = `[...document.querySelectorAll("body *")].filter(e => {
	const r = e.getBoundingClientRect();
	return r.width > 0 && !e.matches(".skip") && (r.left < -0.5 || r.right > document.documentElement.clientWidth + 0.5);
}).map(e => e.tagName + "." + e.className).concat(document.documentElement.scrollWidth > document.documentElement.clientWidth ? ["the page"] : [])`

func TestEveryPageFits(t *testing.T) {
	show := newShow(t)
	for _, l := range locale.Languages() {
		t.Run(l.Tag, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, true)
			exhibits, widths := slices.Concat(show.pages(l.Tag), show.mails(l.Tag)), screens
			if whole := l.Tag == "en" || l.Direction == "rtl"; !whole { // only words differ; of mails see TestEveryMailFits
				pages := show.pages(l.Tag)
				exhibits, widths = pages[:stage.Lane(t, 1, len(pages), len(pages))], screens[:1]
			}
			for _, e := range exhibits {
				p.open(e.url)
				p.do(chromedp.Evaluate[chromedp.Void]("document.querySelectorAll('details').forEach(d => d.open = true)"))
				p.fits(e.title+"-"+l.Tag, widths)
			}
		})
	}
}

// fits asserts that the page that is shown fits into windows of those widths.
func (p *person) fits(title string, widths []screen) {
	p.t.Helper()
	folder := os.Getenv("LATCHKEY_SCREENSHOTS")
	for _, s := range widths {
		p.do(chromedp.EmulateViewport(s.width, s.height))
		if over := eval[[]string](p, overflowing); len(over) > 0 {
			p.t.Errorf("%s, %d wide: past the edge: %v", title, s.width, over)
		}
		if folder != "" && s.pictured {
			p.do(chromedp.EmulateViewport(s.width, max(s.height, eval[int64](p, "document.documentElement.scrollHeight"))))
			p.picture(folder, title+"-"+s.name)
		}
	}
}

// picture writes what is shown, in each theme.
func (p *person) picture(folder, title string) {
	p.t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		p.t.Fatal(err)
	}
	for _, theme := range themes {
		p.prefers(theme)
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		defer cancel()
		png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			p.t.Fatalf("picture of %s: %v", title, err)
		}
		name := strings.NewReplacer(" ", "-", ",", "", ":", "").Replace(title) + "-" + theme + ".png"
		if err := os.WriteFile(filepath.Join(folder, name), png, 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
}
