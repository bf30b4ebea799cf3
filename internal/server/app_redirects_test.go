package server_test

// Open redirects: what attackers write instead of a registered redirect URI, and whatever a fuzzer writes, over HTTP.

import (
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
)

// withManyRedirects registers an app at every kind of address, and another at one of its own.
func withManyRedirects(o *auth.Options) {
	set, err := clients.New([]clients.Client{
		{Alias: "shop", Name: "Shop", URL: shopURL, RedirectURIs: []string{
			shopBack, "http://127.0.0.1/callback", "http://[::1]:8080/callback?x=1", "http://localhost:3000/callback", "com.example.shop:/callback",
		}},
		{Alias: "other", Name: "Other", URL: "https://other.example", RedirectURIs: []string{"https://other.example/cb"}},
	})
	if err != nil {
		panic(err) // the list above is wrong
	}
	o.Clients = set
}

// notRegistered looks like a redirect URI of the app, to one reader or another, and is none.
var notRegistered = []string{
	// somebody in front of the host
	"https://shop.example@evil.example/callback?keep=1", "https://user@shop.example/callback?keep=1", "https://:@shop.example/callback?keep=1",
	"https://shop.example%40evil.example/callback?keep=1", "https://evil.example#@shop.example/callback?keep=1", "https://evil.example?@shop.example/callback?keep=1",
	// slashes of the wrong kind or number
	`https://evil.example\@shop.example/callback?keep=1`, `https:\\shop.example\callback?keep=1`, `https://shop.example\.evil.example/callback?keep=1`,
	"https:shop.example/callback?keep=1", "https:/shop.example/callback?keep=1", "https:///shop.example/callback?keep=1", "//shop.example/callback?keep=1", "/callback?keep=1", "callback?keep=1",
	// other letters of the same look, and other spellings of the same host
	"https://ѕhop.example/callback?keep=1", "https://xn--hop-qmc.example/callback?keep=1", "https://shop.exam\u00adple/callback?keep=1", "https://shop。example/callback?keep=1",
	"https://SHOP.example/callback?keep=1", "HTTPS://shop.example/callback?keep=1", "https://shop.example./callback?keep=1", "https://shop%2eexample/callback?keep=1",
	"https://shop.example:443/callback?keep=1", "https://shop.example:/callback?keep=1", "https://shop.example.evil.example/callback?keep=1", "https://evil-shop.example/callback?keep=1",
	// other spellings of the same path and query
	"https://shop.example/%63allback?keep=1", "https://shop.example/callback%2f..%2fevil?keep=1", "https://shop.example/./callback?keep=1", "https://shop.example/x/../callback?keep=1",
	"https://shop.example//callback?keep=1", "https://shop.example/callback/?keep=1", "https://shop.example/Callback?keep=1", "https://shop.example/callback;x?keep=1",
	"https://shop.example/callback?keep=1&next=https://evil.example", "https://shop.example/callback?keep=1#", "https://shop.example/callback?keep=%31", "https://shop.example/callback", "https://shop.example/callback?keep=1&keep=1",
	// characters that vanish
	"https://shop.example/callback?keep=1 ", " https://shop.example/callback?keep=1", "https://shop.example/call\tback?keep=1", "https://shop.example/callback?keep=1\r\nLocation: https://evil.example", "https://shop.example/callback?keep=1\x00", "\ufeffhttps://shop.example/callback?keep=1",
	// ports of loopback that are none, and addresses that only resemble it
	"http://127.0.0.1:0/callback", "http://127.0.0.1:65536/callback", "http://127.0.0.1:4294967376/callback", "http://127.0.0.1:080/callback", "http://127.0.0.1:-1/callback", "http://127.0.0.1:+80/callback",
	"http://127.0.0.1:/callback", "http://127.0.0.1:８０/callback", "http://127.0.0.1:80:80/callback", "http://127.0.0.1:80@evil.example/callback", `http://127.0.0.1:80\@evil.example/callback`, "http://127.0.0.1:80.evil.example/callback",
	"http://127.0.0.1.evil.example/callback", "http://127.1/callback", "http://2130706433/callback", "http://0x7f.0.0.1/callback", "http://0177.0.0.1/callback", "http://127.0.0.2/callback", "http://0.0.0.0/callback",
	"http://[::ffff:127.0.0.1]:8080/callback?x=1", "http://[0:0:0:0:0:0:0:1]:8080/callback?x=1", "http://[::1%25lo]:8080/callback?x=1", "http://[::1]:0/callback?x=1", "http://::1:8080/callback?x=1",
	"https://127.0.0.1/callback", "http://127.0.0.1:4711/callback/", "http://127.0.0.1:4711/callback?x", "http://127.0.0.1:4711/callback#x", "http://127.0.0.1:4711", "http://localhost:3001/callback", "http://localhost/callback", "http://LOCALHOST:3000/callback",
	// other schemes, and another app's
	"javascript:alert(1)//https://shop.example/callback?keep=1", "data:text/html,https://shop.example/callback?keep=1", "http://shop.example/callback?keep=1",
	"com.example.shop://callback", "com.example.shop:/callback/", "COM.EXAMPLE.SHOP:/callback", "com.example.shop://evil.example/callback", "https://other.example/cb", "https://evil.example/", "*", "null", "about:blank",
}

