package sdk

// The package in three engines: what it does rests on clocks, timers, storage, channels and requests, which are each
// engine's own.

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// What a page says once it knows who is signed in.
const (
	signedIn  = "window.shop?.ready && shop.email"
	signedOut = "window.shop?.ready && !shop.email"
)

// Three tabs of somebody who signs in by the server's own page refresh, sleep for an hour, and are signed out by one of
// them. Firefox and WebKit have ten minutes of real time in between; Chromium has hours of its own.
func TestEngines(t *testing.T) {
	if !stage.Lane(t, false, false, true) {
		t.Skip("run at length: make test-soak")
	}
	t.Parallel()
	for _, name := range slices.Sorted(maps.Keys(stage.Engines())) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			minutes := 10
			if name == "Chromium" {
				minutes = 0
			}
			wire := newWire(t)
			home, node := newApp(t, "path.html", stage.Settings{"ACCESS_TTL": "1m", "PUBLIC_URL": wire.url})
			wire.leadTo(t, node.URL)
			profile := stage.Engines()[name](t)
			tabs := []*stage.Tab{profile.NewTab(), profile.NewTab(), profile.NewTab()}
			signIn(tabs[0], home)
			for _, tab := range tabs[1:] {
				tab.Open(home + "/")
				tab.Await(signedIn)
			}
			tokenStaysHere(t, tabs[2], home)

			refresh(t, tabs, 45*time.Second) // from when a third of its life is left a token is renewed
			for end := time.Now().Add(time.Duration(minutes) * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Second) {
				for _, tab := range tabs {
					tab.Await(signedIn)
				}
			}
			refresh(t, tabs, time.Hour) // a sleep
			for _, tab := range tabs {
				stage.Evaluate[any](tab, "shim.jump(-300_000, 'keep')") // the clock was fast
			}
			refresh(t, tabs, 45*time.Second)
			signOuts, lost := 0, 0
			for _, tab := range tabs {
				shop := told(t, tab)
				signOuts, lost = signOuts+len(shop.Ended), lost+shop.Lost
			}
			c := wire.counted()
			t.Logf("%s: sign-ins %d, refreshes sent %d, answered %d, tabs %d, drops %d, sign-outs %d", name, c.signIns, c.sent, c.answered, len(tabs), c.dropped, signOuts)
			if c.signIns != 1 || c.answered < 3+minutes || lost == 0 || signOuts > 0 {
				t.Error("those are not the counts of a session that lasts")
			}

			for _, tab := range tabs[1:] {
				stage.Evaluate[any](tab, "shim.still()")
			}
			tabs[0].Click("#out")
			for _, tab := range tabs {
				tab.Await(signedOut)
			}
			tabs[0].Await("location.href === '" + home + "/'") // back from the server
			tabs[2].Close()
			tabs[2] = profile.NewTab()
			for _, tab := range tabs {
				tab.Open(home + "/")
				tab.Await("window.shop?.ready")
				stage.Evaluate[any](tab, "shim.jump(60_000, 'fire')") // for whatever may still wait
			}
			for _, tab := range tabs {
				const heard = "auth.getAccessToken().then((token) => JSON.stringify([token, shop.email, shop.reasons]))"
				if back := stage.Evaluate[string](tab, heard); back != `[null,null,["initial"]]` {
					t.Errorf("signed out, reloaded, and a tab hears %s", back)
				}
			}
			tabs[0].Open(wire.url + "/account")
			tabs[0].Await("document.querySelector('input[type=password]')") // signed out there as well
		})
	}
}

func signIn(tab *stage.Tab, home string) {
	tab.Open(home + "/")
	tab.Await(signedOut)
	tab.Click("#in")
	tab.SignIn(email, authtest.Password)
	tab.Await(signedIn)
}

// refresh lets time pass in all tabs, and waits until they have another access token, all the same.
func refresh(t *testing.T, tabs []*stage.Tab, by time.Duration) {
	t.Helper()
	const held = "auth.getAccessToken().catch(() => null)" // a busy server may answer too late
	before := stage.Evaluate[string](tabs[0], held)
	for _, tab := range tabs {
		stage.Evaluate[any](tab, fmt.Sprintf("shim.jump(%d, 'fire')", by.Milliseconds()))
	}
	for end := time.Now().Add(stage.Patience); ; time.Sleep(100 * time.Millisecond) {
		var tokens []string
		for _, tab := range tabs {
			tokens = append(tokens, stage.Evaluate[string](tab, held))
		}
		if slices.Sort(tokens); tokens[0] != "" && tokens[0] == tokens[len(tokens)-1] && tokens[0] != before {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("before that all tabs held %s, now they hold %q", before, tokens)
		}
	}
}

// account is what a tab tells of itself.
type account struct {
	Ended, Errors []string
	Twice         []string // requests to refresh that were sent and answered more than once
	Lost          int
}

// told fails the test where something went wrong in a tab that a slow network does not explain.
func told(t *testing.T, tab *stage.Tab) account {
	t.Helper()
	shop := stage.Evaluate[account](tab, `{
		Ended: shop.reasons.filter((reason) => ["signed_out", "ended"].includes(reason)),
		Errors: shop.errors.filter((error) => !["network_error", "timeout"].includes(error)),
		Twice: shim.fetches.filter(({ status, body }) => status === 200 && body.includes("grant_type=refresh_token"))
			.map(({ body }) => body).filter((body, at, all) => all.indexOf(body) < at),
		Lost: shim.fetches.filter(({ status }) => status === "lost").length,
	}`)
	if len(shop.Errors) > 0 || len(shop.Twice) > 0 {
		t.Errorf("a tab tells of %+v", shop)
	}
	return shop
}

// tokenStaysHere asks an API of the app's own origin that has moved: within the origin the token goes along, and to
// another one, which nobody has named in apis, no engine carries it.
func tokenStaysHere(t *testing.T, tab *stage.Tab, home string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(server.Close)
	for origin, goes := range map[string]bool{
		home:       true,
		server.URL: false, // another host
		strings.Replace(server.URL, "127.0.0.1", "localhost", 1): false, // another port
	} {
		got := stage.Evaluate[string](tab, fmt.Sprintf("auth.fetch('/moved?to=%s').then((response) => response.text())", url.QueryEscape(origin+"/api")))
		if strings.HasPrefix(got, "Bearer ") != goes || !goes && got != "" {
			t.Errorf("redirected to %s, it is told %q", origin, got)
		}
	}
}
