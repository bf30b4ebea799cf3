package store_test

// Keys, and what still needs them.

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/store"
)

func TestSigningKeys(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		key := func(id string, useFrom time.Time) store.SigningKey {
			return store.SigningKey{ID: id, Alg: "ES256", KeyID: "k1", Sealed: []byte{0, 1, 255}, CreatedAt: now, UseFrom: useFrom}
		}
		put := func(k store.SigningKey) {
			write(t, s, func(tx *store.Tx) error { return tx.PutSigningKey(k) })
		}
		list := func() []store.SigningKey {
			return read(t, s, func(tx *store.Tx) ([]store.SigningKey, error) { return tx.SigningKeys() })
		}
		a, b, c := key("a", now.Add(time.Hour)), key("b", now), key("c", now)
		put(a)
		put(c)
		put(b)
		if diff := cmp.Diff([]store.SigningKey{b, c, a}, list()); diff != "" {
			t.Errorf("by age (-want +got):\n%s", diff)
		}
		b.KeyID, b.Sealed, b.RetireAt = "k2", []byte("again"), now.Add(time.Minute)
		changed := b
		changed.Alg, changed.CreatedAt = "EdDSA", now.Add(time.Hour) // of these a key has one for life
		put(changed)
		if diff := cmp.Diff([]store.SigningKey{b, c, a}, list()); diff != "" {
			t.Errorf("sealed again (-want +got):\n%s", diff)
		}
		var dropped int64
		for _, before := range []time.Time{b.RetireAt, b.RetireAt.Add(time.Microsecond)} {
			write(t, s, func(tx *store.Tx) error {
				n, err := tx.DropSigningKeys(before)
				dropped = dropped*10 + n
				return err
			})
		}
		if diff := cmp.Diff([]store.SigningKey{c, a}, list()); diff != "" || dropped != 1 {
			t.Errorf("dropped %d (-want +got):\n%s", dropped, diff)
		}
		for range 2 { // the second time there is none
			write(t, s, func(tx *store.Tx) error { return tx.DropSigningKey("c") })
		}
		if diff := cmp.Diff([]store.SigningKey{a}, list()); diff != "" {
			t.Errorf("dropped by id (-want +got):\n%s", diff)
		}
	})
}

func TestMasterKeys(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		write(t, s, func(tx *store.Tx) error { return tx.LockKeys() })
		for i, id := range []string{"k2", "k1", "k2"} {
			write(t, s, func(tx *store.Tx) error { return tx.NoteMasterKey(id, now.Add(time.Duration(i)*time.Second)) })
		}
		got := read(t, s, func(tx *store.Tx) ([]string, error) { return tx.MasterKeyIDs() })
		if diff := cmp.Diff([]string{"k2", "k1"}, got); diff != "" {
			t.Errorf("in order of first sight, without the lock's row (-want +got):\n%s", diff)
		}
	})
}

// Two processes that start on an empty database make one set of keys: the second sees the first's.
func TestLockKeys(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		made := race(t, 8, func() error {
			return s.Write(ctx, func(tx *store.Tx) error {
				if err := tx.LockKeys(); err != nil {
					return err
				}
				keys, err := tx.SigningKeys()
				if err != nil {
					return err
				}
				if len(keys) > 0 {
					return store.ErrNotFound
				}
				time.Sleep(10 * time.Millisecond)
				return tx.PutSigningKey(store.SigningKey{ID: newID(), Alg: "ES256", KeyID: "k1", Sealed: []byte("s"), CreatedAt: now, UseFrom: now})
			})
		})
		if made != 1 {
			t.Errorf("%d processes made keys, want 1", made)
		}
	})
}

func TestKeyUse(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user := newID()
		keys := func(kid, prev string) func(*store.Session) {
			return func(x *store.Session) { x.KeyID, x.PrevKeyID = kid, prev }
		}
		addSession(t, s, user, keys("old", ""))
		addSession(t, s, user, keys("new", "old"))
		addSession(t, s, user, keys("new", "new"))
		addSession(t, s, user, keys("old", ""), func(x *store.Session) { x.EndedAt = now })
		addSession(t, s, user, keys("old", ""), func(x *store.Session) { x.IdleExpiresAt = now })
		addSession(t, s, user, keys("old", ""), func(x *store.Session) { x.OverallExpiresAt = now })
		write(t, s, func(tx *store.Tx) error {
			ended, waiting := newMail(now), newMail(now.Add(time.Hour))
			ended.KeyID, waiting.KeyID = "old", "old"
			tx.InsertMail(ended)
			tx.InsertMail(waiting)
			tx.InsertMail(newMail(now))
			for _, err := range []error{
				tx.EndMail(ended, "sent", "", now),
				tx.PutSigningKey(store.SigningKey{ID: "a", Alg: "ES256", KeyID: "old", Sealed: []byte("s"), CreatedAt: now, UseFrom: now}),
				tx.PutSealedKey(store.SealedKey{Name: "a", KeyID: "old", Sealed: []byte("s")}),
				tx.PutSealedKey(store.SealedKey{Name: "b", KeyID: "new", Sealed: []byte("s")}),
				tx.PutSealedKey(store.SealedKey{Name: "a", KeyID: "new", Sealed: []byte("t")}),
				tx.PutSealedKey(store.SealedKey{Name: "c", KeyID: "old", Sealed: []byte("s")}),
			} {
				if err != nil {
					return err
				}
			}
			return nil
		})
		for id, want := range map[string]store.KeyUse{
			"old":     {Sessions: 2, Mails: 1, SigningKeys: 1, SealedKeys: 1},
			"new":     {Sessions: 2, SealedKeys: 2},
			"unknown": {},
		} {
			got := read(t, s, func(tx *store.Tx) (store.KeyUse, error) { return tx.KeyUse(id, now) })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", id, diff)
			}
		}
	})
}