// Whatever else is wrong with the request, and however it comes, a URI that is not registered is shown on a page that leads
// nowhere: no redirect, no refresh, no form and no link to it.
func TestRedirectURIsOfAttackers(t *testing.T) {
	n := newNode(t, authtest.SQLite(t), withManyRedirects) // HTTP alone: no engine is asked
	a := n.enter(t)
	stranger, known := a.browser().staying(), a.browser().staying()
	known.signsIn(a.user())
	for _, uri := range notRegistered {
		for _, more := range [][]string{
			nil, {"prompt", "none"}, {"response_mode", "form_post", "code_challenge", ""}, {"response_type", "token", "state", strings.Repeat("s", 3000)},
		} {
			path := appRequest("shop", append([]string{"redirect_uri", uri}, more...)...)
			for _, b := range []*browser{stranger, known} {
				leadsNowhere(t, uri, b.open(path))
			}
			_, query, _ := strings.Cut(path, "?")
			r, err := http.NewRequest(http.MethodPost, n.base+"/oauth/authorize", strings.NewReader(query))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			leadsNowhere(t, uri, known.load(r))
		}
	}
	for _, uri := range []string{"http://127.0.0.1:1/callback", "http://127.0.0.1:65535/callback", "http://[::1]/callback?x=1", "http://[::1]:65535/callback?x=1"} {
		if got := stranger.open(appRequest("shop", "redirect_uri", uri, "prompt", "none")).answer(uri); got.Get("error") != "login_required" {
			t.Errorf("%s: %v", uri, got)
		}
	}
}

func leadsNowhere(t *testing.T, what string, s screen) {
	t.Helper()
	if fault := leads(s.status, s.header, s.text); fault != "" || s.status != http.StatusBadRequest {
		t.Errorf("%q: %d, %s", what, s.status, fault)
	}
}

// leads says where a page leads beside our own paths; empty: nowhere.
func leads(status int, header http.Header, text string) string {
	if location := header.Get("Location"); location != "" || header.Get("Refresh") != "" || status/100 == 3 {
		return "it redirects to " + location
	}
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		return err.Error()
	}
	found := ""
	walk(root, func(n *html.Node) {
		for _, name := range []string{"href", "action", "formaction", "src", "content", "data", "poster"} {
			value := attr(n, name)
			if value == "" || n.Data == "meta" && attr(n, "http-equiv") == "" {
				continue
			}
			if (!strings.HasPrefix(value, "/") || strings.HasPrefix(value, "//")) && value != "#content" {
				found = "it has " + n.Data + " to " + value
			}
		}
	})
	return found
}

