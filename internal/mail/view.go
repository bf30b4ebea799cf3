package mail

// A mail as its templates see it: checked, and in its reader's words.

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"latchkey/internal/locale"
)

type view struct {
	Language            locale.Language
	Side                string // where lines begin: left or right
	Subject, Platform   string
	LogoURL             string
	Link, Hosted        string
	Accent, OnAccent    string
	Support, SupportURL string
	At, Device, Addr    string // empty: not known
	Title, Button, Why  words
	Shows               []shown

	printer locale.Printer
	names   []any // what every message may speak of
}

// shown is a part of a mail.
type shown struct {
	Part  string // button or seen; else it is Words
	Words words
}

// words are a message in pieces, so that names and addresses in it can be told from what is said of them.
type words []piece

type piece struct {
	Text  string
	Given bool
}

func (w words) String() string {
	var b strings.Builder
	for _, p := range w {
		b.WriteString(p.Text)
	}
	return b.String()
}

// newView checks what a mail speaks of, and puts it into words.
func newView(kind Kind, shows []string, d Data) (*view, error) {
	if err := d.check(kind); err != nil {
		return nil, err
	}
	v := &view{
		Platform: cmp.Or(singleSpaced(d.Platform), "Latchkey"), LogoURL: d.LogoURL, Link: d.Link, Hosted: d.Hosted,
		Accent: cmp.Or(d.Accent, "#1f4fd8"), OnAccent: cmp.Or(d.OnAccent, "#ffffff"),
		Support: d.Support, SupportURL: d.Support, Side: "left",
		printer: locale.For(d.Language).With(ownTexts(d.Texts)),
	}
	if checkAddress(d.Support) == nil {
		v.SupportURL = "mailto:" + d.Support
	}
	if v.Language = v.printer.Language; v.Language.Direction == "rtl" {
		v.Side = "right"
	}
	if err := v.tell(d); err != nil {
		return nil, err
	}
	return v, v.write(kind, shows, d)
}

// ownTexts are those of mails: those of pages have other placeholders and other limits.
func ownTexts(texts map[string]string) map[string]string {
	own := maps.Clone(texts)
	maps.DeleteFunc(own, func(key, _ string) bool { return !strings.HasPrefix(key, "mail.") })
	return own
}

// tell says who did it and when, as far as that is known.
func (v *view) tell(d Data) (err error) {
	if v.At, err = v.printer.Time(d.At); err != nil {
		return err
	}
	browser, os := locale.Plain(d.Browser), locale.Plain(d.OS)
	if v.Device = browser + os; browser != "" && os != "" {
		if v.Device, err = v.printer.Text("account.browser_on", browser, os); err != nil {
			return err
		}
	}
	if a, err := netip.ParseAddr(d.Addr); err == nil && a.Zone() == "" {
		v.Addr = a.String()
	}
	until, err := v.printer.Time(d.ExpiresAt)
	v.names = []any{given(locale.Mailbox(d.To)), given(v.Platform), given(locale.Mailbox(d.NewEmail)), given(until)}
	return err
}

// write says what the mail shows, leaving out what there is nothing to say of.
func (v *view) write(kind Kind, shows []string, d Data) (err error) {
	about := string(kind) + "."
	if v.Title, err = v.Say(about + "title"); err != nil {
		return err
	}
	v.Subject = v.Title.String() + " - " + v.Platform
	if v.Why, err = v.Say(about + "why"); err != nil {
		return err
	}
	for _, part := range shows {
		if v.omits(part, d) {
			continue
		}
		s := shown{Part: part}
		switch part {
		case button:
			v.Button, err = v.Say(about + button)
		case seen:
		default:
			s.Words, err = v.Say(part)
		}
		if err != nil {
			return err
		}
		v.Shows = append(v.Shows, s)
	}
	return nil
}

func (v *view) omits(part string, d Data) bool {
	switch part {
	case button:
		return v.Link == ""
	case seen:
		return v.At == "" && v.Device == "" && v.Addr == ""
	case "verify.until", "reset.until":
		return d.ExpiresAt.IsZero()
	case "email_changed.old_mailbox":
		return d.To == d.NewEmail
	}
	return false
}

// mark stands around a name while it is in a message. It is for private use: nothing that was checked
// holds it.
const mark = "\ue000"

func given(name string) string { return mark + name + mark }

// Say is the message of a key below "mail.".
func (v *view) Say(key string) (words, error) {
	text, err := v.printer.Text("mail."+key, v.names...)
	if err != nil {
		return nil, err
	}
	var w words
	for i, part := range strings.Split(text, mark) {
		w = append(w, piece{Text: part, Given: i%2 == 1})
	}
	return w, nil
}

// check refuses what must not be in a mail. Who did it is not refused but left out: a stranger says so.
func (d Data) check(kind Kind) error {
	if err := checkLine(d.Platform, 256); err != nil {
		return fmt.Errorf("check platform: %w", err)
	}
	for _, link := range []string{d.Link, d.Hosted, d.LogoURL} {
		if err := checkLink(link); err != nil {
			return err
		}
	}
	if err := checkAddress(d.To); err != nil {
		return fmt.Errorf("check To: %w", err)
	}
	if err := checkAddress(d.NewEmail); err != nil && (d.NewEmail != "" || kind == EmailChanged) {
		return fmt.Errorf("check new address: %w", err)
	}
	if checkAddress(d.Support) != nil && checkLink(d.Support) != nil {
		return fmt.Errorf("%w: support is neither an address nor an absolute http(s) link", ErrMalformed)
	}
	if (d.Accent != "" || d.OnAccent != "") && !(colour.MatchString(d.Accent) && colour.MatchString(d.OnAccent)) {
		return fmt.Errorf("%w: colours are two, written as #rrggbb", ErrMalformed)
	}
	for key, text := range ownTexts(d.Texts) {
		if err := checkText(text); err != nil {
			return fmt.Errorf("check text %q: %w", key, err)
		}
	}
	return nil
}

var (
	colour      = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
	placeholder = regexp.MustCompile(`%%|%\[[1-4]\]s`)
)

// checkText takes a line in which each % is one that messages of mails have.
func checkText(s string) error {
	if strings.Contains(placeholder.ReplaceAllString(s, ""), "%") {
		return fmt.Errorf("%w: write %%%% for a percent sign; placeholders are %%[1]s to %%[4]s", ErrMalformed)
	}
	return checkLine(s, 1024)
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
