package server_test

// What the existing web client of this API does, in its own order and with its own bodies. webClient
// stands for it: after a sign-in it has a cookie and no token, and asks sessionDetails for whatever it sends on.

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/authtest"
)

const studioURL = "http://studio.example.org"

// fromItsServer are the headers of a request that the client's own server makes.
var fromItsServer = []string{"User-Agent: node", from("undefined"), "x-frame-options: DENY", "server_tokens: off", "strict-transport-security: max-age=1"}

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

// webClient is that client once somebody has signed in.
type webClient struct {
	*app
	id     string
	cookie string // made by its own server, of nothing but the session's id
}

// studioAsks is a sign-in as its server sends it.
func (a *app) studioAsks(email, password string) answer {
	a.Helper()
	return a.post("/auth/signin", members{"email": email, "password": wrapped(wrappingKey, password), "clientAlias": "CREDEBL", "isPasskey": false}, fromItsServer...)
}

func (a *app) studioIn(email, password string) webClient {
	a.Helper()
	in := studioReads(a.studioAsks(email, password))
	access := jwt(a.T, in.Data.AccessToken) // its server looks into it, and drops it
	if in.StatusCode != 200 || access.claims["email"] != email || access.number("exp") == 0 || in.Data.SessionState == "" || in.Data.SessionState != in.Data.SessionID {
		a.Fatalf("signed in: %+v, claims %v", in, access.claims)
	}
	return webClient{app: a, id: in.Data.SessionID, cookie: a.cookieFor(in.Data.SessionID)}
}

// read asks for the session from one of its pages.
func (c webClient) read() answer {
	c.Helper()
	return c.details(wrapped(wrappingKey, c.id), fromItsPage, c.cookie).is("200")
}

// session is a live session with the tokens that are good now.
func (c webClient) session() api.SessionDetails {
	c.Helper()
	d := dataOf[*api.SessionDetails](c.read())
	if d == nil {
		c.Fatal("it is signed in, and has no tokens")
	}
	return *d
}

// taggedEmail is an address with a plus sign that nobody else uses.
func (a *app) taggedEmail() string { return strings.Replace(a.email(), "@", "+tag@", 1) }

// encodedTwice is the query of a mailed link as that client sends it on: it escapes what it has not unescaped.
func encodedTwice(t *testing.T, mailed string) string {
	t.Helper()
	_, query, _ := strings.Cut(mailed, "?")
	var out []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			t.Fatalf("link %s", mailed)
		}
		out = append(out, name+"="+url.QueryEscape(value))
	}
	return strings.Join(out, "&")
}

func TestExistingWebClient(t *testing.T) {
	onBothEngines(t, withNextAuth, func(t *testing.T, n *node) {
		a := n.enter(t)
		email := a.taggedEmail()
		a.AddUser(t, email)
		if refused := studioReads(a.studioAsks(email, "wrong")); refused.StatusCode != 401 || refused.Message != "Invalid Credentials" {
			t.Errorf("wrong password: %+v", refused)
		}
		c := a.studioIn(email, authtest.Password)
		d := c.session()
		access, refresh := jwt(t, d.SessionToken), jwt(t, d.RefreshToken)
		if d.ID != c.id || d.UserID != access.claims["sub"] || d.SessionType != "user-session" || d.Expires < 1 || d.ClientInfo == "" {
			t.Errorf("details %+v", d)
		}
		if refresh.number("exp") == 0 || refresh.claims["azp"] == "" {
			t.Errorf("refresh token %v", refresh.claims)
		}
		list := dataOf[[]api.Session](a.get("/auth/"+d.UserID+"/sessions", bearer(d.SessionToken)).is("200"))
		if len(list) != 1 || list[0].ID != c.id || list[0].ClientInfo != d.ClientInfo || list[0].Client.IP != "127.0.0.1" {
			t.Errorf("behind X-Forwarded-For: undefined the list is %+v", list)
		}
		if again := c.session(); again.RefreshToken != d.RefreshToken {
			t.Error("asking for the details rotated the session")
		}

		a.Clock.Advance(11 * time.Minute) // its access token has expired
		if got := studioReads(a.get("/auth/"+d.UserID+"/sessions", bearer(d.SessionToken))); got.StatusCode != 401 {
			t.Errorf("expired: %+v", got)
		}
		next := studioReads(a.post("/auth/refresh-token", members{"refreshToken": d.RefreshToken}, fromItsServer...))
		if azp := jwt(t, next.Data.RefreshToken).claims["azp"]; next.StatusCode != 200 || azp == "" || azp == nil {
			t.Errorf("refreshed: %+v", next)
		}
		if d = c.session(); d.RefreshToken != next.Data.RefreshToken {
			t.Errorf("after a refresh: %+v", d)
		}
		if got := studioReads(a.post("/auth/signout", `{"sessions":["`+c.id+`"]}`, bearer(d.SessionToken))); got.StatusCode != 200 {
			t.Errorf("signed out: %+v", got)
		}
		if got := studioReads(a.post("/auth/refresh-token", members{"refreshToken": d.RefreshToken})); got.StatusCode != 401 || got.Message != "Refresh token has expired" {
			t.Errorf("after signing out: %+v", got)
		}
		if left := c.read(); !strings.Contains(string(left.body), `"data":null`) {
			t.Errorf("after signing out: %s", left.body)
		}
	})
}

