package server_test

// The sessions of a user: listed, ended one by one, signed out of.

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"latchkey/api"
	"latchkey/internal/authtest"
)

const chrome = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

// badBearers is every Authorization header that proves nothing.
func badBearers(a *app) map[string][]string {
	a.Helper()
	_, expired := a.in()
	a.Clock.Advance(a.Options.AccessTTL + time.Second)
	_, good := a.in()
	_, ended := a.in()
	a.post("/auth/signout", nil, bearer(ended.AccessToken)).is("200")
	cut := good.AccessToken[:len(good.AccessToken)-6]
	return map[string][]string{
		"none":                nil,
		"empty":               {"Authorization: Bearer "},
		"garbage":             {bearer("garbage")},
		"expired":             {bearer(expired.AccessToken)},
		"an ended session":    {bearer(ended.AccessToken)},
		"a broken signature":  {bearer(cut + "AAAAAA")},
		"padding":             {bearer(good.AccessToken + "=")},
		"a refresh token":     {bearer(good.RefreshToken)}, // I7
		"no algorithm":        {bearer("eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJub25lIn0." + strings.Split(good.AccessToken, ".")[1] + ".")},
		"another scheme":      {"Authorization: Basic " + good.AccessToken},
		"two headers":         {bearer(good.AccessToken), bearer(good.AccessToken)},
		"a cookie":            {"Cookie: access_token=" + good.AccessToken},
		"two tokens in one":   {bearer(good.AccessToken + ", Bearer " + good.AccessToken)},
		"another user's name": {"X-User-Id: " + a.userID(good)},
	}
}

// refusesBadBearers holds an operation to RFC 6750 §3: a challenge always, an error only where
// credentials of a kind were sent. but names those that the operation takes.
func refusesBadBearers(a *app, method, path string, but ...string) {
	a.Helper()
	for name, headers := range badBearers(a) {
		if slices.Contains(but, name) {
			continue
		}
		x := a.send(method, path, nil, headers...)
		if what(x.status, x.header, x.body) != "401 invalid_token" {
			a.Errorf("%s: %d %s", name, x.status, x.body)
		}
		want := `Bearer realm="latchkey"`
		if len(headers) > 0 && strings.HasPrefix(headers[0], "Authorization") {
			want += `, error="invalid_token"`
		}
		if got := x.header.Get("WWW-Authenticate"); got != want {
			a.Errorf("%s: challenge %q, want %q", name, got, want)
		}
	}
}

