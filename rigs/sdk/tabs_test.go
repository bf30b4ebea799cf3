package sdk

// Tabs of a world: Chromium's, several to a profile.

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"latchkey/rigs/stage"
)

// profile is a private window: its tabs share cookies and storage.
type profile struct {
	w       *world
	ctx     context.Context
	storage string // what its apps keep sessions in
	expects string // who is signed in there and stays so; empty: nobody has to be

	messages int // that its tabs have still to hear; the world's lock is for it
}

func (w *world) newProfile(storage string) *profile {
	w.t.Helper()
	ctx, cancel := chromedp.NewContext(stage.Chromium(w.t), chromedp.WithNewBrowserContext())
	if err := chromedp.Do(ctx); err != nil {
		w.t.Fatalf("open a window: %v", err)
	}
	w.t.Cleanup(cancel)
	return &profile{w: w, ctx: ctx, storage: storage}
}

// tab is one tab of a profile. An exception that no script of its pages has caught fails the test.
type tab struct {
	w       *world
	n       int
	profile *profile
	ctx     context.Context
	end     context.CancelFunc

	travels bool // its pages may lead elsewhere by themselves

	// These the world's lock is for.
	shows *shown // nil: no page of the app
	calls int
	heard []said
}

func (p *profile) newTab() *tab {
	p.w.t.Helper()
	one := &tab{w: p.w, profile: p}
	one.ctx, one.end = chromedp.NewContext(p.ctx, chromedp.WithListener(one.hear))
	if err := chromedp.Do(one.ctx); err != nil {
		p.w.t.Fatalf("open a tab: %v", err)
	}
	p.w.t.Cleanup(one.end)
	_, err := chromedp.Call(one.ctx, runtime.AddBinding, runtime.AddBindingParams{Name: "report"})
	if err == nil {
		source := fmt.Sprintf("globalThis.storage = %q", p.storage)
		_, err = chromedp.Call(one.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: source})
	}
	if err != nil {
		p.w.t.Fatal(err)
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.ever = append(p.w.ever, one)
	one.n = len(p.w.ever)
	p.w.tabs = append(p.w.tabs, one)
	return one
}

// hear takes what the browser says of the tab.
func (one *tab) hear(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		details, _ := json.Marshal(e.ExceptionDetails)
		one.w.t.Errorf("tab %d: an exception that nobody has caught: %s", one.n, details)
	case *runtime.EventBindingCalled:
		one.take([]byte(e.Payload))
	}
}

// take notes what a page reports.
func (one *tab) take(payload []byte) {
	var got report
	if err := json.Unmarshal(payload, &got); err != nil {
		one.w.t.Errorf("tab %d reports %s: %v", one.n, payload, err)
	}
	if got.Said == nil {
		one.w.take(one, got)
		return
	}
	told := said{at: time.UnixMicro(int64(got.At * 1000)), page: got.Page}
	if err := json.Unmarshal(got.Said, &told); err != nil {
		one.w.t.Errorf("tab %d tells %s: %v", one.n, got.Said, err)
	}
	one.w.mu.Lock()
	defer one.w.mu.Unlock()
	one.heard = append(one.heard, told)
	if expects := one.profile.expects; told.Reason != "" && expects != "" && told.Email != expects {
		one.w.out = append(one.w.out, fmt.Sprintf("tab %d, %v after the start: %+v", one.n, one.w.moved, told))
	}
	one.w.change()
}

// asks calls what answers with the page's state. One that leads elsewhere by itself may be gone.
func (one *tab) asks(expression string) error {
	one.w.mu.Lock()
	asked := one.shows
	one.w.mu.Unlock()
	state, err := evaluated[json.RawMessage](one, expression)
	if err == nil {
		one.take(state)
		return nil
	}
	if !one.travels {
		return err
	}
	one.w.mu.Lock()
	defer one.w.mu.Unlock()
	if one.shows == asked {
		one.shows = nil
	}
	return nil
}

