package verify_test

// Sessions that have ended: refused soon, and what is done while nobody knows.

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"latchkey/api"
	"latchkey/internal/token"
	"latchkey/verify"
)

// A sign-out is heard of within two seconds. How soon the fastest of a few tells, since the machine may be busy.
func TestASignedOutSessionIsRefused(t *testing.T) {
	n := newNode(t)
	v := newVerifier(t, n.withFeed(0))
	fastest := patience
	for range 3 {
		out, stays := n.token(), n.token()
		if a, b := code(t, v, out), code(t, v, stays); a != "" || b != "" {
			t.Fatalf("before the end: %q and %q", a, b)
		}
		if err := n.SignOut(t.Context(), out, api.SignOutRequest{}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		becomes(t, v, out, "invalid_token")
		fastest = min(fastest, time.Since(began))
		if got := code(t, v, stays); got != "" {
			t.Errorf("another session's token: %q", got)
		}
	}
	if fastest > 2*time.Second {
		t.Errorf("an end is heard of after %v at the earliest", fastest)
	}
	if polls := n.polled.Load(); polls > 30 {
		t.Errorf("polled %d times", polls)
	}
}

// Whoever ended before the program began is refused by its first check.
func TestTheFirstCheckKnowsWhoEnded(t *testing.T) {
	n := newNode(t)
	ended := n.token()
	if err := n.SignOut(t.Context(), ended, api.SignOutRequest{}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if got := code(t, newVerifier(t, n.withFeed(0)), ended); got != "invalid_token" {
			t.Errorf("%q", got)
		}
	}
}

// While the feed is away, tokens are taken for as long as is configured and no longer; and a client's own, which no
// session's end concerns, always.
func TestTheFeedIsAway(t *testing.T) {
	for _, tt := range []struct{ openFor, open time.Duration }{
		{0, 5 * time.Minute}, {time.Minute, time.Minute}, {2 * time.Minute, 2 * time.Minute}, {-1, 0},
	} {
		t.Run(fmt.Sprint(tt.openFor), func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			n.Clock.Stop()
			log := make(heard, 100)
			c := n.withFeed(tt.openFor)
			c.Log = log.logger()
			v := newVerifier(t, c)
			ends, stays := n.token(), n.token()
			if a, b := code(t, v, ends), code(t, v, stays); a+b != "" {
				t.Fatalf("while it is there: %q, %q", a, b)
			}
			n.leave()
			log.hears(t, "which sessions have ended cannot be had")
			if err := n.SignOut(t.Context(), ends, api.SignOutRequest{}); err != nil {
				t.Fatal(err)
			}
			if tt.open > 0 {
				n.Clock.Advance(tt.open - 1)
				if a, b := code(t, v, ends), code(t, v, stays); a+b != "" {
					t.Errorf("open: %q, %q", a, b)
				}
				n.Clock.Advance(1)
			}
			for range 2 {
				_, err := v.Verify(t.Context(), stays, verify.Require{})
				if refused, ok := errors.AsType[*verify.Error](err); !ok || refused.Code != "feed_unavailable" || refused.Status != 503 ||
					refused.RetryAfter != 2*time.Second || refused.Challenge != "" {
					t.Errorf("closed: %v", err)
				}
			}
			if got := code(t, v, n.own()); got != "" {
				t.Errorf("a client's own token: %q", got)
			}
			n.comeBack()
			becomes(t, v, stays, "")
			if got := code(t, v, ends); got != "invalid_token" {
				t.Errorf("ended meanwhile: %q", got)
			}
			log.hears(t, "which sessions have ended can be had again")
		})
	}
}

// A poll waits for as long as the server has it wait, whatever other calls of the program's client may take.
func TestAClientsTimeoutCutsNoPoll(t *testing.T) {
	n := newNode(t)
	n.calm.Store(true)
	log := make(heard, 100)
	c := n.withFeed(0)
	c.Log = log.logger()
	c.HTTP.Timeout = 100 * time.Millisecond
	v := newVerifier(t, c)
	if got := code(t, v, n.token()); got != "" {
		t.Fatal(got)
	}
	until(t, "it polls for more", func() bool { return n.polled.Load() > 1 })
	time.Sleep(5 * c.HTTP.Timeout)
	if len(log) > 0 {
		t.Errorf("the feed counts as away: %s", (<-log).Message)
	}
}

