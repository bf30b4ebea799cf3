package server_test

// The feed of ended sessions over HTTP: who may read it, what it tells, and that a poll may wait.

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/server"
)

const feed = "/oauth/revocations"

// withReaders adds a client that may not read the feed, and one beside "resource" that may.
func withReaders(o *auth.Options) {
	set, err := clients.New(append(o.Clients.List(),
		clients.Client{Alias: "mute", URL: "https://mute.example", Secret: secret},
		clients.Client{Alias: "verifier", URL: "https://verifier.example", Secret: secret, Feed: true},
		clients.Client{Alias: "shop", Name: "Shop", URL: shopURL, RedirectURIs: []string{shopBack}, PostLogoutRedirectURIs: []string{shopURL + "/bye"}},
	))
	if err != nil {
		panic(err) // the list above is wrong
	}
	o.Clients = set
}

// revocations reads an answer of the feed, whose signature and form are checked.
func (a *app) revocations(x answer) (told api.Revocations) {
	a.Helper()
	x.is("200")
	if got := x.header.Get("Content-Type"); got != "application/jwt" {
		a.Errorf("Content-Type %q", got)
	}
	jws, err := jose.ParseSignedCompact(string(x.body), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		a.Fatal(err)
	}
	payload, err := jws.Verify(decode[jose.JSONWebKeySet](a.get("/.well-known/jwks.json")))
	if err != nil {
		a.Fatal(err)
	}
	if typ := jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]; typ != "revocations+jwt" {
		a.Errorf("typ is %v", typ)
	}
	var claims any
	if err := json.Unmarshal(payload, &claims); err != nil {
		a.Fatal(err)
	}
	if err := document().Components.Schemas["Revocations"].Value.VisitJSON(claims); err != nil {
		a.Errorf("the claims are not as the document says: %v", err)
	}
	x.body = payload
	return decode[api.Revocations](x)
}

// hears polls until a session's end is told, and returns the answer.
func (a *app) hears(sessionID string) api.Revocations {
	a.Helper()
	after := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		told := a.revocations(a.get(feed+"?after="+after, basicAuth("verifier", secret)))
		if slices.Contains(told.SessionIDs, sessionID) {
			return told
		}
		after = told.Cursor
	}
	a.Fatalf("%s is not told", sessionID)
	return api.Revocations{}
}

func TestRevocations(t *testing.T) {
	prove(t, "GET /oauth/revocations", withReaders, []proof{
		{"200", func(a *app) {
			told := a.revocations(a.get(feed, basicAuth("verifier", secret)))
			if told.Issuer != a.Options.Issuer || told.Audience != "verifier" || told.ExpiresAt != told.IssuedAt+60 {
				a.Errorf("told %+v", told)
			}
			if other := a.revocations(a.get(feed+"?after=x", basicAuth("resource", secret))); other.Audience != "resource" {
				a.Errorf("another client: %+v", other)
			}
		}},
		{"400 invalid_request", func(a *app) {
			a.get(feed+"?after=x&after=y", basicAuth("verifier", secret)).is("400 invalid_request")
			a.get(feed+"?after=%zz", basicAuth("verifier", secret)).is("400 invalid_request")
		}},
		{"401 invalid_client", func(a *app) {
			a.get(feed).is("401 invalid_client")
			a.get(feed + "?client_id=verifier&client_secret=" + url.QueryEscape(secret)).is("401 invalid_client") // never from the query
			for name, headers := range badClients(a) {
				if x := a.get(feed, headers...); what(x.status, x.header, x.body) != "401 invalid_client" {
					a.Errorf("%s: %d %s", name, x.status, x.body)
				}
			}
			a.get(feed, basicAuth("web", "")).is("401 invalid_client") // a public client
		}},
		{"403 unauthorized_client", func(a *app) { a.get(feed, basicAuth("mute", secret)).is("403 unauthorized_client") }},
		{"429 temporarily_unavailable", func(a *app) {
			for range 30 {
				a.get(feed, basicAuth("verifier", "wrong")).is("401 invalid_client")
			}
			a.get(feed, basicAuth("verifier", secret)).is("429 temporarily_unavailable")
			a.get(feed, basicAuth("verifier", secret), from(a.node.address())).is("200")
		}},
	})
}

func TestPostRevocations(t *testing.T) {
	form := url.Values{"client_id": {"verifier"}, "client_secret": {secret}}
	prove(t, "POST /oauth/revocations", withReaders, []proof{
		{"200", func(a *app) {
			told := a.revocations(a.post(feed, form))
			if told.Audience != "verifier" {
				a.Errorf("told %+v", told)
			}
			again := url.Values{"client_id": {"verifier"}, "client_secret": {secret}, "after": {told.Cursor + "x"}}
			a.revocations(a.post(feed, again))
			a.revocations(a.post(feed, nil, basicAuth("verifier", secret)))
		}},
		{"400 invalid_request", func(a *app) {
			a.post(feed, form, basicAuth("verifier", secret)).is("400 invalid_request")
			a.post(feed, url.Values{"after": {"x", "y"}}, basicAuth("verifier", secret)).is("400 invalid_request")
		}},
		{"401 invalid_client", func(a *app) {
			refusesBadClients(a, feed)
			a.post(feed, url.Values{"client_id": {"verifier"}}).is("401 invalid_client")
			a.post(feed, url.Values{"client_id": {"verifier"}, "client_secret": {"wrong"}}).is("401 invalid_client")
		}},
		{"403 unauthorized_client", func(a *app) {
			a.post(feed, url.Values{"client_id": {"mute"}, "client_secret": {secret}}).is("403 unauthorized_client")
		}},
		{"429 temporarily_unavailable", func(a *app) { limitsSecrets(a, feed) }},
	})
}

