// Package verify checks the access tokens of a Latchkey in the programs that they are shown to: resource servers, in the
// words of OAuth. It asks the issuer for its public keys and, where a [Feed] is configured, which sessions have ended;
// nothing is asked for each request.
//
// It follows RFC 9068 §4 and RFC 8725, and refuses as RFC 6750 §3 and RFC 9470 §3 say. Keys are used while they are
// asked for anew, and for a day when the issuer is away. What says nothing about the token is 503 and never 401, since
// a 401 signs honest people out.
package verify

// This file holds what a Verifier is made of, and the order of its checks.

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config says whose tokens are taken, and for whom. Issuer and Audience must be set.
type Config struct {
	Issuer   string           // LATCHKEY_PUBLIC_URL, spelt as there
	Audience string           // LATCHKEY_AUDIENCE (the issuer, unless set), or the resource that apps ask for
	Feed     *Feed            // nil: whose session has ended is let in until the token runs out
	HTTP     *http.Client     // nil: one with connections of its own. No redirects are followed, and its Timeout is not used
	Log      *slog.Logger     // hears when keys or feed cannot be had, and when they can again; nil: slog.Default
	Now      func() time.Time // nil: time.Now
}

// Feed names a client of the issuer's clients file that has feed = true. With it a session that has ended is refused
// within two seconds.
type Feed struct {
	ClientID, ClientSecret string
	// OpenFor is how long after the feed's last answer tokens are taken without it; then they are answered 503. 0 is
	// five minutes. If negative, none is taken from when a poll has failed until one is answered.
	OpenFor time.Duration
}

// Verifier checks access tokens. Any number of goroutines may use it.
type Verifier struct {
	issuer, audience string
	now              func() time.Time
	issuers          *issuer
	heads            heads
	keys             *keys
	feed             *feed // nil: none
}

// New returns a Verifier, which polls the feed from then on, if it has one: Close ends that. It waits for no answer, so
// a program starts while the issuer is away.
func New(c Config) (*Verifier, error) {
	at, err := url.Parse(c.Issuer)
	if err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" || at.RawQuery != "" || at.Fragment != "" {
		return nil, fmt.Errorf("verify: Issuer %q is not the URL of a Latchkey, such as https://id.example", c.Issuer)
	}
	if c.Audience == "" {
		return nil, errors.New("verify: Audience is not set: it is LATCHKEY_AUDIENCE, or the issuer")
	}
	if c.Feed != nil && (c.Feed.ClientID == "" || c.Feed.ClientSecret == "") {
		return nil, errors.New("verify: the Feed has no ClientID or no ClientSecret")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	v := &Verifier{issuer: c.Issuer, audience: c.Audience, now: c.Now, issuers: newIssuer(c)}
	v.keys = &keys{issuer: v.issuers, now: c.Now}
	if c.Feed != nil {
		v.feed = newFeed(v, *c.Feed)
		v.issuers.begin(v.feed.run)
	}
	return v, nil
}

// Close ends what runs beside the requests, and waits for that. It returns nil. What is checked afterwards is checked with
// the keys and ends that were known.
func (v *Verifier) Close() error {
	v.issuers.close()
	return nil
}

// Types of the JWTs that are read, in the JOSE header (RFC 9068 §2.1, RFC 8725 §3.11).
const (
	accessType      = "at+jwt"
	accessMediaType = "application/at+jwt"
	revocationsType = "revocations+jwt"
)

const maxToken = 8 << 10 // bytes; an issuer signs none that is longer

// Verify returns what an access token says if it is good and as required; else the error is an *Error. It may wait for
// keys, and for the feed's first answer, as long as ctx lasts and some seconds at most.
func (v *Verifier) Verify(ctx context.Context, token string, required Require) (Claims, error) {
	claims, refused := v.verify(ctx, token, required)
	if refused != nil {
		return Claims{}, refused
	}
	return claims, nil
}

func (v *Verifier) verify(ctx context.Context, token string, required Require) (Claims, *Error) {
	if token == "" {
		return Claims{}, nothingSent()
	}
	if len(token) > maxToken {
		return Claims{}, invalidToken("The token is too long.")
	}
	payload, err := v.open(ctx, token, accessType, accessMediaType)
	if err != nil {
		return Claims{}, refusal(err)
	}
	claims, refused := v.read(payload)
	if refused == nil && v.feed != nil && claims.SessionID != "" {
		refused = v.feed.check(ctx, claims)
	}
	if refused == nil {
		refused = required.refuses(claims, v.now())
	}
	return claims, refused
}

var errMalformed = errors.New("it is not a JWT of the kind, or its signature does not fit")

// open returns the payload of a JWT of one of the types, if a key of the issuer has signed it. The error is
// errMalformed or one of keys.find.
func (v *Verifier) open(ctx context.Context, raw string, types ...string) ([]byte, error) {
	first, rest, _ := strings.Cut(raw, ".")
	second, third, isJWT := strings.Cut(rest, ".")
	if !isJWT || strings.ContainsAny(raw, "\r\n") { // which decoders of base64 skip
		return nil, errMalformed
	}
	head, remembered := v.heads.read(first)
	payload, unread := base64.RawURLEncoding.DecodeString(second)
	signature, err := base64.RawURLEncoding.DecodeString(third)
	if unread != nil || err != nil || !slices.Contains(types, head.kind) {
		return nil, errMalformed
	}
	key, err := v.keys.find(ctx, head.key)
	if err != nil {
		return nil, err
	}
	input := raw[:len(raw)-len(third)-len(".")]
	if key.alg != head.alg || !key.signed(input, signature) { // the algorithm is the key's, never the token's to choose (RFC 8725 §3.1)
		return nil, errMalformed
	}
	if !remembered {
		v.heads.remember(first, head)
	}
	return payload, nil
}

// issuer is the server that keys and feed come from, and what runs to ask it.
type issuer struct {
	url   string
	http  *http.Client
	log   *slog.Logger
	idle  func() // lets go of connections that are this package's own
	ctx   context.Context
	stop  context.CancelFunc
	mu    sync.Mutex
	under sync.WaitGroup
}

func newIssuer(c Config) *issuer {
	i := &issuer{url: strings.TrimRight(c.Issuer, "/"), http: &http.Client{}, log: c.Log, idle: func() {}}
	if c.HTTP != nil {
		*i.http = *c.HTTP
		i.http.Timeout = 0 // each request has its own: a poll of the feed waits for longer than callers like to
	} else {
		own := &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: keysTime, IdleConnTimeout: time.Minute,
			HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: keysTime}, // else a dead connection is used on
		}
		i.http.Transport, i.idle = own, own.CloseIdleConnections
	}
	i.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	i.ctx, i.stop = context.WithCancel(context.Background())
	return i
}

// begin runs fn beside the requests until it returns or its ctx ends, and says whether it does: not after close.
func (i *issuer) begin(fn func(ctx context.Context)) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ctx.Err() != nil {
		return false
	}
	i.under.Go(func() { fn(i.ctx) })
	return true
}

func (i *issuer) close() {
	i.mu.Lock()
	i.stop()
	i.mu.Unlock()
	i.under.Wait()
	i.idle()
}
