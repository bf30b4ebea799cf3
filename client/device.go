package client

// Device tokens: kept when an account's owner proves a password or a mailbox, shown at the next attempt.

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// maxKept is how many accounts a Device keeps a token of.
const maxKept = 100

// Device keeps the device tokens that a server has handed out to one device: one for each email address, of the 100
// accounts that signed in last. The zero value is empty and ready to use. It may be used by many goroutines at once,
// and by any number of clients of the same server; another server needs another Device.
//
// A device token opens nothing. A server that knows the device counts its wrong passwords apart from everybody else's,
// so that a stranger who guesses at an account does not hold up its owner, and mails no notice of a new device. The
// server hands one out with a sign-in, a sign-up, a reset and a change of password. It is good for 180 days, until the
// password changes; signing in renews it. One that is no longer good is ignored, and replaced at the next sign-in.
//
// A program that ends saves its Device as JSON and reads it back at its next start. The text tells who has signed in and
// lets its reader guess where strangers must wait, so it belongs where only the user can read it (a file of mode 0600).
type Device struct {
	mu   sync.Mutex
	kept []deviceToken // the one handed out last is the last
}

// deviceToken is one entry of the JSON.
type deviceToken struct {
	Email string `json:"email"`
	Token string `json:"token"`
}

// MarshalJSON writes the tokens as a list, the one handed out last at its end.
func (d *Device) MarshalJSON() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return json.Marshal(append([]deviceToken{}, d.kept...)) // an empty list, not null
}

// UnmarshalJSON puts the tokens that MarshalJSON wrote in the place of those kept. On an error it changes nothing.
func (d *Device) UnmarshalJSON(text []byte) error {
	var kept []deviceToken
	if err := json.Unmarshal(text, &kept); err != nil {
		return err
	}
	for _, k := range kept {
		if strings.ContainsFunc(k.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return fmt.Errorf("decode device tokens: that of %q cannot be sent in a header", k.Email)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept = newest(kept)
	return nil
}

// shows is the token of an account; "" where none is kept.
func (d *Device) shows(email string) string {
	if d == nil {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := d.find(email); i >= 0 {
		return d.kept[i].Token
	}
	return ""
}

// keep puts a token in the place of the account's last one. An answer without a token leaves that as it is.
func (d *Device) keep(email, token string) {
	if d == nil || email == "" || token == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := d.find(email); i >= 0 {
		d.kept = slices.Delete(d.kept, i, i+1)
	}
	d.kept = newest(append(d.kept, deviceToken{Email: spelled(email), Token: token}))
}

func (d *Device) find(email string) int {
	email = spelled(email)
	return slices.IndexFunc(d.kept, func(k deviceToken) bool { return k.Email == email })
}

// spelled makes one of the usual spellings of an address. Where the server knows more of them, a token is not found and
// the account goes without, until it signs in under the new spelling.
func spelled(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

func newest(kept []deviceToken) []deviceToken { return kept[max(0, len(kept)-maxKept):] }
