package verify

// The issuer's keys: had once, used while they are asked for anew, and asked for at once when a token names another.

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	keysPath    = "/.well-known/jwks.json"
	keysTime    = 5 * time.Second  // an asking may take
	keysBytes   = 1 << 20          // an answer may be long
	keysLast    = 24 * time.Hour   // without another answer
	keysPause   = 2 * time.Second  // after an asking that has failed
	seekPause   = 30 * time.Second // between askings because of a key that nobody knows: whoever makes names up costs no more
	leastFresh  = 30 * time.Second // whatever the answer says
	freshUnsaid = 5 * time.Minute  // where it does not say
)

var (
	errUnknownKey = errors.New("the issuer has no such key")
	errNoKeys     = errors.New("the issuer's keys cannot be had")
)

// publicKey is one of the issuer's, with the one algorithm it is for.
type publicKey struct {
	alg    string
	public any
}

// keys are the issuer's by their names.
type keys struct {
	issuer *issuer
	now    func() time.Time

	mu     sync.Mutex
	set    map[string]publicKey // nil: never had
	had    time.Time
	stale  time.Time     // when they are asked for anew
	failed error         // of the last asking
	pause  time.Time     // none begins before
	sought time.Time     // when a key that nobody knew was last asked for
	asking chan struct{} // closed when the asking that is under way is over; nil: none is
}

// find returns a key by its name. The error is errUnknownKey when the issuer has none of that name, and errNoKeys when
// that cannot be known now.
func (k *keys) find(ctx context.Context, name string) (publicKey, error) {
	for {
		found, wait, err := k.look(name)
		if wait == nil {
			return found, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return publicKey{}, errNoKeys
		}
	}
}

// look returns what is known of a key, or what to wait for before looking again.
func (k *keys) look(name string) (found publicKey, wait <-chan struct{}, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	usable := k.set != nil && now.Sub(k.had) < keysLast
	found, known := k.set[name]
	switch {
	case usable && known:
		if k.asking == nil && !now.Before(k.stale) && !now.Before(k.pause) {
			k.ask()
		}
		return found, nil, nil
	case k.asking != nil:
		return publicKey{}, k.asking, nil
	case !usable && now.Before(k.pause), usable && now.Sub(k.sought) < seekPause && k.failed != nil:
		return publicKey{}, nil, errNoKeys
	case usable && now.Sub(k.sought) < seekPause:
		return publicKey{}, nil, errUnknownKey
	case usable:
		k.sought = now
	}
	if !k.ask() {
		return publicKey{}, nil, errNoKeys
	}
	return publicKey{}, k.asking, nil
}

// ask begins to ask, with mu held and none under way, and says whether it does.
func (k *keys) ask() bool {
	over := make(chan struct{})
	if !k.issuer.begin(func(ctx context.Context) {
		began := k.now()
		set, fresh, err := k.fetch(ctx)
		k.mu.Lock()
		defer k.mu.Unlock()
		k.note(ctx, err)
		if err == nil {
			k.set, k.had, k.stale = set, began, began.Add(fresh)
		} else {
			k.pause = k.now().Add(keysPause)
		}
		k.asking = nil
		close(over)
	}) {
		return false
	}
	k.asking = over
	return true
}

// note remembers how an asking went, and logs where that is news.
func (k *keys) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil: // closed
	case err != nil && k.failed == nil:
		k.issuer.log.Warn("the issuer's keys cannot be had", "issuer", k.issuer.url, "error", err)
	case err == nil && k.failed != nil:
		k.issuer.log.Info("the issuer's keys can be had again", "issuer", k.issuer.url)
	}
	k.failed = err
}

// fetch asks for the keys, and returns them and how long they are fresh.
func (k *keys) fetch(ctx context.Context) (set map[string]publicKey, fresh time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, keysTime)
	defer cancel()
	body, header, err := k.issuer.get(ctx, keysPath, nil, keysBytes)
	if err != nil {
		return nil, 0, err
	}
	set, err = parseKeys(body)
	return set, freshness(header), err
}

// parseKeys reads a key set (RFC 7517 §5). Keys that no token of a Latchkey is signed with are left out, and of two of one
// name the second.
func parseKeys(body []byte) (map[string]publicKey, error) {
	var list struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}
	set := map[string]publicKey{}
	for _, raw := range list.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) != nil || key.KeyID == "" || key.Use != "" && key.Use != "sig" || !fits(key.Algorithm, key.Key) {
			continue
		}
		if _, twice := set[key.KeyID]; !twice {
			set[key.KeyID] = publicKey{key.Algorithm, key.Key}
		}
	}
	if len(set) == 0 {
		return nil, errors.New("there is no key to check a signature with in the key set")
	}
	return set, nil
}

const rsaBits = 2048 // RFC 7518 §3.3: 2048 or larger

// fits says whether a public key is one for the algorithm.
func fits(alg string, key any) bool {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return alg == string(jose.ES256) && key.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return alg == string(jose.EdDSA)
	case *rsa.PublicKey:
		return alg == string(jose.RS256) && key.N.BitLen() >= rsaBits
	default:
		return false
	}
}

// signed says whether the owner of a key has signed the input with the key's algorithm (RFC 7518 §3.3, §3.4, RFC 8037 §3.1).
func (k publicKey) signed(input string, signature []byte) bool {
	switch public := k.public.(type) {
	case *ecdsa.PublicKey:
		const size = 32 // of each of two numbers
		if len(signature) != 2*size {
			return false
		}
		digest := sha256.Sum256([]byte(input))
		r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
		return ecdsa.Verify(public, digest[:], r, s)
	case ed25519.PublicKey:
		return ed25519.Verify(public, []byte(input), signature)
	case *rsa.PublicKey:
		digest := sha256.Sum256([]byte(input))
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
	default:
		return false
	}
}

// freshness is the max-age of an answer (RFC 9111 §5.2.2.1), within bounds.
func freshness(header http.Header) time.Duration {
	for directive := range strings.SplitSeq(header.Get("Cache-Control"), ",") {
		text, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(directive)), "max-age=")
		if seconds, err := strconv.Atoi(text); ok && err == nil && seconds >= 0 {
			return min(max(time.Duration(min(seconds, int(keysLast/time.Second)))*time.Second, leastFresh), keysLast)
		}
	}
	return freshUnsaid
}
