package verify_test

// The issuer's keys: while they are asked for, while the issuer is away, and while they are exchanged.

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/verify"
)

func TestKeysAreUsedWhileTheyAreAskedFor(t *testing.T) {
	n := newNode(t)
	n.Clock.Stop()
	v := newVerifier(t, n.config())
	token := n.token()
	if got := code(t, v, token); got != "" || n.asked.Load() != 1 {
		t.Fatalf("%q, asked %d times", got, n.asked.Load())
	}
	n.Clock.Advance(5*time.Minute - time.Second) // what the server's Cache-Control says
	code(t, v, token)
	if n.asked.Load() != 1 {
		t.Errorf("asked %d times while they are fresh", n.asked.Load())
	}

	release := make(chan struct{})
	n.hold.Store(&release)
	n.Clock.Advance(time.Second)
	for range 20 { // none waits, and one asks
		if got := code(t, v, token); got != "" {
			t.Fatal(got)
		}
	}
	until(t, "one asks", func() bool { return n.asked.Load() == 2 })
	close(release)
	n.hold.Store(nil)
	n.Clock.Advance(5*time.Minute - time.Second)
	for range 20 {
		code(t, v, token)
		time.Sleep(5 * time.Millisecond)
	}
	if n.asked.Load() != 2 {
		t.Errorf("asked %d times: the answer does not count", n.asked.Load())
	}
	n.Clock.Advance(time.Second)
	until(t, "one asks again", func() bool { code(t, v, token); return n.asked.Load() == 3 })
}

func TestNoKeys(t *testing.T) {
	n := newNode(t)
	n.Clock.Stop()
	log := make(heard, 100)
	c := n.config()
	c.Log = log.logger()
	v := newVerifier(t, c)
	token := n.token()
	n.leave()
	for range 3 {
		if got := code(t, v, token); got != "keys_unavailable" {
			t.Errorf("without keys: %q", got)
		}
	}
	if n.asked.Load() != 1 {
		t.Errorf("asked %d times in one moment", n.asked.Load())
	}
	if said := log.hears(t, "the issuer's keys cannot be had"); !strings.Contains(said, keysPath) {
		t.Errorf("the log says %q", said)
	}
	n.Clock.Advance(2 * time.Second) // as Retry-After says
	n.comeBack()
	if got := code(t, v, token); got != "" {
		t.Errorf("the issuer is back: %q", got)
	}
	log.hears(t, "the issuer's keys can be had again")

	// Keys that were had are used for a day.
	n.leave()
	for range 5 {
		n.Clock.Advance(30 * time.Second)
		if got := code(t, v, token); got != "" {
			t.Errorf("the issuer is away: %q", got)
		}
	}
	n.Clock.Advance(24*time.Hour - 150*time.Second - time.Second)
	if got := code(t, v, token); got != "invalid_token" { // it has run out, which its key tells
		t.Errorf("the issuer is away for a day less a second: %q", got)
	}
	n.Clock.Advance(3 * time.Second)
	if got := code(t, v, token); got != "keys_unavailable" {
		t.Errorf("the issuer is away for a day: %q", got)
	}
}

// Whoever makes up names of keys has the issuer asked once in 30 seconds.
func TestUnknownKeys(t *testing.T) {
	n := newNode(t)
	n.Clock.Stop()
	v := newVerifier(t, n.config())
	token, stranger := n.token(), newNode(t).token() // the same issuer by name, with other keys
	code(t, v, token)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got := code(t, v, stranger); got != "invalid_token" {
				t.Errorf("another's token: %q", got)
			}
		})
	}
	all.Wait()
	n.Clock.Advance(30*time.Second - 1)
	code(t, v, stranger)
	if n.asked.Load() != 2 {
		t.Errorf("asked %d times, want once at first and once more", n.asked.Load())
	}
	n.Clock.Advance(1)
	code(t, v, stranger)
	if n.asked.Load() != 3 {
		t.Errorf("asked %d times, want once more", n.asked.Load())
	}

	// While the issuer is away nobody knows, and who is known is let in.
	n.leave()
	n.Clock.Advance(30 * time.Second)
	for range 2 {
		if got := code(t, v, stranger); got != "keys_unavailable" {
			t.Errorf("another's token while the issuer is away: %q", got)
		}
	}
	if got := code(t, v, token); got != "" {
		t.Errorf("a good token meanwhile: %q", got)
	}
	n.comeBack()
	n.Clock.Advance(30 * time.Second)
	if got := code(t, v, stranger); got != "invalid_token" {
		t.Errorf("the issuer is back: %q", got)
	}
}

// A key that takes over at once is found by the first token that it signs.
func TestKeysReplacedAtOnce(t *testing.T) {
	n := newNode(t)
	v := newVerifier(t, n.config())
	before := n.token()
	code(t, v, before)
	for range 2 { // the first to take over was published before
		if _, err := n.Service.Keys().Replace(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := code(t, v, n.token()); got != "" {
		t.Errorf("signed by the new key: %q", got)
	}
	if got := code(t, v, before); got != "invalid_token" {
		t.Errorf("signed by a key that was dropped: %q", got)
	}
}

// Three times the signing key is exchanged as an operator does it, while many ask. Nobody is refused.
func TestKeysRotateUnderLoad(t *testing.T) {
	n := newNode(t)
	n.Clock.Stop()
	v := newVerifier(t, n.config())
	var current atomic.Pointer[string]
	renew := func() {
		token := n.token()
		current.Store(&token)
	}
	renew()
	var checked, refused atomic.Int64
	var all sync.WaitGroup
	stop := make(chan struct{})
	for range 8 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := code(t, v, *current.Load()); got != "" {
					refused.Add(1)
					t.Errorf("a good token: %q", got)
					return
				}
				checked.Add(1)
			}
		})
	}
	names := map[string]bool{}
	for range 3 {
		if _, err := n.Service.Keys().Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 20 { // minutes: the successor is published for ten, then signs, and its predecessor retires
			n.Clock.Advance(time.Minute)
			if err := n.Service.Keys().Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			renew()
			head, _, _ := strings.Cut(*current.Load(), ".")
			names[head] = true
			before := checked.Load()
			until(t, "checks go on", func() bool { return checked.Load() > before+8 || refused.Load() > 0 })
		}
	}
	close(stop)
	all.Wait()
	if len(names) < 4 {
		t.Errorf("%d keys have signed", len(names))
	}
	t.Logf("%d checks, asked for keys %d times", checked.Load(), n.asked.Load())
}

