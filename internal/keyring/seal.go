package keyring

// Keys as the database has them: sealed under a master key, one of those that it was made with or given since.

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"latchkey/internal/store"
	"latchkey/internal/token"
)

const (
	labelSigningKey = "signing key v1"
	labelCounterKey = "throttle key v1"
)

// counterKeyName is the row of the counter key.
const counterKeyName = "throttle"

func (k *Keys) checkMasterKeys(tx *store.Tx) error {
	known, err := tx.MasterKeyIDs()
	if err != nil {
		return err
	}
	if len(known) > 0 && !slices.ContainsFunc(known, k.o.Master.Has) {
		return fmt.Errorf("the master key given is not the one this database was made with (it knows %s): give the right key in LATCHKEY_MASTER_KEY or LATCHKEY_MASTER_KEY_FILE, or restore the key file that belongs to this database", strings.Join(known, ", "))
	}
	return nil
}

func (k *Keys) unseal(rows []store.SigningKey) ([]token.SigningKey, error) {
	keys := make([]token.SigningKey, len(rows))
	for i, row := range rows {
		der, err := k.o.Master.Open(row.KeyID, labelSigningKey, row.Sealed, []byte(row.ID))
		if errors.Is(err, token.ErrUnknownMasterKey) {
			return nil, fmt.Errorf("signing key %s is sealed under master key %s, which is not given: give it beside the new one (new,old)", row.ID, row.KeyID)
		}
		if err != nil {
			return nil, fmt.Errorf("open signing key %s: %w", row.ID, err)
		}
		keys[i], err = token.ParseSigningKey(row.Alg, der)
		if err != nil {
			return nil, fmt.Errorf("read signing key %s: %w", row.ID, err)
		}
		keys[i].CreatedAt, keys[i].UseFrom, keys[i].RetireAt = row.CreatedAt, row.UseFrom, row.RetireAt
	}
	return keys, nil
}

// reseal puts under the current master key what another one sealed, so that the other can be dropped.
func (k *Keys) reseal(tx *store.Tx, rows []store.SigningKey, keys []token.SigningKey) error {
	for i, row := range rows {
		if row.KeyID == k.o.Master.Current() {
			continue
		}
		if err := k.put(tx, keys[i]); err != nil {
			return err
		}
	}
	return nil
}

// signingKeys reads all signing keys, sealed and opened.
func (k *Keys) signingKeys(tx *store.Tx) (rows []store.SigningKey, keys []token.SigningKey, err error) {
	if rows, err = tx.SigningKeys(); err != nil {
		return nil, nil, err
	}
	keys, err = k.unseal(rows)
	return rows, keys, err
}

// counterKey reads the key that names the throttle's counters: store.ErrNotFound where there is none yet.
func (k *Keys) counterKey(tx *store.Tx) (row store.SealedKey, key token.IndexKey, err error) {
	if row, err = tx.SealedKey(counterKeyName); err != nil {
		return row, key, err
	}
	raw, err := k.o.Master.Open(row.KeyID, labelCounterKey, row.Sealed, []byte(row.Name))
	if errors.Is(err, token.ErrUnknownMasterKey) {
		return row, key, fmt.Errorf("the throttle's key is sealed under master key %s, which is not given: give it beside the new one (new,old)", row.KeyID)
	}
	if err == nil {
		key, err = token.ParseIndexKey(raw)
	}
	if err != nil {
		err = fmt.Errorf("open the throttle's key: %w", err)
	}
	return row, key, err
}

func (k *Keys) putCounterKey(tx *store.Tx, key token.IndexKey) error {
	kid, sealed, err := k.o.Master.Seal(labelCounterKey, key.Secret(), []byte(counterKeyName))
	if err != nil {
		return fmt.Errorf("seal the throttle's key: %w", err)
	}
	return tx.PutSealedKey(store.SealedKey{Name: counterKeyName, KeyID: kid, Sealed: sealed})
}

// openCounterKey reads the counter key, and makes it where there is none.
func (k *Keys) openCounterKey(tx *store.Tx) (token.IndexKey, error) {
	_, key, err := k.counterKey(tx)
	if errors.Is(err, store.ErrNotFound) {
		key = token.NewIndexKey()
		err = k.putCounterKey(tx, key)
	}
	return key, err
}

// resealCounterKey puts the counter key under the current master key. It stays the same: no counter begins anew.
func (k *Keys) resealCounterKey(tx *store.Tx) error {
	row, key, err := k.counterKey(tx)
	if err != nil || row.KeyID == k.o.Master.Current() {
		return err
	}
	return k.putCounterKey(tx, key)
}

func (k *Keys) put(tx *store.Tx, key token.SigningKey) error {
	der, err := key.MarshalPrivate()
	if err != nil {
		return fmt.Errorf("write signing key: %w", err)
	}
	kid, sealed, err := k.o.Master.Seal(labelSigningKey, der, []byte(key.ID))
	if err != nil {
		return fmt.Errorf("seal signing key: %w", err)
	}
	return tx.PutSigningKey(store.SigningKey{
		ID: key.ID, Alg: key.Alg, KeyID: kid, Sealed: sealed,
		CreatedAt: key.CreatedAt, UseFrom: key.UseFrom, RetireAt: key.RetireAt,
	})
}