// What ended before the feed went away stays refused, whatever the time.
func TestEndsAreRememberedWhileTheFeedIsAway(t *testing.T) {
	n := newNode(t)
	n.Clock.Stop()
	log := make(heard, 100)
	c := n.withFeed(-1)
	c.Log = log.logger()
	v := newVerifier(t, c)
	ended := n.token()
	if err := n.SignOut(t.Context(), ended, api.SignOutRequest{}); err != nil {
		t.Fatal(err)
	}
	becomes(t, v, ended, "invalid_token")
	n.leave()
	log.hears(t, "which sessions have ended cannot be had")
	if got := code(t, v, ended); got != "invalid_token" {
		t.Errorf("%q", got)
	}
}

// A program that starts while the feed is away is as one for which it has gone away just then.
func TestTheFeedWasNeverThere(t *testing.T) {
	for _, tt := range []struct {
		openFor time.Duration
		want    string
	}{{time.Minute, ""}, {-1, "feed_unavailable"}} {
		n := newNode(t)
		n.Clock.Stop()
		refuse := func() (string, int) { return "", http.StatusServiceUnavailable }
		n.told.Store(&refuse)
		v := newVerifier(t, n.withFeed(tt.openFor))
		token := n.token()
		if got := code(t, v, token); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.openFor, got, tt.want)
		}
		n.Clock.Advance(time.Minute)
		if got := code(t, v, token); got != "feed_unavailable" {
			t.Errorf("%v, a minute later: %q", tt.openFor, got)
		}
		n.told.Store(nil)
		becomes(t, v, token, "")
	}
}

