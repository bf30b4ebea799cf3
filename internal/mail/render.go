package mail

// The letters Latchkey writes: one line in kinds and one pair of templates each.

import (
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	texttemplate "text/template"
	"time"
	"unicode"
)

// Kind says what a letter is about. The words are kept in the outbox: they never change.
type Kind string

const (
	Verify            Kind = "verify"              // the link that proves a mailbox
	Reset             Kind = "reset"               // the link that sets a new password
	AlreadyRegistered Kind = "already_registered"  // instead of Verify, to who has an account
	PasswordChanged   Kind = "password_changed"    // notice
	EmailChanged      Kind = "email_changed"       // notice, to both addresses
	NewDevice         Kind = "new_device"          // notice: a sign-in from where none came before
	SessionEndedReuse Kind = "session_ended_reuse" // notice: a refresh token was used twice
	Test              Kind = "test"                // `latchkey mail test`
)

// kinds is every letter: templates/<kind>.txt and .html hold what it says.
var kinds = [...]struct {
	kind  Kind
	title string // the subject too, with the platform's name
	link  bool   // the letter is nothing without its link
}{
	{Verify, "Confirm your e-mail address", true},
	{Reset, "Reset your password", true},
	{AlreadyRegistered, "You already have an account", false},
	{PasswordChanged, "Your password was changed", false},
	{EmailChanged, "Your e-mail address was changed", false},
	{NewDevice, "New sign-in to your account", false},
	{SessionEndedReuse, "We ended one of your sessions", false},
	{Test, "Test e-mail", false},
}

// Data is what a letter may speak of. Only To and From are always needed; a Platform without a name
// is Latchkey.
type Data struct {
	To, From, Platform string
	LogoURL, Link      string // absolute http or https, whose origin the caller has checked
	NewEmail           string
	ExpiresAt, At      time.Time // of the link; of what the letter tells
	Browser, OS, Addr  string    // who did it, as far as that is known
}

// Render writes the letter of a kind. The same arguments give the same letter: id, At and Data are
// all it is made of, so that a later try repeats it.
func Render(kind Kind, id string, d Data) (Message, error) {
	for _, k := range kinds {
		if k.kind != kind {
			continue
		}
		if d.Link == "" && k.link {
			return Message{}, fmt.Errorf("render %s: %w: no link", kind, ErrMalformed)
		}
		m, err := render(kind, k.title, id, d)
		if err != nil {
			return Message{}, fmt.Errorf("render %s: %w", kind, err)
		}
		return m, nil
	}
	return Message{}, fmt.Errorf("render %q: %w: no such kind", kind, ErrMalformed)
}

func render(kind Kind, title, id string, d Data) (Message, error) {
	p, err := d.page(title)
	if err != nil {
		return Message{}, err
	}
	var text, html strings.Builder
	if err := templates().text.ExecuteTemplate(&text, string(kind)+".txt", p); err != nil {
		return Message{}, fmt.Errorf("execute text: %w", err)
	}
	if err := templates().html.ExecuteTemplate(&html, string(kind)+".html", p); err != nil {
		return Message{}, fmt.Errorf("execute HTML: %w", err)
	}
	m := Message{ID: id, From: d.From, To: d.To, Subject: p.Subject, Text: text.String(), HTML: html.String(), Date: d.At}
	_, err = compose(m) // what Render gives, every Sender takes
	return m, err
}

//go:embed templates
var files embed.FS

type parsed struct {
	text *texttemplate.Template
	html *template.Template
}

var templates = sync.OnceValue(func() parsed {
	return parsed{
		text: texttemplate.Must(texttemplate.ParseFS(files, "templates/*.txt")),
		html: template.Must(template.ParseFS(files, "templates/*.html")),
	}
})

// page is Data as the templates see it: checked, and in words.
type page struct {
	Title, Subject, Platform    string
	LogoURL, Link, To, NewEmail string
	Until, At, Device, Addr     string // empty: not known
}

// Button is the link as HTML shows it: with a word on it, and in full below.
func (p page) Button(label string) any {
	return struct{ Link, Label string }{p.Link, label}
}

func (d Data) page(title string) (page, error) {
	if err := checkLine(d.Platform, 256); err != nil {
		return page{}, fmt.Errorf("check platform: %w", err)
	}
	p := page{
		Title: title, Platform: cmp.Or(singleSpaced(d.Platform), "Latchkey"),
		LogoURL: d.LogoURL, Link: d.Link, To: d.To, NewEmail: d.NewEmail,
	}
	p.Subject = title + " - " + p.Platform
	for _, link := range []string{p.Link, p.LogoURL} {
		if err := checkLink(link); err != nil {
			return page{}, err
		}
	}
	if p.NewEmail != "" {
		if err := checkAddress(p.NewEmail); err != nil {
			return page{}, fmt.Errorf("check new address: %w", err)
		}
	}
	p.Until, p.At = words(d.ExpiresAt), words(d.At)
	p.Device = device(d.Browser, d.OS)
	if a, err := netip.ParseAddr(d.Addr); err == nil && a.Zone() == "" {
		p.Addr = a.String()
	}
	return p, nil
}

// checkLink takes an absolute http or https URL in printable ASCII, or none. html/template alone
// would let //host through.
func checkLink(s string) error {
	if s == "" {
		return nil
	}
	odd := strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}", r) })
	u, err := url.Parse(s)
	if odd || err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return fmt.Errorf("%w: not an absolute http(s) link", ErrMalformed) // never echoed: it holds a token
	}
	return nil
}

func words(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2 January 2006, 15:04") + " UTC"
}

// device says "Firefox on Linux", or as much of it as is known.
func device(browser, os string) string {
	browser, os = plainWords(browser), plainWords(os)
	switch {
	case browser == "":
		return os
	case os == "":
		return browser
	}
	return browser + " on " + os
}

// plainWords drops what is no plain name. Browser and OS come from a header that any stranger
// chooses who asks for a letter to somebody else: nothing in it may read as a link or a message.
func plainWords(s string) string {
	previous := ' '
	for i, r := range s {
		next := ' '
		if i+1 < len(s) {
			next = rune(s[i+1])
		}
		dotted := r == '.' && unicode.IsLetter(previous) && unicode.IsLetter(next)
		if dotted || !isAlphanumeric(r) && !strings.ContainsRune(" .-_()", r) {
			return ""
		}
		previous = r
	}
	if len(s) > 48 {
		return ""
	}
	return singleSpaced(s)
}
