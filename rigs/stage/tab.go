package stage

// Tabs of real browsers, for applications that are pages. Three engines stand behind one small interface, which asks of
// no driver what another cannot do:
//
//   - WebKit's tells nothing of a page's console and of its requests, lets nobody come between them, and does one thing at
//     a time. What a page has asked for its own script counts, and answers are lost on the way.
//   - Firefox's and WebKit's cannot freeze a tab, nor hold its clock. A page's first script replaces clock and timers.
//   - Chromium's alone reads the history of a tab.

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
)

// Patience is how long something may take before the test gives up, on a busy machine too.
const Patience = time.Minute

// starting is how long a browser may take to start, which costs more than anything that it does later.
const starting = 3 * time.Minute

// Engine begins a private profile, which ends with the test. A browser that is missing fails the test.
type Engine func(testing.TB) *Profile

// Engines are all there are, by name.
func Engines() map[string]Engine {
	return map[string]Engine{
		"Chromium": func(t testing.TB) *Profile { return chromiumProfile(t) },
		"Firefox":  firefoxProfile,
		"WebKit":   webkitProfile,
	}
}

// Profile is a private profile of a browser: its tabs share cookies, storage and channels.
type Profile struct {
	t    testing.TB
	open func(context.Context) (driver, error) // another tab
}

// driver is what an engine's driver does with one tab.
type driver interface {
	// navigate goes to an address, and waits until its page is there.
	navigate(ctx context.Context, address string) error
	// evaluate answers the text that an expression, or the promise that it is, comes to in the page.
	evaluate(ctx context.Context, expression string) (string, error)
	// click and write do as a hand does, with an element that is there.
	click(ctx context.Context, css string) error
	write(ctx context.Context, css, text string) error
	close(ctx context.Context) error
}

// Tab is one tab of a profile.
type Tab struct {
	t testing.TB
	driver
}

// NewTab opens a tab, which closes with the profile at the latest.
func (p *Profile) NewTab() *Tab {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	driver, err := p.open(ctx)
	if err != nil {
		p.t.Fatalf("open a tab: %v", err)
	}
	return &Tab{p.t, driver}
}

// do gives a driver a minute.
func (tab *Tab) do(what string, step func(context.Context) error) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := step(ctx); err != nil {
		tab.t.Fatalf("%s: %v\n%s", what, err, tab.shown())
	}
}

// Open goes to an address, and waits until its page is there.
func (tab *Tab) Open(address string) {
	tab.t.Helper()
	tab.do("open "+address, func(ctx context.Context) error { return tab.navigate(ctx, address) })
}

// Close closes the tab.
func (tab *Tab) Close() {
	tab.t.Helper()
	tab.do("close the tab", tab.close)
}

// Click clicks what may lead to another page, once it is there, and does not wait for that page.
func (tab *Tab) Click(css string) {
	tab.t.Helper()
	tab.Await("document.querySelector(" + quoted(css) + ")")
	tab.do("click "+css, func(ctx context.Context) error { return tab.click(ctx, css) })
}

// SignIn fills in the sign-in page of the server, once it is there.
func (tab *Tab) SignIn(email, password string) {
	tab.t.Helper()
	tab.Await("document.querySelector('#email') && document.querySelector('#password')")
	tab.do("fill in the form", func(ctx context.Context) error {
		if err := tab.write(ctx, "#email", email); err != nil {
			return err
		}
		return tab.write(ctx, "#password", password)
	})
	tab.Click("main form button:not([type=button])")
}

// Await waits until an expression, or the promise that it is, comes to something true, over the end of one page and the
// beginning of the next.
func (tab *Tab) Await(expression string) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	for ctx.Err() == nil {
		if met, err := evaluate[bool](ctx, tab, "Boolean(await ("+expression+"))"); err == nil && met {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	tab.t.Fatalf("never became true: %s\n%s", expression, tab.shown())
}

// Evaluate evaluates an expression in the page, and waits for a promise.
func Evaluate[T any](tab *Tab, expression string) (got T) {
	tab.t.Helper()
	tab.do("evaluate "+expression, func(ctx context.Context) (err error) {
		got, err = evaluate[T](ctx, tab, expression)
		return err
	})
	return got
}

// evaluate has the value come as JSON; undefined is null.
func evaluate[T any](ctx context.Context, tab *Tab, expression string) (got T, err error) {
	text, err := tab.evaluate(ctx, "(async () => JSON.stringify((await ("+expression+")) ?? null))()")
	if err == nil {
		err = json.Unmarshal([]byte(text), &got)
	}
	return got, err
}

// shown tells a failed test what was there to be seen.
func (tab *Tab) shown() string {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	seen, err := evaluate[string](ctx, tab, "location.href + '\\n' + JSON.stringify(window.shop) + '\\n' + document.documentElement.outerHTML")
	if err != nil {
		return err.Error()
	}
	return seen
}

// History is what a tab of Chromium would go back to, the oldest first.
func (tab *Tab) History() (entries []*page.NavigationEntry) {
	tab.t.Helper()
	tab.do("read the history", func(ctx context.Context) (err error) {
		entries, err = tab.driver.(*chromiumTab).history(ctx)
		return err
	})
	return entries
}

// quoted is a text as JavaScript has it.
func quoted(text string) string {
	raw, err := json.Marshal(text)
	if err != nil {
		panic(err) // a text always is
	}
	return string(raw)
}
