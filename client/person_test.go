package client_test

// Somebody at a browser, who signs in on the server's own pages.

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/html"

	"latchkey/internal/authtest"
)

// person is somebody at a browser that runs no script.
type person struct {
	t     testing.TB
	email string
	http  *http.Client
	extra string        // added to the address that is opened
	back  chan *url.URL // is sent the program's address that a visit leads back to, where it ends then; nil: it goes there
	busy  sync.WaitGroup
	mu    sync.Mutex
	asked []*url.URL // what was opened
	saw   []string   // the last page of each visit
}

func newPerson(t testing.TB, email string) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	p := &person{t: t, email: email, http: &http.Client{Jar: jar, Transport: transport}}
	p.http.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if p.back == nil || r.URL.Path != "/callback" {
			return nil
		}
		p.back <- r.URL
		return http.ErrUseLastResponse
	}
	t.Cleanup(func() {
		p.busy.Wait()
		transport.CloseIdleConnections()
	})
	return p
}

// open is for App.Open: it does not wait until the person is through.
func (p *person) open(address string) error {
	p.busy.Go(func() { p.visit(address + p.extra) })
	return nil
}

// visit signs in at an address, and returns the last page.
func (p *person) visit(address string) (text string) {
	at, err := url.Parse(address)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	p.mu.Lock()
	p.asked = append(p.asked, at)
	p.mu.Unlock()
	request, err := http.NewRequest(http.MethodGet, address, nil)
	for range 10 {
		var next *http.Request
		if err == nil {
			text, next, err = p.send(request)
		}
		if err != nil {
			p.t.Errorf("the browser: %v", err)
			return ""
		}
		if next == nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.saw = append(p.saw, text)
			return text
		}
		request = next
	}
	p.t.Errorf("there is no end of pages: %s", text)
	return ""
}

// send loads a page, and says what comes next.
func (p *person) send(r *http.Request) (text string, next *http.Request, err error) {
	res, err := p.http.Do(r)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return "", nil, err
	}
	root, err := html.Parse(strings.NewReader(string(raw)))
	if err != nil {
		return "", nil, err
	}
	var action *url.URL
	fields := url.Values{}
	for node := range root.Descendants() {
		attribute := map[string]string{}
		for _, a := range node.Attr {
			attribute[a.Key] = a.Val
		}
		switch {
		case node.Data == "meta" && attribute["http-equiv"] == "refresh":
			_, address, _ := strings.Cut(attribute["content"], "url=")
			to, err := res.Request.URL.Parse(address)
			if err != nil {
				return "", nil, err
			}
			next, err = http.NewRequest(http.MethodGet, to.String(), nil)
			return "", next, err
		case node.Data == "form" && action == nil && wanted(attribute["action"]):
			if action, err = res.Request.URL.Parse(attribute["action"]); err != nil {
				return "", nil, err
			}
		case node.Data == "form" && action != nil:
			return p.post(res.Request.URL, action, fields)
		case node.Data == "input" && action != nil:
			fields.Set(attribute["name"], attribute["value"])
		case node.Data == "button" && action != nil && attribute["name"] != "" && !fields.Has(attribute["name"]):
			fields.Set(attribute["name"], attribute["value"])
		}
	}
	if action != nil {
		return p.post(res.Request.URL, action, fields)
	}
	return string(raw), nil, nil
}

// wanted says whether a form lets the person in.
func wanted(action string) bool {
	return strings.HasPrefix(action, "/signin") || strings.HasPrefix(action, "/continue") || strings.HasPrefix(action, "/consent")
}

func (p *person) post(from, action *url.URL, fields url.Values) (string, *http.Request, error) {
	if fields.Has("password") {
		fields.Set("email", p.email)
		fields.Set("password", authtest.Password)
	}
	r, err := http.NewRequest(http.MethodPost, action.String(), strings.NewReader(fields.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", from.Scheme+"://"+from.Host)
	}
	return "", r, err
}
