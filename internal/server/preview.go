package server

// Every page with made-up contents: `latchkey theme preview`. Nothing is behind it, no account and no
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
	"latchkey/internal/locale"
	"latchkey/internal/pages"
)

// NewPreview returns a handler whose first page lists every page of every client in every language. Pages
// are those of a Set, and looks those of the clients.
func NewPreview(set *pages.Set, clients []auth.Client) http.Handler {
	s := &server{
		drawing: set, brands: newBrands(clients), auth: &auth.Service{}, now: time.Now,
		log: slog.New(slog.DiscardHandler), metrics: NewMetrics(), standing: standingHeaders(false), cross: http.NewCrossOriginProtection(),
	}
	p := preview{s, []brand.Brand{brand.Plain}}
	for _, c := range clients {
		p.looks = append(p.looks, c.Brand)
	}
	s.mux, s.pages = s.routeTable(append(s.assets(), p.routes()...))
	return s
}

type preview struct {
	s     *server
	looks []brand.Brand
}

func (p preview) routes() []route {
	return []route{
		{"GET", "/{$}", anyone, inHTML, p.list},
		{"GET", "/preview/{look}/{language}/{page}", anyone, inHTML, p.page},
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
				group.Links = append(group.Links, pages.PreviewLink{Title: sample.Title, Path: previewPath(i, l.Tag, n)})
			}
			links = append(links, group)
		}
	}
	v.Data = links
	return drawn(v), nil
}

func previewPath(look int, language string, page int) string {
	return fmt.Sprintf("/preview/%d/%s/%d", look, language, page)
}

func (p preview) page(x *exchange) (reply, error) {
	look, err := strconv.Atoi(x.r.PathValue("look"))
	if err != nil || look < 0 || look >= len(p.looks) || !locale.Known(x.r.PathValue("language")) {
		return nil, refuse(codeNotFound)
	}
	samples := pages.Samples(p.looks[look], x.r.PathValue("language"))
	page, err := strconv.Atoi(x.r.PathValue("page"))
	if err != nil || page < 0 || page >= len(samples) {
		return nil, refuse(codeNotFound)
	}
	v := samples[page].View
	v.Here = x.r.URL.Path
	return drawn(&v), nil
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
	return seeOther(previewPath(look, tag, page)), nil
}
