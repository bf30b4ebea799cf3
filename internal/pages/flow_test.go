package pages_test

// An application's way through the pages: what is named, where each page leads, and what its forms send.

import (
	"bytes"
	"html/template"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"latchkey/internal/brand"
	"latchkey/internal/pages"
)

var ours = pages.Must(pages.New(nil))

// paper is a page as it was drawn.
type paper struct{ root *html.Node }

func drawn(t *testing.T, v pages.View) paper {
	t.Helper()
	text, err := ours.Draw(&v)
	if err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return paper{root}
}

// sample is the state of that title, in English, of a brand whose name is Shop.
func sample(t *testing.T, title string) pages.View {
	t.Helper()
	for _, s := range pages.Samples(brand.Brand{Name: "Shop"}, "en") {
		if s.Title == title {
			return s.View
		}
	}
	t.Fatalf("there is no sample %q", title)
	return pages.View{}
}

// all are the elements of those names, in the order of the document.
func (p paper) all(names ...string) (found []*html.Node) {
	for n := range p.root.Descendants() {
		for _, name := range names {
			if n.Type == html.ElementNode && n.Data == name {
				found = append(found, n)
			}
		}
	}
	return found
}

// form is the first one that posts there.
func (p paper) form(t *testing.T, action string) paper {
	t.Helper()
	for _, f := range p.all("form") {
		if attr(f, "action") == action && attr(f, "method") == "post" {
			return paper{f}
		}
	}
	t.Fatalf("no form posts to %s", action)
	return paper{}
}

// sends are the names and values of a form's hidden fields.
func (p paper) sends() url.Values {
	values := url.Values{}
	for _, in := range p.all("input") {
		if attr(in, "type") == "hidden" {
			values.Add(attr(in, "name"), attr(in, "value"))
		}
	}
	return values
}

// links are where the document's links lead, by their words.
func (p paper) links() map[string]string {
	found := map[string]string{}
	for _, a := range p.all("a") {
		found[words(a)] = attr(a, "href")
	}
	return found
}

// says are the words of the only element of that name.
func (p paper) says(t *testing.T, name string) string {
	t.Helper()
	found := p.all(name)
	if len(found) != 1 {
		t.Fatalf("%d elements %s", len(found), name)
	}
	return words(found[0])
}

