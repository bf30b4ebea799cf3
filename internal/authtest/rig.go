package authtest

// A whole server: real store, real hashing (at a small cost), real HTTP on loopback; only the clock
// can be set, and mail goes to a mailbox in memory unless a test brings an SMTP server.

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/auth"
	"latchkey/internal/clients"
	"latchkey/internal/mail"
	"latchkey/internal/password"
	"latchkey/internal/server"
	"latchkey/internal/store"
)

// Rig is one node.
type Rig struct {
	*client.Client // shows no device token: a stranger each time, whoever signs in
	Service        *auth.Service
	Store          *store.Store
	Clock          *Clock
	Mailbox        *mail.Inbox
	Options        auth.Options
	HTTP           *httptest.Server

	t        testing.TB
	db       Database
	contents *connection
}

// Clock is the time of a rig: the real one, or the one it was stopped at, moved by what tests add.
type Clock struct {
	ahead   atomic.Int64
	stopped atomic.Pointer[time.Time]
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	now := time.Now()
	if at := c.stopped.Load(); at != nil {
		now = *at
	}
	return now.Add(time.Duration(c.ahead.Load()))
}

// Stop lets no time pass but what tests add: what they expect of a wait holds on a busy machine as well.
func (c *Clock) Stop() {
	now := time.Now()
	c.stopped.Store(&now)
}

// Start lets time pass again.
func (c *Clock) Start() { c.stopped.Store(nil) }

// Advance moves the time; back, when d is negative.
func (c *Clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

// Master is the master key of every rig that does not bring its own.
const Master = "bGF0Y2hrZXktdGVzdC1tYXN0ZXIta2V5LTMyYnl0ZXM="

// Password is good enough for every policy the tests use.
const Password = "correct horse battery staple"

// New starts a node on the database. tweak may change its options first.
func New(t testing.TB, db Database, tweak ...func(*auth.Options)) *Rig {
	t.Helper()
	r := &Rig{Store: db.Open(t), Clock: &Clock{}, Mailbox: mail.NewInbox(1000), t: t, db: db}
	r.Options = DefaultOptions(t)
	r.Options.Store, r.Options.Sender, r.Options.Now = r.Store, r.Mailbox, r.Clock.Now
	for _, change := range tweak {
		change(&r.Options)
	}
	var err error
	if r.Service, err = auth.New(context.Background(), r.Options); err != nil {
		t.Fatalf("start the service: %v", err)
	}
	if err := r.Service.Keys().Settle(context.Background()); err != nil {
		t.Fatalf("settle the keys: %v", err)
	}
	r.HTTP = httptest.NewServer(server.New(r.ServerOptions()))
	t.Cleanup(r.HTTP.Close)
	r.Client = client.New(r.HTTP.URL, r.HTTP.Client()).On(nil)
	return r
}

// ServerOptions are what the rig's HTTP server is made with.
func (r *Rig) ServerOptions() server.Options {
	return server.Options{
		Service:   r.Service,
		PublicURL: r.Options.Issuer,
		Log:       r.Options.Log,
		Metrics:   server.NewMetrics(),
		Now:       r.Clock.Now,
	}
}

// DefaultOptions are the documented defaults, with cheap hashing. Store, Sender and Now are missing.
func DefaultOptions(t testing.TB) auth.Options {
	t.Helper()
	blocklist, err := password.EmbeddedBlocklist()
	if err != nil {
		t.Fatal(err)
	}
	clients, err := clients.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return auth.Options{
		Master:            MasterKeys(t, Master),
		Hash:              password.Params{MemoryKiB: 1024, Time: 1},
		Pool:              password.NewPool(2, 256),
		Policy:            password.Policy{MinLength: 8, Blocklist: blocklist},
		Clients:           clients,
		MailFrom:          "Latchkey <no-reply@example.com>",
		Issuer:            "http://localhost:8080",
		Audience:          "http://localhost:8080",
		SigningAlg:        "ES256",
		AccessTTL:         10 * time.Minute,
		RefreshIdle:       14 * 24 * time.Hour,
		RefreshOverall:    30 * 24 * time.Hour,
		RefreshGrace:      30 * time.Second,
		RefreshRecoveries: 3,
		ResetTTL:          time.Hour,
		VerifyTTL:         24 * time.Hour,
		SessionsPerUser:   50,
		SignupOpen:        true,
		Throttle:          true,
		AuditDays:         400,
		Log:               slog.New(slog.DiscardHandler),
	}
}

// AddUser makes a verified account with Password.
func (r *Rig) AddUser(t testing.TB, email string) auth.User {
	t.Helper()
	pw := Password
	u, err := r.Service.AddUser(context.Background(), auth.NewUser{Email: email, FirstName: "Ada", LastName: "Lovelace", Password: &pw})
	if err != nil {
		t.Fatalf("add user: %v", err)
	}
	return u
}

// In signs a user of AddUser's in.
func (r *Rig) In(t testing.TB, email string) api.Tokens {
	t.Helper()
	tokens, err := r.SignIn(context.Background(), api.SignInRequest{Email: email, Password: Password})
	if err != nil {
		t.Fatalf("sign in: %v", err)
	}
	return tokens
}

// Deliver delivers all mail that is due.
func (r *Rig) Deliver(t testing.TB) {
	t.Helper()
	for {
		more, err := r.Service.Outbox().DeliverNext(context.Background())
		if err != nil {
			t.Fatalf("deliver: %v", err)
		}
		if !more {
			return
		}
	}
}

// Mail delivers what is due and returns the newest mail to an address; it fails where there is none.
func (r *Rig) Mail(t testing.TB, to string) mail.Message {
	t.Helper()
	r.Deliver(t)
	for _, m := range r.Mailbox.Messages() {
		if m.To == to {
			return m
		}
	}
	t.Fatalf("no mail to %s", to)
	return mail.Message{}
}

var codeInLink = regexp.MustCompile(`verificationCode=([A-Za-z0-9_-]+)`)

// Code is the token in the link of the newest mail to an address.
func (r *Rig) Code(t testing.TB, to string) string {
	t.Helper()
	found := codeInLink.FindStringSubmatch(r.Mail(t, to).Text)
	if found == nil {
		t.Fatalf("the mail to %s has no link", to)
	}
	return found[1]
}

// ForgotCode asks for a reset mail and returns its token.
func (r *Rig) ForgotCode(t testing.TB, email string) string {
	t.Helper()
	if _, err := r.ForgotPassword(context.Background(), api.ForgotPasswordRequest{Email: email}); err != nil {
		t.Fatalf("forgot password: %v", err)
	}
	return r.Code(t, email)
}