func TestSessions(t *testing.T) {
	prove(t, "GET /auth/{id}/sessions", nil, []proof{
		{"200", func(a *app) {
			email := a.user()
			before := a.Clock.Now()
			first := dataOf[api.Tokens](a.post("/auth/signin", members{"email": email, "password": authtest.Password, "clientAlias": "mobile"}, chrome, from("203.0.113.7")).is("200"))
			a.Clock.Advance(time.Minute)
			second := a.In(a.T, email)
			a.Clock.Advance(time.Minute)
			first = a.next(first)
			userID := a.userID(first)
			x := a.get("/auth/"+userID+"/sessions", bearer(first.AccessToken)).is("200")
			list := dataOf[[]api.Session](x)
			if len(list) != 2 || list[0].ID != second.SessionID || list[1].ID != first.SessionID { // newest first
				a.Fatalf("list %+v", list)
			}
			if list[0].Current || !list[1].Current {
				a.Error("current is not the Bearer's session")
			}
			got := list[1]
			checkTimes(a, got, before)
			if diff := cmp.Diff(api.Session{
				ID: first.SessionID, UserID: userID, SessionType: "user-session", Current: true, ClientAlias: "mobile", Via: "auth",
				CreatedAt: got.CreatedAt, LastUsedAt: got.LastUsedAt, ExpiresAt: got.ExpiresAt,
				ClientInfo: `{"browser":"Chrome 140","os":"Linux","deviceType":"desktop","rawDetail":"` + strings.TrimPrefix(chrome, "User-Agent: ") + `","ip":"203.0.113.7"}`,
				Client:     api.Browser{Browser: "Chrome", BrowserVersion: "140", OS: "Linux", DeviceType: "desktop", IP: "203.0.113.7"},
			}, got); diff != "" {
				a.Errorf("session (-want +got):\n%s", diff)
			}
			for _, token := range []string{first.AccessToken, first.RefreshToken, "generation", "$argon2id"} {
				if strings.Contains(string(x.body), token) {
					a.Errorf("the list has %s", token)
				}
			}
		}},
		{"200: clientInfo is JSON in a string, whatever the agent says", func(a *app) {
			email := a.user()
			tokens := dataOf[api.Tokens](a.post("/auth/signin", members{"email": email, "password": authtest.Password}, `User-Agent: "x\ <script> `+strings.Repeat("y", 600)).is("200"))
			got := dataOf[[]api.Session](a.get("/auth/"+a.userID(tokens)+"/sessions", bearer(tokens.AccessToken)).is("200"))[0]
			var info api.ClientInfo
			if err := json.Unmarshal([]byte(got.ClientInfo), &info); err != nil {
				a.Fatalf("%q: %v", got.ClientInfo, err)
			}
			if !strings.HasPrefix(info.RawDetail, `"x\ <script> yyy`) || len(info.RawDetail) > 512 || info.DeviceType != "unknown" {
				a.Errorf("rawDetail %q (%d bytes), deviceType %q", info.RawDetail, len(info.RawDetail), info.DeviceType)
			}
		}},
		{"200: neither ended nor expired sessions, nor anybody else's", func(a *app) {
			email := a.user()
			idle, ended := a.In(a.T, email), a.In(a.T, email)
			a.post("/auth/signout", nil, bearer(ended.AccessToken)).is("200")
			a.Clock.Advance(a.Options.RefreshIdle + time.Second)
			a.in()
			tokens := a.In(a.T, email)
			list := dataOf[[]api.Session](a.get("/auth/"+a.userID(tokens)+"/sessions", bearer(tokens.AccessToken)).is("200"))
			if len(list) != 1 || list[0].ID != tokens.SessionID {
				a.Errorf("list %+v beside %s (idle) and %s (ended)", list, idle.SessionID, ended.SessionID)
			}
		}},
		{"400 invalid_request: not a UUID", func(a *app) {
			_, tokens := a.in()
			id := a.userID(tokens)
			for _, bad := range []string{"x", "%7B" + id + "%7D", "urn:uuid:" + id, strings.ReplaceAll(id, "-", ""), id + "%20"} {
				a.get("/auth/"+bad+"/sessions", bearer(tokens.AccessToken)).is("400 invalid_request").blames("userId invalid_format")
			}
		}},
		{"401 invalid_token", func(a *app) {
			_, tokens := a.in()
			refusesBadBearers(a, "GET", "/auth/"+a.userID(tokens)+"/sessions")
		}},
		{"403 forbidden: another user's", func(a *app) {
			_, mine := a.in()
			_, theirs := a.in()
			a.get("/auth/"+a.userID(theirs)+"/sessions", bearer(mine.AccessToken)).is("403 forbidden")
			a.get("/auth/"+uuid.NewString()+"/sessions", bearer(mine.AccessToken)).is("403 forbidden")
			a.get("/auth/"+mine.SessionID+"/sessions", bearer(mine.AccessToken)).is("403 forbidden")
		}},
	})
}

// checkTimes holds a session that was signed in at about `before` and refreshed two minutes later.
func checkTimes(a *app, s api.Session, before time.Time) {
	a.Helper()
	near := func(got api.Time, want time.Time) bool { return got.Sub(want).Abs() < 30*time.Second }
	refreshed := before.Add(2 * time.Minute)
	if !near(s.CreatedAt, before) || !near(s.LastUsedAt, refreshed) || !near(s.ExpiresAt, refreshed.Add(a.Options.RefreshIdle)) {
		a.Errorf("signed in %s: %+v", before, s)
	}
	text, err := json.Marshal(s.CreatedAt)
	if err != nil || len(text) != len(`"2026-11-23T08:00:00.000Z"`) || !strings.HasSuffix(string(text), `Z"`) {
		a.Errorf("createdAt %s: %v", text, err)
	}
}

func TestEndSession(t *testing.T) {
	prove(t, "DELETE /auth/{id}/sessions", nil, []proof{
		{"200", func(a *app) {
			email, here := a.in()
			there := a.In(a.T, email)
			a.endSession(there.SessionID, here).is("200")
			a.dead(there)
			a.endSession(there.SessionID, here).is("200") // an own one that has ended already
			a.alive(here)
		}},
		{"200: the current one", func(a *app) {
			_, here := a.in()
			a.endSession(here.SessionID, here).is("200")
			a.dead(here)
		}},
		{"400 invalid_request: not a UUID", func(a *app) {
			_, here := a.in()
			for _, bad := range []string{"x", "%7B" + here.SessionID + "%7D"} {
				a.endSession(bad, here).is("400 invalid_request").blames("sessionId invalid_format")
			}
			a.alive(here)
		}},
		{"401 invalid_token", func(a *app) {
			_, here := a.in()
			refusesBadBearers(a, "DELETE", "/auth/"+here.SessionID+"/sessions")
		}},
		{"403 forbidden: the same for another user's and for nobody's", func(a *app) { // I18
			_, mine := a.in()
			_, theirs := a.in()
			other, none := a.endSession(theirs.SessionID, mine).is("403 forbidden"), a.endSession(uuid.NewString(), mine).is("403 forbidden")
			if diff := cmp.Diff(masked(other), masked(none)); diff != "" {
				a.Errorf("they differ:\n%s", diff)
			}
			a.alive(theirs)
		}},
	})
}

