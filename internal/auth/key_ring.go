package auth

// What this process knows of the keys: read again each 30 s, and when a token names one that is not known.

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"latchkey/internal/store"
	"latchkey/internal/token"
)

// keyCache is what this process knows of the keys.
type keyCache struct {
	current atomic.Pointer[token.KeyRing]
	masters atomic.Pointer[[]string] // every master key ever given

	mu   sync.Mutex // guards rows
	rows []store.SigningKey

	asked    singleflight.Group // one reload for all who wait; what follows is its alone
	reloaded time.Time          // when the last one ended,
	outcome  error              // and how
}

func (c *keyCache) ring() *token.KeyRing { return c.current.Load() }

func (c *keyCache) usable(now time.Time) bool {
	_, ok := c.ring().Active(now)
	return ok
}

// ReloadKeys reads the keys again; every process does so each 30 s. The ring is replaced only when it
// has changed, since what was verified with it is remembered.
func (s *Service) ReloadKeys(ctx context.Context) error {
	var rows []store.SigningKey
	var keys []token.SigningKey
	var masters []string
	err := s.read(ctx, func(tx *store.Tx) (err error) {
		if masters, err = tx.MasterKeyIDs(); err != nil {
			return err
		}
		if rows, err = tx.SigningKeys(); err != nil {
			return err
		}
		keys, err = s.unsealKeys(rows)
		return err
	})
	if err != nil {
		return err
	}
	s.keys.replace(rows, keys, masters)
	return nil
}

func (c *keyCache) replace(rows []store.SigningKey, keys []token.SigningKey, masters []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.masters.Store(&masters)
	if c.ring() == nil || !reflect.DeepEqual(rows, c.rows) {
		c.rows = rows
		c.current.Store(token.NewKeyRing(keys))
	}
}

// reloadKeysSoon is ReloadKeys at most once a second, for tokens whose key is not known here. Who asks
// during a reload waits for that one: where the database hangs, nobody queues behind others' waits. A
// failure holds as long as a success does: while nobody can ask, no such token is called invalid (I11).
func (s *Service) reloadKeysSoon(ctx context.Context) error {
	_, err, _ := s.keys.asked.Do("", func() (any, error) {
		if time.Since(s.keys.reloaded) >= time.Second {
			s.keys.outcome = s.ReloadKeys(ctx)
			s.keys.reloaded = time.Now()
		}
		return nil, s.keys.outcome
	})
	return err
}

// knownMasterKey says whether a master key this process lacks was ever given to this database.
func (s *Service) knownMasterKey(ctx context.Context, id string) (bool, error) {
	if err := s.reloadKeysSoon(ctx); err != nil {
		return false, err
	}
	return slices.Contains(*s.keys.masters.Load(), id), nil
}

// lackedKey is CodeUnavailable where cause is that this process lacks a master key which the database knows
// of, or that nobody can tell; nil where what was read is simply not ours.
func (s *Service) lackedKey(ctx context.Context, id string, cause error) error {
	if !errors.Is(cause, token.ErrUnknownMasterKey) {
		return nil
	}
	known, err := s.knownMasterKey(ctx, id)
	if err == nil && known {
		err = unavailable(cause)
	}
	return err
}

// JWKS is the public key set (RFC 7517), ready to send.
func (s *Service) JWKS(context.Context) ([]byte, error) {
	if now := s.now(); s.keys.usable(now) {
		return s.keys.ring().JWKS(now)
	}
	return nil, unavailable(errors.New("no signing key")) // a verifier would keep the empty set and refuse everybody
}

// SigningAlgs lists what access tokens may be signed with: the configured algorithm first, then those
// of other keys that verifiers still have to know.
func (s *Service) SigningAlgs() []string {
	algs := []string{s.o.SigningAlg}
	for _, alg := range s.keys.ring().Algorithms(s.now()) {
		algs = appendNew(algs, alg)
	}
	return algs
}