func evaluated[T any](one *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(one.ctx, stage.Patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// evaluate evaluates an expression in the page, and takes note of what that has begun.
func evaluate[T any](one *tab, expression string) T {
	one.w.t.Helper()
	got, err := evaluated[T](one, expression)
	if err == nil && one.showsApp() {
		err = one.asks("held.state()")
	}
	if err != nil {
		one.w.t.Fatalf("tab %d: %s: %v\n%s", one.n, expression, err, one.shown())
	}
	return got
}

// await waits until an expression is true, over the end of one page and the beginning of the next. No time passes.
func (one *tab) await(expression string) {
	one.w.t.Helper()
	for end := time.Now().Add(stage.Patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if met, err := evaluated[bool](one, "Boolean("+expression+")"); err == nil && met {
			return
		}
	}
	one.w.t.Fatalf("tab %d: never became true: %s\n%s", one.n, expression, one.shown())
}

// shown tells a failed test what there was to be seen.
func (one *tab) shown() string {
	got, err := evaluated[string](one, "location.href + ' ' + JSON.stringify(globalThis.shop) + '\\n' + document.body.innerText")
	if err != nil {
		got = err.Error()
	}
	one.w.mu.Lock()
	defer one.w.mu.Unlock()
	told := []string{}
	for _, each := range one.heard[max(0, len(one.heard)-5):] {
		told = append(told, fmt.Sprintf("%+v", each))
	}
	return fmt.Sprintf("%s\nthe newest of %d pages, %d pages were asked for, it told %s; %s", got, len(one.w.pages), one.w.loads, told, one.w.busy())
}

// leave ends what the tab shows of the app, as the browser is about to do.
func (one *tab) leave() {
	one.w.t.Helper()
	if !one.showsApp() {
		return
	}
	one.w.settle()
	if err := one.asks("held.leave()"); err != nil {
		one.w.t.Fatalf("tab %d: %v", one.n, err)
	}
	one.w.settle()
	one.leaves()
}

// leaves says that what the tab shows of the app leads elsewhere by itself, and is no longer waited for.
func (one *tab) leaves() {
	one.w.mu.Lock()
	defer one.w.mu.Unlock()
	one.shows = nil
}

// visit goes to an address, and waits until its page has loaded.
func (one *tab) visit(address string) {
	one.w.t.Helper()
	one.leave()
	ctx, cancel := context.WithTimeout(one.ctx, stage.Patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		one.w.t.Fatalf("tab %d: %s: %v", one.n, address, err)
	}
}

// arrive waits until the app is ready in the tab, and an expression true, over whatever pages lead there. Time passes while
// the app is shown, as it may have to: other tabs are asked for 300 ms, and answers are waited for.
func (one *tab) arrive(expression string) {
	one.w.t.Helper()
	one.travels = true
	defer func() { one.travels = false }()
	for end := time.Now().Add(stage.Patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if !one.showsApp() {
			continue
		}
		if met, err := evaluated[bool](one, "Boolean(globalThis.shop?.ready && "+expression+")"); err == nil && met {
			one.w.settle()
			return
		}
		one.w.run(100 * time.Millisecond)
	}
	one.w.t.Fatalf("tab %d: the app is not there, or never became true: %s\n%s", one.n, expression, one.shown())
}

func (one *tab) showsApp() bool {
	one.w.mu.Lock()
	defer one.w.mu.Unlock()
	return one.shows != nil
}

// openApp shows the app in the tab, again where it does so already.
func (one *tab) openApp() {
	one.w.t.Helper()
	one.visit(one.w.url + "/")
	one.arrive("true")
}

// fill fills in fields of a form of the server's, once they are all there, and sends it: name, value and so on.
func (one *tab) fill(fields ...string) {
	one.w.t.Helper()
	given, _ := json.Marshal(fields)
	one.await(`(() => {
		const given = ` + string(given) + `, found = given.map((name, i) => i % 2 || document.getElementById(name));
		if (document.readyState !== "complete" || !found.every(Boolean)) return false;
		found.forEach((field, i) => i % 2 || (field.value = given[i + 1]));
		return found[0].form.requestSubmit(), true;
	})()`)
}

// close closes the tab.
func (one *tab) close() {
	one.w.t.Helper()
	one.leave()
	one.w.mu.Lock()
	one.w.tabs = slices.DeleteFunc(one.w.tabs, func(other *tab) bool { return other == one })
	one.w.mu.Unlock()
	one.end()
}
