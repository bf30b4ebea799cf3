package mail

// What mails are drawn with: two templates, Latchkey's own or the operator's.

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"strings"
	texttemplate "text/template"

	"latchkey/internal/brand"
	"latchkey/internal/locale"
)

//go:embed templates
var files embed.FS

const (
	textFile = "mail.txt"
	htmlFile = "mail.html"
)

// Files are the names that an operator's own templates may have.
func Files() []string { return []string{htmlFile, textFile} }

// Templates are what every mail is drawn with.
type Templates struct {
	text *texttemplate.Template
	html *template.Template
}

// NewTemplates parses them. A file in override, which may be nil, stands in for the one of its name. The error
// names the file and the line of what is wrong with it.
func NewTemplates(override fs.FS) (*Templates, error) {
	ours, err := fs.Sub(files, "templates")
	if err != nil {
		return nil, err
	}
	from := brand.Overlay(override, ours)
	t := &Templates{}
	if t.text, err = texttemplate.ParseFS(from, textFile); err != nil {
		return nil, fmt.Errorf("parse mail: %w", err)
	}
	if t.html, err = template.ParseFS(from, htmlFile); err != nil {
		return nil, fmt.Errorf("parse mail: %w", err)
	}
	return t, nil
}

// Must is for templates that the tests have drawn.
func Must(t *Templates, err error) *Templates {
	if err != nil {
		panic(err)
	}
	return t
}

// Check writes every mail under a look, in every language: what would fail in the outbox, where nobody sees
// it, fails here. A mail whose text part leaves its link out would lock out who reads no HTML.
func (t *Templates) Check(look brand.Brand) error {
	for _, tag := range locale.Tags() {
		for _, sample := range Samples(DataFor(look, tag)) {
			m, err := t.Render(sample.Kind, "sample", sample.Data)
			if err != nil {
				return fmt.Errorf("%s, in %q: %w", sample.Title, tag, err)
			}
			if !strings.Contains(m.Text, sample.Data.Link) {
				return fmt.Errorf("%s, in %q: %s never writes {{.Link}}", sample.Title, tag, textFile)
			}
		}
	}
	return nil
}
