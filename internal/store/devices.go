package store

// Devices: where a user has signed in. The rows are few, since the caller keeps their number down, and they end
// with the epoch in which they were made.

import "time"

// Device is a browser and system that has signed in, and the network it was last seen in.
type Device struct {
	UserID  string
	ID      string // what its device token names
	Browser string
	OS      string
	Network string
	SeenAt  time.Time
}

const deviceColumns = `user_id, id, browser, os, network, seen_at`

func scanDevice(scan scanner) (d Device, err error) {
	err = scan(&d.UserID, &d.ID, &d.Browser, &d.OS, &d.Network, &d.SeenAt)
	return d, err
}

// Devices lists a user's devices, the last seen first.
func (tx *Tx) Devices(userID string) ([]Device, error) {
	return many(tx, scanDevice, `
		SELECT `+deviceColumns+`
		FROM devices
		WHERE user_id = $1
		ORDER BY seen_at DESC, id DESC`, userID)
}

// SeeDevice renews a device of a taken user. ErrNotFound where there is no such row.
func (tx *Tx) SeeDevice(d Device) error {
	return tx.mustChange(`
		UPDATE devices
		SET browser = $3, os = $4, network = $5, seen_at = $6
		WHERE user_id = $1 AND id = $2`, d.UserID, d.ID, d.Browser, d.OS, d.Network, d.SeenAt)
}

// InsertDevice adds a device of a taken user and forgets those longest unseen beyond `most`, itself excepted.
func (tx *Tx) InsertDevice(d Device, most int64) {
	tx.execDeferred(`
		INSERT INTO devices (`+deviceColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6)`, d.UserID, d.ID, d.Browser, d.OS, d.Network, d.SeenAt)
	tx.execDeferred(`
		DELETE FROM devices
		WHERE user_id = $1 AND id IN (
			SELECT id
			FROM devices
			WHERE user_id = $1 AND id <> $2
			ORDER BY seen_at DESC, id DESC
			LIMIT 1000000 OFFSET $3)`, d.UserID, d.ID, most-1)
}

// dropDevices forgets a held user's devices.
func (tx *Tx) dropDevices(userID string) {
	tx.execDeferred(`DELETE FROM devices WHERE user_id = $1`, userID)
}
