package browser

// Every page in every state, served as the real server does: for what is looked at in each and takes no flow.

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"latchkey/internal/brand"
	"latchkey/internal/pages"
)

var sampleBrand = brand.Brand{Name: "Acme", Home: "https://example.com/", Support: "mailto:help@example.com"}

// samplePolicy is as strict as the server's own.
const samplePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

type show struct{ at string }

func newShow(t *testing.T) show {
	t.Helper()
	set, err := pages.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", samplePolicy)
		if content, mediaType, ok := set.Asset(strings.TrimPrefix(r.URL.Path, "/")); ok {
			w.Header().Set("Content-Type", mediaType)
			_, _ = w.Write(content)
			return
		}
		for _, sample := range pages.Samples(sampleBrand, r.URL.Query().Get("language")) {
			if sample.Title != r.URL.Query().Get("page") {
				continue
			}
			if direction := r.URL.Query().Get("dir"); direction != "" {
				sample.View.Printer.Direction = direction
			}
			drawn, err := set.Draw(&sample.View)
			if err != nil {
				t.Errorf("%s: %v", sample.Title, err)
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write(drawn)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	return show{server.URL}
}

// url is where a page is shown in one of its states.
func (s show) url(title, language string) string {
	return s.at + "/?" + url.Values{"page": {title}, "language": {language}}.Encode()
}
