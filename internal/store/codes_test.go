package store_test

// Authorization codes and consents.

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/store"
)

func newCode(userID, pageSession string) store.Code {
	return store.Code{
		Hash: []byte(newID()), Client: "shop", RedirectURI: "https://shop.example/cb", Challenge: "c", Nonce: "n", Scope: "openid", Resource: "r",
		UserID: userID, Epoch: 1, PageSession: pageSession, AuthTime: now, AMR: "pwd", ACR: "aal1",
		CreatedAt: now, ExpiresAt: now.Add(time.Minute),
		Browser: "Chrome", BrowserVersion: "140", OS: "Linux", DeviceType: "desktop", UserAgent: "Mozilla/5.0", Addr: "203.0.113.7",
	}
}

func TestCodeKeepsWhatItStandsFor(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		code := newCode(newID(), newID())
		write(t, s, func(tx *store.Tx) error { tx.InsertCode(code); return nil })
		if diff := cmp.Diff(code, read(t, s, func(tx *store.Tx) (store.Code, error) { return tx.CodeByHash(code.Hash) })); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Of all who come at once one spends it, and nobody who comes late.
func TestSpendCode(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		code, late := newCode(newID(), newID()), newCode(newID(), newID())
		write(t, s, func(tx *store.Tx) error { tx.InsertCode(code); tx.InsertCode(late); return nil })
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error {
			_, err := tx.SpendCode(late.Hash, newID(), late.ExpiresAt)
			return err
		})
		var mu sync.Mutex
		var won []string
		var at sync.WaitGroup
		for range 20 {
			at.Go(func() {
				id := newID()
				if s.Write(ctx, func(tx *store.Tx) error { _, err := tx.SpendCode(code.Hash, id, now); return err }) == nil {
					mu.Lock()
					won = append(won, id)
					mu.Unlock()
				}
			})
		}
		at.Wait()
		got := read(t, s, func(tx *store.Tx) (store.Code, error) { return tx.CodeByHash(code.Hash) })
		if len(won) != 1 || got.SessionID != won[0] || !got.SpentAt.Equal(now) {
			t.Errorf("spent by %v, for %q at %v", won, got.SessionID, got.SpentAt)
		}
	})
}

func TestDropAndSweepCodes(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user, here, there := newID(), newID(), newID()
		one, two, other := newCode(user, here), newCode(user, there), newCode(user, here)
		other.Client = "other"
		spent, foreign := newCode(user, here), newCode(newID(), here)
		write(t, s, func(tx *store.Tx) error {
			for _, c := range []store.Code{one, two, other, spent, foreign} {
				tx.InsertCode(c)
			}
			_, err := tx.SpendCode(spent.Hash, newID(), now)
			return err
		})
		left := func() (hashes []string) {
			for _, hash := range read(t, s, func(tx *store.Tx) ([][]byte, error) { return store.Column[[]byte](tx, `SELECT hash FROM codes`) }) {
				hashes = append(hashes, string(hash))
			}
			return slices.Sorted(slices.Values(hashes))
		}
		want := func(codes ...store.Code) (hashes []string) {
			for _, c := range codes {
				hashes = append(hashes, string(c.Hash))
			}
			return slices.Sorted(slices.Values(hashes))
		}
		write(t, s, func(tx *store.Tx) error { tx.DropCodes(user, "shop", here); return nil })
		if diff := cmp.Diff(want(two, other, spent, foreign), left()); diff != "" {
			t.Errorf("of one page session (-want +got):\n%s", diff)
		}
		write(t, s, func(tx *store.Tx) error { tx.DropCodes(user, "shop", ""); return nil })
		if diff := cmp.Diff(want(other, spent, foreign), left()); diff != "" {
			t.Errorf("of any (-want +got):\n%s", diff)
		}
		for _, most := range []int64{2, 1} {
			write(t, s, func(tx *store.Tx) error {
				n, err := tx.SweepCodes(now.Add(time.Hour), 2)
				if n != most {
					t.Errorf("swept %d, want %d", n, most)
				}
				return err
			})
		}
	})
}

func TestConsents(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ada, bob := addUser(t, s), addUser(t, s)
		shop := store.Consent{Client: "shop", Scope: "openid", GrantedAt: now}
		more := store.Consent{Client: "shop", Scope: "openid email", GrantedAt: now.Add(time.Hour)}
		desk := store.Consent{Client: "desk", Scope: "", GrantedAt: now}
		write(t, s, func(tx *store.Tx) error {
			tx.PutConsent(ada.ID, shop)
			tx.PutConsent(ada.ID, more)
			tx.PutConsent(ada.ID, desk)
			tx.PutConsent(bob.ID, shop)
			return nil
		})
		of := func(u store.User) []store.Consent {
			return read(t, s, func(tx *store.Tx) ([]store.Consent, error) { return tx.Consents(u.ID) })
		}
		if diff := cmp.Diff([]store.Consent{desk, more}, of(ada)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		write(t, s, func(tx *store.Tx) error { return tx.DropConsent(ada.ID, "shop") })
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.DropConsent(ada.ID, "shop") })
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { _, err := tx.Consent(ada.ID, "shop"); return err })
		if diff := cmp.Diff([]store.Consent{shop}, of(bob)); diff != "" {
			t.Errorf("another's (-want +got):\n%s", diff)
		}
		write(t, s, func(tx *store.Tx) error { return tx.DeleteUser(ada.ID) })
		if left := of(ada); len(left) != 0 {
			t.Errorf("they outlive their user: %v", left)
		}
	})
}
