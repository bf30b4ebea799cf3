package throttle

// Device tokens: what a browser that has signed in before may show, so that a stranger's failures do not hold its owner
// up. They authenticate nothing; they only name a counter. A row is kept of each device, so that the owner can be told
// of a new one; a token goes on without its row.

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/peer"
	"latchkey/internal/store"
)

// DeviceTTL is how long a device token is good for.
const DeviceTTL = 180 * 24 * time.Hour

const labelDevice = "device token v1"

// MaxDevices is how many users may share a browser and each have a token in its cookie.
const MaxDevices = 5

// maxDeviceRows is how many devices of an account are remembered; the longest unseen is forgotten first.
const maxDeviceRows = 50

// device is what a device token says: of this user, since this password, until then.
type device struct {
	userID  string
	id      string
	epoch   int64
	expires int64 // Unix seconds
}

// parseDevice reads a device token in its one spelling; false for anything else.
func (t *Throttle) parseDevice(raw string, now time.Time) (device, bool) {
	fields, _, err := t.o.Master.ParseClaim(labelDevice, raw, 4)
	if err != nil {
		return device{}, false
	}
	epoch, badEpoch := strconv.ParseInt(fields[2], 36, 64)
	expires, badExpiry := strconv.ParseInt(fields[3], 36, 64)
	if badEpoch != nil || badExpiry != nil {
		return device{}, false
	}
	return device{userID: fields[0], id: fields[1], epoch: epoch, expires: expires}, now.Unix() < expires
}

// devicesShown are the good ones among the tokens that came along.
func (t *Throttle) devicesShown(peer peer.Peer) (good []device) {
	now := t.o.Now()
	for _, raw := range peer.Devices[:min(len(peer.Devices), 1+MaxDevices)] { // the header's, and a full cookie's
		if d, ok := t.parseDevice(raw, now); ok {
			good = append(good, d)
		}
	}
	return good
}

// knownDevice returns the id of the device that belongs to the user and the user's present password; empty where none
// of those shown does.
func knownDevice(shown []device, user store.User) (id string) {
	for _, d := range shown {
		if user.ID != "" && d.userID == user.ID && d.epoch == user.Epoch {
			return d.id
		}
	}
	return ""
}

// KeepDevice notes in the transaction where a taken user was let in: it renews the row of the device named (known
// is empty where no token was shown), or makes one. It returns the id to sign a token for: empty where this network
// has made enough new devices of the account, and then nothing is remembered either.
func (t *Throttle) KeepDevice(tx *store.Tx, userID, known string, d peer.Device, now time.Time) (id string, err error) {
	row := store.Device{
		UserID: userID, ID: known, Browser: d.Browser, OS: d.OS, Network: peer.NetworkOf(d.Addr), SeenAt: now,
	}
	if known != "" {
		err := tx.SeeDevice(row)
		if !errors.Is(err, store.ErrNotFound) {
			return known, err
		}
	}
	if admitted, err := t.admitsDevice(tx, row, now); err != nil || !admitted {
		return known, err // a token that was given before rows were kept goes on without one
	}
	if row.ID == "" {
		row.ID = uuid.NewString()
	}
	tx.InsertDevice(row, maxDeviceRows)
	return row.ID, nil
}

// Familiar says whether a user was let in before from this browser and system, or from this network.
func (t *Throttle) Familiar(tx *store.Tx, userID string, d peer.Device) (bool, error) {
	seen, err := tx.Devices(userID)
	return slices.ContainsFunc(seen, func(old store.Device) bool {
		return old.Browser == d.Browser && old.OS == d.OS || peer.NetworkOf(old.Network) == peer.NetworkOf(d.Addr)
	}), err
}

// admitsDevice counts a new device against the account and the network it is made from: who signs in over and over
// without showing a token must not push out the rows of its owner's devices.
func (t *Throttle) admitsDevice(tx *store.Tx, d store.Device, now time.Time) (bool, error) {
	if !t.o.On {
		return true, nil
	}
	made := bucket{deviceLimit, t.counterName(deviceLimit.Name, d.UserID, d.Network)}
	_, wait, err := take(tx, []bucket{made}, now)
	return wait <= 0, err
}

// SignDevice makes a token for the device of a user whose password is now of the given epoch; none for no device. It
// reads user.id.epoch.expires.kid.mac.
func (t *Throttle) SignDevice(userID, id string, epoch int64, now time.Time) (string, error) {
	if id == "" {
		return "", nil
	}
	expires := now.Add(DeviceTTL).Unix()
	raw, err := t.o.Master.SignClaim(t.o.Master.Current(), labelDevice,
		userID, id, strconv.FormatInt(epoch, 36), strconv.FormatInt(expires, 36))
	if err != nil {
		return "", fmt.Errorf("sign device token: %w", err)
	}
	return raw, nil
}

// DeviceOwner says which user a device token names, without saying whether it is still good: the
// carrier of several keeps one for each user.
func DeviceOwner(raw string) string {
	owner, _, _ := strings.Cut(raw, ".")
	return owner
}
