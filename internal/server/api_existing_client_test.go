package server_test

// What the existing web client of this API does (spec 2.6), in its own order and with its own bodies.

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"latchkey/internal/authtest"
)

// studioAnswer is an answer as that client reads it: by the body's statusCode and a few members.
type studioAnswer struct {
	StatusCode int    `json:"statusCode"`
	Message    string `json:"message"`
	Data       struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		SessionState string `json:"session_state"`
		SessionID    string `json:"sessionId"`
	} `json:"data"`
}

func studioReads(x answer) (got studioAnswer) {
	x.t.Helper()
	if err := json.Unmarshal(x.body, &got); err != nil {
		x.t.Fatalf("%s: %v", x.body, err)
	}
	if x.status != 200 && x.status != 201 && x.status < 400 { // it takes 202 and 204 for failures
		x.t.Errorf("status %d", x.status)
	}
	if got.StatusCode != x.status || got.Message == "" {
		x.t.Errorf("it cannot read %s", x.body)
	}
	return got
}

func TestExistingWebClient(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		email := a.user()
		viaItsServer := []string{"User-Agent: node", from("undefined"), "x-frame-options: DENY", "server_tokens: off", "strict-transport-security: max-age=1"}

		refused := studioReads(a.post("/auth/signin", members{"email": email, "password": "wrong", "isPasskey": false}, viaItsServer...))
		if refused.StatusCode != 401 || refused.Message != "Invalid Credentials" {
			t.Errorf("wrong password: %+v", refused)
		}
		in := studioReads(a.post("/auth/signin", members{"email": email, "password": authtest.Password, "isPasskey": false}, viaItsServer...))
		access, refresh := jwt(t, in.Data.AccessToken), jwt(t, in.Data.RefreshToken)
		if access.claims["email"] != email || access.number("exp") == 0 || in.Data.SessionState == "" || in.Data.SessionState != in.Data.SessionID {
			t.Errorf("signed in: %+v, claims %v", in, access.claims)
		}
		if refresh.number("exp") == 0 || refresh.claims["azp"] == "" {
			t.Errorf("refresh token %v", refresh.claims)
		}
		if list, err := a.Sessions(t.Context(), in.Data.AccessToken, access.claims["sub"].(string)); err != nil || list[0].Client.IP != "127.0.0.1" {
			t.Errorf("behind X-Forwarded-For: undefined the address is %+v: %v", list, err)
		}

		a.Clock.Advance(11 * time.Minute) // its access token has expired
		if got := studioReads(a.get("/auth/"+access.claims["sub"].(string)+"/sessions", bearer(in.Data.AccessToken))); got.StatusCode != 401 {
			t.Errorf("expired: %+v", got)
		}
		out := studioReads(a.post("/auth/refresh-token", members{"refreshToken": in.Data.RefreshToken}, viaItsServer...))
		if azp := jwt(t, out.Data.RefreshToken).claims["azp"]; out.StatusCode != 200 || azp == "" || azp == nil {
			t.Errorf("refreshed: %+v", out)
		}
		got := studioReads(a.post("/auth/signout", `{"sessions":["`+out.Data.SessionID+`"]}`, bearer(out.Data.AccessToken)))
		if got.StatusCode != 200 {
			t.Errorf("signed out: %+v", got)
		}
		if got := studioReads(a.post("/auth/refresh-token", members{"refreshToken": out.Data.RefreshToken})); got.StatusCode != 401 || got.Message != "Refresh token has expired" {
			t.Errorf("after signing out: %+v", got)
		}

		asked := `{"email":"` + email + `","clientAlias":null,"brandLogoUrl":"https://example.com/x.png","platformName":"Studio","endpoint":"` + webURL + `"}`
		if got := studioReads(a.post("/auth/forgot-password", asked)); got.StatusCode != 200 {
			t.Errorf("forgot: %+v", got)
		}
		if got := studioReads(a.post("/auth/password-reset/"+email, members{"password": newPassword, "token": a.Code(t, email)})); got.StatusCode != 200 { // the @ raw
			t.Errorf("reset: %+v", got)
		}
		if got := studioReads(a.signIn(email, newPassword)); got.StatusCode != 200 {
			t.Errorf("signed in again: %+v", got)
		}
	})
}

// It registers without sending the code on (spec 2.2); its own client is registered for that.
func TestExistingWebClientRegisters(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		a := n.enter(t)
		email := a.email()
		asked := studioReads(a.post("/auth/verification-mail", members{"email": email, "clientAlias": "studio", "platformName": nil, "brandLogoUrl": ""}))
		if asked.StatusCode != 201 {
			t.Fatalf("asked: %+v", asked)
		}
		mailed := link(a.Mail(t, email))
		if !strings.HasPrefix(mailed, "https://studio.example.com/verify-email-success?verificationCode=") {
			t.Fatalf("link %s", mailed)
		}
		_, query, _ := strings.Cut(mailed, "?")
		if got := studioReads(a.get("/auth/verify?" + query)); got.StatusCode != 200 {
			t.Errorf("verified: %+v", got)
		}
		got := studioReads(a.post("/auth/signup", members{"email": email, "password": newPassword, "firstName": "Grace", "lastName": "Hopper", "isPasskey": false}))
		if got.StatusCode != 201 {
			t.Errorf("signed up: %+v", got)
		}
		if got := studioReads(a.signIn(email, newPassword)); got.StatusCode != 200 {
			t.Errorf("signed in: %+v", got)
		}
	})
}

// Refused on purpose: it would hand both tokens to whoever knows a session id.
func TestSessionDetailsAreNobodys(t *testing.T) {
	a := newNode(t, authtest.SQLite(t), nil).enter(t)
	_, tokens := a.in()
	a.get("/auth/sessionDetails?sessionId="+tokens.SessionID, bearer(tokens.AccessToken)).is("404 not_found")
	a.post("/auth/sessionDetails", members{"sessionId": tokens.SessionID}).is("404 not_found")
}
