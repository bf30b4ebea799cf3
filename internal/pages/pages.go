// Package pages draws what people see in a browser: one template for each page, one stylesheet, a few lines
// of script that only help. A page works without script and loads nothing from elsewhere.
//
// It promises that every page it was given at the start can be drawn in every language, and that nothing a
// View holds is taken for markup. It decides nothing and knows no request: internal/server says what is
// shown to whom.
package pages

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"slices"
	"strings"
)

//go:embed templates assets
var files embed.FS

// Names are the pages there are: templates/<name>.html each.
var Names = []string{
	"sign_in", "sign_up", "check_mail", "verify", "complete_sign_up", "forgot_password", "reset_password",
	"change_password", "account", "end_session", "done", "problem", "inbox",
}

// Set is every page, parsed.
type Set struct {
	pages map[string]*template.Template
}

// New parses the pages. A file in override, which may be nil, stands in for the one of its name; the error
// names the file and the line of what is wrong with it.
func New(override fs.FS) (*Set, error) {
	s := &Set{pages: map[string]*template.Template{}}
	for _, name := range Names {
		t := template.New(name)
		for _, file := range []string{"layout.html", "parts.html", name + ".html"} {
			text, err := read(override, file)
			if err != nil {
				return nil, err
			}
			if _, err := t.New(file).Parse(text); err != nil {
				return nil, fmt.Errorf("parse page: %w", err)
			}
		}
		s.pages[name] = t
	}
	return s, nil
}

func read(override fs.FS, name string) (string, error) {
	if override != nil {
		text, err := fs.ReadFile(override, name)
		if err == nil {
			return string(text), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("read page: %w", err)
		}
	}
	text, err := fs.ReadFile(files, "templates/"+name)
	if err != nil {
		return "", fmt.Errorf("read page: %w", err)
	}
	return string(text), nil
}

// Draw writes a page as HTML.
func (s *Set) Draw(v *View) ([]byte, error) {
	t, ok := s.pages[v.Name]
	if !ok {
		return nil, fmt.Errorf("no page %q", v.Name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", v); err != nil {
		return nil, fmt.Errorf("draw page: %w", err)
	}
	return b.Bytes(), nil
}

// Asset returns a file that pages load, and its media type: page.css, page.js or icon.svg.
func Asset(name string) (content []byte, mediaType string, ok bool) {
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	dot := max(0, strings.LastIndexByte(name, '.'))
	content, err := fs.ReadFile(files, "assets/"+name)
	return content, types[name[dot:]], err == nil && slices.Contains([]string{"page.css", "page.js", "icon.svg"}, name)
}
