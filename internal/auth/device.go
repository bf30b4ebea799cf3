package auth

// Device tokens: what a browser that has signed in before may show, so that a stranger's guesses do
// not hold its owner up. They authenticate nothing; they only name a budget of the throttle.

import (
	"crypto/hmac"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/store"
)

// DeviceTTL is how long a device token is good for.
const DeviceTTL = 180 * 24 * time.Hour

const labelDevice = "device token v1"

// maxDevices is how many tokens one request may show: a browser shared by that many users.
const maxDevices = 5

// device is what a device token says: of this user, since this password, until then.
type device struct {
	userID  string
	id      string
	epoch   int64
	expires int64 // Unix seconds
}

func (d device) text() string {
	return strings.Join([]string{d.userID, d.id, strconv.FormatInt(d.epoch, 36), strconv.FormatInt(d.expires, 36)}, ".")
}

// signDevice writes a device token: user.id.epoch.expires.kid.mac.
func (s *Service) signDevice(d device) (string, error) {
	return s.signDeviceUnder(s.o.Master.Current(), d)
}

func (s *Service) signDeviceUnder(kid string, d device) (string, error) {
	mac, err := s.o.Master.MAC(kid, labelDevice, []byte(d.text()))
	if err != nil {
		return "", fmt.Errorf("sign device token: %w", err)
	}
	return d.text() + "." + kid + "." + base64.RawURLEncoding.EncodeToString(mac), nil
}

// parseDevice reads a device token in its one spelling; false for anything else.
func (s *Service) parseDevice(raw string, now time.Time) (device, bool) {
	parts := strings.Split(raw, ".")
	if len(raw) > 256 || len(parts) != 6 {
		return device{}, false
	}
	epoch, err := strconv.ParseInt(parts[2], 36, 64)
	if err != nil {
		return device{}, false
	}
	expires, err := strconv.ParseInt(parts[3], 36, 64)
	if err != nil {
		return device{}, false
	}
	d := device{userID: parts[0], id: parts[1], epoch: epoch, expires: expires}
	again, err := s.signDeviceUnder(parts[4], d)
	if err != nil || !hmac.Equal([]byte(raw), []byte(again)) {
		return device{}, false
	}
	return d, now.Unix() < expires
}

// knownDevice returns the id of the device among those shown that belongs to the user and the user's
// present password.
func (s *Service) knownDevice(shown []string, user store.User, now time.Time) (id string, ok bool) {
	for _, raw := range shown[:min(len(shown), maxDevices)] {
		if d, ok := s.parseDevice(raw, now); ok && user.ID != "" && d.userID == user.ID && d.epoch == user.Epoch {
			return d.id, true
		}
	}
	return "", false
}

// deviceToken makes a device token for a user whose password is now of the given epoch, for the device
// named, or for a new one.
func (s *Service) deviceToken(userID, id string, epoch int64, now time.Time) (string, error) {
	if id == "" {
		id = uuid.NewString()
	}
	return s.signDevice(device{userID: userID, id: id, epoch: epoch, expires: now.Add(DeviceTTL).Unix()})
}

// DeviceOwner says which user a device token names, without saying whether it is still good: the
// carrier of several keeps one for each user.
func DeviceOwner(raw string) string {
	owner, _, _ := strings.Cut(raw, ".")
	return owner
}

// guesser says whose budget a guess on an account goes to: that of a device known to it, else the
// account's own.
func (s *Service) guesser(user store.User, email string, peer Peer) (g guess, deviceID string) {
	g = stranger(email, peer)
	deviceID, known := s.knownDevice(peer.Devices, user, s.now())
	if known {
		g.own = throttleKey("device", deviceID)
	}
	return g, deviceID
}
