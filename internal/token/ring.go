package token

// The ring of signing keys: which of them signs now, and which are published for those who verify.

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// KeyRing is an unchanging set of signing keys; a newer set is a new ring. Keys of it that have retired are there for
// ParseHint alone: nothing else believes, shows or uses one.
type KeyRing struct {
	redacted
	keys []*ringKey // the last to be put to use first
}

// ringKey is a key with what its tokens have in common, made once for all of them.
type ringKey struct {
	SigningKey
	public  jose.JSONWebKey
	signs   string                 // the type of its access tokens
	signers map[string]jose.Signer // by type
	heads   map[string]string      // the first part of every token of this key, by type
}

// NewKeyRing returns the ring of those keys, whose access tokens are of the given type (AccessType or PlainType); it reads
// both. It leaves out a key that does not fit its algorithm, or has no private half: NewSigningKey and ParseSigningKey
// return none.
func NewKeyRing(kind string, keys []SigningKey) *KeyRing {
	r := &KeyRing{keys: make([]*ringKey, 0, len(keys))}
	for _, key := range keys {
		if k, ok := newRingKey(kind, key); ok {
			r.keys = append(r.keys, k)
		}
	}
	// The same order on every node, even for keys of one moment.
	slices.SortFunc(r.keys, func(a, b *ringKey) int {
		return cmp.Or(b.UseFrom.Compare(a.UseFrom), b.CreatedAt.Compare(a.CreatedAt), strings.Compare(b.ID, a.ID))
	})
	return r
}

func newRingKey(kind string, key SigningKey) (*ringKey, bool) {
	if !fits(key.Alg, key.Private) {
		return nil, false
	}
	k := &ringKey{
		SigningKey: key,
		public:     jose.JSONWebKey{Key: key.Private.Public(), KeyID: key.ID, Algorithm: key.Alg, Use: "sig"},
		signs:      kind,
		signers:    map[string]jose.Signer{},
		heads:      map[string]string{},
	}
	for _, kind := range []string{AccessType, PlainType, RevocationsType, LogoutType} {
		signer, err := jose.NewSigner(
			jose.SigningKey{
				Algorithm: jose.SignatureAlgorithm(key.Alg),
				Key:       jose.JSONWebKey{Key: key.Private, KeyID: key.ID},
			},
			(&jose.SignerOptions{}).WithType(jose.ContentType(kind)),
		)
		if err != nil {
			return nil, false
		}
		k.signers[kind], k.heads[kind] = signer, headOf(key, kind)
	}
	return k, true
}

func headOf(key SigningKey, kind string) string {
	return encoding.EncodeToString(fmt.Appendf(nil, `{"alg":%q,"kid":%q,"typ":%q}`, key.Alg, key.ID, kind))
}

// JWKS returns the JWK set (RFC 7517 §5) of the public halves of all keys not retired at now, those not yet in use too:
// verifiers must know a key before it signs. The key that signs comes first, since there are verifiers that take the
// first one.
func (r *KeyRing) JWKS(now time.Time) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	active := r.active(now)
	if active != nil {
		set.Keys = append(set.Keys, active.public)
	}
	for _, key := range r.keys {
		if key != active && !key.retired(now) {
			set.Keys = append(set.Keys, key.public)
		}
	}
	text, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("encode jwks: %w", err)
	}
	return text, nil
}

// Algorithms lists the algorithms of the keys that JWKS shows, each once.
func (r *KeyRing) Algorithms(now time.Time) []string {
	var algs []string
	for _, key := range r.keys {
		if !key.retired(now) && !slices.Contains(algs, key.Alg) {
			algs = append(algs, key.Alg)
		}
	}
	return algs
}

// Active returns the key that signs at now: of those in use and not retired, the one put to use last. Where none is due, as
// after a clock that was ahead is put right, it is the earliest that has a time at all. There may be none.
func (r *KeyRing) Active(now time.Time) (SigningKey, bool) {
	key := r.active(now)
	if key == nil {
		return SigningKey{}, false
	}
	return key.SigningKey, true
}

func (r *KeyRing) active(now time.Time) *ringKey {
	var earliest *ringKey
	for _, key := range r.keys {
		switch {
		case key.retired(now), key.UseFrom.Equal(Unscheduled):
		case !key.UseFrom.After(now):
			return key
		default:
			earliest = key
		}
	}
	return earliest
}
