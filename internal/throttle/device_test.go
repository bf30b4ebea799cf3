package throttle_test

// The devices of an account, on both engines: which are remembered, and what a device token is good for.

import (
	"context"
	"fmt"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/throttle"
)

// keep notes that a user was let in at an address, by the device named where a token was shown.
func (r *rig) keep(userID, known, addr string) (id string) {
	r.t.Helper()
	r.write(func(tx *store.Tx) (err error) {
		id, err = r.KeepDevice(tx, userID, known, peer.Device{Browser: "Firefox", OS: "Linux", Addr: addr}, r.now)
		return err
	})
	return id
}

func (r *rig) devices(userID string) (rows []store.Device) {
	r.t.Helper()
	r.write(func(tx *store.Tx) (err error) {
		rows, err = tx.Devices(userID)
		return err
	})
	return rows
}

// Ten new devices an hour of one account and network; beyond that no token is given. Who shows a token makes none.
func TestNewDevicesAreCounted(t *testing.T) {
	engines(t, func(t *testing.T, r *rig) {
		for _, c := range []struct{ name, addr, near, far string }{
			{"IPv4", "203.0.113.%d", "203.0.113.250", "203.0.114.1"},
			{"IPv6", "2001:db8:1:%d::7", "2001:db8:1:ffff::1", "2001:db8:2::1"},
		} {
			u := r.addUser(c.name + "@example.com")
			var known string
			for i := range 10 {
				if known = r.keep(u.ID, "", fmt.Sprintf(c.addr, i+1)); known == "" {
					t.Fatalf("%s: device %d is not known", c.name, i+1)
				}
			}
			agree := func(what, id string, wantID bool, wantRows int) {
				t.Helper()
				raw, err := r.SignDevice(u.ID, id, 1, r.now)
				if n := len(r.devices(u.ID)); err != nil || (raw != "") != wantID || n != wantRows {
					t.Errorf("%s, %s: a token: %t, rows: %d, %v; want %t and %d", c.name, what, raw != "", n, err, wantID, wantRows)
				}
			}
			agree("the eleventh", r.keep(u.ID, "", c.near), false, 10)
			agree("with a token", r.keep(u.ID, known, c.near), true, 10)
			agree("from another network", r.keep(u.ID, "", c.far), true, 11)
			if r.keep(r.addUser("other-"+u.Email).ID, "", c.near) == "" {
				t.Errorf("%s: another account's device is not known", c.name)
			}
			r.advance(time.Hour)
			agree("an hour later", r.keep(u.ID, "", c.near), true, 12)
		}
	})
}

// Fifty are remembered; the longest unseen is forgotten, and a device that shows its token is seen.
func TestDevicesAreForgottenByAge(t *testing.T) {
	r := newRig(t, authtest.SQLite(t).Open(t))
	u := r.addUser(ada)
	own := r.keep(u.ID, "", "203.0.113.1")
	for i := range 60 {
		r.advance(time.Minute)
		r.keep(u.ID, "", fmt.Sprintf("10.0.%d.1", i))
		r.advance(time.Minute)
		r.keep(u.ID, own, "192.0.2.9")
	}
	rows := r.devices(u.ID)
	if len(rows) != 50 || rows[0].ID != own || rows[0].Network != "192.0.2.0/24" || rows[49].Network != "10.0.11.0/24" {
		t.Errorf("%d rows, the first %+v, the last %+v", len(rows), rows[0], rows[len(rows)-1])
	}
}

// A token whose row is gone names a counter as it did. The next time its device is let in makes the row again, unless
// too many are new: then the token goes on without one.
func TestDeviceTokenWithoutRow(t *testing.T) {
	engines(t, func(t *testing.T, r *rig) {
		u := r.addUser(ada)
		own := r.keep(u.ID, "", "203.0.113.1")
		raw, err := r.SignDevice(u.ID, own, u.Epoch, r.now)
		if err != nil {
			t.Fatal(err)
		}
		forget := func() {
			t.Helper()
			r.write(func(tx *store.Tx) error {
				tx.InsertDevice(store.Device{UserID: u.ID, ID: fmt.Sprint("other-", r.now), SeenAt: r.now}, 1)
				return nil
			})
		}
		forget()
		r.fail(ada, 6, from("198.51.100.1"))
		_, a, err := r.FindAttempt(context.Background(), "", ada, from("203.0.113.1", raw))
		if err != nil || !a.Known() || a.Device != own {
			t.Fatalf("beside a stranger's failures: device %q, known %t, %v", a.Device, a.Known(), err)
		}
		if again, rows := r.keep(u.ID, a.Device, "203.0.113.1"), r.devices(u.ID); again != own || len(rows) != 2 {
			t.Errorf("let in as %q, rows %+v", again, rows)
		}
		r.advance(time.Hour)
		for range 10 {
			r.keep(u.ID, "", "203.0.113.1")
		}
		forget()
		r.advance(time.Second)
		if again, rows := r.keep(u.ID, own, "203.0.113.1"), r.devices(u.ID); again != own || len(rows) != 1 {
			t.Errorf("beyond the rate: let in as %q, rows %+v", again, rows)
		}
	})
}

// A token is good for its own user and the password of its time, until it expires.
func TestDeviceTokens(t *testing.T) {
	r := newRig(t, authtest.SQLite(t).Open(t))
	u, other := r.addUser(ada), r.addUser("eve@example.com")
	sign := func(userID string, epoch int64) string {
		t.Helper()
		raw, err := r.SignDevice(userID, "device", epoch, r.now)
		if err != nil || throttle.DeviceOwner(raw) != userID {
			t.Fatalf("%q is the token of %q, %v", raw, throttle.DeviceOwner(raw), err)
		}
		return raw
	}
	good := sign(u.ID, 1)
	check := func(what, raw string, want bool) {
		t.Helper()
		_, a, err := r.FindAttempt(t.Context(), "", ada, from("203.0.113.1", raw))
		if err != nil || a.Known() != want {
			t.Errorf("%s: known %t, %v", what, a.Known(), err)
		}
	}
	check("her own", good, true)
	check("another's", sign(other.ID, 1), false)
	check("of the password before", sign(u.ID, 0), false)
	check("garbled", good[:len(good)-1], false)
	r.advance(throttle.DeviceTTL - time.Second)
	check("in its last second", good, true)
	r.advance(time.Second)
	check("expired", good, false)
}
