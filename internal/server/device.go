package server

// Carrying device tokens: out in a cookie and a header, back in either. A device token names a
// counter of the throttle; no cookie authenticates anything under /auth.

import (
	"net/http"
	"slices"
	"strings"

	"latchkey/api"
	"latchkey/internal/throttle"
)

const (
	deviceCookie    = "latchkey-device"
	deviceSeparator = "~"
)

// devices are the tokens a request shows: the header's first, then the cookie's.
func (s *server) devices(r *http.Request) []string {
	shown := slices.Clone(r.Header[api.DeviceHeader])
	if kept := s.cookies.get(r, deviceCookie); kept != "" {
		shown = append(shown, strings.Split(kept, deviceSeparator)...)
	}
	return shown
}

// rememberDevice hands a new device token out; the cookie keeps the tokens of the browser's other users.
func (x *exchange) rememberDevice(token string) {
	if token == "" {
		return
	}
	x.Header().Set(api.DeviceHeader, token)
	kept := []string{token}
	for _, other := range x.peer.Devices {
		if throttle.DeviceOwner(other) != throttle.DeviceOwner(token) && isDeviceText(other) && len(kept) < throttle.MaxDevices {
			kept = append(kept, other)
		}
	}
	// Clients on other origins may send it along (SameSite=None), which takes https.
	sameSite := http.SameSiteLaxMode
	if x.s.cookies.secure {
		sameSite = http.SameSiteNoneMode
	}
	x.s.cookies.set(x, deviceCookie, strings.Join(kept, deviceSeparator), throttle.DeviceTTL, sameSite)
}

// isDeviceText keeps what could not be a token out of the cookie that goes back.
func isDeviceText(s string) bool {
	return s != "" && len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
	})
}
