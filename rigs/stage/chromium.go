package stage

// Chromium, one process for all tests of a run, and one of its own where no cookie is kept. A missing browser fails them.

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
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
	run.chromium = startChromium(t)
	return run.chromium.ctx
}

// ChromiumWithoutCookies is one whose owner has set that it keeps no cookies, a process of its own until the test ends.
func ChromiumWithoutCookies(t testing.TB) context.Context {
	t.Helper()
	profile := t.TempDir()
	settings := filepath.Join(profile, "Default", "Preferences")
	err := os.MkdirAll(filepath.Dir(settings), 0o700)
	if err == nil {
		err = os.WriteFile(settings, []byte(`{"profile":{"default_content_setting_values":{"cookies":2}}}`), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := startChromium(t, chromedp.UserDataDir(profile))
	t.Cleanup(func() {
		if err := c.end(); err != nil {
			t.Errorf("end Chromium: %v", err)
		}
	})
	return c.ctx
}

func startChromium(t testing.TB, more ...chromedp.ExecAllocatorOption) *chromium {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromiumProgram(t)), chromedp.Flag("lang", "en"))
	allocator, end := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	ctx, _ := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		end()
		t.Fatalf("start Chromium: %v", err)
	}
	return &chromium{ctx, end}
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
