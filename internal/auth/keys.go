package auth

// The life of a signing key: made, published before it is used, and kept until the last token it signed has
// expired. `key rotate` loses nobody (I20).

import (
	"context"
	"fmt"
	"slices"
	"time"

	"latchkey/internal/store"
	"latchkey/internal/token"
)

// JWKSMaxAge is how long a verifier may keep the key set.
const JWKSMaxAge = 5 * time.Minute

const (
	// publishedFor is how long a key is published before it signs.
	publishedFor = JWKSMaxAge + 5*time.Minute
	// retireAfter is how long a key verifies beyond the life of the last token it signed.
	retireAfter = 5 * time.Minute
)

// unscheduled is the start of use of a key that waits for `key rotate`.
var unscheduled = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// openKeys checks that the master keys open what is in the database, and makes the keys that are
// missing. A database whose keys cannot be opened stops the start: no second key is ever made beside old
// data. Rows that are there stay as they are: each change makes every running server forget what it has
// verified.
func (s *Service) openKeys(ctx context.Context) error {
	now := s.now()
	err := s.write(ctx, func(tx *store.Tx) error {
		if err := tx.LockKeys(); err != nil {
			return err
		}
		if err := s.checkMasterKeys(tx); err != nil {
			return err
		}
		for _, id := range s.o.Master.IDs() {
			if err := tx.NoteMasterKey(id, now); err != nil {
				return err
			}
		}
		_, keys, err := s.signingKeys(tx)
		if err != nil {
			return err
		}
		return s.addMissingKeys(tx, keys, now)
	})
	if err != nil {
		return fmt.Errorf("open keys: %w", err)
	}
	return s.ReloadKeys(ctx)
}

// addMissingKeys sees to it that one key signs and one is next.
func (s *Service) addMissingKeys(tx *store.Tx, keys []token.SigningKey, now time.Time) error {
	if len(keys) == 0 {
		if err := s.addKey(tx, now, now); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(keys, isNext) {
		return nil
	}
	return s.addKey(tx, now, unscheduled)
}

// isNext: the key is published and waits for `key rotate`.
func isNext(k token.SigningKey) bool { return k.UseFrom.Equal(unscheduled) }

// SettleKeys makes the database's keys what the configuration says: sealed under the current master
// key, and of the configured algorithm, whose key takes over by itself once it has been published long
// enough. Only a server calls it: a command with a stray setting must neither rotate keys nor seal them
// under a master key that the running servers lack.
func (s *Service) SettleKeys(ctx context.Context) error {
	now := s.now()
	return s.changeKeys(ctx, func(tx *store.Tx, keys []token.SigningKey) error {
		latest := latestScheduled(keys)
		if latest.Alg == s.o.SigningAlg {
			return nil
		}
		s.o.Log.Info("the signing algorithm was changed; its key takes over when it has been published long enough",
			"from", latest.Alg, "to", s.o.SigningAlg, "at", now.Add(publishedFor))
		return s.succeed(tx, keys, now)
	})
}

// changeKeys reseals all signing keys and runs fn on them with every other process kept out, then reads
// them again.
func (s *Service) changeKeys(ctx context.Context, fn func(*store.Tx, []token.SigningKey) error) error {
	err := s.write(ctx, func(tx *store.Tx) error {
		if err := tx.LockKeys(); err != nil {
			return err
		}
		rows, keys, err := s.signingKeys(tx)
		if err != nil {
			return err
		}
		if err := s.resealKeys(tx, rows, keys); err != nil {
			return err
		}
		return fn(tx, keys)
	})
	if err != nil {
		return err
	}
	return s.ReloadKeys(ctx)
}

// succeed schedules the next key of the configured algorithm, a new one where none waits, after the
// latest key in use, which then retires; drops keys nobody waits for; and publishes a new next.
func (s *Service) succeed(tx *store.Tx, keys []token.SigningKey, now time.Time) error {
	next, err := s.nextKey(keys, now)
	if err != nil {
		return err
	}
	next.UseFrom = latestOf(now, next.CreatedAt.Add(publishedFor))
	if err := s.putKey(tx, next); err != nil {
		return err
	}
	for _, k := range keys {
		switch {
		case k.ID == next.ID, !k.RetireAt.IsZero():
			continue
		case isNext(k):
			k.UseFrom, k.RetireAt = next.UseFrom, now // never used: gone at the next sweep
		default:
			k.RetireAt = next.UseFrom.Add(s.o.AccessTTL + retireAfter)
		}
		if err := s.putKey(tx, k); err != nil {
			return err
		}
	}
	return s.addKey(tx, now, unscheduled)
}

func (s *Service) nextKey(keys []token.SigningKey, now time.Time) (token.SigningKey, error) {
	for _, k := range keys {
		if isNext(k) && k.Alg == s.o.SigningAlg {
			return k, nil
		}
	}
	return s.newKey(now)
}

// latestScheduled is the key that signs, or will once it is due.
func latestScheduled(keys []token.SigningKey) token.SigningKey {
	var latest token.SigningKey
	for _, k := range keys {
		if !isNext(k) && k.RetireAt.IsZero() && !k.UseFrom.Before(latest.UseFrom) {
			latest = k
		}
	}
	return latest
}

func (s *Service) newKey(now time.Time) (token.SigningKey, error) {
	k, err := token.NewSigningKey(s.o.SigningAlg)
	if err != nil {
		return token.SigningKey{}, fmt.Errorf("make signing key: %w", err)
	}
	k.CreatedAt = now
	return k, nil
}

func (s *Service) addKey(tx *store.Tx, now, useFrom time.Time) error {
	k, err := s.newKey(now)
	if err != nil {
		return err
	}
	k.UseFrom = useFrom
	return s.putKey(tx, k)
}

// RotateKeys makes the next signing key the active one, as soon as it has been published for long
// enough that every verifier knows it, and publishes a new next. It returns the new list.
func (s *Service) RotateKeys(ctx context.Context) (KeyReport, error) {
	now := s.now()
	err := s.changeKeys(ctx, func(tx *store.Tx, keys []token.SigningKey) error {
		if err := s.succeed(tx, keys, now); err != nil {
			return err
		}
		return s.audit(tx, now, event{Kind: eventKeyRotated}, operator)
	})
	if err != nil {
		return KeyReport{}, err
	}
	return s.Keys(ctx)
}
