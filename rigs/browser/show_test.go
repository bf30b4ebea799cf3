package browser

// Every page in every state and every mail, as `latchkey theme preview` shows them, for what is looked at in
// each and takes no flow.

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"latchkey/internal/brand"
	"latchkey/internal/clients"
	"latchkey/internal/mail"
	"latchkey/internal/pages"
	"latchkey/internal/server"
)

// exhibit is a page or a mail in one of its states.
type exhibit struct{ title, url string }

// show is where they are to be seen, with a client's look: a colour, help, a way home.
type show struct {
	at   string
	look brand.Brand
}

func newShow(t *testing.T) show {
	t.Helper()
	clients, err := clients.New([]clients.Client{{Alias: "web", Name: "Acme", URL: "https://example.com", Support: "help@example.com", Colour: "#0b6e4f"}})
	if err != nil {
		t.Fatal(err)
	}
	look := clients.List()[0].Brand
	set, err := pages.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	served := httptest.NewServer(server.NewPreview(set, mail.Must(mail.NewTemplates(nil)), clients))
	t.Cleanup(served.Close)
	return show{served.URL, look}
}

func (s show) pages(language string) (all []exhibit) {
	for i, sample := range pages.Samples(s.look, language) {
		all = append(all, exhibit{sample.Title, fmt.Sprintf("%s/preview/1/%s/%d", s.at, language, i)})
	}
	return all
}

func (s show) mails(language string) (all []exhibit) {
	for i, sample := range mail.Samples(mail.DataFor(s.look, language)) {
		all = append(all, exhibit{"mail: " + sample.Title, fmt.Sprintf("%s/preview/1/%s/mail/%d", s.at, language, i)})
	}
	return all
}
