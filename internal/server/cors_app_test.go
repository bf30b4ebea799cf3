package server

import "testing"

// An application's own scheme is an origin like any other: exactly the one that is registered.
func TestCORSOfApplications(t *testing.T) {
	const registered = "capacitor://localhost"
	rm := newRoom(t, func(o *Options) { o.CORSOrigins = append(o.CORSOrigins, registered) })
	for origin, want := range map[string]string{
		registered: registered, "ionic://localhost": "", "capacitor://localhost:80": "", "capacitor://LOCALHOST": "", "http://localhost": "", "capacitor://localhost.evil.example": "",
	} {
		h := rm.ask("OPTIONS", "/auth/signin", "", "Origin: "+origin, "Access-Control-Request-Method: POST").Header()
		if got := h.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s is allowed %q", origin, got)
		}
	}
}
