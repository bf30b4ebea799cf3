// Package keyring owns the life of signing keys: made, published before they sign, published until the last access token
// that they signed has expired, kept unpublished for hints after that, and sealed under a master key wherever they are
// stored. Access tokens and ID tokens are signed and read with them here, and revocations are signed. Beside them lies,
// sealed alike, the key that names the throttle's counters.
//
// It promises that a rotation refuses no token that was good (I20 of internal/auth), that no key is made beside keys
// which cannot be opened, and that a token which was found right before is held against the keys and the time of each
// use. It never asks whether a token's session is alive: that is for internal/auth.
package keyring

// The start: what is in the database is opened, and what is missing is made.

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"latchkey/internal/store"
	"latchkey/internal/token"
)

// Options are what Keys work with. Every field without a default named here must be set.
type Options struct {
	Store      *store.Store
	Master     *token.MasterKeys
	Issuer     string        // of access tokens and ID tokens
	Audience   string        // of access tokens for no other resource
	SigningAlg string        // ES256, EdDSA or RS256
	AccessTyp  string        // typ of access tokens; empty: at+jwt
	AccessTTL  time.Duration // how long the last token of a key may live
	Now        func() time.Time
	Log        *slog.Logger
}

// Keys are the keys of a database, as this process knows them. Any number of goroutines may use them.
type Keys struct {
	o        Options
	counters token.IndexKey

	current      atomic.Pointer[ring]
	masterKeyIDs atomic.Pointer[[]string] // of the master keys that servers of this database have ever been given

	mu   sync.Mutex // guards rows
	rows []store.SigningKey

	asked    singleflight.Group // one reload for all who wait; what follows is its alone
	reloaded time.Time          // when the last one ended,
	outcome  error              // and how
}

// Open checks that the master keys open what is in the database, and makes the keys that are missing. A database
// whose keys cannot be opened stops the start. Rows that are there stay as they are: each change makes every running
// server forget what it has verified.
func Open(ctx context.Context, o Options) (*Keys, error) {
	k, now := &Keys{o: o}, o.Now()
	var counters token.IndexKey
	err := o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.LockKeys(); err != nil {
			return err
		}
		if err := k.checkMasterKeys(tx); err != nil {
			return err
		}
		for _, id := range o.Master.IDs() {
			if err := tx.NoteMasterKey(id, now); err != nil {
				return err
			}
		}
		_, keys, err := k.signingKeys(tx)
		if err != nil {
			return err
		}
		if counters, err = k.openCounterKey(tx); err != nil {
			return err
		}
		return k.addMissing(tx, keys, now)
	})
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	k.counters = counters
	if err := k.Reload(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// CounterKey is the key that names the throttle's counters. It stays the same as long as the database does.
func (k *Keys) CounterKey() token.IndexKey { return k.counters }
