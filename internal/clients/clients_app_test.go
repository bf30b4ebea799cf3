package clients

import (
	"slices"
	"strings"
	"testing"
)

// They are registered in urls, exactly; mailed links start at url, and never lead there.
func TestClientsOnSchemesOfTheirOwn(t *testing.T) {
	apps := []string{"capacitor://localhost", "ionic://localhost", "tauri://localhost", "chrome-extension://abcdefghijklmnopabcdefghijklmnop"}
	c := mustClients(t, Client{Alias: "app", URL: "https://app.example.com", URLs: apps})
	for _, origin := range apps {
		if !slices.Contains(c.Origins(), origin) {
			t.Errorf("%s is no origin of %v", origin, c.Origins())
		}
		if got, ok := c.ReturnTo("app", origin+"/back?x=1#y"); !ok || got != origin+"/back?x=1#y" {
			t.Errorf("return_to %s: %q, %v", origin, got, ok)
		}
	}
	for _, raw := range []string{"capacitor://elsewhere/", "moz-extension://abcdefghijklmnopabcdefghijklmnop/", "capacitor://localhost.evil.example/", "capacitor://localhost@evil.example/", "http://localhost/"} {
		if got, ok := c.ReturnTo("", raw); ok {
			t.Errorf("return_to %s: %q", raw, got)
		}
	}
	if base, ok := c.Endpoint("app", "capacitor://localhost"); ok && !strings.HasPrefix(base, "https://") {
		t.Errorf("a mailed link leads to %s", base)
	}
	if _, ok := c.Logo("capacitor://localhost/logo.png"); ok {
		t.Error("a logo of an application's scheme")
	}
	if _, err := New([]Client{{Alias: "app", URL: "capacitor://localhost"}}); err == nil {
		t.Error("url leads where no mail reader goes")
	}
}
