package server

// Carrying device tokens: out in a cookie and a header, back in either. A device token names a
// budget of the throttle; no cookie authenticates anything under /auth.

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"latchkey/internal/auth"
)

const (
	deviceHeader     = "X-Latchkey-Device"
	deviceCookieName = "latchkey-device"
	deviceSeparator  = "~"
)

// deviceCookie is how the cookie is set: chosen once, by the public URL.
type deviceCookie struct {
	name     string // empty: no cookie is set, only the header
	secure   bool
	sameSite http.SameSite
}

// newDeviceCookie: on https the __Host- prefix pins the cookie to this host, and clients on other
// origins may send it (SameSite=None); on loopback http, as in development, neither exists; on any
// other http URL a cookie would travel in the clear.
func newDeviceCookie(publicURL string) deviceCookie {
	u, err := url.Parse(publicURL)
	switch {
	case err != nil:
		return deviceCookie{}
	case u.Scheme == "https":
		return deviceCookie{name: "__Host-" + deviceCookieName, secure: true, sameSite: http.SameSiteNoneMode}
	case auth.IsLoopback(u.Hostname()):
		return deviceCookie{name: deviceCookieName, sameSite: http.SameSiteLaxMode}
	}
	return deviceCookie{}
}

// devices are the tokens a request shows: the header's first, then the cookie's.
func (c deviceCookie) devices(r *http.Request) []string {
	shown := slices.Clone(r.Header[deviceHeader])
	if kept, err := r.Cookie(c.name); c.name != "" && err == nil {
		shown = append(shown, strings.Split(kept.Value, deviceSeparator)...)
	}
	return shown
}

// rememberDevice hands a new device token out; the cookie keeps the tokens of the browser's other users.
func (x *exchange) rememberDevice(token string) {
	if token == "" {
		return
	}
	x.Header().Set(deviceHeader, token)
	c := x.s.device
	if c.name == "" {
		return
	}
	kept := []string{token}
	for _, other := range x.peer.Devices {
		if auth.DeviceOwner(other) != auth.DeviceOwner(token) && isDeviceText(other) && len(kept) < auth.MaxDevices {
			kept = append(kept, other)
		}
	}
	http.SetCookie(x, &http.Cookie{
		Name: c.name, Value: strings.Join(kept, deviceSeparator), Path: "/",
		MaxAge: int(auth.DeviceTTL.Seconds()), Secure: c.secure, HttpOnly: true, SameSite: c.sameSite,
	})
}

// isDeviceText keeps what could not be a token out of the cookie that goes back.
func isDeviceText(s string) bool {
	return s != "" && len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
	})
}
