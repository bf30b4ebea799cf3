package keyring

// One key signs, and one that is published waits. A change of keys is made by one process at a time.

import (
	"context"
	"fmt"
	"slices"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// JWKSMaxAge is how long a verifier may keep the key set.
const JWKSMaxAge = 5 * time.Minute

const (
	// publishedFor is how long a key is published before it signs.
	publishedFor = JWKSMaxAge + 5*time.Minute
	// retireAfter is how long a key verifies beyond the life of the last access token it signed.
	retireAfter = 5 * time.Minute
)

// haste says how a key goes: gently, when every verifier knows its successor and what it signed has expired;
// or at once, since somebody else may have it.
type haste bool

const (
	gently haste = false
	atOnce haste = true
)

// Settle makes the database's keys what the configuration says: sealed under the current master key, and of the
// configured algorithm, whose key takes over by itself once it has been published long enough. Only a server calls
// it: a command with a stray setting must neither rotate keys nor seal them under a master key that the running
// servers do not have.
func (k *Keys) Settle(ctx context.Context) error {
	now := k.o.Now()
	var previousAlg string
	err := k.change(ctx, func(tx *store.Tx, keys []token.SigningKey) error {
		if previousAlg = latestScheduled(keys).Alg; previousAlg == k.o.SigningAlg {
			return nil
		}
		return k.scheduleSuccessor(tx, keys, now, gently)
	})
	if err == nil && previousAlg != k.o.SigningAlg {
		k.o.Log.Info("the signing algorithm was changed; its key takes over when it has been published long enough",
			"from", previousAlg, "to", k.o.SigningAlg, "at", now.Add(publishedFor))
	}
	return err
}

// Rotate makes the next signing key the active one, as soon as it has been published for long enough that every
// verifier knows it, and publishes a new next. It returns the new list.
func (k *Keys) Rotate(ctx context.Context) (Report, error) { return k.rotate(ctx, gently) }

// Replace makes the next signing key the active one at once, and no token that another has signed is believed any
// more, not as a hint either. It is for a key that was stolen: who is signed in stays so, and gets a new access token by a
// refresh.
func (k *Keys) Replace(ctx context.Context) (Report, error) { return k.rotate(ctx, atOnce) }

func (k *Keys) rotate(ctx context.Context, how haste) (Report, error) {
	now := k.o.Now()
	err := k.change(ctx, func(tx *store.Tx, keys []token.SigningKey) error {
		if err := k.scheduleSuccessor(tx, keys, now, how); err != nil {
			return err
		}
		audit.Write(tx, now, audit.Event{Kind: audit.KeyRotated}, audit.Operator)
		return nil
	})
	if err != nil {
		return Report{}, err
	}
	return k.Report(ctx)
}

// change seals all keys anew and runs fn on them with every other process kept out, then reads them again.
func (k *Keys) change(ctx context.Context, fn func(*store.Tx, []token.SigningKey) error) error {
	err := k.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.LockKeys(); err != nil {
			return err
		}
		rows, keys, err := k.signingKeys(tx)
		if err != nil {
			return err
		}
		if err := k.reseal(tx, rows, keys); err != nil {
			return err
		}
		if err := k.resealCounterKey(tx); err != nil {
			return err
		}
		return fn(tx, keys)
	})
	if err != nil {
		return err
	}
	return k.Reload(ctx)
}

// scheduleSuccessor schedules the next key of the configured algorithm, a new one where none waits, after the latest
// key in use, which then retires; drops keys nobody waits for; and publishes a new next. At once, the next key signs
// now, and every other is dropped, those that have retired and are kept for hints too: any of them may be the stolen one.
func (k *Keys) scheduleSuccessor(tx *store.Tx, keys []token.SigningKey, now time.Time, how haste) error {
	next, err := k.nextKey(keys, now)
	if err != nil {
		return err
	}
	next.UseFrom = next.CreatedAt.Add(publishedFor)
	if how == atOnce || next.UseFrom.Before(now) {
		next.UseFrom = now
	}
	if err := k.put(tx, next); err != nil {
		return err
	}
	for _, key := range keys {
		switch {
		case key.ID == next.ID:
		case how == atOnce, isNext(key): // the latter was never used
			err = tx.DropSigningKey(key.ID)
		case key.RetireAt.IsZero():
			key.RetireAt = next.UseFrom.Add(k.o.AccessTTL + retireAfter)
			err = k.put(tx, key)
		}
		if err != nil {
			return err
		}
	}
	return k.add(tx, now, token.Unscheduled)
}

// nextKey is the key of the configured algorithm that waits, or a new one.
func (k *Keys) nextKey(keys []token.SigningKey, now time.Time) (token.SigningKey, error) {
	for _, key := range keys {
		if isNext(key) && key.Alg == k.o.SigningAlg {
			return key, nil
		}
	}
	return k.newKey(now)
}

// isNext: the key is published and waits for `key rotate`.
func isNext(key token.SigningKey) bool { return key.UseFrom.Equal(token.Unscheduled) }

// latestScheduled is the key that signs, or will once it is due.
func latestScheduled(keys []token.SigningKey) token.SigningKey {
	var latest token.SigningKey
	for _, key := range keys {
		if !isNext(key) && key.RetireAt.IsZero() && !key.UseFrom.Before(latest.UseFrom) {
			latest = key
		}
	}
	return latest
}

// addMissing sees to it that one key signs and one is next.
func (k *Keys) addMissing(tx *store.Tx, keys []token.SigningKey, now time.Time) error {
	if len(keys) == 0 {
		if err := k.add(tx, now, now); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(keys, isNext) {
		return nil
	}
	return k.add(tx, now, token.Unscheduled)
}

func (k *Keys) add(tx *store.Tx, now, useFrom time.Time) error {
	key, err := k.newKey(now)
	if err != nil {
		return err
	}
	key.UseFrom = useFrom
	return k.put(tx, key)
}

func (k *Keys) newKey(now time.Time) (token.SigningKey, error) {
	key, err := token.NewSigningKey(k.o.SigningAlg)
	if err != nil {
		return token.SigningKey{}, fmt.Errorf("make signing key: %w", err)
	}
	key.CreatedAt = now
	return key, nil
}

// SweepRetired drops the keys that retired longer than forHints ago, so that hints under them are taken no more, and says
// how many it dropped.
func SweepRetired(tx *store.Tx, now time.Time, forHints time.Duration) (int64, error) {
	return tx.DropSigningKeys(now.Add(-forHints))
}

// SettleClock sets right the keys of a clock that was ahead: no key is due later than one that is scheduled now, nor
// by more than slack. It says how many were.
func SettleClock(tx *store.Tx, now time.Time, slack time.Duration) (int64, error) {
	next := now.Add(publishedFor)
	return tx.SettleSigningKeys(now.Add(slack), now, next.Add(slack), next, token.Unscheduled)
}
