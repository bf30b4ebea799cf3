package pages_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/net/html"

	"latchkey/internal/brand"
	"latchkey/internal/locale"
	"latchkey/internal/pages"
)

// Every page can be drawn in every language, is whole, and weighs little: no page over 60 KB in all.
func TestEveryPageInEveryLanguage(t *testing.T) {
	set, err := pages.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	assets := 0
	for _, name := range []string{"page.css", "page.js", "icon.svg"} {
		content, mediaType, ok := set.Asset(name)
		if !ok || mediaType == "" {
			t.Fatalf("asset %s is missing", name)
		}
		assets += len(content)
		if name == "page.js" && len(content) >= 2048 {
			t.Errorf("the script has %d bytes; it only helps, so 2 KB must do", len(content))
		}
	}
	for _, l := range locale.Languages() {
		for _, sample := range pages.Samples(brand.Brand{Name: "Acme", Support: "mailto:help@example.com"}, l.Tag) {
			drawn, err := set.Draw(&sample.View)
			if err != nil {
				t.Fatalf("%s in %s: %v", sample.Title, l.Name, err)
			}
			if all := len(drawn) + assets; all > 60_000 {
				t.Errorf("%s in %s has %d bytes with what it loads", sample.Title, l.Name, all)
			}
			if bytes.Contains(bytes.ToLower(drawn), []byte("zgotmplz")) {
				t.Errorf("%s in %s has something that html/template refused to write:\n%s", sample.Title, l.Name, drawn)
			}
			if bytes.Contains(drawn, []byte("%!")) {
				t.Errorf("%s in %s has a placeholder that nothing fills:\n%s", sample.Title, l.Name, drawn)
			}
			if bytes.Contains(drawn, []byte("style=")) || bytes.Contains(drawn, []byte(" on")) && hasHandler(t, drawn) {
				t.Errorf("%s: the strict CSP lets no inline style or handler work", sample.Title)
			}
		}
	}
}

// What a reader of the screen goes by: one first heading and none left out, a label for each field, words on each button
// and link, no id twice.
func TestEveryPageIsInOrder(t *testing.T) {
	for _, sample := range pages.Samples(brand.Brand{Name: "Shop", Support: "mailto:help@example.com"}, "en") {
		p, ids, labels := drawn(t, sample.View), map[string]bool{}, map[string]bool{}
		for _, label := range p.all("label") {
			labels[attr(label, "for")] = true
		}
		level := 0
		for n := range p.root.Descendants() {
			id, named := has(n, "id")
			if named && ids[id] {
				t.Errorf("%s: the id %s is there twice", sample.Title, id)
			}
			ids[id] = true
			switch {
			case n.Type != html.ElementNode:
			case n.Data == "h1" || n.Data == "h2" || n.Data == "h3":
				if now := int(n.Data[1] - '0'); now > level+1 || now == 1 && level > 0 {
					t.Errorf("%s: %s %q after level %d", sample.Title, n.Data, words(n), level)
				}
				level = int(n.Data[1] - '0')
			case n.Data == "select" || n.Data == "input" && attr(n, "type") != "hidden":
				if !labels[id] {
					t.Errorf("%s: the field %s has no label", sample.Title, attr(n, "name"))
				}
			case (n.Data == "button" || n.Data == "a") && words(n)+attr(n, "aria-label") == "":
				t.Errorf("%s: a %s has no words: %v", sample.Title, n.Data, n.Attr)
			}
		}
		if level == 0 {
			t.Errorf("%s has no heading", sample.Title)
		}
	}
}

func hasHandler(t *testing.T, page []byte) bool {
	t.Helper()
	tokens := html.NewTokenizer(bytes.NewReader(page))
	for tokens.Next() != html.ErrorToken {
		for _, a := range tokens.Token().Attr {
			if strings.HasPrefix(a.Key, "on") {
				return true
			}
		}
	}
	return false
}

// A template of the operator's own stands in for ours; a broken one is named with its line.
func TestOverride(t *testing.T) {
	set, err := pages.New(fstest.MapFS{"sign_in.html": {Data: []byte(`{{define "content"}}<p>Acme's own</p>{{end}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	sample := pages.Samples(brand.Brand{Name: "Acme"}, "en")[0]
	drawn, err := set.Draw(&sample.View)
	if err != nil || !bytes.Contains(drawn, []byte("Acme's own")) {
		t.Errorf("drew %s, %v", drawn, err)
	}
	set, err = pages.New(fstest.MapFS{"sign_in.html": {Data: []byte("{{define \"content\"}}\n{{.T \"no.such\"}}{{end}}")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Check(brand.Plain); err == nil || !strings.Contains(err.Error(), "sign_in.html:2") || !strings.Contains(err.Error(), "no.such") {
		t.Errorf("got %v, want the file, the line and the message there is none of", err)
	}
	_, err = pages.New(fstest.MapFS{"sign_in.html": {Data: []byte("{{define \"content\"}}\n{{if}}{{end}}")}})
	if err == nil || !strings.Contains(err.Error(), "sign_in.html:2") {
		t.Errorf("got %v, want the file and the line", err)
	}
}