func (a *app) endSession(id string, tokens api.Tokens) answer {
	a.Helper()
	return a.send("DELETE", "/auth/"+id+"/sessions", nil, bearer(tokens.AccessToken))
}

func TestSignOut(t *testing.T) {
	out := func(a *app, tokens api.Tokens, body any) answer {
		a.Helper()
		return a.post("/auth/signout", body, bearer(tokens.AccessToken))
	}
	prove(t, "POST /auth/signout", nil, []proof{
		{"200: the current session", func(a *app) {
			for _, body := range []any{nil, "", " \r\n\t", "null", " null\n", "{}", `{"sessions":null}`, `{"others":null,"sessions":null}`, `{"others":false}`, `{"isPasskey":true}`} {
				email, here := a.in()
				there := a.In(a.T, email)
				out(a, here, body).is("200")
				a.dead(here)
				a.alive(there)
			}
		}},
		{"200: listed ones, ended ones among them", func(a *app) {
			email, here := a.in()
			there, ended, kept := a.In(a.T, email), a.In(a.T, email), a.In(a.T, email)
			out(a, ended, nil).is("200")
			out(a, here, members{"sessions": []string{there.SessionID, ended.SessionID, there.SessionID}}).is("200")
			a.dead(there)
			a.alive(kept)
			out(a, here, members{"sessions": []string{kept.SessionID, here.SessionID}}).is("200")
			a.dead(kept)
			a.dead(here)
		}},
		{"200: all others", func(a *app) {
			email, here := a.in()
			there, elsewhere := a.In(a.T, email), a.In(a.T, email)
			_, stranger := a.in()
			out(a, here, members{"others": true}).is("200")
			a.dead(there)
			a.dead(elsewhere)
			a.alive(here)
			a.alive(stranger)
		}},
		{"200: a hundred at once", func(a *app) {
			_, here := a.in()
			list := make([]string, 100)
			for i := range list {
				list[i] = here.SessionID
			}
			out(a, here, members{"sessions": list}).is("200")
			a.dead(here)
		}},
		{"400 invalid_request", func(a *app) {
			_, here := a.in()
			many := strings.TrimSuffix(strings.Repeat(`"`+here.SessionID+`",`, 101), ",")
			for body, blames := range map[string]string{
				`{"sessions":[]}`:                       "sessions required",
				`{"sessions":["x"]}`:                    "sessions invalid_format",
				`{"sessions":[null]}`:                   "sessions invalid_format",
				`{"sessions":[` + many + `]}`:           "sessions too_many",
				`{"sessions":"` + here.SessionID + `"}`: "sessions invalid_type",
				`{"sessions":[17]}`:                     "sessions invalid_type",
				`{"others":"true"}`:                     "others invalid_type",
				`{"Others":true}`:                       "others wrong_case",
				`{"sessions":["` + here.SessionID + `"],"others":true}`:     "others conflict",
				`{"others":true,"sessions":["x"]}`:                          "others conflict",
				fmt.Sprintf(`{"sessions":["{%s}"]}`, here.SessionID):        "sessions invalid_format",
				fmt.Sprintf(`{"sessions":["urn:uuid:%s"]}`, here.SessionID): "sessions invalid_format",
			} {
				out(a, here, body).is("400 invalid_request").blames(blames)
			}
			a.alive(here)
		}},
		{"401 invalid_token", func(a *app) { refusesBadBearers(a, "POST", "/auth/signout", "expired") }},
		{"401 invalid_token: what is signed out is out", func(a *app) { // I1
			_, here := a.in()
			out(a, here, nil).is("200")
			out(a, here, nil).is("401 invalid_token")
		}},
		{"403 forbidden: not all are the caller's own, and nothing ends", func(a *app) {
			email, here := a.in()
			there := a.In(a.T, email)
			_, theirs := a.in()
			for _, id := range []string{theirs.SessionID, uuid.NewString()} {
				out(a, here, members{"sessions": []string{here.SessionID, there.SessionID, id}}).is("403 forbidden")
			}
			a.alive(here)
			a.alive(there)
			a.alive(theirs)
		}},
	})
}
