package stage

// Chromium's tabs, by chromedp.

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// NewTab opens the one tab of a private window of Chromium. Whatever its pages make the browser complain of fails the
// test.
func NewTab(t testing.TB) *Tab {
	t.Helper()
	said := &complaints{}
	t.Cleanup(func() {
		for _, complaint := range said.all() {
			t.Errorf("the browser says: %s", complaint)
		}
	})
	return chromiumProfile(t, chromedp.WithListener(said.hear)).NewTab()
}

// chromiumProfile is a private window, which is there as long as a tab of its own that nobody uses.
func chromiumProfile(t testing.TB, options ...chromedp.ContextOption) *Profile {
	t.Helper()
	window, cancel := chromedp.NewContext(Chromium(t), chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(window); err != nil {
		t.Fatalf("open a window: %v", err)
	}
	return &Profile{t, func(context.Context) (driver, error) {
		ctx, _ := chromedp.NewContext(window, options...) // ends with the window at the latest
		return &chromiumTab{ctx}, chromedp.Do(ctx)
	}}
}

// complaints are what a browser says that no page may cause: script errors, and whatever it blocks or fails to load.
type complaints struct {
	mu   sync.Mutex
	said []string
}

func (c *complaints) hear(event any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		c.said = append(c.said, fmt.Sprintf("exception: %s %s:%d", e.ExceptionDetails.Text, e.ExceptionDetails.URL, e.ExceptionDetails.LineNumber+1))
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelInfo && e.Entry.Level != log.EntryLevelVerbose {
			c.said = append(c.said, fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	}
}

func (c *complaints) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.said)
}

type chromiumTab struct{ ctx context.Context }

// within is the tab's context for as long as the caller's lives.
func (tab *chromiumTab) within(ctx context.Context) (context.Context, context.CancelFunc) {
	both, cancel := context.WithCancel(tab.ctx)
	stop := context.AfterFunc(ctx, cancel)
	return both, func() { stop(); cancel() }
}

func (tab *chromiumTab) do(ctx context.Context, steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := tab.within(ctx)
	defer cancel()
	return chromedp.Do(ctx, steps...)
}

func (tab *chromiumTab) navigate(ctx context.Context, address string) error {
	return tab.do(ctx, chromedp.Navigate(address))
}

func (tab *chromiumTab) evaluate(ctx context.Context, expression string) (string, error) {
	ctx, cancel := tab.within(ctx)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
}

func (tab *chromiumTab) click(ctx context.Context, css string) error {
	return tab.do(ctx, Click(chromedp.CSS(css)))
}

// Click clicks what a page shows, once it can be.
func Click[S chromedp.Selectable](sel S) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(drawn, chromedp.Click(sel))
}

// Press presses keys, wherever the focus is, once that has an effect.
func Press(keys string, options ...chromedp.KeyOption) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(drawn, chromedp.KeyEvent(keys, options...))
}

// drawn waits until the page has been drawn: until then Chromium drops what a mouse does, and keys.
var drawn = chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
	is := chromedp.Evaluate[bool]("performance.getEntriesByName('first-contentful-paint').length > 0")
	for ctx.Err() == nil {
		if yes, err := is(ctx, target); err == nil && yes { // an error where a page ends
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return ctx.Err()
})

func (tab *chromiumTab) write(ctx context.Context, css, text string) error {
	return tab.do(ctx, drawn, chromedp.SendKeys(chromedp.CSS(css), text))
}

func (tab *chromiumTab) close(context.Context) error { return chromedp.Cancel(tab.ctx) }

func (tab *chromiumTab) history(ctx context.Context) ([]*page.NavigationEntry, error) {
	ctx, cancel := tab.within(ctx)
	defer cancel()
	got, err := chromedp.Call(ctx, page.GetNavigationHistory, cdp.Empty{})
	if err != nil {
		return nil, err
	}
	return got.Entries, nil
}
