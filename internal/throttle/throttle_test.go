package throttle_test

// What the tests of the throttle share, and what is in its counters' rows.

import (
	"context"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/authtest"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/throttle"
	"latchkey/internal/token"
)

func TestMain(m *testing.M) { authtest.Main(m) }

// key names the counters of every throttle here, so that those of one database share them.
var key, _ = token.ParseIndexKey([]byte("an index key of thirty-two bytes"))

// ada is the email address of most attempts.
const ada = "ada@example.com"

// rig is a throttle on a database of its own, with a clock that stands still until a test sets it.
type rig struct {
	*throttle.Throttle
	t     *testing.T
	store *store.Store
	now   time.Time
}

// engines runs a test on a throttle on each engine.
func engines(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	authtest.Engines(t, func(t *testing.T, db authtest.Database) { test(t, newRig(t, db.Open(t))) })
}

// newRig gives the database a minute for each operation: hundreds come at once, and a loaded machine takes its time.
func newRig(t *testing.T, s *store.Store) *rig {
	r := &rig{t: t, store: s.Within(time.Minute), now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	r.Throttle = throttle.New(r.options())
	return r
}

func (r *rig) options() throttle.Options {
	master, err := token.ParseMasterKeys(authtest.Master)
	if err != nil {
		r.t.Fatal(err)
	}
	return throttle.Options{Store: r.store, Master: master, Counters: key, On: true, Now: func() time.Time { return r.now }}
}

func (r *rig) advance(d time.Duration) { r.now = r.now.Add(d) }

func (r *rig) write(fn func(*store.Tx) error) {
	r.t.Helper()
	if err := r.store.Write(context.Background(), fn); err != nil {
		r.t.Fatal(err)
	}
}

// addUser makes an account that nobody has signed in to.
func (r *rig) addUser(email string) store.User {
	r.t.Helper()
	u := store.User{ID: uuid.NewString(), Email: email, Epoch: 1, ChangedAt: r.now, CreatedAt: r.now}
	r.write(func(tx *store.Tx) error { return tx.InsertUser(u) })
	return u
}

// attempt is what becomes of an attempt at a password that is right or wrong.
func (r *rig) attempt(email string, right bool, by peer.Peer) error {
	r.t.Helper()
	_, a, err := r.FindAttempt(context.Background(), "", email, by)
	if err == nil {
		err = r.Check(context.Background(), a)
	}
	if err != nil {
		return err
	}
	if !right {
		r.write(func(tx *store.Tx) error { return r.CountFailure(tx, a, r.now) })
		return nil
	}
	err = r.WithinRight(context.Background(), a, r.now, func(tx *store.Tx) error { r.TakeBack(tx, a); return nil })
	if err == nil {
		r.Recheck(a)
	}
	return err
}

// fail makes so many wrong attempts, all of which must be let through.
func (r *rig) fail(email string, times int, by peer.Peer) {
	r.t.Helper()
	for i := range times {
		if err := r.attempt(email, false, by); err != nil {
			r.t.Fatalf("attempt %d: %v", i, err)
		}
	}
}

// known is a token for a device of the user, whose row the throttle keeps.
func (r *rig) known(u store.User, d peer.Device) string {
	r.t.Helper()
	var id string
	r.write(func(tx *store.Tx) (err error) {
		id, err = r.KeepDevice(tx, u.ID, "", d, r.now)
		return err
	})
	raw, err := r.SignDevice(u.ID, id, u.Epoch, r.now)
	if err != nil {
		r.t.Fatal(err)
	}
	return raw
}

// from is a peer of the test's choosing.
func from(addr string, devices ...string) peer.Peer {
	return peer.Peer{Addr: netip.MustParseAddr(addr), Devices: devices}
}

// wantRefusal fails the test unless err is a refusal by the limit named, for so long.
func wantRefusal(t *testing.T, err error, limit string, wait time.Duration) {
	t.Helper()
	r, ok := errors.AsType[*throttle.Refusal](err)
	if !ok || r.Limit.Name != limit || r.RetryAfter != wait {
		t.Errorf("got %v, want a refusal by the limit %q for %v", err, limit, wait)
	}
}

// Counters keep their names from release to release: their rows are in every database. The names are made here from
// the words that the first release made them of.
func TestCountersKeepTheirNames(t *testing.T) {
	db := authtest.SQLite(t)
	r := newRig(t, db.Open(t))
	ctx := context.Background()
	nothing := func(*store.Tx) error { return nil }
	u := r.addUser(ada)
	by := from("203.0.113.7")
	device := r.known(u, peer.Device{Addr: "203.0.113.7"})
	r.fail(ada, 1, by)
	r.fail(ada, 1, from("2001:db8:1:2::3"))
	known := from("203.0.113.7", device)
	r.fail(ada, 1, known)
	_, session, err := r.FindAttempt(ctx, "the session", ada, by)
	if err != nil {
		t.Fatal(err)
	}
	r.write(func(tx *store.Tx) error { return r.CountFailure(tx, session, r.now) })
	_, a, err := r.FindAttempt(ctx, "", ada, known)
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := r.FindAttempt(ctx, "", ada, by)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []throttle.Attempt{a, stranger} {
		if err := r.WithinRight(ctx, a, r.now, nothing); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range []throttle.Limit{throttle.MailLimit, throttle.CheckLimit, throttle.DetailsLimit} {
		if err := r.Count(ctx, l, by, r.now); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.CountDeadLink(ctx, by); err != nil {
		t.Fatal(err)
	}
	for _, by := range []peer.Peer{by, {}} {
		if _, err := r.TrySecret(ctx, "shop", "wrong", by, func() bool { return false }); err != nil {
			t.Fatal(err)
		}
	}
	account, network, own := key.Name("account", ada), key.Name("network", "203.0.113.0/24"), key.Name("device", a.Device)
	want := [][]byte{
		account, own, key.Name("session", "the session"),
		key.Name("address", "203.0.113.7"),
		key.Name("address", "2001:db8:1:2::/64"), key.Name("address", "2001:db8:1::/56"), key.Name("address", "2001:db8:1::/48"),
		key.Name("right", string(account), string(network)), key.Name("right", string(own)),
		key.Name("mail", "203.0.113.7"), key.Name("check", "203.0.113.7"), key.Name("details", "203.0.113.7"), key.Name("link", "203.0.113.7"),
		key.Name("client", "203.0.113.7", "shop"), key.Name("client", "", "shop"),
		key.Name("new device", u.ID, "203.0.113.0/24"),
	}
	got := db.Counters(t)
	for _, names := range [][][]byte{got, want} {
		slices.SortFunc(names, slices.Compare)
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the counters are %s, want %s", inHex(got), inHex(want))
	}
}

func inHex(names [][]byte) (all []string) {
	for _, name := range names {
		all = append(all, hex.EncodeToString(name)[:8])
	}
	return all
}
