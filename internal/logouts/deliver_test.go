package logouts_test

// Telling apps, over real sockets: what is sent, what each answer means, and when it is tried again.

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/authtest"
	"latchkey/internal/logouts"
)

const ordinary = 10 * time.Second

// OpenID Connect Back-Channel Logout §2.4, §2.5: the token and how it comes; the address with its query is the file's.
func TestAnAppIsTold(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		a := newApp(t, http.StatusOK)
		r := newRoom(t, db, ordinary, at("shop", a.URL+"/logout?tenant=1"))
		id := r.ends(t, "shop")
		r.delivers(t)
		if got := r.row(t, id); got.Outcome != logouts.Delivered || got.Tries != 1 || got.LastError != "" {
			t.Errorf("the row: %+v", got)
		}
		if diff := cmp.Diff([]string{logouts.Delivered}, r.counted()); diff != "" {
			t.Errorf("counted (-want +got):\n%s", diff)
		}
		r.idle(t, "told")
		tokens := a.tokens()
		if len(tokens) != 1 {
			t.Fatalf("it was told %d times", len(tokens))
		}
		got := r.reads(t, tokens[0])
		now := r.rig.Clock.Now().Unix()
		want := claims{
			typ: "logout+jwt", Issuer: r.rig.Options.Issuer, Subject: r.user.ID, Audience: "shop", IssuedAt: now, ExpiresAt: now + 120,
			TokenID: got.TokenID, SessionID: id, Events: map[string]map[string]any{"http://schemas.openid.net/event/backchannel-logout": {}},
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(claims{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got.TokenID == "" || got.TokenID == id {
			t.Errorf("jti is %q", got.TokenID)
		}
		req := a.seen[0]
		if req.Method != http.MethodPost || req.URL.String() != "/logout?tenant=1" || req.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("it came by %s %s as %s", req.Method, req.URL, req.Header.Get("Content-Type"))
		}
		other := r.ends(t, "shop")
		r.delivers(t)
		if next := r.reads(t, a.tokens()[1]); next.TokenID == got.TokenID || next.SessionID != other {
			t.Errorf("another session: %+v", next)
		}
	})
}

// Back-Channel Logout §2.8: 200 is success, and 204, which some frameworks send in its place; 400 is final. All else is
// tried again, and no redirect is followed.
func TestWhatAnswersMean(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		elsewhere := newApp(t, http.StatusOK)
		a := newApp(t, http.StatusOK)
		r := newRoom(t, db, time.Second, at("shop", a.URL))
		redirects := func(status int) http.HandlerFunc {
			return func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, elsewhere.URL, status) }
		}
		status := func(status int) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
		}
		for _, tt := range []struct {
			name   string
			answer http.HandlerFunc
			ends   string // empty: it waits
			said   string
		}{
			{"200", status(200), logouts.Delivered, ""},
			{"204", status(204), logouts.Delivered, ""},
			{"200 with a body without end", func(w http.ResponseWriter, req *http.Request) {
				for req.Context().Err() == nil {
					if _, err := w.Write(make([]byte, 1<<16)); err != nil {
						return
					}
				}
			}, logouts.Delivered, ""},
			{"400", func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, `{"error":"invalid_request"}`, http.StatusBadRequest)
			}, logouts.Refused, "the app answered 400"},
			{"202", status(202), "", "the app answered 202"},
			{"301", redirects(301), "", "the app answered 301"},
			{"302", redirects(302), "", "the app answered 302"},
			{"307", redirects(307), "", "the app answered 307"},
			{"308", redirects(308), "", "the app answered 308"},
			{"401", status(401), "", "the app answered 401"},
			{"404", status(404), "", "the app answered 404"},
			{"429", status(429), "", "the app answered 429"},
			{"500", status(500), "", "the app answered 500"},
			{"501", status(501), "", "the app answered 501"},
			{"503", status(503), "", "the app answered 503"},
			{"headers without end", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X", strings.Repeat("x", 1<<20))
			}, "", "server response headers exceeded"},
			{"no answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", "EOF"},
			{"no HTTP", func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					panic(err) // net/http always can
				}
				_, _ = conn.Write([]byte("220 ready\r\n\r\n"))
				_ = conn.Close()
			}, "", "malformed HTTP"},
		} {
			a.does(tt.answer)
			id := r.ends(t, "shop")
			r.delivers(t)
			got, now := r.row(t, id), r.rig.Clock.Now()
			if got.Outcome != tt.ends || got.Tries != 1 || !strings.Contains(got.LastError, tt.said) || tt.said == "" && got.LastError != "" {
				t.Errorf("%s: %+v", tt.name, got)
			}
			if tt.ends == "" && (!got.NextTryAt.After(now) || got.NextTryAt.Sub(now) > 4*time.Second) {
				t.Errorf("%s: the next try is in %v", tt.name, got.NextTryAt.Sub(now))
			}
			if strings.Contains(got.LastError, a.URL) || strings.Contains(got.LastError, "eyJ") {
				t.Errorf("%s: the operator reads an address or a token: %s", tt.name, got.LastError)
			}
			a.answers(http.StatusOK)
			r.rig.Clock.Advance(5 * time.Second)
			for r.row(t, id).Outcome == "" {
				r.delivers(t)
			}
		}
		if got := elsewhere.tokens(); len(got) > 0 {
			t.Errorf("%d tokens were sent where the app redirects to", len(got))
		}
	})
}

