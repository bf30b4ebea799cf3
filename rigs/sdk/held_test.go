package sdk

// A world whose time stands until it is moved: a server, an app on another origin with an API, and tabs of Chromium. All
// is moved to the next timer of any of them, and then nothing more until whatever that has caused is done. So what happens
// does not depend on how busy the machine is.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/server"
	"latchkey/rigs/stage"
	"latchkey/verify"
)

// world is all of it. What is below mu is shared with the servers' goroutines and the browser's.
type world struct {
	t           *testing.T
	rig         *authtest.Rig
	issuer, url string
	start       time.Time
	skew        time.Duration // the machine's clock less the server's
	slept       time.Duration // that the tabs' timers have not seen
	moved       time.Duration // of the server's clock
	steps       int

	// fate decides what becomes of an answer to a page's call; nil: they all arrive at once.
	fate func(*call) fate

	mu      sync.Mutex
	changes chan struct{} // something below has changed
	mono    float64       // milliseconds since the start, as the tabs' timers see them
	tabs    []*tab        // that are open
	ever    []*tab        // that there were
	loads   int           // pages of the app there ever were
	pages   map[int]*shown
	waiting map[string]*held
	calls   []*call

	steal     bool     // the app never sees what comes to its callback
	callbacks []string // the addresses that came there

	out []string // where a tab of a profile that expects somebody has said that it is nobody, or somebody else
}

// call is one request of a page's script, and its answer.
type call struct {
	id     string // which the page gave it
	tab    *tab
	nth    int // of its tab
	path   string
	form   url.Values
	query  url.Values
	whose  string // the email address in the access token that it showed; empty: it showed none that is good
	status int
	lost   bool // the answer never reached the page
	again  bool // the browser has sent it again by itself
}

// refresh is the refresh token that the call sends, if it does.
func (c *call) refresh() string { return c.form.Get("refresh_token") }

// exchange is the code that the call sends, if it does.
func (c *call) exchange() string { return c.form.Get("code") }

// fate is what becomes of an answer to a request that was handled: how long it takes, and whether it is lost then. The page
// has to give up by itself on one that takes for ever.
type fate struct {
	after time.Duration
	lost  loss
}

// loss is how an answer is lost.
type loss int

const (
	arrives loss = iota
	closed       // the connection closes without a byte of it: where it had another answer before, browsers ask again by themselves
	cut          // it closes in the middle of the body
)

const forEver = time.Duration(math.MaxInt64)

// held is an answer that takes its time. A browser has six connections to a host, for all tabs of a profile: when answers
// hold them all, no other request leaves, and the world would wait for it. So one of them stays free.
type held struct {
	until   float64
	away    chan struct{}
	profile *profile
}

const mostHeld = 5 // answers to tabs of one profile

// newWorld starts server and app, at a time that stands.
func newWorld(t *testing.T, tweak ...func(*auth.Options)) *world {
	t.Helper()
	w := &world{t: t, changes: make(chan struct{}, 1), waiting: map[string]*held{}, pages: map[int]*shown{}}
	var ports [2]string
	for i := range ports {
		var err error
		if ports[i], err = authtest.FreePort(t.Cleanup); err != nil {
			t.Fatal(err)
		}
	}
	w.issuer, w.url = "http://localhost:"+ports[0], "http://localhost:"+ports[1]
	shop, err := clients.New([]clients.Client{{
		Alias: "shop", URL: w.url, RedirectURIs: []string{w.url + "/callback"}, PostLogoutRedirectURIs: []string{w.url + "/"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.rig = authtest.New(t, authtest.SQLite(t), append(tweak, func(o *auth.Options) {
		o.Issuer, o.Audience, o.Clients = w.issuer, w.issuer, shop
	})...)
	w.rig.Clock.Stop()
	w.start = w.rig.Clock.Now()
	stage.ServeAt(t, w.issuer, w.answering(server.New(w.rig.ServerOptions())))
	stage.ServeAt(t, w.url, w.answering(w.app()))
	return w
}

// app serves pages, and an API that says whose token it was shown.
func (w *world) app() http.Handler {
	verifier, err := verify.New(verify.Config{Issuer: w.issuer, Audience: w.issuer, Now: w.rig.Clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = verifier.Close() })
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, r *http.Request) { http.ServeFile(rw, r, "pages/hours.html") })
	mux.HandleFunc("GET /callback", func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.callbacks = append(w.callbacks, w.url+r.RequestURI)
		stolen := w.steal
		w.mu.Unlock()
		if !stolen {
			http.ServeFile(rw, r, "pages/hours.html")
		}
	})
	mux.HandleFunc("GET /settings.json", func(rw http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintf(rw, `{"issuer": %q}`, w.issuer) })
	mux.HandleFunc("GET /held.js", w.shim)
	mux.HandleFunc("GET /blank", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/away", func(rw http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.URL.Query().Get("status"))
		http.Redirect(rw, r, r.URL.Query().Get("to"), status)
	})
	mux.Handle("/api", verifier.Middleware(verify.Require{})(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		claims, _ := verify.FromContext(r.Context())
		rw.Header().Set("Shown", claims.Email)
		if r.URL.Query().Has("refuse") {
			rw.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(rw, claims.Email)
	})))
	return mux
}

