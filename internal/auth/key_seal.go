package auth

// Signing keys as the database has them: sealed under a master key, one of those that it was made with or given since.

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"latchkey/internal/store"
	"latchkey/internal/token"
)

const labelSigningKey = "signing key v1"

func (s *Service) checkMasterKeys(tx *store.Tx) error {
	known, err := tx.MasterKeyIDs()
	if err != nil {
		return err
	}
	if len(known) > 0 && !slices.ContainsFunc(known, s.o.Master.Has) {
		return fmt.Errorf("the master key given is not the one this database was made with (it knows %s): give the right key in LATCHKEY_MASTER_KEY or LATCHKEY_MASTER_KEY_FILE, or restore the key file that belongs to this database", strings.Join(known, ", "))
	}
	return nil
}

func (s *Service) unsealKeys(rows []store.SigningKey) ([]token.SigningKey, error) {
	keys := make([]token.SigningKey, len(rows))
	for i, row := range rows {
		der, err := s.o.Master.Open(row.KeyID, labelSigningKey, row.Sealed, []byte(row.ID))
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

// resealKeys puts under the current master key what another one sealed, so that the other can be
// dropped.
func (s *Service) resealKeys(tx *store.Tx, rows []store.SigningKey, keys []token.SigningKey) error {
	for i, row := range rows {
		if row.KeyID == s.o.Master.Current() {
			continue
		}
		if err := s.putKey(tx, keys[i]); err != nil {
			return err
		}
	}
	return nil
}

// signingKeys reads all signing keys, sealed and opened.
func (s *Service) signingKeys(tx *store.Tx) (rows []store.SigningKey, keys []token.SigningKey, err error) {
	if rows, err = tx.SigningKeys(); err != nil {
		return nil, nil, err
	}
	keys, err = s.unsealKeys(rows)
	return rows, keys, err
}

func (s *Service) putKey(tx *store.Tx, k token.SigningKey) error {
	der, err := k.MarshalPrivate()
	if err != nil {
		return fmt.Errorf("write signing key: %w", err)
	}
	kid, sealed, err := s.o.Master.Seal(labelSigningKey, der, []byte(k.ID))
	if err != nil {
		return fmt.Errorf("seal signing key: %w", err)
	}
	return tx.PutSigningKey(store.SigningKey{
		ID: k.ID, Alg: k.Alg, KeyID: kid, Sealed: sealed,
		CreatedAt: k.CreatedAt, UseFrom: k.UseFrom, RetireAt: k.RetireAt,
	})
}
