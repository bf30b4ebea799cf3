package server_test

// A browser without script, as the tests of the pages need one: it keeps cookies, follows redirects, and
// fills in the forms that a page has. What a real browser makes of the pages is seen in rigs/browser.

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"latchkey/internal/mail"
)

// browser is one person's.
type browser struct {
	*app
	http *http.Client
	jar  *cookiejar.Jar
}

func (a *app) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		a.Fatal(err)
	}
	return &browser{a, &http.Client{Jar: jar, Transport: visiting{a.node.address()}}, jar}
}

// visiting makes requests come from an address.
type visiting struct{ addr string }

func (v visiting) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("X-Forwarded-For", v.addr)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")
	return http.DefaultTransport.RoundTrip(r)
}

// screen is what a browser shows.
type screen struct {
	t      *testing.T
	b      *browser
	status int
	at     *url.URL
	header http.Header
	text   string
	root   *html.Node
}

func (b *browser) open(path string) screen {
	b.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.node.base + path
	}
	r, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		b.Fatal(err)
	}
	return b.load(r)
}

// once sends one request with a cookie or none and follows no redirect.
func (b *browser) once(method, path, cookie string, form url.Values) *http.Response {
	b.Helper()
	r, err := http.NewRequest(method, b.node.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	res, err := b.http.Transport.RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

// follow opens the link of a mail, whose origin is the public URL.
func (b *browser) follow(m mail.Message) screen {
	b.Helper()
	_, rest, found := strings.Cut(m.Text, b.Options.Issuer+"/")
	if !found {
		b.Fatalf("the mail has no link to a page: %s", m.Text)
	}
	link, _, _ := strings.Cut(rest, "\n")
	return b.open("/" + strings.TrimSpace(link))
}

func (b *browser) load(r *http.Request) screen {
	b.Helper()
	res, err := b.http.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	root, err := html.Parse(strings.NewReader(string(body)))
	if err != nil {
		b.Fatal(err)
	}
	return screen{b.T, b, res.StatusCode, res.Request.URL, res.Header, string(body), root}
}

// is ends the test unless the page is the one that is meant, by its path and status.
func (s screen) is(status int, path string) screen {
	s.t.Helper()
	if s.status != status || s.at.Path != path {
		s.t.Fatalf("at %s with %d, want %s with %d:\n%s", s.at.Path, s.status, path, status, s.text)
	}
	return s
}

func (s screen) has(words ...string) screen {
	s.t.Helper()
	for _, w := range words {
		if !strings.Contains(html.UnescapeString(s.text), w) {
			s.t.Fatalf("%s does not say %q:\n%s", s.at.Path, w, s.text)
		}
	}
	return s
}

func (s screen) hasNot(words ...string) screen {
	s.t.Helper()
	for _, w := range words {
		if strings.Contains(html.UnescapeString(s.text), w) {
			s.t.Fatalf("%s says %q:\n%s", s.at.Path, w, s.text)
		}
	}
	return s
}

// submit sends the first form with that action, with what it holds and what is filled in.
func (s screen) submit(action string, fill ...string) screen {
	s.t.Helper()
	form := s.find(func(n *html.Node) bool { return n.Data == "form" && attr(n, "action") == action })
	if form == nil {
		s.t.Fatalf("%s has no form to %s:\n%s", s.at.Path, action, s.text)
	}
	values := url.Values{}
	walk(form, func(n *html.Node) {
		if n.Type == html.ElementNode && n.Data == "input" && attr(n, "name") != "" {
			values.Set(attr(n, "name"), attr(n, "value"))
		}
	})
	for i := 0; i < len(fill); i += 2 {
		values.Set(fill[i], fill[i+1])
	}
	r, err := http.NewRequest(http.MethodPost, s.b.node.base+action, strings.NewReader(values.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return s.b.load(r)
}

func (s screen) find(want func(*html.Node) bool) (found *html.Node) {
	walk(s.root, func(n *html.Node) {
		if found == nil && n.Type == html.ElementNode && want(n) {
			found = n
		}
	})
	return found
}

func walk(n *html.Node, do func(*html.Node)) {
	do(n)
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, do)
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// cookie is the value of a cookie that the browser keeps.
func (b *browser) cookie(name string) string {
	at, err := url.Parse(b.node.base)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range b.jar.Cookies(at) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// signsIn signs a user of app.user in to the pages.
func (b *browser) signsIn(email string) screen {
	b.Helper()
	return b.open("/signin").submit("/signin", "email", email, "password", "correct horse battery staple")
}
