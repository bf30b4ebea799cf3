package brand_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"latchkey/internal/brand"
)

// Whatever colour an operator chooses, what is written in it and on it can be read (WCAG 2.2 §1.4.3).
func TestColourStaysReadable(t *testing.T) {
	grounds := map[string]brand.Colour{"light": colour(t, "#ffffff"), "dark": colour(t, "#182029")}
	rapid.Check(t, func(t *rapid.T) {
		c, err := brand.ParseColour("#" + rapid.StringMatching(`[0-9a-f]{6}`).Draw(t, "colour"))
		if err != nil {
			t.Fatal(err)
		}
		if got := brand.Contrast(c, c.On()); got < 4.5 {
			t.Errorf("text on %s has a contrast of %.2f", c, got)
		}
		for name, ground := range grounds {
			if got := brand.Contrast(c.Over(ground), ground); got < 4.5 {
				t.Errorf("%s as text on the %s ground has a contrast of %.2f", c, name, got)
			}
		}
	})
}

func colour(t *testing.T, s string) brand.Colour {
	t.Helper()
	c, err := brand.ParseColour(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Only what is a colour becomes part of a stylesheet.
func TestParseColour(t *testing.T) {
	for _, bad := range []string{"red", "#fff", "#1f4fd8;", "#1f4fd8 ", "1f4fd8", "#1f4fdg", "#1f4fd8}body{", "url(x)", "#１f4fd8"} {
		if c, err := brand.ParseColour(bad); err == nil {
			t.Errorf("%q was taken as %s", bad, c)
		}
	}
	if got := colour(t, "#1F4FD8").Style(); !strings.Contains(got, "--accent: #1f4fd8; --on-accent: #ffffff;") {
		t.Errorf("style %q", got)
	}
	if got := (brand.Colour{}).Style(); got != "" {
		t.Errorf("no colour has the style %q", got)
	}
}

func TestParseSupport(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"help@example.com":           "mailto:help@example.com",
		"https://example.com/help":   "https://example.com/help",
		"http://example.com/help":    "refused",
		"javascript:alert(1)":        "refused",
		"//example.com":              "refused",
		"https://u@example.com":      "refused",
		"https://example.com/\"><b>": "refused",
		"Help <help@example.com>":    "refused",
		"help@example.com\r\nBcc: x": "refused",
	} {
		got, err := brand.ParseSupport(in)
		if err != nil {
			got = "refused"
		}
		if string(got) != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// A text of the operator's own stands in for a message that exists, with the same placeholders.
func TestTextsCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		texts brand.Texts
		wrong string
	}{
		"right":                {brand.Texts{"en": {"sign_in.title": "Welcome back", "account.end_this": "Stop %s"}}, ""},
		"no such language":     {brand.Texts{"xx": {"sign_in.title": "?"}}, "no such language"},
		"no such message":      {brand.Texts{"en": {"sign_in.tilte": "Welcome"}}, "no such message"},
		"placeholder missing":  {brand.Texts{"en": {"account.end_this": "Stop"}}, "placeholders"},
		"placeholder too many": {brand.Texts{"en": {"sign_in.title": "Welcome %s"}}, "placeholders"},
		"another placeholder":  {brand.Texts{"en": {"sign_in.title": "100%"}}, "placeholders"},
	} {
		err := tt.texts.Check()
		if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) {
			t.Errorf("%s: got %v, want %q", name, err, tt.wrong)
		}
	}
}

func TestReadImage(t *testing.T) {
	png := "\x89PNG\r\n\x1a\n" + strings.Repeat("x", 100)
	for name, tt := range map[string]struct{ content, want string }{
		"PNG":       {png, "image/png"},
		"SVG":       {`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`, "image/svg+xml"},
		"HTML":      {"<html><body>no</body></html>", ""},
		"too large": {png + strings.Repeat("x", 40<<10), ""},
		"empty":     {"", ""},
	} {
		got, err := brand.ReadImage([]byte(tt.content))
		if got.MediaType != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: got %q, %v", name, got.MediaType, err)
		}
	}
}
