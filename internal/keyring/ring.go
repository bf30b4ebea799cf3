package keyring

// What this process knows of the keys: read again each 30 s, and when a token names one that is not known.

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"latchkey/internal/store"
	"latchkey/internal/token"
)

// ring is the signing keys as they were read, with the access tokens that were found right by them.
type ring struct {
	*token.KeyRing
	verified verified
}

// Reload reads the keys again; every process does so each 30 s. The ring is replaced only when a key has changed, since
// its tokens go with it.
func (k *Keys) Reload(ctx context.Context) error {
	var rows []store.SigningKey
	var keys []token.SigningKey
	var masterKeyIDs []string
	err := k.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		if masterKeyIDs, err = tx.MasterKeyIDs(); err != nil {
			return err
		}
		rows, keys, err = k.signingKeys(tx)
		return err
	})
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.masterKeyIDs.Store(&masterKeyIDs)
	if k.current.Load() == nil || !reflect.DeepEqual(rows, k.rows) {
		k.rows = rows
		k.current.Store(&ring{KeyRing: token.NewKeyRing(cmp.Or(k.o.AccessTyp, token.AccessType), keys)})
	}
	return nil
}

// reloadSoon is Reload at most once a second, for tokens whose key is not known here. Whoever asks during a reload waits
// for that one: where the database hangs, nobody queues behind others' waits. A failure holds as long as a success
// does: while nobody can ask, no such token is called invalid (I11).
func (k *Keys) reloadSoon(ctx context.Context) error {
	_, err, _ := k.asked.Do("", func() (any, error) {
		if time.Since(k.reloaded) >= time.Second {
			k.outcome = k.Reload(ctx)
			k.reloaded = time.Now()
		}
		return nil, k.outcome
	})
	return err
}

// MissingMasterKey says whether a master key that this process does not have was ever used on this database: then what is
// under it is good, and only this process cannot read it.
func (k *Keys) MissingMasterKey(ctx context.Context, id string) (bool, error) {
	if err := k.reloadSoon(ctx); err != nil {
		return false, err
	}
	return slices.Contains(*k.masterKeyIDs.Load(), id), nil
}

// Usable says whether there is a key that signs.
func (k *Keys) Usable() bool {
	_, ok := k.ActiveAge()
	return ok
}

// ActiveAge is for how long the key that signs has signed; false where there is none.
func (k *Keys) ActiveAge() (time.Duration, bool) {
	now := k.o.Now()
	key, ok := k.current.Load().Active(now)
	return max(0, now.Sub(key.UseFrom)), ok
}

// JWKS is the public key set (RFC 7517), ready to send. A verifier would keep an empty set and refuse everybody: it is
// store.ErrUnavailable.
func (k *Keys) JWKS() ([]byte, error) {
	r, now := k.current.Load(), k.o.Now()
	if _, ok := r.Active(now); !ok {
		return nil, fmt.Errorf("%w: no signing key", store.ErrUnavailable)
	}
	return r.JWKS(now)
}

// Algorithms lists what access tokens may be signed with: the configured algorithm first, then those of other keys
// that verifiers still have to know.
func (k *Keys) Algorithms() []string {
	algs := []string{k.o.SigningAlg}
	for _, alg := range k.current.Load().Algorithms(k.o.Now()) {
		if alg != k.o.SigningAlg {
			algs = append(algs, alg)
		}
	}
	return algs
}
