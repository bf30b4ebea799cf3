package server_test

// Device tokens: they name a budget of the throttle and open nothing.

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
)

func deviceCookie(x answer) *http.Cookie {
	x.t.Helper()
	list := (&http.Response{Header: x.header}).Cookies()
	if len(list) > 1 {
		x.t.Errorf("%d cookies", len(list))
	}
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

func TestDeviceToken(t *testing.T) {
	const header = "X-Latchkey-Device"
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		email, tokens := a.in()
		shown := a.signIn(email, authtest.Password).is("200")
		if cookie := deviceCookie(shown); cookie == nil || cookie.Value != shown.header.Get(header) {
			t.Fatalf("cookie %v, header %q", cookie, shown.header.Get(header))
		}
		for _, refused := range []answer{a.signIn(email, "wrong"), a.signIn(a.email(), "wrong"), a.refresh(tokens.RefreshToken)} {
			if refused.header.Get(header) != "" || deviceCookie(refused) != nil {
				t.Errorf("a device token beside %s", refused.body)
			}
		}
		stranger := n.enter(t)
		a.Clock.Stop()                              // the next try would be due with time
		a.Clock.Advance(24*time.Hour + time.Second) // by then failures are forgotten
		stranger.guessed(func() answer { return stranger.signIn(email, "wrong") })
		in := members{"email": email, "password": authtest.Password}
		stranger.post("/auth/signin", in).is("429 too_many_requests")
		a.post("/auth/signin", in, header+": "+shown.header.Get(header)).is("200")
		a.post("/auth/signin", in, "Cookie: latchkey-device="+deviceCookie(shown).Value).is("200")
		for _, credential := range []string{bearer(shown.header.Get(header)), header + ": " + shown.header.Get(header), "Cookie: latchkey-device=" + deviceCookie(shown).Value} {
			a.get("/auth/userinfo", credential).is("401 invalid_token") // I7
		}

		a.Clock.Start()

		// Six users of one browser: the cookie keeps five.
		jar, oldest := deviceCookie(shown).Value, ""
		for i := range 5 {
			user := a.user()
			if i == 0 {
				oldest = user
			}
			x := a.post("/auth/signin", members{"email": user, "password": authtest.Password}, "Cookie: latchkey-device="+jar).is("200")
			jar = deviceCookie(x).Value
		}
		if kept := strings.Split(jar, "~"); len(kept) != 5 || strings.Contains(jar, shown.header.Get(header)) {
			t.Errorf("the cookie keeps %d", len(kept))
		}
		// And each of the five is known, beside the one in the header.
		a.Clock.Stop()
		stranger.guessed(func() answer { return stranger.signIn(oldest, "wrong") })
		a.post("/auth/signin", members{"email": oldest, "password": authtest.Password},
			header+": "+shown.header.Get(header), "Cookie: latchkey-device="+jar).is("200")
		a.Clock.Start()

		// A new password makes the old token nobody's, and hands out a new one.
		changed := a.change(email, authtest.Password, newPassword, header+": "+shown.header.Get(header)).is("200")
		reset := a.reset(email, a.ForgotCode(t, email), "another "+newPassword).is("200")
		a.Clock.Stop()
		a.Clock.Advance(2 * time.Second) // longer than a node repeats a "no"
		stranger.guessed(func() answer { return stranger.signIn(email, "wrong") })
		in["password"] = "another " + newPassword
		a.post("/auth/signin", in, header+": "+shown.header.Get(header)).is("429 too_many_requests")
		a.post("/auth/signin", in, header+": "+changed.header.Get(header)).is("429 too_many_requests")
		a.post("/auth/signin", in, header+": "+reset.header.Get(header)).is("200")
	})
}

// The cookie travels encrypted, or on this machine, or not at all.
func TestDeviceTokenCookie(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://id.example.com": "__Host-latchkey-device=T; Path=/; Max-Age=15552000; HttpOnly; Secure; SameSite=None",
		"http://localhost:8080":  "latchkey-device=T; Path=/; Max-Age=15552000; HttpOnly; SameSite=Lax",
		"http://127.0.0.1:8080":  "latchkey-device=T; Path=/; Max-Age=15552000; HttpOnly; SameSite=Lax",
		"http://id.example.com":  "",
	} {
		n := newNode(t, authtest.SQLite(t), func(o *auth.Options) { o.Issuer, o.Audience = issuer, issuer })
		a := n.enter(t)
		x := a.signIn(a.user(), authtest.Password).is("200")
		token := x.header.Get("X-Latchkey-Device")
		if got := strings.Replace(x.header.Get("Set-Cookie"), token, "T", 1); got != want || token == "" {
			t.Errorf("%s: Set-Cookie %q, want %q", issuer, got, want)
		}
	}
}
