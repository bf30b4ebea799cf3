package mail

// Templates of the operator's own, and what is found wanting in them at the start.

import (
	"strings"
	"testing"
	"testing/fstest"

	"latchkey/internal/brand"
)

func TestOwnTemplates(t *testing.T) {
	own, err := NewTemplates(fstest.MapFS{"mail.html": {Data: []byte(`<h1>{{.Title}}</h1><a href="{{.Link}}">{{.Platform}}</a>`)}})
	if err != nil {
		t.Fatal(err)
	}
	d := fullData()
	d.Platform = `<b>Acme</b>`
	m, err := own.Render(Reset, "row-1", d)
	if err != nil || m.HTML != `<h1>Reset your password</h1><a href="`+escaped(testLink)+`">&lt;b&gt;Acme&lt;/b&gt;</a>` {
		t.Errorf("wrote %s, %v", m.HTML, err)
	}
	if theirs, err := plainly.Render(Reset, "row-1", d); err != nil || m.Text != theirs.Text {
		t.Errorf("the text part, which nothing stands in for, is\n%s", m.Text)
	}
	if err := own.Check(brand.Plain); err != nil {
		t.Errorf("check: %v", err)
	}
}

func TestTemplatesCheck(t *testing.T) {
	for name, tt := range map[string]struct{ file, text, wrong string }{
		"does not parse":  {"mail.html", "<html>\n{{if}}", "mail.html:2"},
		"text, the same":  {"mail.txt", "{{.Title}}\n{{end}}", "mail.txt:2"},
		"no such field":   {"mail.html", "<html>\n\n{{.Sender}}", "mail.html:3"},
		"text, the same ": {"mail.txt", "{{.Link}}\n{{.Sender}}", "mail.txt:2"},
		"no such message": {"mail.txt", "{{.Link}}\n{{.Say \"no.such\"}}", "mail.no.such"},
		"link left out":   {"mail.txt", "{{.Title}}", "mail.txt never writes {{.Link}}"},
		"half a tag":      {"mail.html", "<a href=", "mail.html"},
	} {
		own, err := NewTemplates(fstest.MapFS{tt.file: {Data: []byte(tt.text)}})
		if err == nil {
			err = own.Check(brand.Plain)
		}
		if err == nil || !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%s: got %v, want %q", name, err, tt.wrong)
		}
	}
}