// An answer of the feed counts only if it is one, whole, of now, and for this client.
func TestAnswersOfTheFeed(t *testing.T) {
	n := newNode(t)
	n.Clock.Stop()
	good := n.token()
	other := newNode(t)
	v := newVerifier(t, n.config())
	claims, err := v.Verify(t.Context(), good, verify.Require{})
	if err != nil {
		t.Fatal(err)
	}
	instead := func(text string) func() {
		return func() {
			answer := func() (string, int) { return text, http.StatusOK }
			n.told.Store(&answer)
		}
	}
	tells := func(change func(*token.Revocations)) func() { return func() { n.tells(change) } }
	now := n.Clock.Now()
	for name, tt := range map[string]struct {
		answer func()
		want   string
	}{
		"no end":                  {tells(func(*token.Revocations) {}), ""},
		"another's end":           {tells(func(r *token.Revocations) { r.Sessions = []string{"x", claims.SessionID + "x"} }), ""},
		"its end":                 {tells(func(r *token.Revocations) { r.Sessions = []string{"x", claims.SessionID} }), "invalid_token"},
		"a floor before its time": {tells(func(r *token.Revocations) { r.Floor = claims.IssuedAt.Add(-time.Second) }), ""},
		"a floor at its time":     {tells(func(r *token.Revocations) { r.Floor = claims.IssuedAt }), "invalid_token"},
		"a floor after its time":  {tells(func(r *token.Revocations) { r.Floor = claims.IssuedAt.Add(time.Second) }), "invalid_token"},
		"for another client":      {tells(func(r *token.Revocations) { r.Audience = "resource" }), "feed_unavailable"},
		"run out": {tells(func(r *token.Revocations) {
			r.IssuedAt, r.ExpiresAt = now.Add(-5*time.Minute), now.Add(-61*time.Second)
		}), "feed_unavailable"},
		"run out by another clock": {tells(func(r *token.Revocations) {
			r.IssuedAt, r.ExpiresAt = now.Add(-2*time.Minute), now.Add(-59*time.Second)
		}), ""},
		"an access token":  {instead(good), "feed_unavailable"},
		"no JWT":           {instead("<html>"), "feed_unavailable"},
		"signed by others": {instead(signedBy(t, other)), "feed_unavailable"},
		"empty":            {instead(""), "feed_unavailable"},
		"longer than any":  {instead(strings.Repeat("x", 5<<20)), "feed_unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.answer()
			if got := code(t, newVerifier(t, n.withFeed(-1)), good); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// signedBy is an answer of another node's feed.
func signedBy(t *testing.T, n *node) string {
	t.Helper()
	told, err := n.Revocations(t.Context(), "verifier", secret, "")
	if err != nil {
		t.Fatal(err)
	}
	return told
}

// A feed that may not be read is away, and the log says why.
func TestTheFeedMayNotBeRead(t *testing.T) {
	n := newNode(t)
	for _, tt := range []struct{ client, secret, want string }{
		{"verifier", "another", "401: the issuer has no such client, or another secret for it"},
		{"nobody", secret, "401: the issuer has no such client, or another secret for it"},
		{"mute", secret, "403: the issuer's clients file does not say feed = true of the client"},
	} {
		log := make(heard, 100)
		c := n.withFeed(-1)
		c.Log, c.Feed.ClientID, c.Feed.ClientSecret = log.logger(), tt.client, tt.secret
		v := newVerifier(t, c)
		if said := log.hears(t, "which sessions have ended cannot be had"); said != tt.want {
			t.Errorf("%s: the log says %q", tt.client, said)
		}
		if got := code(t, v, n.token()); got != "feed_unavailable" {
			t.Errorf("%s: %q", tt.client, got)
		}
	}
}

// A feed that answers at once whatever it is asked is not polled as fast as it answers.
func TestTheFeedIsNotFlooded(t *testing.T) {
	n := newNode(t)
	n.tells(func(*token.Revocations) {})
	began := time.Now()
	newVerifier(t, n.withFeed(0))
	until(t, "it polls", func() bool { return n.polled.Load() >= 4 })
	if took := time.Since(began); took < 550*time.Millisecond {
		t.Errorf("polled four times in %v", took)
	}
}

// After Close nothing runs, whatever was under way, and no connection of its own is kept; what is asked then is answered
// with what was known.
func TestCloseLeavesNothing(t *testing.T) {
	n := newNode(t)
	n.Clock.Stop()
	before := goleak.IgnoreCurrent()
	for name, c := range map[string]verify.Config{"feed": n.withFeed(0), "keys": n.config()} {
		good, never := n.token(), make(chan struct{})
		v, err := verify.New(c)
		if err != nil {
			t.Fatal(err)
		}
		if got := code(t, v, good); got != "" {
			t.Errorf("%s: %q", name, got)
		}
		n.hold.Store(&never)
		n.Clock.Advance(5 * time.Minute) // the keys are asked for anew
		asked := n.asked.Load()
		if got := code(t, v, good); got != "" {
			t.Errorf("%s: %q", name, got)
		}
		until(t, "keys are asked for", func() bool { return n.asked.Load() > asked })
		began := time.Now()
		for range 2 {
			if err := v.Close(); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("%s: Close took %v", name, took)
		}
		n.hold.Store(nil)
		if got := code(t, v, good); got != "" {
			t.Errorf("%s, after Close: %q", name, got)
		}
	}
	own := verify.Config{Issuer: n.door.URL, Audience: n.Options.Audience, Log: n.config().Log}
	v, err := verify.New(own)
	if err != nil {
		t.Fatal(err)
	}
	if got := code(t, v, n.token()); got != "invalid_token" { // the node calls itself something else
		t.Errorf("connections of its own: %q", got)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	n.door.Client().CloseIdleConnections()
	n.HTTP.Client().CloseIdleConnections()
	goleak.VerifyNone(t, before)
}

func TestNewRefuses(t *testing.T) {
	good := verify.Config{Issuer: "https://id.example", Audience: "https://api.example"}
	if v, err := verify.New(good); err != nil || v.Close() != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*verify.Config){
		"no issuer":        func(c *verify.Config) { c.Issuer = "" },
		"no URL":           func(c *verify.Config) { c.Issuer = "id.example" },
		"another scheme":   func(c *verify.Config) { c.Issuer = "ftp://id.example" },
		"a query":          func(c *verify.Config) { c.Issuer += "?x=1" },
		"no audience":      func(c *verify.Config) { c.Audience = "" },
		"no client":        func(c *verify.Config) { c.Feed = &verify.Feed{ClientSecret: secret} },
		"no client secret": func(c *verify.Config) { c.Feed = &verify.Feed{ClientID: "verifier"} },
	} {
		c := good
		change(&c)
		if v, err := verify.New(c); err == nil || v != nil || !strings.HasPrefix(err.Error(), "verify: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
