package browser

// A person at a browser: a profile, and what one does with a page. Words are named by their keys, so that a
// flow reads the same in every language.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"latchkey/internal/locale"
	"latchkey/rigs/stage"
)

// patience is how long a page may take before the test gives up, on a busy machine too: tests wait for what they
// assert and no longer.
const patience = time.Minute

// person is one tab of one profile.
type person struct {
	t       *testing.T
	ctx     context.Context
	script  bool // whether JavaScript runs
	words   locale.Printer
	record  *record
	headers network.Headers
	status  int64 // of the page shown
}

// newPerson opens a private window. Its requests come from an address of its own, as another person's would.
func newPerson(t *testing.T, script bool) *person {
	t.Helper()
	return newPersonIn(t, stage.Chromium(t), script)
}

func newPersonIn(t *testing.T, chromium context.Context, script bool) *person {
	t.Helper()
	record := &record{}
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext(), chromedp.WithListener(record.hear))
	return open(t, ctx, cancel, &person{
		script: script, words: locale.For("en"), record: record,
		headers: network.Headers{"X-Forwarded-For": fmt.Sprintf("10.%d.%d.%d", rand.IntN(256), rand.IntN(256), 1+rand.IntN(254))},
	})
}

// newTab is a second tab of the same profile.
func (p *person) newTab() *person {
	p.t.Helper()
	record := &record{}
	ctx, cancel := chromedp.NewContext(p.ctx, chromedp.WithListener(record.hear))
	return open(p.t, ctx, cancel, &person{script: p.script, words: p.words, record: record, headers: p.headers})
}

func open(t *testing.T, ctx context.Context, cancel context.CancelFunc, p *person) *person {
	t.Helper()
	p.t, p.ctx = t, ctx
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a window: %v", err)
	}
	t.Cleanup(func() {
		for _, complaint := range p.record.complaints() {
			t.Errorf("the browser says: %s", complaint)
		}
		cancel()
	})
	call(p, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: p.headers})
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !p.script})
	return p
}

// uses makes the person's browser say that it is another.
func (p *person) uses(userAgent string) {
	p.t.Helper()
	call(p, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: userAgent})
}

// do runs steps that end within a person's patience.
func (p *person) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%v\n%s", err, p.shown())
	}
}

// load runs steps that lead to another page, and waits for it.
func (p *person) load(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	p.arrive(func(ctx context.Context) (*network.Response, error) { return chromedp.RunResponse(ctx, steps...) })
}

// open goes to an address, as one who types it or follows a link in a mail.
func (p *person) open(url string) {
	p.t.Helper()
	p.arrive(func(ctx context.Context) (*network.Response, error) {
		return chromedp.Run(ctx, chromedp.NavigateResponse(url))
	})
}

func (p *person) arrive(by func(context.Context) (*network.Response, error)) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	res, err := by(ctx)
	if err != nil {
		p.t.Fatalf("no other page came: %v\n%s", err, p.shown())
	}
	p.status = 0
	if res != nil {
		p.status = res.Status
	}
}

// word is a message in the person's language.
func (p *person) word(key string, args ...any) string {
	p.t.Helper()
	text, err := p.words.Text(key, args...)
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// button and anchor find what bears a message.
func (p *person) button(key string, args ...any) string {
	return fmt.Sprintf("//button[normalize-space()=%s or @aria-label=%[1]s]", strconv.Quote(p.word(key, args...)))
}

func (p *person) anchor(key string) string {
	return fmt.Sprintf("//a[normalize-space()=%s]", strconv.Quote(p.word(key)))
}

// press presses a button that leads to another page, and follow follows a link.
func (p *person) press(key string, args ...any) {
	p.t.Helper()
	p.load(stage.Click(p.button(key, args...)))
}

func (p *person) follow(key string) {
	p.t.Helper()
	p.load(stage.Click(p.anchor(key)))
}

// fill types into a field in place of what it holds.
func (p *person) fill(field, text string) {
	p.t.Helper()
	sel := chromedp.ID(field)
	p.do(stage.Click(sel))
	p.edits("selectAll")
	p.do(chromedp.SendKeys(sel, text))
}

// value is what a field holds.
func (p *person) value(field string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf("document.getElementById(%q).value", field))
}

// at asserts which page is shown, by its heading.
func (p *person) at(key string, args ...any) {
	p.t.Helper()
	if got, want := eval[string](p, "document.querySelector('h1')?.textContent.trim() ?? ''"), p.word(key, args...); got != want {
		p.t.Fatalf("the page is %q, want %q\n%s", got, want, p.shown())
	}
}

// told asserts that the page says something.
func (p *person) told(key string, args ...any) {
	p.t.Helper()
	if want := p.word(key, args...); !strings.Contains(p.text(), want) {
		p.t.Fatalf("the page does not say %q\n%s", want, p.shown())
	}
}

// text is what the page says, as it is seen.
func (p *person) text() string {
	p.t.Helper()
	return eval[string](p, "document.body.innerText")
}

// location is the address of the page.
func (p *person) location() string {
	p.t.Helper()
	return eval[string](p, "location.href")
}

// back presses the browser's back button.
func (p *person) back() {
	p.t.Helper()
	p.do(chromedp.NavigateBack())
	p.settle()
}

// settle waits until no page is on its way.
func (p *person) settle() {
	p.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if len(p.record.underWay()) == 0 && eval[string](p, "document.readyState") == "complete" {
			return
		}
	}
	p.t.Fatalf("the page never came to rest: %v", p.record.underWay())
}

// await waits until an expression is true, over the end of one page and the beginning of the next.
func (p *person) await(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		if met, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)); err == nil && met {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.t.Fatalf("never became true: %s\n%s", expression, p.shown())
}

// shown tells a failed test what the person saw.
func (p *person) shown() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	html, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.documentElement.outerHTML"))
	if err != nil {
		return err.Error()
	}
	return html
}

// eval evaluates an expression in the page, past its Content-Security-Policy, whether or not script runs.
func eval[T any](p *person, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 3*patience)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("evaluate in the page: %v", err)
	}
	return got
}

// call sends the browser a command.
func call[P, R any](p *person, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	got, err := chromedp.Call(ctx, command, params)
	if err != nil {
		p.t.Fatalf("%s: %v", command.Method, err)
	}
	return got
}

// click clicks the first element that a CSS selector finds.
func click(css string) chromedp.Action[chromedp.Void] { return stage.Click(chromedp.CSS(css)) }
