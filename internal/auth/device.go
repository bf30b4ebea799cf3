package auth

// Device tokens: what a browser that has signed in before may show, so that a stranger's guesses do
// not hold its owner up. They authenticate nothing; they only name a budget of the throttle.

import (
	"context"
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

// MaxDevices is how many users may share a browser and each have a token in its cookie.
const MaxDevices = 5

// device is what a device token says: of this user, since this password, until then.
type device struct {
	userID  string
	id      string
	epoch   int64
	expires int64 // Unix seconds
}

// signDevice writes a device token: user.id.epoch.expires.kid.mac.
func (s *Service) signDevice(d device) (string, error) {
	raw, err := s.signStatement(s.o.Master.Current(), labelDevice,
		d.userID, d.id, strconv.FormatInt(d.epoch, 36), strconv.FormatInt(d.expires, 36))
	if err != nil {
		return "", fmt.Errorf("sign device token: %w", err)
	}
	return raw, nil
}

// parseDevice reads a device token in its one spelling; false for anything else.
func (s *Service) parseDevice(raw string, now time.Time) (device, bool) {
	fields, _, err := s.readStatement(labelDevice, raw, 4)
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
func (s *Service) devicesShown(peer Peer) (good []device) {
	now := s.now()
	for _, raw := range peer.Devices[:min(len(peer.Devices), 1+MaxDevices)] { // the header's, and a full cookie's
		if d, ok := s.parseDevice(raw, now); ok {
			good = append(good, d)
		}
	}
	return good
}

// knownDevice returns the id of the device that belongs to the user and the user's present password.
func knownDevice(shown []device, user store.User) (id string, ok bool) {
	for _, d := range shown {
		if user.ID != "" && d.userID == user.ID && d.epoch == user.Epoch {
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

// guesser finds the account that a guess is about and says whose budget it goes to: that of the session
// whose Bearer came along (caller is nil without one), that of a device known to the account, else the
// account's own. The last is known without the account: then a fresh "no" is repeated before any work.
func (s *Service) guesser(ctx context.Context, caller *Caller, email string, peer Peer) (user store.User, g guess, deviceID string, err error) {
	g = stranger(email, peer)
	shown := s.devicesShown(peer)
	if caller == nil && len(shown) == 0 {
		err = s.precheckGuess(g)
	}
	if err == nil {
		user, err = s.findUser(ctx, email)
	}
	if err != nil {
		return store.User{}, guess{}, "", err
	}
	g.userID = user.ID
	deviceID, known := knownDevice(shown, user)
	if known {
		g.own = throttleKey("device", deviceID)
	}
	if caller != nil {
		g.own = throttleKey("session", caller.SessionID)
	}
	return user, g, deviceID, s.precheckGuess(g)
}
