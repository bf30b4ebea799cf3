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
	"fmt"
	"html/template"
	"io/fs"
	"path"

	"latchkey/internal/brand"
	"latchkey/internal/locale"
)

//go:embed templates assets
var files embed.FS

// Names are the pages there are: templates/<name>.html each.
var Names = []string{
	"sign_in", "sign_up", "check_mail", "verify", "complete_sign_up", "forgot_password", "reset_password",
	"change_password", "account", "end_session", "done", "problem", "inbox", "preview",
	"continue", "consent", "go_on", "form_post", "sign_out", "app_problem",
}

// assetNames are the files that pages load.
var assetNames = []string{"page.css", "page.js", "icon.svg"}

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// Set is every page, parsed, and what they load.
type Set struct {
	pages  map[string]*template.Template
	assets map[string][]byte
}

// New parses the pages. A file in override, which may be nil, stands in for the template or asset of its name.
// The error names the file and the line of what is wrong with it.
func New(override fs.FS) (*Set, error) {
	s := &Set{pages: map[string]*template.Template{}, assets: map[string][]byte{}}
	templates, err := fs.Sub(files, "templates")
	if err != nil {
		return nil, err
	}
	assets, err := fs.Sub(files, "assets")
	if err != nil {
		return nil, err
	}
	templates, assets = brand.Overlay(override, templates), brand.Overlay(override, assets)
	for _, name := range assetNames {
		if s.assets[name], err = fs.ReadFile(assets, name); err != nil {
			return nil, fmt.Errorf("read asset: %w", err)
		}
	}
	for _, name := range Names {
		s.pages[name], err = template.ParseFS(templates, "layout.html", "parts.html", name+".html")
		if err != nil {
			return nil, fmt.Errorf("parse page: %w", err)
		}
	}
	return s, nil
}

// Must is for pages that the tests have drawn.
func Must(s *Set, err error) *Set {
	if err != nil {
		panic(err)
	}
	return s
}

// Files are the names that an operator's own templates and assets may have.
func Files() []string {
	names := append([]string{"layout.html", "parts.html"}, assetNames...)
	for _, name := range Names {
		names = append(names, name+".html")
	}
	return names
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
func (s *Set) Asset(name string) (content []byte, mediaType string, ok bool) {
	content, ok = s.assets[name]
	return content, assetTypes[path.Ext(name)], ok
}

// Check draws every page in every state, in every language: what would fail before a visitor fails here.
func (s *Set) Check(look brand.Brand) error {
	for _, tag := range locale.Tags() {
		for _, sample := range Samples(look, tag) {
			if _, err := s.Draw(&sample.View); err != nil {
				return fmt.Errorf("%s, in %q: %w", sample.Title, tag, err)
			}
		}
	}
	return nil
}
