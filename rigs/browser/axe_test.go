package browser

// No page keeps anybody out: axe-core finds nothing, in light and dark, and what it cannot see (that nothing
// has to be scrolled sideways, that the keyboard alone will do) is looked at in layout_test.go and
// keyboard_test.go.

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"latchkey/internal/locale"
)

// themes are what prefers-color-scheme may be.
var themes = [...]string{"light", "dark"}

func (p *person) prefers(theme string) {
	p.t.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// violation is what axe reports of one rule.
type violation struct {
	Rule   string
	Help   string
	Target []string
	Why    []string
}

// Which rules apply: those of WCAG 2.2 at AA, and on a page, which a mail is not, good practice.
const (
	wcagRules = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]`
	pageRules = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`
)

// colourRules are those that the colours of a theme decide; what the others look at is the same in each.
const colourRules = `{type: "rule", values: ["color-contrast", "link-in-text-block"]}`

const axeRun = `axe.run(document, {runOnly: %s, resultTypes: ["violations"]})
	.then(r => ({Checked: r.passes.length, Violations: r.violations.map(v => ({Rule: v.id, Help: v.help,
		Target: v.nodes.map(n => n.target.join(" ")), Why: v.nodes.map(n => n.failureSummary)}))}))`

// accessible asserts that axe finds nothing on the page that is shown, in any theme.
func (p *person) accessible(title string) {
	p.t.Helper()
	p.heldTo(pageRules, title)
}

func (p *person) heldTo(rules, title string) {
	p.t.Helper()
	eval[bool](p, axe(p.t)+";true")
	for i, theme := range themes {
		p.prefers(theme)
		least := 5 // rules that a page passes, if axe looked at it
		if i > 0 {
			rules, least = colourRules, 1
		}
		found := eval[struct {
			Checked    int
			Violations []violation
		}](p, fmt.Sprintf(axeRun, rules))
		if found.Checked < least {
			p.t.Errorf("%s, %s: axe passed %d rules only: did it look at the page?", title, theme, found.Checked)
		}
		for _, v := range found.Violations {
			var where strings.Builder
			for i := range v.Target {
				fmt.Fprintf(&where, "\n  %s: %s", v.Target[i], strings.ReplaceAll(v.Why[i], "\n", "\n    "))
			}
			p.t.Errorf("%s, %s: %s: %s%s", title, theme, v.Rule, v.Help, where.String())
		}
	}
}

// In English and from right to left every page and mail; in other languages, whose pages differ by their
// words alone, one.
func TestEveryPageIsAccessible(t *testing.T) {
	show := newShow(t)
	for _, l := range locale.Languages() {
		t.Run(l.Tag, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, true)
			shown, mails := show.pages(l.Tag), show.mails(l.Tag)
			if l.Tag != "en" && l.Direction != "rtl" {
				shown, mails = shown[:1], mails[:1]
			}
			for _, e := range shown {
				p.open(e.url)
				p.accessible(e.title)
			}
			for _, e := range mails {
				p.open(e.url)
				p.heldTo(wcagRules, e.title)
			}
		})
	}
}
