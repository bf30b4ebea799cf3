// Package locale holds what people read, in every language that Latchkey speaks: the words of pages and
// mails, dates, and how long ago something was. messages/<language>.toml is a language; English has every
// message, and a test holds the others to it. The API's own messages are not here: they stay English.
//
// It never decides what is said or to whom. Whoever shows something to people may call it.
package locale

import (
	"embed"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"
)

// Language is one that Latchkey speaks.
type Language struct {
	Tag       string // BCP 47, as in messages/<tag>.toml
	Name      string // in the language itself
	Direction string // ltr or rtl, as HTML's dir
}

// languages is every one, English first: it stands in where nothing fits.
var languages = [...]Language{
	{"en", "English", "ltr"},
	{"de", "Deutsch", "ltr"},
	{"fr", "Français", "ltr"},
	{"es", "Español", "ltr"},
	{"pt", "Português", "ltr"},
	{"hi", "हिन्दी", "ltr"},
	{"ar", "العربية", "rtl"},
	{"ja", "日本語", "ltr"},
	{"zh", "中文", "ltr"},
}

// Languages returns every language, English first.
func Languages() []Language { return languages[:] }

// Tags returns the tag of every language, English first.
func Tags() []string {
	var tags []string
	for _, l := range languages {
		tags = append(tags, l.Tag)
	}
	return tags
}

// Known says whether tag is that of a language here.
func Known(tag string) bool {
	for _, l := range languages {
		if l.Tag == tag {
			return true
		}
	}
	return false
}

// Choose returns the tag of the language to speak to somebody: what they have set, else the best of an
// Accept-Language header (RFC 9110 §12.5.4), else English. A header that is no such list counts as none.
func Choose(set, acceptLanguage string) string {
	if Known(set) {
		return set
	}
	if len(acceptLanguage) > 512 { // no browser sends more; parsing costs by the length
		return languages[0].Tag
	}
	wanted, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil || len(wanted) == 0 {
		return languages[0].Tag
	}
	_, i, _ := spoken().matcher.Match(wanted...)
	return languages[i].Tag
}

// First returns the tag of the first language in a list that Latchkey speaks, empty where it speaks none: BCP 47 tags with
// spaces between, the best first, as ui_locales has them (OpenID Connect Core §3.1.2.1). A region or script that is not
// here is left off (RFC 4647 §3.4).
func First(list string) string {
	if len(list) > 512 { // as for Accept-Language
		return ""
	}
	for _, wanted := range strings.Fields(list) {
		tag, err := language.Parse(wanted)
		if err != nil {
			continue
		}
		if base, sure := tag.Base(); sure == language.Exact && Known(base.String()) {
			return base.String()
		}
	}
	return ""
}

// Printer writes in one language. It may be used by any number of goroutines.
type Printer struct {
	Language
	tag language.Tag
	own map[string]string // texts that stand in for messages, by key
}

// For returns the printer of a language, or English's for a tag that is not known.
func For(tag string) Printer {
	s := spoken()
	for i, l := range languages {
		if l.Tag == tag {
			return s.printers[i]
		}
	}
	return s.printers[0]
}

// With returns a printer that says the given texts instead of its own, by key.
func (p Printer) With(texts map[string]string) Printer {
	p.own = texts
	return p
}

// Has says whether there is a message of that key.
func (p Printer) Has(key string) bool {
	_, ok := spoken().english[key]
	return ok
}

// Owns says whether a client's own words stand in for the message of that key.
func (p Printer) Owns(key string) bool {
	_, ok := p.own[key]
	return ok
}

// Text returns a message. Its args fill the placeholders; a number chooses the plural form where the
// message has several. An unknown key is an error: a page must not show one.
func (p Printer) Text(key string, args ...any) (string, error) {
	if !p.Has(key) {
		return "", fmt.Errorf("no message %q", key)
	}
	printer := message.NewPrinter(p.tag, message.Catalog(spoken().catalog))
	if text, ok := p.own[key]; ok {
		return printer.Sprintf(text, args...), nil
	}
	return printer.Sprintf(key, args...), nil
}

//go:embed messages
var files embed.FS

// everything is all languages, read once.
type everything struct {
	catalog  catalog.Catalog
	matcher  language.Matcher
	printers []Printer
	english  map[string]entry
}

var spoken = sync.OnceValue(func() everything {
	b := catalog.NewBuilder(catalog.Fallback(language.English))
	var tags []language.Tag
	var all everything
	for _, l := range languages {
		tag := language.MustParse(l.Tag)
		messages, err := readMessages(files, l.Tag)
		if err != nil {
			panic(err) // a file of ours: the tests read each
		}
		if all.english == nil {
			all.english = messages
		}
		for key, m := range messages {
			if err := m.addTo(b, tag, key); err != nil {
				panic(fmt.Errorf("messages/%s.toml: %s: %w", l.Tag, key, err))
			}
		}
		tags = append(tags, tag)
		digits := language.MustParse(l.Tag + "-u-nu-latn") // one kind of them: dates have no other
		all.printers = append(all.printers, Printer{Language: l, tag: digits})
	}
	all.catalog, all.matcher = b, language.NewMatcher(tags)
	return all
})
