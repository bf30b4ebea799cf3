package address

import (
	"strings"
	"testing"
)

// Pages of applications and extensions have origins of their own schemes; no other scheme has one.
func TestParsePageOrigin(t *testing.T) {
	for raw, want := range map[string]string{ // empty: refused
		"https://app.example.com":   "https://app.example.com",
		"capacitor://localhost":     "capacitor://localhost",
		"capacitor://localhost/":    "capacitor://localhost",
		"CAPACITOR://LocalHost/a?b": "capacitor://localhost",
		"ionic://localhost":         "ionic://localhost",
		"tauri://localhost":         "tauri://localhost",
		"capacitor://app.example":   "capacitor://app.example",
		"chrome-extension://abcdefghijklmnopabcdefghijklmnop/popup.html": "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
		"moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc":           "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
		"capacitor://":                       "",
		"capacitor:localhost":                "",
		"capacitor:///localhost":             "",
		"capacitor://localhost:8080":         "",
		"capacitor://user@localhost":         "",
		"capacitor://@localhost":             "",
		"capacitor://*":                      "",
		"capacitor://localhost.":             "",
		"capacitor://127.0.0.1":              "",
		"capacitor://[::1]":                  "",
		`capacitor://localhost\evil`:         "",
		"capacitor://local host":             "",
		"javascript://localhost/%0aalert(1)": "",
		"data://localhost":                   "",
		"file://localhost/etc/passwd":        "",
		"ftp://localhost":                    "",
		"app://localhost":                    "",
		"null":                               "",
	} {
		if got, ok := ParsePageOrigin(raw); got != want || ok != (want != "") {
			t.Errorf("ParsePageOrigin(%q) = %q, %v; want %q", raw, got, ok, want)
		}
		if _, ok := ParseOrigin(raw); ok && !strings.HasPrefix(want, "http") {
			t.Errorf("ParseOrigin, of the public URL, takes %q", raw)
		}
	}
}
