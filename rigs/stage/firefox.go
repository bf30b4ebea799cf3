package stage

// Firefox, one process for all tests of a run, driven by WebDriver BiDi. Its user contexts are the profiles.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// firefox is the browser as it runs.
type firefox struct {
	*bidi
	process *program
}

func firefoxProfile(t testing.TB) *Profile {
	t.Helper()
	f := runningFirefox(t)
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	var profile struct {
		ID string `json:"userContext"`
	}
	if err := f.call(ctx, "browser.createUserContext", object{}, &profile); err != nil {
		t.Fatalf("begin a profile: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if err := f.call(ctx, "browser.removeUserContext", object{"userContext": profile.ID}, nil); err != nil {
			t.Errorf("end the profile: %v", err)
		}
	})
	return &Profile{t, func(ctx context.Context) (driver, error) {
		tab := &firefoxTab{bidi: f.bidi}
		return tab, f.call(ctx, "browsingContext.create", object{"type": "tab", "userContext": profile.ID}, tab)
	}}
}

// runningFirefox starts the browser when the first test asks for it.
func runningFirefox(t testing.TB) *firefox {
	t.Helper()
	group, err := wardenGroup()
	if err != nil {
		t.Fatal(err)
	}
	run.Lock()
	defer run.Unlock()
	if run.firefox == nil {
		if run.firefox, err = startFirefox(group); err != nil {
			t.Fatalf("start Firefox: %v", err)
		}
	}
	return run.firefox
}

// leisure are settings that spare a start what nobody sees: a session begins once the browser has nothing left to do.
const leisure = `
user_pref("browser.newtab.preload", false);
user_pref("browser.newtabpage.enabled", false);
user_pref("browser.startup.page", 0);
user_pref("dom.ipc.processPrelaunch.enabled", false);
`

func startFirefox(group int) (*firefox, error) {
	name := "firefox-esr" // Debian's
	if _, err := exec.LookPath(name); err != nil {
		name = "firefox"
	}
	dir, err := runFolder("firefox")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "user.js"), []byte(leisure), 0o600); err != nil {
		return nil, err
	}
	const origin = "http://localhost" // that the WebSocket library says it is
	p, err := startProgram(group, dir, nil, nil, name, "--headless", "--profile", dir, "--remote-debugging-port", "0", "--remote-allow-origins", origin)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), starting)
	defer cancel()
	var at struct {
		Host string `json:"ws_host"`
		Port int    `json:"ws_port"`
	}
	for ctx.Err() == nil && json.Unmarshal(p.read("WebDriverBiDiServer.json"), &at) != nil {
		time.Sleep(20 * time.Millisecond)
	}
	b, err := dialBidi(ctx, fmt.Sprintf("ws://%s:%d/session", at.Host, at.Port), origin)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", errors.Join(err, p.end()), p.read("said.log"))
	}
	return &firefox{b, p}, nil
}

func (f *firefox) end() error {
	return errors.Join(f.bidi.end(), f.process.end())
}

type firefoxTab struct {
	*bidi   `json:"-"`
	Context string
}

func (tab *firefoxTab) navigate(ctx context.Context, address string) error {
	return tab.call(ctx, "browsingContext.navigate", object{"context": tab.Context, "url": address, "wait": "complete"}, nil)
}

func (tab *firefoxTab) evaluate(ctx context.Context, expression string) (string, error) {
	var came struct {
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	err := tab.call(ctx, "script.evaluate", object{"expression": expression, "target": object{"context": tab.Context}, "awaitPromise": true}, &came)
	if err == nil && came.ExceptionDetails.Text != "" {
		err = errors.New(came.ExceptionDetails.Text)
	}
	return came.Result.Value, err
}

func (tab *firefoxTab) click(ctx context.Context, css string) error {
	var found struct {
		Nodes []struct {
			ID string `json:"sharedId"`
		}
	}
	err := tab.call(ctx, "browsingContext.locateNodes", object{"context": tab.Context, "locator": object{"type": "css", "value": css}}, &found)
	if err == nil && len(found.Nodes) == 0 {
		err = errors.New("there is no such element")
	}
	if err != nil {
		return err
	}
	if _, err := tab.evaluate(ctx, "document.querySelector("+quoted(css)+").scrollIntoView({ block: 'center' }), ''"); err != nil {
		return err
	}
	return tab.perform(ctx, "pointer",
		object{"type": "pointerMove", "x": 0, "y": 0, "origin": object{"type": "element", "element": object{"sharedId": found.Nodes[0].ID}}},
		object{"type": "pointerDown", "button": 0}, object{"type": "pointerUp", "button": 0})
}

func (tab *firefoxTab) write(ctx context.Context, css, text string) error {
	if err := tab.click(ctx, css); err != nil {
		return err
	}
	var keys []object
	for _, key := range text {
		keys = append(keys, object{"type": "keyDown", "value": string(key)}, object{"type": "keyUp", "value": string(key)})
	}
	return tab.perform(ctx, "key", keys...)
}

// perform acts by one device.
func (tab *firefoxTab) perform(ctx context.Context, device string, actions ...object) error {
	return tab.call(ctx, "input.performActions", object{
		"context": tab.Context, "actions": []object{{"type": device, "id": device, "actions": actions}},
	}, nil)
}

func (tab *firefoxTab) close(ctx context.Context) error {
	return tab.call(ctx, "browsingContext.close", object{"context": tab.Context}, nil)
}
