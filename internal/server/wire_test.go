package server

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"latchkey/internal/auth"
	"latchkey/internal/peer"
)

// What existing clients read of a session, to the letter.
func TestWireSession(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 123_456_000, time.FixedZone("CET", 3600))
	for _, tt := range []struct {
		name   string
		device peer.Device
		want   string
	}{
		{
			"a browser", peer.Device{Browser: "Chrome", BrowserVersion: "140", OS: "Linux", DeviceType: "desktop", UserAgent: `Mozilla/5.0 "x" <y>`, Addr: "203.0.113.7"},
			`"clientInfo":"{\"browser\":\"Chrome 140\",\"os\":\"Linux\",\"deviceType\":\"desktop\",\"rawDetail\":\"Mozilla/5.0 \\\"x\\\" <y>\",\"ip\":\"203.0.113.7\"}",` +
				`"client":{"browser":"Chrome","browserVersion":"140","os":"Linux","deviceType":"desktop","ip":"203.0.113.7"}}`,
		},
		{
			"nothing known", peer.Device{DeviceType: "unknown"},
			`"clientInfo":"{\"browser\":\"\",\"os\":\"\",\"deviceType\":\"unknown\",\"rawDetail\":\"\",\"ip\":\"\"}",` +
				`"client":{"browser":"","browserVersion":"","os":"","deviceType":"unknown","ip":""}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(wireSession(auth.Session{
				ID: "s", UserID: "u", CreatedAt: at, LastUsedAt: at.Truncate(time.Second), ExpiresAt: at, Current: true, Client: "shop", Via: "oauth", Device: tt.device,
			}))
			if err != nil {
				t.Fatal(err)
			}
			want := `{"id":"s","userId":"u","sessionType":"user-session","createdAt":"2026-11-23T08:00:00.123Z",` +
				`"lastUsedAt":"2026-11-23T08:00:00.000Z","expiresAt":"2026-11-23T08:00:00.123Z","current":true,"clientAlias":"shop","via":"oauth",` + tt.want
			if string(got) != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// An envelope has data where there is some, an empty list too.
func TestEnvelope(t *testing.T) {
	for want, r := range map[string]reply{
		`{"statusCode":200,"message":"Done."}`:            ok("Done.", nil),
		`{"statusCode":200,"message":"Done.","data":[]}`:  ok("Done.", []string{}),
		`{"statusCode":201,"message":"a & <b>","data":1}`: created("a & <b>", 1),
	} {
		if got := written(t, r); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func written(t *testing.T, r reply) string {
	t.Helper()
	w := httptest.NewRecorder()
	r(newRoom(t, nil).Handler.(*server).newExchange(w, httptest.NewRequest("GET", "/", nil)))
	if w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("Content-Type %q", w.Header().Get("Content-Type"))
	}
	return w.Body.String()
}
