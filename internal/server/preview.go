package server

// Every page and mail with made-up contents: `latchkey theme preview`. Nothing is behind it, no account and no
// database.

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/brand"
	"latchkey/internal/burst"
	"latchkey/internal/clients"
	"latchkey/internal/locale"
	"latchkey/internal/mail"
	"latchkey/internal/pages"
)

// NewPreview returns a handler whose first page lists every page and mail of every client in every language.
// They are drawn with set and mails, and looks are those of the clients.
func NewPreview(set *pages.Set, mails *mail.Templates, clients *clients.Set) http.Handler {
	rules := &auth.Service{}
	if err := rules.SetClients(clients); err != nil {
		panic(err) // cannot be: there is no address of ours that they could share
	}
	s := &server{
		drawing: set, auth: rules, now: time.Now,
		log: slog.New(slog.DiscardHandler), metrics: NewMetrics(), standing: standingHeaders(false), cross: http.NewCrossOriginProtection(),
	}
	s.notes = burst.New(s.log, s.now)
	p := preview{s, mails, []brand.Brand{brand.Plain}}
	for _, c := range clients.List() {
		p.looks = append(p.looks, c.Brand)
	}
	s.mux, s.pages = s.routeTable(append(s.assets(), p.routes()...))
	return s
}

type preview struct {
	s     *server
	mails *mail.Templates
	looks []brand.Brand
}

func (p preview) routes() []route {
	return []route{
		{"GET", "/{$}", anyone, inHTML, p.list},
		{"GET", "/preview/{look}/{language}/{page}", anyone, inHTML, p.page},
		{"GET", "/preview/{look}/{language}/mail/{mail}", anyone, inHTML, p.mail},
		{"POST", "/language", anyone, inHTML, p.language},
	}
}

func (p preview) list(x *exchange) (reply, error) {
	v := x.view("preview", nil)
	var links []pages.PreviewLinks
	for i, look := range p.looks {
		for _, l := range locale.Languages() {
			group := pages.PreviewLinks{Title: look.Name + ", " + l.Name}
			for n, sample := range pages.Samples(look, l.Tag) {
				group.Links = append(group.Links, pages.PreviewLink{Title: sample.Title, Path: previewPath(i, l.Tag, strconv.Itoa(n))})
			}
			for n, sample := range mail.Samples(mail.DataFor(look, l.Tag)) {
				group.Links = append(group.Links, pages.PreviewLink{Title: "mail: " + sample.Title, Path: previewPath(i, l.Tag, "mail/"+strconv.Itoa(n))})
			}
			links = append(links, group)
		}
	}
	v.Data = links
	return drawn(v), nil
}

func previewPath(look int, language, page string) string {
	return fmt.Sprintf("/preview/%d/%s/%s", look, language, page)
}

// look is the one that the path names, and the number of what is to be seen.
func (p preview) look(x *exchange, name string) (look brand.Brand, n int, err error) {
	i, err := strconv.Atoi(x.r.PathValue("look"))
	if err != nil || i < 0 || i >= len(p.looks) || !locale.Known(x.r.PathValue("language")) {
		return brand.Brand{}, 0, refuse(codeNotFound)
	}
	if n, err = strconv.Atoi(x.r.PathValue(name)); err != nil || n < 0 {
		return brand.Brand{}, 0, refuse(codeNotFound)
	}
	return p.looks[i], n, nil
}

func (p preview) page(x *exchange) (reply, error) {
	look, page, err := p.look(x, "page")
	if err != nil {
		return nil, err
	}
	samples := pages.Samples(look, x.r.PathValue("language"))
	if page >= len(samples) {
		return nil, refuse(codeNotFound)
	}
	v := samples[page].View
	if v.Here != "" { // a page that offers other languages
		v.Here = x.r.URL.Path
	}
	return drawn(&v), nil
}

// mail shows a mail, or with ?text its text part.
func (p preview) mail(x *exchange) (reply, error) {
	look, n, err := p.look(x, "mail")
	if err != nil {
		return nil, err
	}
	samples := mail.Samples(mail.DataFor(look, x.r.PathValue("language")))
	if n >= len(samples) {
		return nil, refuse(codeNotFound)
	}
	m, err := p.mails.Render(samples[n].Kind, "sample", samples[n].Data)
	if err != nil {
		return nil, err
	}
	if x.r.URL.Query().Has("text") {
		return func(x *exchange) {
			x.send(http.StatusOK, "text/plain; charset=utf-8", []byte(m.Subject+"\n\n"+m.Text))
		}, nil
	}
	return letterHTML(m), nil
}

// language shows the same page in another language.
func (p preview) language(x *exchange) (reply, error) {
	values, err := x.formValues()
	if err != nil {
		return nil, err
	}
	tag := values.Get("language")
	back, err := url.Parse(values.Get("back"))
	var look, page int
	var was string
	if err != nil || !slices.Contains(locale.Tags(), tag) {
		return nil, refuse(codeNotFound)
	}
	if _, err := fmt.Sscanf(back.Path, "/preview/%d/%2s/%d", &look, &was, &page); err != nil {
		return seeOther("/"), nil
	}
	return seeOther(previewPath(look, tag, strconv.Itoa(page))), nil
}
