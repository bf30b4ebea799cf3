package locale

// Reading messages/<language>.toml. Tables nest into keys with dots between. A string is a message, with
// the placeholders of fmt (%s, %[2]s); a table whose keys are plural forms of CLDR is a message that a
// number chooses from, its first argument.

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message/catalog"
)

// entry is a message: one text, or one for each plural form.
type entry struct {
	text  string
	forms map[string]string // nil: the text alone
}

// pluralForms of CLDR, in the order in which they are tried. "other" is in every language.
var pluralForms = []string{"zero", "one", "two", "few", "many", "other"}

func readMessages(files fs.FS, tag string) (map[string]entry, error) {
	name := path.Join("messages", tag+".toml")
	content, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	var tree map[string]any
	if err := toml.Unmarshal(content, &tree); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	messages := map[string]entry{}
	if err := flatten(messages, "", tree); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return messages, nil
}

func flatten(into map[string]entry, prefix string, tree map[string]any) error {
	for name, value := range tree {
		key := prefix + name
		switch v := value.(type) {
		case string:
			into[key] = entry{text: v}
		case map[string]any:
			if forms, ok := asForms(v); ok {
				into[key] = entry{forms: forms}
			} else if err := flatten(into, key+".", v); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s: write a text or a table", key)
		}
	}
	return nil
}

// asForms says whether a table is the forms of one message.
func asForms(tree map[string]any) (forms map[string]string, ok bool) {
	if _, ok := tree["other"].(string); !ok {
		return nil, false
	}
	forms = map[string]string{}
	for name, value := range tree {
		text, isText := value.(string)
		if !isText || !slices.Contains(pluralForms, name) {
			return nil, false
		}
		forms[name] = text
	}
	return forms, true
}

func (e entry) addTo(b *catalog.Builder, tag language.Tag, key string) error {
	if e.forms == nil {
		return b.SetString(tag, key, e.text)
	}
	var cases []any
	for _, form := range pluralForms {
		if text, ok := e.forms[form]; ok {
			cases = append(cases, form, text)
		}
	}
	return b.Set(tag, key, plural.Selectf(1, "%d", cases...))
}

// texts are every text of an entry.
func (e entry) texts() []string {
	if e.forms == nil {
		return []string{e.text}
	}
	return slices.Collect(maps.Values(e.forms))
}

// verb is a placeholder of fmt.
var verb = regexp.MustCompile(`%(?:\[\d+\])?[sd]`)

// CheckText says why a text may not stand in for a message: there is no such message, or its placeholders
// are others.
func CheckText(key, text string) error {
	english, ok := spoken().english[key]
	if !ok {
		return fmt.Errorf("%q: no such message; internal/locale/messages/en.toml has them all", key)
	}
	if !sameVerbs(text, english) {
		return fmt.Errorf("%q: use the placeholders %v, as the message does", key, verb.FindAllString(english.texts()[0], -1))
	}
	return nil
}

// sameVerbs says whether a text has the placeholders of a message: all of them, or, of one that a number
// chooses, at most those.
func sameVerbs(text string, e entry) bool {
	if strings.Contains(strings.ReplaceAll(verb.ReplaceAllString(text, ""), "%%", ""), "%") {
		return false
	}
	got := slices.Sorted(slices.Values(verb.FindAllString(text, -1)))
	for _, t := range e.texts() {
		if slices.Equal(got, slices.Sorted(slices.Values(verb.FindAllString(t, -1)))) {
			return true
		}
	}
	return false
}