// Over https an app has to have a certificate that the system believes in.
func TestAnAppWithoutACertificate(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		told := false
		app := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told = true }))
		app.Config.ErrorLog = log.New(io.Discard, "", 0)
		app.StartTLS()
		t.Cleanup(app.Close)
		r := newRoom(t, db, ordinary, at("shop", app.URL))
		id := r.ends(t, "shop")
		r.delivers(t)
		if got := r.row(t, id); got.Outcome != "" || !strings.Contains(got.LastError, "certificate") || told {
			t.Errorf("told %t: %+v", told, got)
		}
	})
}

// An app that is away for a day is tried after 5 s at most, then ever more seldom up to every five minutes, and given up
// after a day. Each token has the same jti, and is fresh.
func TestAnAppIsAway(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		a := newApp(t, http.StatusServiceUnavailable)
		r := newRoom(t, db, ordinary, at("shop", a.URL))
		id, began := r.ends(t, "shop"), r.rig.Clock.Now()
		var waits []time.Duration
		for r.row(t, id).Outcome == "" {
			r.delivers(t)
			got := r.row(t, id)
			if got.Outcome != "" {
				break
			}
			wait := got.NextTryAt.Sub(r.rig.Clock.Now())
			waits = append(waits, wait)
			r.rig.Clock.Advance(wait - time.Millisecond)
			r.idle(t, "before its time")
			r.rig.Clock.Advance(2 * time.Millisecond)
		}
		if got := r.row(t, id); got.Outcome != logouts.Expired || got.LastError != "the app answered 503" {
			t.Errorf("after a day: %+v", got)
		}
		if over := r.rig.Clock.Now().Sub(began); over < 24*time.Hour || over > 24*time.Hour+logouts.LongestWait {
			t.Errorf("it was given up after %v", over)
		}
		for i, wait := range waits {
			most := min(logouts.LongestWait, 4*time.Second<<min(i, 10))
			if wait > most+time.Millisecond || wait < most*3/4-time.Millisecond {
				t.Errorf("after try %d it waited for %v, want up to %v", i+1, wait, most)
			}
		}
		var times []int64
		for _, raw := range a.tokens() {
			c := r.reads(t, raw)
			if first := r.reads(t, a.tokens()[0]); c.TokenID != first.TokenID || c.SessionID != id || c.ExpiresAt != c.IssuedAt+120 {
				t.Fatalf("another token: %+v, first %+v", c, first)
			}
			times = append(times, c.IssuedAt)
		}
		if len(times) != len(waits) || times[0] != began.Unix() || !slices.IsSorted(times) || len(slices.Compact(times)) != len(waits) {
			t.Errorf("%d tries with tokens of %d times", len(waits), len(times))
		}
		told := r.counted()
		if len(told) != len(waits)+1 || told[0] != "postponed" || told[len(waits)] != logouts.Expired {
			t.Errorf("counted %d: %v … %v", len(told), told[0], told[len(told)-1])
		}
	})
}

