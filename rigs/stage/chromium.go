package stage

// Chromium, one process for all tests of a run. A missing browser fails them.

import (
	"context"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"
)

// chromium is the browser as it runs.
type chromium struct {
	ctx   context.Context
	close context.CancelFunc
}

// Chromium is the browser's context, which contexts of windows are made of. It lives as long as the tests.
func Chromium(t testing.TB) context.Context {
	t.Helper()
	run.Lock()
	defer run.Unlock()
	if run.chromium != nil {
		return run.chromium.ctx
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromiumProgram(t)), chromedp.Flag("lang", "en"))
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		end()
		t.Fatalf("start Chromium: %v", err)
	}
	run.chromium = &chromium{ctx, end}
	return ctx
}

func (c *chromium) end() error {
	err := chromedp.Cancel(c.ctx)
	c.close()
	return err
}

// chromiumProgram is where Chromium lies.
func chromiumProgram(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("Chromium is part of the tests and is not installed: make deps")
	return ""
}
