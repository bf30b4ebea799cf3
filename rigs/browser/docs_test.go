package browser

// The documentation of the API, as who builds on it meets it: it is all there, keeps to this server, and what
// is tried out is tried on it.

import (
	"strings"
	"testing"

	"latchkey/internal/apidocs"
)

func TestDocumentationCanBeRead(t *testing.T) {
	h, p := newHouse(t, nil), newPerson(t, true)
	for _, file := range apidocs.Files() {
		if !file.Page() || file.Path == "/docs/api" { // the viewer is Swagger UI's: below
			continue
		}
		p.record.forget()
		p.open(h.url + file.Path)
		p.settle()
		if p.status != 200 {
			t.Errorf("%s: %d", file.Path, p.status)
		}
		p.accessible(file.Path)
		h.staysHere(p, file.Path)
	}
}

// The viewer draws the document of this server, and one call can be tried: Chromium complains of nothing (open
// sees to that) and asks nobody else.
func TestDocumentationCanBeTried(t *testing.T) {
	h, p := newHouse(t, nil), newPerson(t, true)
	p.open(h.url + "/docs/api")
	p.await(`document.querySelectorAll(".opblock").length > 10`)
	p.do(click("[id$='-clientAliases'] .opblock-summary-control"))
	p.await(`document.querySelector(".try-out__btn") !== null`)
	p.do(click(".try-out__btn"))
	p.await(`document.querySelector(".execute") !== null`)
	p.do(click(".execute"))
	p.await(`document.querySelector(".live-responses-table tbody .response-col_status")?.textContent.startsWith("200") ?? false`)
	h.staysHere(p, "/docs/api")
}

// staysHere asserts that all requests went to the house.
func (h *house) staysHere(p *person, what string) {
	h.t.Helper()
	requests := p.record.all()
	for _, q := range requests {
		if !strings.HasPrefix(q.URL, h.url+"/") {
			h.t.Errorf("%s: a request went to %s", what, q.URL)
		}
	}
	if len(requests) < 2 {
		h.t.Errorf("%s: only %d requests were seen", what, len(requests))
	}
}