func TestExistingWebClientResets(t *testing.T) {
	onBothEngines(t, withNextAuth, func(t *testing.T, n *node) {
		a := n.enter(t)
		email := a.taggedEmail()
		a.AddUser(t, email)
		asked := `{"email":"` + email + `","clientAlias":null,"brandLogoUrl":"https://example.com/x.png","platformName":"CREDEBL","endpoint":"` + studioURL + `"}`
		if got := studioReads(a.post("/auth/forgot-password", asked)); got.StatusCode != 200 {
			t.Errorf("forgot: %+v", got)
		}
		mailed := link(a.Mail(t, email))
		if !strings.HasPrefix(mailed, studioURL+"/reset-password?verificationCode=") {
			t.Fatalf("link %s", mailed)
		}
		if got := studioReads(a.post("/auth/password-reset/"+email, members{"password": wrapped(wrappingKey, newPassword), "token": a.Code(t, email)})); got.StatusCode != 200 { // the @ and the + raw
			t.Errorf("reset: %+v", got)
		}
		if d := a.studioIn(email, newPassword).session(); jwt(t, d.SessionToken).claims["email"] != email {
			t.Errorf("with the new password: %+v", d)
		}
	})
}

// It registers without sending the code on, which the clients file allows it (signup_without_code).
func TestExistingWebClientRegisters(t *testing.T) {
	onBothEngines(t, withNextAuth, func(t *testing.T, n *node) {
		a := n.enter(t)
		email := a.taggedEmail()
		asked := studioReads(a.post("/auth/verification-mail", members{"email": email, "clientAlias": "CREDEBL", "platformName": nil, "brandLogoUrl": ""}))
		if asked.StatusCode != 201 {
			t.Fatalf("asked: %+v", asked)
		}
		mailed := link(a.Mail(t, email))
		if !strings.HasPrefix(mailed, studioURL+"/verify-email-success?verificationCode=") {
			t.Fatalf("link %s", mailed)
		}
		query := encodedTwice(t, mailed)
		if !strings.Contains(query, "%252Btag%2540") {
			t.Fatalf("the query is not encoded twice: %s", query)
		}
		if got := studioReads(a.get("/auth/verify?" + query)); got.StatusCode != 200 {
			t.Errorf("verified: %+v", got)
		}
		got := studioReads(a.post("/auth/signup", members{"email": email, "password": wrapped(wrappingKey, newPassword), "firstName": "Grace", "lastName": "Hopper", "isPasskey": false}))
		if got.StatusCode != 201 {
			t.Errorf("signed up: %+v", got)
		}
		d := a.studioIn(email, newPassword).session()
		if claims := jwt(t, d.SessionToken).claims; claims["email"] != email || claims["name"] != "Grace Hopper" {
			t.Errorf("its first tokens: %v", claims)
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
