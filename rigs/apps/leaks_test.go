package apps

// What a sign-in leaves behind in Chromium and in the server's log: where its history leads, what others are told of where
// the browser came from, and that neither has a code.

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"latchkey/internal/authtest"
	"latchkey/internal/oidc"
	"latchkey/rigs/stage"
)

// arrival is a request that came to the app or to a third site.
type arrival struct {
	method, referrer, origin, code, state string
}

// leaky is an app whose page loads an image of somebody else's.
type leaky struct {
	mu                   sync.Mutex
	callbacks, elsewhere []arrival
}

func (l *leaky) note(list *[]arrival, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*list = append(*list, arrival{r.Method, r.Header.Get("Referer"), r.Header.Get("Origin"), r.FormValue("code"), r.FormValue("state")})
}

func (l *leaky) seen() (callbacks, elsewhere []arrival) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.callbacks), slices.Clone(l.elsewhere)
}

func (l *leaky) serve(t *testing.T, app registration) {
	t.Helper()
	third := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.note(&l.elsewhere, r)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(third.Close)
	mux := http.NewServeMux()
	mux.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
		l.note(&l.callbacks, r)
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><title>Shop</title><link rel="icon" href="data:,"><p id="back">Back</p><img src="%s/pixel" alt="">`, third.URL)
	})
	stage.ServeAt(t, app.URL, mux)
}

func TestNothingIsLeftBehind(t *testing.T) {
	app := onServer(t, "leaky")
	p := newProvider(t, authtest.SQLite(t), nil, app) // the browser's doing: no engine is asked
	l := &leaky{}
	l.serve(t, app)
	w := stage.NewTab(t)
	const state = "a-state-that-nobody-else-may-know"
	request := func(more ...string) string {
		query := url.Values{
			"response_type": {"code"}, "client_id": {app.Alias}, "redirect_uri": {app.callback}, "scope": {"openid"}, "state": {state},
			"code_challenge": {oidc.ChallengeOf("a-verifier-of-forty-three-characters-or-more")}, "code_challenge_method": {"S256"},
		}
		for i := 0; i < len(more); i += 2 {
			query.Set(more[i], more[i+1])
		}
		return p.issuer + "/oauth/authorize?" + query.Encode()
	}
	arrived := func(n int) {
		t.Helper()
		w.Await(fmt.Sprintf("document.querySelector('#back') && location.href.startsWith(%q) && document.readyState === 'complete'", app.callback))
		if came, _ := l.seen(); len(came) != n {
			t.Fatalf("%d came back, want %d: %+v", len(came), n, came)
		}
	}
	w.Open(request()) // with a password: the page that leads on by itself, and a redirect
	w.SignIn(p.person.Email, p.person.password)
	arrived(1)
	w.Open(request()) // at once: redirects alone
	arrived(2)
	w.Open(request("response_mode", "form_post")) // by a form that sends itself
	arrived(3)

	callbacks, elsewhere := l.seen()
	var secrets []string
	for i, came := range callbacks {
		if came.code == "" || came.state != state || (came.method == http.MethodPost) != (i == 2) {
			t.Errorf("the app is told %+v", came)
		}
		if from := strings.TrimSuffix(came.referrer, "/"); from != "" && from != p.issuer || came.origin != "" && came.origin != p.issuer && came.origin != "null" {
			t.Errorf("the app is told where the browser came from: %+v", came)
		}
		secrets = append(secrets, came.code)
	}
	secrets = append(secrets, state)
	if len(elsewhere) < 3 {
		t.Errorf("the third site saw %d requests", len(elsewhere))
	}
	for _, came := range elsewhere {
		if holdsAny(came.referrer, secrets) != "" {
			t.Errorf("a third site is told %+v", came)
		}
	}
	ours := 0
	for _, entry := range w.History() {
		if !strings.HasPrefix(entry.URL, p.issuer) {
			continue
		}
		ours++
		if found := holdsAny(entry.URL+entry.Title, secrets); found != "" && found != state {
			t.Errorf("the history holds a code: %s", entry.URL)
		}
		if res := p.askAsAStranger(t, entry.URL); strings.Contains(res.Header.Get("Location"), "code=") {
			t.Errorf("what is in the history gives a stranger a code: %s", entry.URL)
		}
	}
	if ours == 0 {
		t.Errorf("no page of the server's is in the history: %v", w.History())
	}
	if found := holdsAny(p.node.Log(), append(secrets, "flow=", url.QueryEscape(p.person.Email))); found != "" {
		t.Errorf("the log has %s", found)
	}
}

// holdsAny is the first of some texts that a text holds.
func holdsAny(text string, secrets []string) string {
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			return secret
		}
	}
	return ""
}

// askAsAStranger opens an address without cookies, and follows nothing.
func (p *provider) askAsAStranger(t *testing.T, address string) *http.Response {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.node.HTTP.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}