// A parameter in another case, or spelt as some frameworks read lists, is another parameter and counts for nothing; one that
// means something counts once, wherever it comes.
func TestParametersThatResembleOthers(t *testing.T) {
	n := newNode(t, authtest.SQLite(t), withApps) // HTTP alone: no engine is asked
	a := n.enter(t)
	b, _ := a.person()
	for _, name := range []string{"Redirect_URI", "REDIRECT_URI", "redirect_uri[]", "redirect_uri[0]", "redirect_uri ", "redirect%5Furi\x00", "redirect-uri", "redirectUri", "redirect_uri.x"} {
		if back := b.open(appRequest("shop", name, "https://evil.example/")).answer(shopBack); back.Get("code") == "" {
			t.Errorf("%s: %v", name, back)
		}
		without := strings.Replace(appRequest("shop"), "redirect_uri=", url.QueryEscape(name)+"=", 1)
		leadsNowhere(t, name, b.open(without))
	}
	for _, name := range []string{"Client_ID", "client_id[]", "clientId"} {
		if back := b.open(appRequest("shop", name, "third")).answer(shopBack); back.Get("code") == "" {
			t.Errorf("%s: %v", name, back)
		}
	}
	twice := appRequest("shop") + "&redirect%5Furi=" + url.QueryEscape(shopBack) // another spelling of the same name
	leadsNowhere(t, twice, b.open(twice))
	for _, more := range []string{"&state=other", "&%73tate=other", "&scope=openid", "&code_challenge_method=S256", "&response_mode=query"} {
		request := appRequest("shop", "response_mode", "query") + more
		if back := b.open(request).answer(shopBack); back.Get("error") != "invalid_request" || back.Has("code") {
			t.Errorf("%s: %v", more, back)
		}
	}
	flow := url.QueryEscape(b.open(appRequest("third")).is(200, "/consent").at.Query().Get("flow"))
	for _, path := range []string{"/oauth/authorize?flow=" + flow + "&flow=" + flow, "/consent?flow=" + flow + "&flow=" + flow, "/cancel?flow=" + flow + "&%66low=" + flow} {
		leadsNowhere(t, "a flow twice at "+path[:9], b.open(path))
	}
}

var (
	anyPortOf = regexp.MustCompile(`^(http://(?:127\.0\.0\.1|\[::1\]))(?::[1-9][0-9]{0,4})?([/?].*)$`)
	ownSteps  = []string{"/signin", "/signup", "/continue", "/consent", "/oauth/authorize"}
)

