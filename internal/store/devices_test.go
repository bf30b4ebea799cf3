package store_test

// Devices, and what the migration makes of the sessions there were.

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

func newDevice(userID string, seen time.Time) store.Device {
	return store.Device{UserID: userID, ID: newID(), Browser: "Chrome", OS: "Linux", Network: "203.0.113.0/24", SeenAt: seen}
}

func TestDevices(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user, other := addUser(t, s), addUser(t, s)
		const most = 3
		var kept []store.Device
		put := func(d store.Device) {
			t.Helper()
			write(t, s, func(tx *store.Tx) error { tx.InsertDevice(d, most); return nil })
		}
		put(newDevice(other.ID, now.Add(-time.Hour)))
		for i := range most {
			kept = append(kept, newDevice(user.ID, now.Add(time.Duration(i)*time.Minute)))
			put(kept[i])
		}
		kept[0].Browser, kept[0].Network, kept[0].SeenAt = "Firefox", "2001:db8::/48", now.Add(time.Hour)
		write(t, s, func(tx *store.Tx) error { return tx.SeeDevice(kept[0]) })
		late := newDevice(user.ID, now.Add(-time.Hour)) // the clock was set back: the one just made stays all the same
		put(late)
		check := func(what, userID string, want ...store.Device) {
			t.Helper()
			got := read(t, s, func(tx *store.Tx) ([]store.Device, error) { return tx.Devices(userID) })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		check("of a user", user.ID, kept[0], kept[2], late)
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.SeeDevice(kept[1]) })
		foreign := kept[0]
		foreign.UserID = other.ID
		wantErr(t, s, store.ErrNotFound, func(tx *store.Tx) error { return tx.SeeDevice(foreign) })
		for what, end := range map[string]func(*store.Tx) error{
			"password": func(tx *store.Tx) error { return tx.SetPassword(user.ID, "phc", now) },
			"address":  func(tx *store.Tx) error { return tx.SetEmail(user.ID, newID()+"@example.com", now) },
			"disabled": func(tx *store.Tx) error { return tx.SetDisabled(user.ID, now, now) },
			"enabled":  func(tx *store.Tx) error { return tx.SetDisabled(user.ID, time.Time{}, now) },
		} {
			write(t, s, end)
			check(what, user.ID)
			put(newDevice(user.ID, now))
		}
		write(t, s, func(tx *store.Tx) error { return tx.DeleteUser(user.ID) })
		check("deleted", user.ID)
		if left := read(t, s, func(tx *store.Tx) ([]store.Device, error) { return tx.Devices(other.ID) }); len(left) != 1 {
			t.Errorf("another user has %d devices left, want 1", len(left))
		}
	})
}

