package browser

// A browser whose owner lets no site keep cookies, on the way to an app.

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"latchkey/rigs/stage"
)

// It is told so at once, with the way to the app; one that keeps cookies is asked to sign in.
func TestCookiesBlocked(t *testing.T) {
	clients := filepath.Join(t.TempDir(), "clients.toml")
	text := "[[client]]\nalias = \"shop\"\nname = \"Shop\"\nurl = \"https://shop.example\"\nredirect_uris = [\"https://shop.example/callback\"]\n"
	if err := os.WriteFile(clients, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, stage.Settings{"CLIENTS_FILE": clients})
	request := h.url + "/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {"https://shop.example/callback"}, "scope": {"openid"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}.Encode()
	refuses := newPersonIn(t, stage.ChromiumWithoutCookies(t), true)
	refuses.open(request)
	refuses.at("done.cookies_refused.title")
	refuses.told("done.next.app", "Shop")
	keeps := newPerson(t, true)
	keeps.open(request)
	keeps.told("sign_in.button")
}
