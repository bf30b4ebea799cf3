package server_test

// What an app finds out about back-channel logout before it relies on it. What it is told is internal/logouts'.

import (
	"encoding/json"
	"testing"
)

// OpenID Connect Back-Channel Logout §2.1.
func TestDiscoverySaysBackChannelLogout(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		var said struct {
			Supported bool `json:"backchannel_logout_supported"`
			Sessions  bool `json:"backchannel_logout_session_supported"`
		}
		page := n.enter(t).browser().open("/.well-known/openid-configuration")
		if err := json.Unmarshal([]byte(page.text), &said); err != nil || !said.Supported || !said.Sessions {
			t.Errorf("%+v, %v in %s", said, err, page.text)
		}
	})
}
