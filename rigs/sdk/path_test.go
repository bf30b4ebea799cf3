package sdk

import (
	"fmt"
	"slices"
	"testing"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// The thinnest way through all there is: a page on another port imports /client.js from the server, signs somebody in,
// refreshes, survives a reload, and signs out.
func TestPath(t *testing.T) {
	url, node := newApp(t, "path.html", stage.Settings{"ACCESS_TTL": "8s"})
	issuer := node.Settings["PUBLIC_URL"]
	tab := stage.NewTab(t)

	tab.Open(url + "/")
	tab.Await("window.shop?.ready")
	if shown := stage.Evaluate[string](tab, "JSON.stringify([auth.session, shop.reasons])"); shown != `[null,["initial"]]` {
		t.Errorf("before anybody has signed in: %s", shown)
	}
	tab.Click("#in")
	tab.SignIn(email, authtest.Password)
	tab.Await("window.shop?.ready && shop.email")
	want := fmt.Sprintf(`["%s","Ada Lovelace",{"returnTo":"/?cart=7","refused":null},"","/?cart=7"]`, email)
	shown := stage.Evaluate[string](tab, "JSON.stringify([shop.email, auth.session.user.name, shop.came, shop.leftBehind, location.pathname + location.search])")
	if shown != want {
		t.Errorf("after the sign-in: %s, want %s", shown, want)
	}

	tab.Await("shop.tokens.length > 2") // two refreshes, each with what the one before gave
	asked := `fetch("` + issuer + `/oauth/userinfo", { headers: { Authorization: "Bearer " + shop.tokens.at(-1) } }).then((r) => r.json()).then((who) => who.email)`
	if got := stage.Evaluate[string](tab, asked); got != email {
		t.Errorf("the server says that the refreshed token is of %q", got)
	}
	if failed := stage.Evaluate[[]string](tab, "shop.errors"); len(failed) > 0 {
		t.Errorf("refreshing failed: %v", failed)
	}

	tab.Open(url + "/")
	tab.Await("window.shop?.ready && shop.email") // still signed in
	if reasons := stage.Evaluate[[]string](tab, "shop.reasons"); !slices.Equal(reasons, []string{"initial"}) {
		t.Errorf("after a reload subscribers hear %v", reasons)
	}

	tab.Click("#out")
	tab.Await("window.shop?.ready && !shop.email && location.href === " + fmt.Sprintf("%q", url+"/"))
	tab.Open(issuer + "/account")
	tab.Await("document.querySelector('input[type=password]')") // signed out there as well
}