// Over HTTP, whatever comes: an answer goes to a redirect URI registered for the client that the request names, or to a
// page of ours with the flow, or it is a page that leads nowhere. A code is for who is signed in alone.
func FuzzAuthorize(f *testing.F) {
	n := newNode(f, authtest.SQLite(f), withManyRedirects)
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.Fatal(err)
	}
	known := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	stranger := &http.Client{CheckRedirect: known.CheckRedirect}
	n.rig.AddUser(f, "ada@example.com")
	in, err := known.PostForm(n.base+"/signin", url.Values{"email": {"ada@example.com"}, "password": {authtest.Password}})
	if err != nil || in.StatusCode != http.StatusSeeOther {
		f.Fatalf("sign in: %v, %v", in, err)
	}
	_ = in.Body.Close()
	_, good, _ := strings.Cut(appRequest("shop"), "?")
	_, without, _ := strings.Cut(appRequest("shop", "redirect_uri", ""), "?")
	without = strings.Replace(without, "&redirect_uri=", "", 1)
	for how := range uint8(8) {
		f.Add(good, "", how)
		f.Add(good+"&prompt=none", "", how)
		f.Add(good+"&response_mode=form_post", "", how)
		f.Add(good+"&flow=x", "", how)
		f.Add("flow=x", "", how)
		f.Add(without, "http://127.0.0.1:4711/callback", how)
		f.Add(without+"&prompt=none", "http://[::1]:1/callback?x=1", how)
		f.Add(without+"&response_mode=form_post", "com.example.shop:/callback", how)
		f.Add(without+"&response_type=token", "http://127.0.0.1:80@evil.example/callback", how)
		f.Add(without, "https://shop.example@evil.example/callback?keep=1", how)
	}
	f.Fuzz(func(t *testing.T, query, redirectURI string, how uint8) {
		if redirectURI != "" {
			query += "&redirect_uri=" + url.QueryEscape(redirectURI)
		}
		r := fuzzed(t, n.base, query, how&1 != 0)
		who := stranger
		if how&2 != 0 {
			who = known
		}
		if how&4 != 0 {
			r.Header.Set("Sec-Fetch-Dest", "iframe")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		}
		res, err := who.Do(r)
		if err != nil {
			t.Skip() // what no HTTP request can hold
		}
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		code, fault := answered(n, query, res, string(text))
		if fault == nil && code && (how&2 == 0 || how&4 != 0) {
			fault = errors.New("there is a code, and nobody is signed in")
		}
		if fault != nil || res.StatusCode >= 500 {
			t.Errorf("%q, how %d: %d, %v, Location %q\n%s", query, how, res.StatusCode, fault, res.Header.Get("Location"), text)
		}
	})
}

// fuzzed is a request by GET, or by POST.
func fuzzed(t *testing.T, base, query string, post bool) *http.Request {
	t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if post {
		method, body = http.MethodPost, strings.NewReader(query)
	}
	r, err := http.NewRequest(method, base+"/oauth/authorize", body)
	if err != nil {
		t.Fatal(err)
	}
	if post {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		r.URL.RawQuery = query
	}
	return r
}

// answered says whether an answer has a code, and what is wrong with where it goes.
func answered(n *node, query string, res *http.Response, text string) (code bool, fault error) {
	location := res.Header.Get("Location")
	if location == "" {
		location = formPost(text) // by which the app is answered
		code = location != "" && strings.Contains(text, `name="code"`)
	}
	if location == "" {
		if found := leads(res.StatusCode, res.Header, text); found != "" {
			return code, errors.New(found)
		}
		return code, nil
	}
	at, err := url.Parse(location)
	if err != nil {
		return code, err
	}
	if at.Scheme == "" && at.Host == "" && strings.HasPrefix(location, "/") && slices.Contains(ownSteps, at.Path) && at.Query().Has("flow") {
		return code, nil
	}
	sent, _ := url.ParseQuery(query)
	client, ok := n.rig.Options.Clients.Lookup(sent.Get("client_id"))
	if !ok || len(sent["client_id"]) != 1 {
		return code, errors.New("no client is named")
	}
	for _, registered := range client.RedirectURIs {
		if goesTo(location, registered) {
			return code || at.Query().Has("code"), nil
		}
	}
	return code, errors.New("it goes to what is not registered")
}

// goesTo says whether a location is a registered URI with or without an answer behind it, and on loopback with any port.
func goesTo(location, registered string) bool {
	end := strings.IndexByte(location, '?')
	if _, query, has := strings.Cut(registered, "?"); has && end >= 0 { // its own query stays in front
		end += 1 + len(query)
	}
	if end >= 0 && end < len(location) {
		location = location[:end]
	}
	if location == registered {
		return true
	}
	at, own := anyPortOf.FindStringSubmatch(location), anyPortOf.FindStringSubmatch(registered)
	return at != nil && own != nil && at[1] == own[1] && at[2] == own[2]
}

// formPost is where a form of a page goes that does not come back to us.
func formPost(text string) (action string) {
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		return ""
	}
	walk(root, func(n *html.Node) {
		if n.Data == "form" && !strings.HasPrefix(attr(n, "action"), "/") {
			action = attr(n, "action")
		}
	})
	return action
}