// An app that does not listen for a while is told when it does.
func TestAnAppComesBack(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		gone := newApp(t, http.StatusOK)
		uri := gone.URL
		gone.Close()
		r := newRoom(t, db, ordinary, at("shop", uri))
		id := r.ends(t, "shop")
		r.delivers(t)
		if got := r.row(t, id); got.Outcome != "" || !strings.Contains(got.LastError, "refused") {
			t.Errorf("away: %+v", got)
		}
		back := newApp(t, http.StatusOK)
		r.registers(t, at("shop", back.URL)) // the file that is current when it is tried decides
		r.rig.Clock.Advance(5 * time.Second)
		r.delivers(t)
		if got := r.row(t, id); got.Outcome != logouts.Delivered || got.Tries != 2 || len(back.tokens()) != 1 {
			t.Errorf("back: %+v", got)
		}
	})
}

// What no registered client wants to know ends without a try, however much of it there is.
func TestNobodyToTell(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		a := newApp(t, http.StatusOK)
		r := newRoom(t, db, ordinary, at("quiet", ""), at("shop", a.URL))
		var ended []string
		for range 3 {
			ended = append(ended, r.ends(t, "quiet"), r.ends(t, "gone"))
		}
		last := r.ends(t, "shop")
		for r.row(t, last).Outcome == "" {
			r.delivers(t)
		}
		for _, id := range ended {
			if got := r.row(t, id); got.Outcome != logouts.None || got.Tries != 0 {
				t.Errorf("%+v", got)
			}
		}
		r.idle(t, "all is told")
		none := slices.DeleteFunc(r.counted(), func(outcome string) bool { return outcome != logouts.None })
		if len(none) != len(ended) || len(a.tokens()) != 1 {
			t.Errorf("counted %d that nobody wants to know, want %d; the shop was told %d times", len(none), len(ended), len(a.tokens()))
		}
	})
}

// A process that stops gives back what it has under way, due at once, and the next one finishes it.
func TestStoppingGivesBack(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		a := newApp(t, http.StatusOK)
		a.hangs()
		r := newRoom(t, db, ordinary, at("shop", a.URL))
		id := r.ends(t, "shop")
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			<-a.told
			stop()
		}()
		if more, err := r.DeliverNext(ctx); !more || err != nil {
			t.Fatalf("%t, %v", more, err)
		}
		if got := r.row(t, id); got.Outcome != "" || got.NextTryAt.After(r.rig.Clock.Now()) {
			t.Errorf("stopped: %+v", got)
		}
		a.answers(http.StatusNoContent)
		if more, err := r.DeliverSteady(t.Context()); !more || err != nil { // the host is not to blame
			t.Fatalf("%t, %v", more, err)
		}
		if got := r.row(t, id); got.Outcome != logouts.Delivered {
			t.Errorf("%+v", got)
		}
	})
}

// A process that was killed while it had a row keeps it from nobody for longer than the lease.
func TestALeaseRunsOut(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		a := newApp(t, http.StatusOK)
		r := newRoom(t, db, ordinary, at("shop", a.URL))
		id, now := r.ends(t, "shop"), r.rig.Clock.Now()
		if _, err := r.rig.Store.ClaimLogout(t.Context(), "shop", now.Add(time.Second), now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		r.rig.Clock.Advance(59 * time.Second)
		r.idle(t, "leased")
		r.rig.Clock.Advance(2 * time.Second)
		r.delivers(t)
		if got := r.row(t, id); got.Outcome != logouts.Delivered || got.Tries != 2 {
			t.Errorf("%+v", got)
		}
	})
}