func words(n *html.Node) string {
	var text strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			text.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

func attr(n *html.Node, name string) string {
	value, _ := has(n, name)
	return value
}

func has(n *html.Node, name string) (value string, ok bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// The heading names the application, unless its client has a heading of its own; the document's title names it once.
func TestHeadingNamesTheApplication(t *testing.T) {
	for _, tt := range []struct {
		sample         string
		app            string            // empty: the sample's
		own            map[string]string // the client's words
		heading, title string
	}{
		{"sign in", "", nil, "Sign in", "Sign in · Shop"},
		{"sign in to an application", "", nil, "Sign in to Shop", "Sign in to Shop"},
		{"sign in to an application", "Forum", nil, "Sign in to Forum", "Sign in to Forum · Shop"},
		{"sign in to an application", "", map[string]string{"sign_in.title": "Welcome"}, "Welcome", "Welcome · Shop"},
		{
			"sign in to an application", "", map[string]string{"sign_in.title": "Welcome", "sign_in.title_app": "Welcome to %s"},
			"Welcome to Shop", "Welcome to Shop",
		},
		{"sign up for an application", "", nil, "Create your account for Shop", "Create your account for Shop"},
		{"check your mail, for an application", "", nil, "Check your email", "Check your email · Shop"},
		{"continue to an application", "", nil, "Continue to Shop", "Continue to Shop"},
		{"consent", "", nil, "Allow Shop to use your account?", "Allow Shop to use your account?"},
		{"back to the application", "", nil, "Taking you back to Shop", "Taking you back to Shop"},
		{"back to the application, by a form", "", nil, "Taking you back to Shop", "Taking you back to Shop"},
		{"sign out?", "", nil, "Sign out of Shop?", "Sign out of Shop?"},
	} {
		v := sample(t, tt.sample)
		if tt.app != "" {
			v.App = tt.app
		}
		v.Printer = v.Printer.With(tt.own)
		p := drawn(t, v)
		if diff := cmp.Diff([]string{tt.heading, tt.title}, []string{p.says(t, "h1"), p.says(t, "title")}); diff != "" {
			t.Errorf("%s, app %q, own words %v: (-want +got)\n%s", tt.sample, tt.app, tt.own, diff)
		}
	}
}

// Wherever somebody is on the way, one link leads back, and no other page has it.
func TestWayBackIsOnEveryPage(t *testing.T) {
	const back = "/oauth/cancel?flow=x&y=z"
	for _, s := range pages.Samples(brand.Brand{Name: "Shop"}, "en") {
		want := "Cancel"
		if s.View.App != "" {
			want = "Cancel and return to " + s.View.App
		}
		s.View.Cancel = back
		if got := drawn(t, s.View).links()[want]; got != back {
			t.Errorf("%s: %q leads to %q, want %q", s.Title, want, got, back)
		}
		s.View.Cancel = ""
		if got, there := drawn(t, s.View).links()[want]; there {
			t.Errorf("%s: there is no way back, but a link to %q", s.Title, got)
		}
	}
}

// Whatever scheme an application has, its page is gone on to by itself and by a link.
func TestGoOn(t *testing.T) {
	v := sample(t, "back to the application")
	v.Still = false
	for _, to := range []string{
		"/oauth/authorize?flow=a.b-c_d", "https://shop.example/callback?code=a&state=b%20c;d&iss=https%3A%2F%2Fid.example",
		"http://[::1]:8080/callback?code=a", "com.example.shop:/callback?code=a",
	} {
		v.Data = pages.GoOn{URL: template.URL(to)}
		p, refresh := drawn(t, v), ""
		for _, meta := range p.all("meta") {
			if attr(meta, "http-equiv") == "refresh" {
				refresh = attr(meta, "content")
			}
		}
		if diff := cmp.Diff([]string{"0;url=" + to, to}, []string{refresh, p.links()["Continue"]}); diff != "" {
			t.Errorf("to %s: (-want +got)\n%s", to, diff)
		}
	}
}

// The form that carries a code to an application sends the answer and nothing else: by script, or by its button.
func TestFormPost(t *testing.T) {
	v := sample(t, "back to the application, by a form")
	v.Data = pages.FormPost{Action: "com.example.shop:/callback?a=b"}
	v.Hidden = []pages.Hidden{{Name: "code", Value: "a"}, {Name: "state", Value: `"><script>x</script>`}}
	for _, still := range []bool{false, true} {
		v.Still = still
		form := drawn(t, v).form(t, "com.example.shop:/callback?a=b")
		if diff := cmp.Diff(url.Values{"code": {"a"}, "state": {`"><script>x</script>`}}, form.sends()); diff != "" {
			t.Errorf("the form sends (-want +got)\n%s", diff)
		}
		if _, sent := has(form.root, "data-send"); sent == still {
			t.Errorf("a page that is to stay %v is sent by script: %v", still, sent)
		}
		if got := form.says(t, "button"); got != "Continue" {
			t.Errorf("without script its button says %q", got)
		}
	}
}

// Each page on the way asks with what goes along and with fields of its own.
func TestFlowFormsSend(t *testing.T) {
	own := []pages.Hidden{{Name: "sealed", Value: "own"}}
	flow := url.Values{"clientAlias": {"web"}, "flow": {"sample"}}
	with := func(more url.Values) url.Values {
		all := url.Values{}
		for _, values := range []url.Values{flow, more} {
			for name, value := range values {
				all[name] = value
			}
		}
		return all
	}
	for _, tt := range []struct {
		sample, action, button string
		want                   url.Values
	}{
		{"sign in to an application", "/signin", "", flow},
		{"sign up for an application", "/signup", "Send link", flow},
		{"sign in to an application, signed in already", "/signout", "Sign out", with(url.Values{"script": {""}})},
		{"sign up for an application, signed in already", "/signout", "Sign out", with(url.Values{"script": {""}})},
		{"continue to an application", "/continue", "Continue as ada@example.com", with(url.Values{"sealed": {"own"}})},
		{"consent", "/consent", "Allow", with(url.Values{"sealed": {"own"}})},
		{"sign out?", "/oauth/logout", "Sign out", url.Values{"sealed": {"own"}, "script": {""}}},
		{
			"check your mail, for an application", "/signup", "Resend",
			with(url.Values{"sealed": {"own"}, "email": {"ada@example.com"}}),
		},
	} {
		v := sample(t, tt.sample)
		v.Hidden = own
		form := drawn(t, v).form(t, tt.action)
		if diff := cmp.Diff(tt.want, form.sends()); diff != "" {
			t.Errorf("%s sends (-want +got)\n%s", tt.sample, diff)
		}
		if tt.button != "" && form.says(t, "button") != tt.button {
			t.Errorf("%s: the button says %q, want %q", tt.sample, form.says(t, "button"), tt.button)
		}
	}
}

// Whoever is signed in already is told so, and goes on only where that is offered.
func TestSignedInAlready(t *testing.T) {
	for _, title := range []string{"sign in to an application, signed in already", "sign up for an application, signed in already"} {
		v := sample(t, title)
		if got := drawn(t, v).links()["Continue"]; got != string(v.Onward) || got == "" {
			t.Errorf("%s: goes on to %q, want %q", title, got, v.Onward)
		}
		v.Onward = ""
		p := drawn(t, v)
		if _, there := p.links()["Continue"]; there {
			t.Errorf("%s: goes on where that is not offered", title)
		}
		if got := p.says(t, "main"); !strings.Contains(got, "You are signed in as ada@example.com.") {
			t.Errorf("%s: does not say who is signed in: %s", title, got)
		}
		v.SignedIn = ""
		if got := drawn(t, v).says(t, "main"); strings.Contains(got, "Sign out") {
			t.Errorf("%s: nobody is signed in, but may sign out: %s", title, got)
		}
	}
}

// The mail is asked for again with one press where the address is known, without script at once, and elsewhere by the
// form that asks for it.
func TestCheckMail(t *testing.T) {
	for title, action := range map[string]string{"check your mail, sign up": "/signup", "check your mail, forgotten password": "/forgot-password"} {
		v := sample(t, title)
		p := drawn(t, v)
		button := p.form(t, action).all("button")[0]
		if _, disabled := has(button, "disabled"); disabled || attr(button, "data-wait") != "60" {
			t.Errorf("%s: the button has %v", title, button.Attr)
		}
		if got := p.says(t, "bdi"); got != "ada@example.com" {
			t.Errorf("%s: the address is %q", title, got)
		}
		if got := p.links()["Use a different address"]; !strings.HasPrefix(got, action+"?") {
			t.Errorf("%s: another address is given at %q", title, got)
		}
		v.Values = map[string]string{"email": ""}
		p = drawn(t, v)
		if got := p.links()["Resend"]; !strings.HasPrefix(got, action+"?") || len(p.all("bdi")) > 0 {
			t.Errorf("%s, no address: asked for again at %q", title, got)
		}
	}
	if got := drawn(t, sample(t, "check your mail, in development")).links()["Open the development inbox"]; got != "/dev/inbox" {
		t.Errorf("the inbox is at %q", got)
	}
	if _, there := drawn(t, sample(t, "check your mail, sign up")).links()["Open the development inbox"]; there {
		t.Error("there is an inbox where none is")
	}
}

// A browser is one card: its applications are in it, each with its own button; the current browser has none for itself.
func TestApplicationsInTheirBrowser(t *testing.T) {
	p := drawn(t, sample(t, "sessions, with applications"))
	cards := map[string][]string{} // the sessions that each card's buttons end, by the card's heading
	for _, card := range p.all("li") {
		headings := paper{card}.all("h2")
		if len(headings) == 0 {
			continue
		}
		for _, form := range (paper{card}).all("form") {
			cards[words(headings[0])] = append(cards[words(headings[0])], paper{form}.sends().Get("sessionId"))
		}
	}
	want := map[string][]string{
		"Firefox 145 on Linux This device": {"6", "7"},
		"Safari 19 on iOS":                 {"2", "8"},
		"Unknown device":                   {"3"},
	}
	if diff := cmp.Diff(want, cards); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := p.form(t, "/account/revoke-consent").sends(); got.Get("clientAlias") != "forum" {
		t.Errorf("what was allowed is withdrawn by %v", got)
	}
	if got := p.says(t, "main"); !strings.Contains(got, "Wallet · 192.0.2.80") || !strings.Contains(got, "See your email address") {
		t.Errorf("neither the application of a session by itself, nor what was allowed: %s", got)
	}
}

// A page about an application that is not known leads nowhere, and says what its developer has to do.
func TestUnknownApplication(t *testing.T) {
	for title, hint := range map[string]string{"application not registered": "client_id", "address of an application not registered": "redirect_uris"} {
		p := drawn(t, sample(t, title))
		if diff := cmp.Diff(map[string]string{"Skip to main content": "#content"}, p.links()); diff != "" {
			t.Errorf("%s: links (-want +got)\n%s", title, diff)
		}
		if got := p.says(t, "main"); !strings.Contains(got, hint) {
			t.Errorf("%s does not name %s: %s", title, hint, got)
		}
	}
}

// Where a page cannot be come back to, no other language is offered.
func TestNoLanguageWithoutAWayBackToThePage(t *testing.T) {
	v := sample(t, "back to the application")
	for here, want := range map[string]int{"/signin": 1, "": 0} {
		v.Here = here
		if got := len(drawn(t, v).all("select")); got != want {
			t.Errorf("here is %q: %d choices of a language, want %d", here, got, want)
		}
	}
}