// shim sends the script that holds a page's time, and what time it is.
func (w *world) shim(rw http.ResponseWriter, _ *http.Request) {
	script, err := os.ReadFile("pages/held.js")
	if err != nil {
		w.t.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loads++
	rw.Header().Set("Content-Type", "text/javascript")
	rw.Header().Set("Cache-Control", "no-store")
	_, _ = fmt.Fprintf(rw, "const begun = {page: %d, %s};\n%s", w.loads, w.clocks(), script)
}

// clocks are those of a page, as members of an object.
func (w *world) clocks() string {
	at := w.start.Add(w.moved + w.skew)
	return fmt.Sprintf("clock: %d, mono: %s", at.UnixMilli(), strconv.FormatFloat(w.mono, 'f', -1, 64))
}

// answering handles requests at the world's time, and does with the answers of pages' calls what fate has decided.
func (w *world) answering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Date", w.rig.Clock.Now().UTC().Format(http.TimeFormat))
		query := r.URL.Query()
		id := query.Get("held")
		if id == "" || r.Method == http.MethodOptions {
			next.ServeHTTP(rw, r)
			return
		}
		query.Del("held")
		r.URL.RawQuery = query.Encode()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // it is gone
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		c := &call{id: id, path: r.URL.Path, query: query, tab: w.tabOf(id)}
		c.form, _ = url.ParseQuery(string(body))
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		c.status, c.whose = answer.Code, answer.Header().Get("Shown")
		how := w.let(r.Context(), c)
		if how == closed {
			panic(http.ErrAbortHandler)
		}
		maps.Copy(rw.Header(), answer.Header())
		whole := answer.Body.Bytes()
		rw.Header().Set("Content-Length", strconv.Itoa(len(whole)))
		rw.WriteHeader(answer.Code)
		if how == cut {
			_, _ = rw.Write(whole[:len(whole)/2])
			_ = http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = rw.Write(whole)
	})
}

// let waits until an answer may go its way, and says how far it comes.
func (w *world) let(ctx context.Context, c *call) loss {
	w.mu.Lock()
	c.again = slices.ContainsFunc(w.calls, func(other *call) bool { return other.id == c.id })
	w.calls = append(w.calls, c)
	c.tab.calls++
	c.nth = c.tab.calls
	var f fate
	if w.fate != nil {
		f = w.fate(c)
	}
	c.lost = f.lost != arrives
	holds := 0
	for _, other := range w.waiting {
		if other.profile == c.tab.profile {
			holds++
		}
	}
	h := &held{w.mono + milliseconds(f.after), make(chan struct{}), c.tab.profile}
	if f.after > 0 && holds < mostHeld {
		w.waiting[c.id] = h
		w.change()
	} else {
		close(h.away)
	}
	w.mu.Unlock()
	select {
	case <-h.away:
		return f.lost
	case <-ctx.Done():
		w.mu.Lock()
		defer w.mu.Unlock()
		c.lost = true
		delete(w.waiting, c.id)
		w.change()
		return closed
	}
}

// tabOf is the tab of a page, which says by another way that it is there.
func (w *world) tabOf(id string) *tab {
	load, _, _ := strings.Cut(id, ".")
	page, _ := strconv.Atoi(load)
	for end := time.Now().Add(stage.Patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		w.mu.Lock()
		known := w.pages[page]
		w.mu.Unlock()
		if known != nil {
			return known.tab
		}
	}
	w.t.Errorf("a request of page %s, which no tab shows", load)
	panic(http.ErrAbortHandler)
}

// change wakes who waits for one. The lock is held.
func (w *world) change() {
	select {
	case w.changes <- struct{}{}:
	default:
	}
}

// run lets time pass.
func (w *world) run(d time.Duration) { w.runTo(w.mono + milliseconds(d)) }

// runTo lets time pass up to a moment.
func (w *world) runTo(end float64) {
	w.t.Helper()
	w.settle()
	for w.mono < end {
		w.step(end)
	}
}

// sleep is the machine's: all clocks go on, and timers wait as long as before, or have come due. It answers by how much
// they have gone on.
func (w *world) sleep(d time.Duration, timersGoOn bool) time.Duration {
	w.t.Helper()
	w.settle()
	if timersGoOn {
		w.moveTo(w.mono + milliseconds(d))
		return d
	}
	w.slept += d
	w.moveTo(w.mono)
	return 0
}

