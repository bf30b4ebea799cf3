package server

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/url"
	"regexp"
	"strings"
	"testing"

	markup "golang.org/x/net/html"

	"latchkey/api"
	"latchkey/internal/apidocs"
)

const (
	readingPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	viewingPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

func TestDocsAreServed(t *testing.T) {
	rm := newRoom(t, nil)
	for path, want := range map[string]struct{ mediaType, policy, cache string }{
		"/docs":                      {"text/html; charset=utf-8", readingPolicy, "no-store"},
		"/docs/api":                  {"text/html; charset=utf-8", viewingPolicy, "no-store"},
		"/docs/page":                 {"text/html; charset=utf-8", readingPolicy, "no-store"},
		"/docs/page/index.html":      {"text/plain; charset=utf-8", "", "no-cache"},
		"/docs/start":                {"text/html; charset=utf-8", readingPolicy, "no-store"},
		"/docs/front-end":            {"text/html; charset=utf-8", readingPolicy, "no-store"},
		"/docs/resource-servers":     {"text/html; charset=utf-8", readingPolicy, "no-store"},
		"/docs/client-recipes":       {"text/html; charset=utf-8", readingPolicy, "no-store"},
		"/docs/verifier-recipes":     {"text/html; charset=utf-8", readingPolicy, "no-store"},
		"/docs/examples":             {"text/html; charset=utf-8", readingPolicy, "no-store"},
		"/docs/openapi.yaml":         {"application/yaml", "", "no-cache"},
		"/docs/docs.css":             {"text/css; charset=utf-8", "", "no-cache"},
		"/docs/viewer.js":            {"text/javascript; charset=utf-8", "", "no-cache"},
		"/docs/swagger-ui.css":       {"text/css; charset=utf-8", "", "no-cache"},
		"/docs/swagger-ui-bundle.js": {"text/javascript; charset=utf-8", "", "no-cache"},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			w := rm.ask(method, path, "", "Origin: https://app.example.org")
			h := w.Header()
			if want.policy == "" {
				want.policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
			}
			if w.Code != 200 || h.Get("Content-Type") != want.mediaType || h.Get("Content-Security-Policy") != want.policy ||
				h.Get("Cache-Control") != want.cache || h.Get("Content-Length") == "0" || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s %s: %d %v", method, path, w.Code, h)
			}
			if h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s may be read by other sites", path)
			}
		}
	}
	if w := rm.ask("GET", "/docs/openapi.yaml", ""); !bytes.Equal(w.Body.Bytes(), api.OpenAPI()) {
		t.Error("openapi.yaml is another document")
	}
	for _, path := range []string{"/docs/nothing", "/docs/swagger-ui.js", "/docs/swagger-ui.css.gz", "/docs/nothing/", "/docs/docs.css/", "/docs/templates/layout.html", "/v1/docs"} {
		wantError(t, rm.ask("GET", path, ""), 404, "not_found")
	}
	for path, page := range map[string]string{"/docs/": "/docs", "/docs/start/": "/docs/start"} { // as for every page
		if w := rm.ask("GET", path, ""); w.Code != 303 || w.Header().Get("Location") != page {
			t.Errorf("GET %s: %d to %q", path, w.Code, w.Header().Get("Location"))
		}
	}
	wantError(t, rm.ask("POST", "/docs", ""), 405, "method_not_allowed")
}

// What pages load is kept by browsers, and sent again only when it has changed.
func TestAssetsAreAskedForAgain(t *testing.T) {
	rm := newRoom(t, nil)
	for _, path := range []string{"/page.css", "/page.js", "/icon.svg", "/docs/docs.css", "/docs/swagger-ui.css"} {
		first := rm.ask("GET", path, "")
		tag := first.Header().Get("ETag")
		if first.Code != 200 || first.Header().Get("Cache-Control") != "no-cache" || tag == "" {
			t.Errorf("%s: %d %v", path, first.Code, first.Header())
		}
		if w := rm.ask("GET", path, "", `If-None-Match: "another", W/`+tag); w.Code != 304 || w.Body.Len() > 0 || w.Header().Get("ETag") != tag || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s, the same: %d, %d bytes, %v", path, w.Code, w.Body.Len(), w.Header())
		}
		if w := rm.ask("GET", path, "", `If-None-Match: "another"`); w.Code != 200 || w.Body.String() != first.Body.String() {
			t.Errorf("%s, another: %d, %d bytes", path, w.Code, w.Body.Len())
		}
	}
	if css, js := rm.ask("GET", "/page.css", ""), rm.ask("GET", "/page.js", ""); css.Header().Get("ETag") == js.Header().Get("ETag") {
		t.Error("two files have one tag")
	}
}

// Swagger UI comes compressed, as it is kept.
func TestDocsComeCompressed(t *testing.T) {
	rm := newRoom(t, nil)
	for _, f := range apidocs.Files() {
		w := rm.ask("GET", f.Path, "")
		body := w.Body.Bytes()
		if packed := bytes.HasPrefix(body, []byte{0x1f, 0x8b}); packed != (w.Header().Get("Content-Encoding") == "gzip") || packed != (len(unpacked(t, body)) > len(body)) {
			t.Errorf("%s: %d bytes as %v", f.Path, len(body), w.Header())
		}
	}
}

// unpacked returns what a browser sees of a body.
func unpacked(t *testing.T, body []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return body
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// What a page loads is ours and there; where its links lead is there too, or is a standard.
func TestDocsTakeNothingFromElsewhere(t *testing.T) {
	rm := newRoom(t, nil)
	for _, f := range apidocs.Files() {
		body := string(unpacked(t, rm.ask("GET", f.Path, "").Body.Bytes()))
		if strings.HasPrefix(f.MediaType, "text/css") {
			for _, found := range regexp.MustCompile(`url\(\s*["']?([^)]{0,40})`).FindAllStringSubmatch(body, -1) {
				if !strings.HasPrefix(found[1], "data:") {
					t.Errorf("%s loads %s", f.Path, found[1])
				}
			}
			if strings.Contains(body, "@import") {
				t.Errorf("%s imports", f.Path)
			}
		}
		if !f.Page() {
			continue
		}
		root, err := markup.Parse(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for n := range root.Descendants() {
			if n.Data == "style" || n.Data == "script" && n.FirstChild != nil {
				t.Errorf("%s has <%s> with a text", f.Path, n.Data)
			}
			for _, a := range n.Attr {
				switch {
				case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
					t.Errorf("%s has %s=%q", f.Path, a.Key, a.Val)
				case a.Key == "src" || a.Key == "href":
					rm.follow(t, f.Path, n.Data, a.Val)
				}
			}
		}
	}
}

func (rm room) follow(t *testing.T, from, element, link string) {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	if u.IsAbs() && element == "a" && (u.Host == "www.rfc-editor.org" || u.Host == "www.w3.org") {
		return
	}
	target := u.Path
	if target == "" {
		target = from
	}
	w := rm.ask("GET", target, "")
	_, operation, inViewer := strings.Cut(u.Fragment, "/")
	_, operation, _ = strings.Cut(operation, "/")
	there := u.Fragment == "" || strings.Contains(w.Body.String(), ` id="`+u.Fragment+`"`) ||
		inViewer && bytes.Contains(api.OpenAPI(), []byte("operationId: "+operation+"\n"))
	if u.IsAbs() || u.Host != "" || w.Code != 200 || !there {
		t.Errorf("%s leads to %s, which is elsewhere or not there", from, link)
	}
}