// Sessions from before there were devices become the latest fifty of each user, one a place.
func TestMigrationFillsDevices(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		s := open(t, db)
		files, err := filepath.Glob("migrations/000[1-4]_*.sql")
		if err != nil || len(files) != 4 {
			t.Fatalf("%q, %v", files, err)
		}
		run := func(file string) {
			t.Helper()
			sql, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			write(t, s, func(tx *store.Tx) error { return tx.Script(string(sql)) })
		}
		for _, file := range files[:3] {
			run(file)
		}
		user, many := "u1", "u2"
		at := now
		session := func(userID, browser, addr string, ended bool) string {
			t.Helper()
			at = at.Add(time.Minute)
			id, end, reason := newID(), time.Time{}, ""
			if ended {
				end, reason = at, "admin"
			}
			write(t, s, func(tx *store.Tx) error {
				_, err := tx.Exec(`
					INSERT INTO sessions (id, user_id, client, generation, rotated_at, kid, prev_kid, burst_from, burst_at,
						prev_from, prev_at, late_now, late_run, idle_expires_at, overall_expires_at, created_at, ended_at, end_reason,
						browser, browser_version, os, device_type, user_agent, addr)
					VALUES ($1, $2, 'latchkey', 1, $3, '', '', 1, $3, 1, $3, FALSE, 0, $3, $3, $3, $4, $5, $6, '', 'Linux', '', '', $7)`,
					id, userID, at, end, reason, browser, addr)
				return err
			})
			return id
		}
		for _, id := range []string{user, many} {
			write(t, s, func(tx *store.Tx) error {
				_, err := tx.Exec(`
					INSERT INTO users (id, email, first_name, last_name, password_hash, epoch, changed_at, created_at)
					VALUES ($1, $1, '', '', '', 1, 0, 0)`, id)
				return err
			})
		}
		session(user, "Chrome", "203.0.113.7", true)
		chrome, chromeAt := session(user, "Chrome", "203.0.113.200", false), at
		fire, fireAt := session(user, "Firefox", "203.0.113.7", true), at
		six, sixAt := session(user, "Firefox", "2001:db8:1:2::7", false), at
		mapped, mappedAt := session(user, "Firefox", "::ffff:192.0.2.1", false), at
		session(user, "Nowhere", "", false)
		session("gone", "Chrome", "203.0.113.7", true)
		var latest string
		for i := range 55 {
			latest = session(many, fmt.Sprintf("B%d", i), fmt.Sprintf("10.0.%d.1", i), i%2 == 0)
		}
		run(files[3])
		got := read(t, s, func(tx *store.Tx) ([]store.Device, error) { return tx.Devices(user) })
		want := []store.Device{
			{UserID: user, ID: mapped, Browser: "Firefox", OS: "Linux", Network: "::ffff:192.0.2.1", SeenAt: mappedAt},
			{UserID: user, ID: six, Browser: "Firefox", OS: "Linux", Network: "2001:db8:1:2::7", SeenAt: sixAt},
			{UserID: user, ID: fire, Browser: "Firefox", OS: "Linux", Network: "203.0.113.0/24", SeenAt: fireAt},
			{UserID: user, ID: chrome, Browser: "Chrome", OS: "Linux", Network: "203.0.113.0/24", SeenAt: chromeAt},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("devices (-want +got):\n%s", diff)
		}
		crowd := read(t, s, func(tx *store.Tx) ([]store.Device, error) { return tx.Devices(many) })
		if len(crowd) != 50 || crowd[0].ID != latest {
			t.Errorf("%d devices of a user with 55, the last being %q; want 50 and %q", len(crowd), crowd[0].ID, latest)
		}
		if i := slices.IndexFunc(crowd, func(d store.Device) bool { return strings.HasPrefix(d.Network, "10.0.4.") }); i >= 0 {
			t.Errorf("one of the longest unseen was kept: %+v", crowd[i])
		}
		kinds := read(t, s, func(tx *store.Tx) ([]string, error) {
			return store.Column[string](tx, `SELECT DISTINCT kind FROM sessions`)
		})
		if len(kinds) != 1 || kinds[0] != "auth" {
			t.Errorf("sessions from before are of kinds %q", kinds)
		}
		if gone := read(t, s, func(tx *store.Tx) ([]store.Device, error) { return tx.Devices("gone") }); len(gone) > 0 {
			t.Errorf("devices of nobody: %+v", gone)
		}
	})
}

// The release before deletes a user and knows of no devices.
func TestDevicesGoWithTheirUser(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		u, other := addUser(t, s), addUser(t, s)
		for _, user := range []string{u.ID, other.ID} {
			write(t, s, func(tx *store.Tx) error { tx.InsertDevice(newDevice(user, now), 50); return nil })
		}
		write(t, s, func(tx *store.Tx) error { _, err := tx.Exec(`DELETE FROM users WHERE id = $1`, u.ID); return err })
		left := read(t, s, func(tx *store.Tx) ([]string, error) { return store.Column[string](tx, `SELECT user_id FROM devices`) })
		if len(left) != 1 || left[0] != other.ID {
			t.Errorf("devices of %q are left, want those of %q", left, other.ID)
		}
	})
}
