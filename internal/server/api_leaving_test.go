package server_test

// Signing out late: the access token has run out by the time its owner presses the button.

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/auth"
)

func (a *app) runOut() {
	a.Helper()
	a.Clock.Advance(a.Options.AccessTTL + time.Minute)
}

func TestSignOutAfterTheTokenRanOut(t *testing.T) {
	out := func(a *app, tokens api.Tokens, body any) answer {
		a.Helper()
		return a.post("/auth/signout", body, bearer(tokens.AccessToken))
	}
	revoke := func(a *app, tokens api.Tokens, _ any) answer { return a.revoke(tokens.AccessToken) }
	prove(t, "POST /auth/signout", nil, []proof{
		{"200: its own session", func(a *app) {
			for _, body := range []any{nil, " ", "null", "{}", `{"sessions":null}`, `{"others":false}`, `{"isPasskey":true}`} {
				email, here := a.in()
				a.runOut()
				there := a.In(a.T, email)
				a.get("/auth/userinfo", bearer(here.AccessToken)).is("401 invalid_token") // it is good for nothing else
				out(a, here, body).is("200")
				a.post("/auth/refresh-token", members{"refreshToken": here.RefreshToken}).is("401 invalid_refresh_token")
				a.alive(there)
				if e, err := a.Service.ExplainSession(a.Context(), here.SessionID); err != nil || e.Reason != "signed_out" {
					a.Errorf("%v: %+v %v", body, e, err)
				}
				out(a, here, body).is("200") // ended already
			}
		}},
		{"200: and /oauth/revoke does", func(a *app) {
			_, first := a.in()
			a.runOut()
			out(a, first, nil).is("200")
			email, here := a.in()
			a.runOut()
			there := a.In(a.T, email)
			a.revoke(here.AccessToken).is("200")
			a.post("/auth/refresh-token", members{"refreshToken": here.RefreshToken}).is("401 invalid_refresh_token")
			a.alive(there)
			a.revoke(here.AccessToken).is("200")
			if a.introspect(here.AccessToken).Active {
				a.Error("a dead token is active")
			}
		}},
		{"200: a refresh that went before keeps no hold of it", func(a *app) {
			_, here := a.in()
			a.runOut()
			next := a.next(here)
			out(a, here, nil).is("200")
			a.dead(next)
		}},
		{"200: nothing is left of its account", func(a *app) {
			email, here := a.in()
			if err := a.Service.DeleteUser(a.Context(), email); err != nil {
				a.Fatal(err)
			}
			a.runOut()
			out(a, here, nil).is("200")
			revoke(a, here, nil).is("200")
		}},
		{"401 invalid_token: with sessions or others, whatever they say", func(a *app) {
			email, here := a.in()
			a.runOut()
			there := a.In(a.T, email)
			for _, body := range []string{
				`{"sessions":["` + here.SessionID + `"]}`, `{"sessions":["` + there.SessionID + `"]}`, `{"sessions":[]}`, `{"sessions":["x"]}`, `{"sessions":"x"}`,
				`{"others":true}`, `{"others":"true"}`, `{"Others":true}`, `{"sessions":["x"],"others":true}`, `[]`, `{`, `{"others":false,"others":false}`,
			} {
				out(a, here, body).is("401 invalid_token")
			}
			a.post("/auth/signout", "others=true", bearer(here.AccessToken), formEncoded).is("401 invalid_token")
			a.alive(there)
			a.next(here)
		}},
		{"401 invalid_token: only the time is waived", func(a *app) {
			_, here := a.in()
			a.runOut()
			for name, raw := range forgeries(here.AccessToken) {
				if x := a.post("/auth/signout", nil, bearer(raw)); x.status != http.StatusUnauthorized {
					a.Errorf("%s: %d %s", name, x.status, x.body)
				}
				a.revoke(raw).is("200") // RFC 7009 §2.2, and nothing ends
			}
			a.next(here)
		}},
		{"401 invalid_token: the key that signed it is out of the ring", func(a *app) {
			_, here := a.in()
			a.runOut()
			for range 2 {
				if _, err := a.Service.Keys().Rotate(a.Context()); err != nil {
					a.Fatal(err)
				}
				a.Clock.Advance(time.Hour)
				if err := a.Service.Keys().Settle(a.Context()); err != nil {
					a.Fatal(err)
				}
				if err := a.Service.Keys().Reload(a.Context()); err != nil {
					a.Fatal(err)
				}
			}
			out(a, here, nil).is("401 invalid_token")
			a.next(here)
		}},
	})
}

// forgeries of a token, each wrong in one thing beside its time.
func forgeries(raw string) map[string]string {
	parts := strings.Split(raw, ".")
	swap := func(i int, old, with string) string {
		text, _ := base64.RawURLEncoding.DecodeString(parts[i])
		changed := append([]string{}, parts...)
		changed[i] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(text), old, with, 1)))
		return strings.Join(changed, ".")
	}
	return map[string]string{
		"another type":      swap(0, "at+jwt", "rt+jwt"),
		"no algorithm":      swap(0, "ES256", "none"),
		"another issuer":    swap(1, `"iss":"http`, `"iss":"https`),
		"another signature": parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86),
		"cut":               raw[:len(raw)-2],
	}
}

// A token of another issuer or audience is not a token of ours, however right its signature: two servers on
// one database, with the same keys, do not sign each other's users out.
func TestSignOutAsksForIssuerAndAudience(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		for name, tweak := range map[string]func(*auth.Options){
			"issuer":   func(o *auth.Options) { o.Issuer = "https://other.example.com" },
			"audience": func(o *auth.Options) { o.Audience = "other" },
		} {
			_, here := a.in()
			a.runOut()
			o := a.Options
			tweak(&o)
			other, err := auth.New(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := other.AuthenticateLeaver(t.Context(), here.AccessToken); auth.CodeOf(err) != auth.CodeInvalidToken {
				t.Errorf("another %s: %v", name, err)
			}
			a.next(here)
		}
	})
}
