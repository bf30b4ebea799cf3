package stage

// WebKit: Debian's MiniBrowser on a screen in memory, driven by WebKitWebDriver. A driver has one session, so each profile
// is a driver and a browser of its own, until its test ends. Its tabs are windows: what is hidden takes no clicks.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// webkit is a driver with its browser.
type webkit struct {
	process *program
	http    *http.Client
	session string // its address

	first string // the window that the browser begins with: nobody's tab, so that it is always there to ask from

	mu sync.Mutex // holds "go to that window, and do this"
}

func webkitProfile(t testing.TB) *Profile {
	t.Helper()
	group, err := wardenGroup()
	if err != nil {
		t.Fatal(err)
	}
	display, dir, err := screen(group)
	if err != nil {
		t.Fatalf("start Xvfb: %v", err)
	}
	w, err := startWebKit(group, dir, display, freePort(t))
	if err != nil {
		t.Fatalf("start WebKit: %v", err)
	}
	t.Cleanup(func() {
		if err := w.end(); err != nil {
			t.Errorf("end WebKit: %v", err)
		}
	})
	return &Profile{t, w.open}
}

// screen starts the one Xvfb of a run when the first test asks for it, and makes a folder for a browser.
func screen(group int) (display, dir string, err error) {
	run.Lock()
	defer run.Unlock()
	if dir, err = runFolder("webkit"); err != nil || run.xvfb != nil {
		return run.display, dir, err
	}
	home, err := runFolder("xvfb")
	if err != nil {
		return "", "", err
	}
	said, number, err := os.Pipe()
	if err != nil {
		return "", "", err
	}
	defer said.Close()
	xvfb, err := startProgram(group, home, nil, []*os.File{number}, "Xvfb", "-displayfd", "3", "-screen", "0", "1280x1024x24", "-nolisten", "tcp")
	_ = number.Close() // Xvfb has its own
	if err != nil {
		return "", "", err
	}
	err = said.SetReadDeadline(time.Now().Add(starting))
	if line, failed := bufio.NewReader(said).ReadString('\n'); err == nil {
		if err = failed; err == nil {
			run.xvfb, run.display = xvfb, ":"+strings.TrimSpace(line)
			return run.display, dir, nil
		}
	}
	return "", "", fmt.Errorf("%w\n%s", errors.Join(err, xvfb.end()), xvfb.read("said.log"))
}

func startWebKit(group int, dir, display, port string) (*webkit, error) {
	browsers, err := filepath.Glob("/usr/lib/*/webkit2gtk-4.1/MiniBrowser")
	if err != nil || len(browsers) == 0 {
		return nil, errors.New("MiniBrowser is part of the tests and is not installed: make deps")
	}
	p, err := startProgram(group, dir, []string{"DISPLAY=" + display}, nil, "WebKitWebDriver", "--port="+port)
	if err != nil {
		return nil, err
	}
	w := &webkit{process: p, http: &http.Client{Transport: &http.Transport{}}, session: "http://127.0.0.1:" + port}
	ctx, cancel := context.WithTimeout(context.Background(), starting)
	defer cancel()
	for ctx.Err() == nil && w.call(ctx, http.MethodGet, "/status", nil, nil) != nil {
		time.Sleep(20 * time.Millisecond)
	}
	var made struct{ SessionID string }
	err = w.call(ctx, http.MethodPost, "/session", object{"capabilities": object{"alwaysMatch": object{
		"webkitgtk:browserOptions": object{"binary": browsers[0], "args": []string{"--automation"}},
		"timeouts":                 object{"script": Patience.Milliseconds(), "pageLoad": Patience.Milliseconds()},
	}}}, &made)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", errors.Join(err, p.end()), p.read("said.log"))
	}
	w.session += "/session/" + made.SessionID
	if err := w.call(ctx, http.MethodGet, "/window", nil, &w.first); err != nil {
		return nil, errors.Join(err, w.end())
	}
	return w, nil
}

// end ends the session, and so the browser, then the driver.
func (w *webkit) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	err := w.call(ctx, http.MethodDelete, "", nil, nil)
	w.http.CloseIdleConnections()
	return errors.Join(err, w.process.end())
}

// call asks the driver and reads the value of its answer; a nil value is not read.
func (w *webkit) call(ctx context.Context, method, path string, params object, value any) error {
	var body io.Reader
	if method == http.MethodPost {
		raw, err := json.Marshal(params)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, w.session+path, body)
	if err != nil {
		return err
	}
	res, err := w.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct{ Value json.RawMessage }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, answer.Value)
	}
	if value == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, value)
}

func (w *webkit) open(ctx context.Context) (driver, error) {
	var made struct{ Handle string }
	err := w.in(ctx, w.first, http.MethodPost, "/window/new", object{"type": "window"}, &made)
	return &webkitTab{w, made.Handle}, err
}

// in goes to a window and asks there.
func (w *webkit) in(ctx context.Context, window, method, path string, params object, value any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call(ctx, http.MethodPost, "/window", object{"handle": window}, nil); err != nil {
		return err
	}
	return w.call(ctx, method, path, params, value)
}

type webkitTab struct {
	*webkit
	window string
}

func (tab *webkitTab) navigate(ctx context.Context, address string) error {
	return tab.in(ctx, tab.window, http.MethodPost, "/url", object{"url": address}, nil)
}

func (tab *webkitTab) evaluate(ctx context.Context, expression string) (text string, err error) {
	err = tab.in(ctx, tab.window, http.MethodPost, "/execute/sync", object{"script": "return " + expression, "args": []any{}}, &text)
	return text, err
}

// element is the path of one.
func (tab *webkitTab) element(ctx context.Context, css string) (path string, err error) {
	var found map[string]string // one, under a name that WebDriver gives it
	err = tab.in(ctx, tab.window, http.MethodPost, "/element", object{"using": "css selector", "value": css}, &found)
	for _, id := range found {
		path = "/element/" + id
	}
	return path, err
}

func (tab *webkitTab) click(ctx context.Context, css string) error {
	element, err := tab.element(ctx, css)
	if err != nil {
		return err
	}
	return tab.in(ctx, tab.window, http.MethodPost, element+"/click", object{}, nil)
}

func (tab *webkitTab) write(ctx context.Context, css, text string) error {
	element, err := tab.element(ctx, css)
	if err != nil {
		return err
	}
	return tab.in(ctx, tab.window, http.MethodPost, element+"/value", object{"text": text}, nil)
}

func (tab *webkitTab) close(ctx context.Context) error {
	return tab.in(ctx, tab.window, http.MethodDelete, "/window", nil, nil)
}
