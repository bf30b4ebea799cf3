// Package browser proves what a person meets: the real binary, mails that a real SMTP server took, and
// Chromium, one process for all tests. Each test has profiles of its own, as private windows are: no cookie
// and no cache goes from one to another. A missing browser fails the tests. There are only tests here.
//
// axe-core, which looks for what keeps people out, is brought by npm from package-lock.json.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"latchkey/rigs/stage"
)

// run is what the tests of one run share. Each part is made when the first test asks for it.
var run struct {
	sync.Mutex
	chromium context.Context
	end      context.CancelFunc
	axe      string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := endRun(); err != nil {
		fmt.Fprintln(os.Stderr, "clean up after the browser:", err)
		code = 1
	}
	os.Exit(code)
}

func endRun() (err error) {
	run.Lock()
	defer run.Unlock()
	if run.chromium != nil {
		err = chromedp.Cancel(run.chromium)
		run.end()
	}
	return errors.Join(err, stage.End())
}

// chromium is the browser. It is started with a context that lives as long as the tests.
func chromium(t testing.TB) context.Context {
	t.Helper()
	run.Lock()
	defer run.Unlock()
	if run.chromium != nil {
		return run.chromium
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program(t)), chromedp.Flag("lang", "en"))
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		end()
		t.Fatalf("start Chromium: %v", err)
	}
	run.chromium, run.end = ctx, end
	return ctx
}

// program is where Chromium lies.
func program(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("Chromium is part of the tests and is not installed: make deps")
	return ""
}

// axe is the source of axe-core.
func axe(t testing.TB) string {
	t.Helper()
	run.Lock()
	defer run.Unlock()
	if run.axe == "" {
		source, err := os.ReadFile("node_modules/axe-core/axe.min.js")
		if err != nil {
			t.Fatalf("axe-core is part of the tests and is not there: make deps (%v)", err)
		}
		run.axe = string(source)
	}
	return run.axe
}