// step moves all to whatever comes next, and at most to a moment.
func (w *world) step(end float64) {
	w.t.Helper()
	w.mu.Lock()
	next := end
	for _, one := range w.tabs {
		if one.shows != nil && one.shows.Next != nil {
			next = min(next, *one.shows.Next)
		}
	}
	for _, h := range w.waiting {
		next = min(next, h.until)
	}
	next = max(next, w.mono)
	w.mu.Unlock()
	w.moveTo(next)
}

// moveTo sets every clock, and lets happen what is due then.
func (w *world) moveTo(at float64) {
	w.t.Helper()
	w.steps++
	w.mu.Lock()
	w.mono = at
	moved := w.slept + time.Duration(at*float64(time.Millisecond))
	w.rig.Clock.Advance(moved - w.moved)
	w.moved = moved
	clocks := w.clocks()
	tabs := slices.DeleteFunc(slices.Clone(w.tabs), func(one *tab) bool { return one.shows == nil })
	w.mu.Unlock()
	w.each(tabs, func(one *tab) error { return one.asks("held.set({" + clocks + "})") })

	w.mu.Lock()
	for id, h := range w.waiting {
		if h.until <= at {
			delete(w.waiting, id)
			close(h.away)
		}
	}
	due := slices.DeleteFunc(tabs, func(one *tab) bool { return one.shows == nil || one.shows.Next == nil || *one.shows.Next > at })
	w.mu.Unlock()
	w.each(due, func(one *tab) error { return one.asks("held.fire()") })
	w.settle()
}

// each does something in tabs that show a page of the app, in all of them at once.
func (w *world) each(tabs []*tab, do func(*tab) error) {
	w.t.Helper()
	var all sync.WaitGroup
	failed := make(chan error, len(tabs))
	for _, one := range tabs {
		all.Go(func() {
			if err := do(one); err != nil {
				failed <- fmt.Errorf("tab %d: %w", one.n, err)
			}
		})
	}
	all.Wait()
	close(failed)
	for err := range failed {
		w.t.Fatal(err)
	}
}

// settle waits until nothing is under way.
func (w *world) settle() {
	w.t.Helper()
	timeout := time.After(stage.Patience)
	for {
		w.mu.Lock()
		busy := w.busy()
		w.mu.Unlock()
		if busy == "" {
			return
		}
		select {
		case <-w.changes:
		case <-timeout:
			w.t.Fatalf("it never came to rest: %s", busy)
		}
	}
}

// busy says what is under way: a page that is not there yet, a request that is not among the answers that take their time,
// a message or a change of localStorage that some tab of the profile has not heard of. The lock is held.
func (w *world) busy() string {
	for _, one := range w.tabs {
		if one.shows == nil {
			continue
		}
		if !one.shows.Shown {
			return fmt.Sprintf("tab %d is loading", one.n)
		}
		for _, id := range one.shows.Flying {
			if w.waiting[id] == nil {
				return fmt.Sprintf("tab %d waits for %s", one.n, id)
			}
		}
		for change, times := range one.shows.unheard {
			if times > 0 {
				return fmt.Sprintf("tab %d has not heard of a change of localStorage: %s", one.n, change)
			}
		}
		if one.profile.messages != 0 {
			return fmt.Sprintf("tabs like %d have not heard %d messages", one.n, one.profile.messages)
		}
	}
	return ""
}

// take notes what a page says of itself.
func (w *world) take(one *tab, got report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.change()
	known := w.pages[got.Page]
	if known == nil {
		known = &shown{tab: one, unheard: map[string]int{}}
		w.pages[got.Page] = known
		one.shows = known // the newest there is
	}
	for _, other := range w.tabs {
		if other.profile != one.profile || other.shows == nil || other.shows == known {
			continue
		}
		one.profile.messages += got.Posted // each page has one channel, which it opens before anything comes of it
		for _, change := range got.Wrote {
			other.shows.unheard[change]++
		}
	}
	if one.shows == known {
		one.profile.messages -= got.Got
	}
	for _, change := range got.Heard { // also of changes that were made before it was there: browsers tell late
		known.unheard[change]--
	}
	if got.N > known.N {
		known.report = got
	}
}

// said is what a page tells the rig.
type said struct {
	page   int
	at     time.Time // real
	Reason string    // of a change of the session
	Called *int      // status of a call of the API; 0: it failed
	Email  string    // of who is signed in, or was when the call began
	Answer string
	Error  string
	// Refused is why a sign-in failed.
	Refused string
}

// shown is a page of the app, as it last said of itself.
type shown struct {
	report
	tab     *tab
	unheard map[string]int // changes of localStorage
}

// report is what a page says of itself, and has sent and heard since the report before.
type report struct {
	Page, N      int
	Next         *float64
	Flying       []string
	Shown        bool
	Posted, Got  int
	Wrote, Heard []string

	At   float64 // of what it says instead
	Said json.RawMessage
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
