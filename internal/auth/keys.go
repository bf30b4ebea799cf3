package auth

// Signing keys: made, sealed under the master key, published before they are used, and kept until the
// last token they signed has expired. `key rotate` loses nobody (I20).

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

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

	labelSigningKey = "signing key v1"
)

// unscheduled is the start of use of a key that waits for `key rotate`.
var unscheduled = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

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

// signingKeys reads all signing keys, sealed and opened.
func (s *Service) signingKeys(tx *store.Tx) (rows []store.SigningKey, keys []token.SigningKey, err error) {
	if rows, err = tx.SigningKeys(); err != nil {
		return nil, nil, err
	}
	keys, err = s.unsealKeys(rows)
	return rows, keys, err
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

// Keys lists the signing keys and counts what needs each master key.
func (s *Service) Keys(ctx context.Context) (KeyReport, error) {
	var report KeyReport
	now := s.now()
	err := s.read(ctx, func(tx *store.Tx) error {
		report = KeyReport{}
		rows, err := tx.SigningKeys()
		if err != nil {
			return err
		}
		active, _ := s.keys.ring().Active(now)
		for _, row := range rows {
			report.Signing = append(report.Signing, describeKey(row, active.ID, now))
		}
		ids, err := tx.MasterKeyIDs()
		if err != nil {
			return err
		}
		for _, id := range ids {
			use, err := tx.KeyUse(id, now)
			if err != nil {
				return err
			}
			report.Master = append(report.Master, MasterKey{
				ID: id, Given: s.o.Master.Has(id), Sessions: use.Sessions, Mails: use.Mails, SigningKeys: use.SigningKeys,
			})
		}
		return nil
	})
	return report, err
}

func describeKey(row store.SigningKey, active string, now time.Time) SigningKey {
	k := SigningKey{ID: row.ID, Alg: row.Alg, State: "retiring", CreatedAt: row.CreatedAt, UseFrom: row.UseFrom, RetireAt: row.RetireAt}
	switch {
	case row.ID == active:
		k.State = "active"
	case row.UseFrom.After(now) && (row.RetireAt.IsZero() || row.RetireAt.After(now)):
		k.State = "next"
	}
	if row.UseFrom.Equal(unscheduled) {
		k.UseFrom = time.Time{}
	}
	return k
}