// Only keys of a Latchkey's kinds count, each for its own algorithm.
func TestKeySets(t *testing.T) {
	n := newNode(t)
	n.Clock.Stop()
	token := n.token()
	published, err := n.Service.Keys().JWKS()
	if err != nil {
		t.Fatal(err)
	}
	set := string(published)
	more := func(key string) string { return strings.Replace(set, `{"keys":[`, `{"keys":[`+key+`,`, 1) }
	for name, tt := range map[string]struct{ set, want string }{
		"as published":              {set, ""},
		"beside what nobody knows":  {more(`{"kty":"XYZ","kid":"x","alg":"ES999"},{"kty":"OKP","crv":"X448","kid":"y","x":"AA"},{}`), ""},
		"for another algorithm":     {strings.ReplaceAll(set, `"ES256"`, `"RS256"`), "keys_unavailable"},
		"without algorithms":        {strings.ReplaceAll(set, `"alg":"ES256",`, ""), "keys_unavailable"},
		"for encryption":            {strings.ReplaceAll(set, `"sig"`, `"enc"`), "keys_unavailable"},
		"no names":                  {strings.ReplaceAll(set, `"kid"`, `"name"`), "keys_unavailable"},
		"empty":                     {`{"keys":[]}`, "keys_unavailable"},
		"no key set":                {`{}`, "keys_unavailable"},
		"no JSON":                   {`<html>`, "keys_unavailable"},
		"longer than any":           {set + strings.Repeat(" ", 1<<20), "keys_unavailable"},
		"a second key of that name": {strings.Replace(set, "]}", `,`+sameName(t, set)+"]}", 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			keys := answering(t, tt.set)
			c := n.config()
			c.HTTP = leadingTo(keys)
			if got := code(t, newVerifier(t, c), token); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	t.Run("elsewhere", func(t *testing.T) { // a redirect is not followed
		mux := http.NewServeMux()
		mux.Handle(keysPath, http.RedirectHandler("/elsewhere", http.StatusFound))
		mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(published) })
		keys := httptest.NewServer(mux)
		t.Cleanup(keys.Close)
		c := n.config()
		c.HTTP = leadingTo(keys)
		if got := code(t, newVerifier(t, c), token); got != "keys_unavailable" {
			t.Error(got)
		}
	})
}

// sameName is another key under the name of the first of a set.
func sameName(t *testing.T, set string) string {
	t.Helper()
	var published jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(set), &published); err != nil {
		t.Fatal(err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := json.Marshal(jose.JSONWebKey{Key: private.Public(), KeyID: published.Keys[0].KeyID, Algorithm: "ES256"})
	if err != nil {
		t.Fatal(err)
	}
	return string(key)
}

// answering is a server that always gives the same answer.
func answering(t *testing.T, body string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server
}

// How long keys are fresh, in seconds.
func TestKeysAreFreshFor(t *testing.T) {
	n := newNode(t)
	n.Clock.Stop()
	published, err := n.Service.Keys().JWKS()
	if err != nil {
		t.Fatal(err)
	}
	for says, want := range map[string]int{
		"": 300, "public, max-age=100": 100, "MAX-AGE=100": 100, "max-age=0": 30, "no-store": 300, "max-age=x": 300, "max-age=-1": 300,
		"max-age=99999999999": 24 * 3600,
	} {
		t.Run(fmt.Sprintf("%q", says), func(t *testing.T) {
			token, asked := n.token(), make(chan struct{}, 10)
			keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", says)
				_, _ = w.Write(published)
				asked <- struct{}{}
			}))
			t.Cleanup(keys.Close)
			c := n.config()
			c.HTTP = leadingTo(keys)
			v := newVerifier(t, c)
			code(t, v, token)
			<-asked
			n.Clock.Advance(time.Duration(want)*time.Second - 1)
			code(t, v, token)
			select {
			case <-asked:
				t.Errorf("asked again before %d s", want)
			case <-time.After(20 * time.Millisecond):
			}
			n.Clock.Advance(1)
			code(t, v, token)
			select {
			case <-asked:
			case <-time.After(patience):
				t.Errorf("not asked again after %d s", want)
			}
		})
	}
}

// Nobody waits longer for keys than they would.
func TestWhoLeavesDoesNotWait(t *testing.T) {
	n := newNode(t)
	never := make(chan struct{})
	n.hold.Store(&never)
	defer close(never)
	v := newVerifier(t, n.config())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := v.Verify(ctx, n.token(), verify.Require{})
	if refused, ok := errors.AsType[*verify.Error](err); !ok || refused.Code != "keys_unavailable" || refused.RetryAfter != 2*time.Second {
		t.Errorf("%v", err)
	}
}
