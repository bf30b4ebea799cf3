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
	"latchkey/internal/pages"
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

const axeRules = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]})
	.then(r => ({Checked: r.passes.length, Violations: r.violations.map(v => ({Rule: v.id, Help: v.help,
		Target: v.nodes.map(n => n.target.join(" ")), Why: v.nodes.map(n => n.failureSummary)}))}))`

// accessible asserts that axe finds nothing on the page that is shown, in any theme.
func (p *person) accessible(title string) {
	p.t.Helper()
	eval[bool](p, axe(p.t)+";true")
	for _, theme := range themes {
		p.prefers(theme)
		found := eval[struct {
			Checked    int
			Violations []violation
		}](p, axeRules)
		if found.Checked < 10 {
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

func TestEveryPageIsAccessible(t *testing.T) {
	show := newShow(t)
	for _, l := range locale.Languages() {
		t.Run(l.Tag, func(t *testing.T) {
			p := newPerson(t, true)
			for _, sample := range pages.Samples(sampleBrand, l.Tag) {
				p.open(show.url(sample.Title, l.Tag))
				p.accessible(sample.Title)
			}
		})
	}
}
