// Package brand is how a client's pages and mails look: its name, logo, colour, words of its own and where
// help is to be had. It comes from the operator's clients file, is checked once at the start, and nothing of a
// request is ever in it. It decides no rule and writes no page.
package brand

import (
	"fmt"
	"net/url"
	"strings"

	"latchkey/internal/address"
	"latchkey/internal/locale"
)

// Brand is one client's look.
type Brand struct {
	Alias   string // of the client; empty: Latchkey's own
	Name    string // never empty
	Home    string // absolute URL of the application; empty: none
	LogoURL string // absolute URL, in mails; empty: the name is shown
	Logo    Image  // served by Latchkey itself, on pages
	Colour  Colour
	Support Support
	Texts   Texts
}

// Plain is the look where no client is registered.
var Plain = Brand{Name: "Latchkey"}

// Printer writes in a language, with the brand's own words.
func (b Brand) Printer(language string) locale.Printer {
	return locale.For(language).With(b.Texts[locale.For(language).Tag])
}

// Support is where people find help: a mailto: or https: URL. Empty: nowhere.
type Support string

// ParseSupport takes an email address or an https URL. An error calls it by its key in the clients file, support.
func ParseSupport(s string) (Support, error) {
	if s == "" {
		return "", nil
	}
	if address.IsMailbox(s) {
		return Support("mailto:" + s), nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.ContainsFunc(s, notPrintable) {
		return "", fmt.Errorf("support %q: write an email address or an https URL", s)
	}
	return Support(s), nil
}

func notPrintable(r rune) bool {
	return r <= ' ' || r > '~' || r == '"' || r == '<' || r == '>' || r == '\\'
}

// Shown is the address or URL as people read it.
func (s Support) Shown() string { return strings.TrimPrefix(string(s), "mailto:") }

// Texts are words that stand in for messages of internal/locale: language, then key, then text.
type Texts map[string]map[string]string

// Check says what is wrong with them: a language or message there is none of, or placeholders other than
// the message's own.
func (t Texts) Check() error {
	for tag, texts := range t {
		if !locale.Known(tag) {
			return fmt.Errorf("texts.%s: no such language; there are %s", tag, strings.Join(locale.Tags(), ", "))
		}
		for key, text := range texts {
			if err := locale.CheckText(key, text); err != nil {
				return fmt.Errorf("texts.%s: %w", tag, err)
			}
		}
	}
	return nil
}