// Whatever way a session ends by its user, the feed tells of it: the API's own, an app's own, and the apps' that came from
// a page session. That one is named in no access token, and not told.
func TestTheFeedTellsOfEverySignOut(t *testing.T) {
	onBothEngines(t, withReaders, func(t *testing.T, n *node) {
		a := n.enter(t)
		_, tokens := a.in()
		a.post("/auth/signout", nil, bearer(tokens.AccessToken)).is("200")
		a.hears(tokens.SessionID)

		b, email := a.browser().staying(), a.user()
		b.signsIn(email)
		signIn := func() api.AppTokens {
			return b.exchange(b.open(appRequest("shop")).answer(shopBack).Get("code"))
		}
		sid := func(tokens api.AppTokens) string { return jwt(t, tokens.AccessToken).claims["sid"].(string) }
		own, first, second := signIn(), signIn(), signIn()
		a.post("/oauth/revoke", url.Values{"token": {own.RefreshToken}, "client_id": {"shop"}}).is("200")
		if told := a.hears(sid(own)); slices.Contains(told.SessionIDs, sid(first)) {
			t.Error("another session of the app is told")
		}
		b.open("/oauth/logout?" + url.Values{
			"id_token_hint": {first.IDToken}, "post_logout_redirect_uri": {shopURL + "/bye"},
		}.Encode()).answer(shopURL + "/bye")
		told := a.hears(sid(first))
		if want := []string{tokens.SessionID, sid(own), sid(first), sid(second)}; len(told.SessionIDs) != len(want) {
			t.Errorf("told %q, want %q", told.SessionIDs, want)
		}
		a.hears(sid(second))
	})
}

// A poll may wait for longer than the listener gives other requests, and is told when there is something.
func TestPollsOutliveTheListenersLimits(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		n := newNode(t, db, withReaders)
		o := n.rig.ServerOptions()
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		const limit = 300 * time.Millisecond
		listener := httptest.NewUnstartedServer(server.New(o))
		listener.Config.ReadTimeout, listener.Config.WriteTimeout = limit, limit
		listener.Start()
		t.Cleanup(listener.Close)
		n.base = listener.URL
		a := n.enter(t)
		_, tokens := a.in()
		known := a.revocations(a.get(feed, basicAuth("verifier", secret)))
		for _, ask := range []func() (answer, error){
			func() (answer, error) {
				return a.ask("GET", feed+"?after="+known.Cursor, nil, basicAuth("verifier", secret))
			},
			func() (answer, error) {
				return a.ask("POST", feed, url.Values{"client_id": {"verifier"}, "client_secret": {secret}, "after": {known.Cursor}})
			},
		} {
			answers := together(t, 2, func(i int) (answer, error) {
				if i == 0 {
					return ask()
				}
				time.Sleep(2 * limit) // the poll waits for as long as nothing ends
				return a.ask("POST", "/auth/signout", nil, bearer(tokens.AccessToken))
			})
			answers[1].is("200")
			told := a.revocations(answers[0])
			if !slices.Contains(told.SessionIDs, tokens.SessionID) {
				t.Fatalf("told %+v, want %s", told, tokens.SessionID)
			}
			known = told
			_, tokens = a.in()
		}
	})
}

// A server that stops answers whoever waits, and sends the next poll elsewhere.
func TestPollsEndWhenTheServerStops(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		n := newNode(t, db, withReaders)
		stopping := make(chan struct{})
		o := n.rig.ServerOptions()
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		o.Stopping = stopping
		listener := httptest.NewServer(server.New(o))
		t.Cleanup(listener.Close)
		n.base = listener.URL
		a := n.enter(t)
		known := a.revocations(a.get(feed, basicAuth("verifier", secret)))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, listener.URL+feed+"?after="+known.Cursor, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("verifier", url.QueryEscape(secret))
		began := time.Now()
		res := together(t, 2, func(i int) (*http.Response, error) {
			if i == 0 {
				return listener.Client().Do(r)
			}
			close(stopping)
			return nil, nil
		})[0]
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); res.StatusCode != http.StatusOK || !res.Close || took > 20*time.Second {
			t.Errorf("%d after %s, the connection ends: %t", res.StatusCode, took, res.Close)
		}
	})
}

// No page may read the feed, also of a registered origin.
func TestNoPageReadsTheFeed(t *testing.T) {
	n := newNode(t, authtest.SQLite(t), withReaders) // HTTP alone: no engine is asked
	a := n.enter(t)
	for _, path := range []string{feed, "/v1" + feed} {
		for _, x := range []answer{
			a.get(path, basicAuth("verifier", secret), "Origin: "+webURL).is("200"),
			a.send("OPTIONS", path, nil, "Origin: "+webURL, "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization").is("204"),
		} {
			for name := range x.header {
				if len(name) > 15 && name[:15] == "Access-Control-" {
					t.Errorf("%s: %s is %q", path, name, x.header.Get(name))
				}
			}
		}
	}
}

// Both discovery documents say where the feed is.
func TestDiscoverySaysWhereTheFeedIs(t *testing.T) {
	n := newNode(t, authtest.SQLite(t), nil) // HTTP alone: no engine is asked
	discovery, err := n.rig.Discovery(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	metadata, err := n.rig.AuthorizationServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := n.rig.Options.Issuer + feed
	if discovery.RevocationsEndpoint != want || metadata.RevocationsEndpoint != want {
		t.Errorf("%q and %q, want %q", discovery.RevocationsEndpoint, metadata.RevocationsEndpoint, want)
	}
}
