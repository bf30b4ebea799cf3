package logouts_test

// What the tests share: apps that listen on real sockets, and sessions of theirs that end.

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/ids"
	"latchkey/internal/logouts"
	"latchkey/internal/store"
)

// app is a server that is told of ended sessions.
type app struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	forms  []string        // logout tokens
	seen   []*http.Request // and with what they came
	under  map[string]int  // requests under way
	most   int             // at once
	hold   chan struct{}   // closed: those that hang go on
	told   chan struct{}   // receives when a request has come
}

// newApp listens, and answers with a status.
func newApp(t *testing.T, status int) *app {
	a := &app{hold: make(chan struct{}), told: make(chan struct{}, 1000), under: map[string]int{}}
	a.answers(status)
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // a token that is missing is seen by the tests
		a.mu.Lock()
		a.forms, a.seen = append(a.forms, r.PostForm.Get("logout_token")), append(a.seen, r)
		a.under[r.URL.Path]++
		a.most = max(a.most, a.under[r.URL.Path])
		answer := a.answer
		a.mu.Unlock()
		defer func() {
			a.mu.Lock()
			a.under[r.URL.Path]--
			a.mu.Unlock()
		}()
		a.told <- struct{}{}
		answer(w, r)
	}))
	t.Cleanup(func() {
		select {
		case <-a.hold:
		default:
			close(a.hold)
		}
		a.Close()
	})
	return a
}

func (a *app) answers(status int) {
	a.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

func (a *app) does(answer http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

// hangs answers when the test says so, or the caller has gone.
func (a *app) hangs() {
	a.does(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-a.hold:
		case <-r.Context().Done():
		}
	})
}

// tokens are those that came.
func (a *app) tokens() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.forms)
}

// room is what tells apps, on a rig of its own.
type room struct {
	*logouts.Logouts
	rig     *authtest.Rig
	mu      sync.Mutex
	clients *clients.Set
	told    []string
	user    auth.User
}

func newRoom(t *testing.T, db authtest.Database, timeout time.Duration, list ...clients.Client) *room {
	t.Helper()
	r := &room{rig: authtest.New(t, db)}
	r.rig.Clock.Stop()
	r.user = r.rig.AddUser(t, ids.New()+"@example.com")
	r.registers(t, list...)
	r.Logouts = logouts.New(logouts.Options{
		Store: r.rig.Store, Keys: r.rig.Service.Keys(), Timeout: timeout, Log: r.rig.Options.Log,
		Now: func() time.Time { return r.rig.Clock.Now().UTC().Truncate(time.Microsecond) },
		Clients: func() *clients.Set {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.clients
		},
		OnLogout: func(outcome string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.told = append(r.told, outcome)
		},
	})
	return r
}

// at is a client that is told there.
func at(alias, uri string) clients.Client {
	return clients.Client{Alias: alias, Name: alias, URL: "https://" + alias + ".example", BackchannelLogoutURI: uri}
}

func (r *room) registers(t *testing.T, list ...clients.Client) {
	t.Helper()
	set, err := clients.New(list)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clients = set
}

// counted are the outcomes since it was last asked.
func (r *room) counted() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	told := r.told
	r.told = nil
	return told
}

// ends makes a session of an app and ends it.
func (r *room) ends(t *testing.T, client string) (id string) {
	t.Helper()
	id, now := ids.New(), r.rig.Clock.Now()
	err := r.rig.Store.Write(t.Context(), func(tx *store.Tx) error {
		tx.InsertSession(store.Session{
			ID: id, UserID: r.user.ID, Client: client, Kind: "oauth", CreatedAt: now, OverallExpiresAt: now.Add(time.Hour),
			Rotation: store.Rotation{Generation: 1, RotatedAt: now, BurstFrom: 1, BurstAt: now, PrevFrom: 1, PrevAt: now, IdleExpiresAt: now.Add(time.Hour)},
		})
		_, err := tx.EndSession(id, r.user.ID, "revoked", now)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// delivers tells one app of one session, which must be there.
func (r *room) delivers(t *testing.T) {
	t.Helper()
	if more, err := r.DeliverNext(t.Context()); !more || err != nil {
		t.Fatalf("deliver: %t, %v", more, err)
	}
}

// idle says that nothing may be told now.
func (r *room) idle(t *testing.T, when string) {
	t.Helper()
	if more, err := r.DeliverNext(t.Context()); more || err != nil {
		t.Errorf("%s: something was delivered: %t, %v", when, more, err)
	}
}

func (r *room) row(t *testing.T, id string) logouts.Logout {
	t.Helper()
	l, err := r.ByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// claims are what a token says, once its signature was found right by the published keys.
type claims struct {
	typ       string
	Issuer    string                    `json:"iss"`
	Subject   string                    `json:"sub"`
	Audience  string                    `json:"aud"`
	IssuedAt  int64                     `json:"iat"`
	ExpiresAt int64                     `json:"exp"`
	TokenID   string                    `json:"jti"`
	SessionID string                    `json:"sid"`
	Events    map[string]map[string]any `json:"events"`
}

func (r *room) reads(t *testing.T, raw string) (c claims) {
	t.Helper()
	published, err := r.rig.Service.Keys().JWKS()
	if err != nil {
		t.Fatal(err)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(published, &keys); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	payload, err := jws.Verify(keys)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	c.typ, _ = jws.Signatures[0].Header.ExtraHeaders[jose.HeaderType].(string)
	return c
}
