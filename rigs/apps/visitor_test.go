package apps

// A person at a browser that runs no script.

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// visitor keeps cookies, follows redirects, obeys <meta http-equiv="refresh">, and posts the forms that pages have with
// the headers that a browser sends.
type visitor struct {
	t    *testing.T
	http *http.Client
	home string // what begins with it is where the visitor leaves for the application: it is not asked for
}

func newVisitor(t *testing.T, home string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	follow := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &visitor{t, &http.Client{Jar: jar, Transport: transport, CheckRedirect: follow}, home}
}

// screen is where a visitor has come to.
type screen struct {
	at     *url.URL
	status int // 0: at home
	text   string
	forms  []form
}

// form is one of a page's, as it would be posted with its first button.
type form struct {
	action *url.URL
	fields url.Values
	asks   []string // fields for a password
}

// open goes to an address as one who types it.
func (v *visitor) open(address string) screen {
	v.t.Helper()
	return v.travel(nil, v.parse(address), http.MethodGet, nil)
}

// submit posts a form of a page, filled in.
func (v *visitor) submit(from screen, f form, typed map[string]string) screen {
	v.t.Helper()
	for name, value := range typed {
		f.fields.Set(name, value)
	}
	return v.travel(from.at, f.action, http.MethodPost, f.fields)
}

// wayIn does on each page what a person does who wants in: types the password, or presses the button to go on. It
// returns where that ends, and the paths of the pages on the way.
func (v *visitor) wayIn(s screen, who account) (end screen, pages []string) {
	v.t.Helper()
	for range 10 {
		i := slices.IndexFunc(s.forms, func(f form) bool { return f.asks != nil || f.action.Path == "/continue" || f.action.Path == "/consent" })
		if i < 0 {
			return s, pages
		}
		pages = append(pages, s.at.Path)
		typed := map[string]string{}
		if f := s.forms[i]; f.asks != nil {
			typed["email"], typed[f.asks[0]] = who.Email, who.password
		}
		s = v.submit(s, s.forms[i], typed)
	}
	v.t.Fatalf("there is no end of pages on the way in: %v\n%s", pages, s.text)
	return s, pages
}

// travel sends a request that a page (nil: the person) begins, and goes wherever the answers lead.
func (v *visitor) travel(from, to *url.URL, method string, fields url.Values) screen {
	v.t.Helper()
	site := ""
	for range 20 {
		if v.home != "" && strings.HasPrefix(to.String(), v.home) {
			return screen{at: to}
		}
		site = fetchSite(from, to, site)
		header, s := v.send(from, to, site, method, fields)
		location := header.Get("Location")
		if location == "" {
			refresh, found := s.refresh()
			if !found {
				return s
			}
			from, location, site = to, refresh, ""
		}
		to, method, fields = v.parseFrom(to, location), http.MethodGet, nil
	}
	v.t.Fatalf("there is no end of redirects, at %s", to)
	return screen{}
}

// fetchSite is the Sec-Fetch-Site of a request that a page began and that has come so far (Fetch Metadata §2.4): on the
// way it never gets closer again. Ports of one host are one site.
func fetchSite(from, to *url.URL, before string) string {
	switch {
	case from == nil:
		return "none"
	case before == "cross-site" || from.Hostname() != to.Hostname():
		return "cross-site"
	case before == "same-site" || from.Host != to.Host:
		return "same-site"
	default:
		return "same-origin"
	}
}

func (v *visitor) send(from, to *url.URL, site, method string, fields url.Values) (http.Header, screen) {
	v.t.Helper()
	r, err := http.NewRequest(method, to.String(), strings.NewReader(fields.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Site", site)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	if method == http.MethodPost {
		r.Header.Set("Origin", from.Scheme+"://"+from.Host)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	s := screen{at: to, status: res.StatusCode, text: string(text)}
	s.forms = v.formsOf(s)
	return res.Header, s
}

func (v *visitor) parse(address string) *url.URL { return v.parseFrom(&url.URL{}, address) }

func (v *visitor) parseFrom(base *url.URL, address string) *url.URL {
	v.t.Helper()
	u, err := base.Parse(address)
	if err != nil {
		v.t.Fatal(err)
	}
	return u
}

// elements are those of a page with one of the names, in its order.
func (s screen) elements(names ...string) (found []*html.Node) {
	root, err := html.ParseWithOptions(strings.NewReader(s.text), html.ParseOptionEnableScripting(false))
	if err != nil {
		return nil // the reader does not fail, and HTML that is wrong is read all the same
	}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && slices.Contains(names, n.Data) {
			found = append(found, n)
		}
	}
	return found
}

// refresh is where <meta http-equiv="refresh"> leads.
func (s screen) refresh() (address string, found bool) {
	for _, n := range s.elements("meta") {
		if strings.EqualFold(attribute(n, "http-equiv"), "refresh") {
			_, rest, _ := strings.Cut(attribute(n, "content"), ";")
			name, address, found := strings.Cut(strings.TrimSpace(rest), "=")
			return address, found && strings.EqualFold(name, "url")
		}
	}
	return "", false
}

func (v *visitor) formsOf(s screen) (all []form) {
	v.t.Helper()
	pressed := false
	for _, n := range s.elements("form", "input", "select", "button") {
		if n.Data == "form" {
			all, pressed = append(all, form{action: v.parseFrom(s.at, attribute(n, "action")), fields: url.Values{}}), false
			continue
		}
		if len(all) == 0 {
			continue
		}
		f, name, kind := &all[len(all)-1], attribute(n, "name"), attribute(n, "type")
		switch {
		case n.Data == "button" && pressed, name == "" && n.Data != "button", kind == "checkbox" && !has(n, "checked"):
			continue
		case n.Data == "button":
			pressed = true
		case kind == "password":
			f.asks = append(f.asks, name)
		}
		if name != "" {
			f.fields.Set(name, valueOf(n))
		}
	}
	return all
}

// valueOf is what a field holds; of a select, what is selected or else comes first.
func valueOf(n *html.Node) string {
	if n.Data != "select" {
		return attribute(n, "value")
	}
	first, seen := "", false
	for option := range n.Descendants() {
		if option.Data != "option" {
			continue
		}
		if has(option, "selected") {
			return attribute(option, "value")
		}
		if !seen {
			first, seen = attribute(option, "value"), true
		}
	}
	return first
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
