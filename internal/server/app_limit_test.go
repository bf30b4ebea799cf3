package server_test

// An app that asks for codes in a loop, as its browser and the app are told of it.

import (
	"strings"
	"testing"
)

// RFC 6749 §4.1.2.1: the app hears that it is to come back later, and whose answer it is; the person sees no page of ours.
// The limit of exchanges is never met so.
func TestAnAppThatAsksForCodesInALoop(t *testing.T) {
	onBothEngines(t, withApps, func(t *testing.T, n *node) {
		a := n.enter(t)
		b, email := a.browser().staying(), a.user()
		b.signsIn(email)
		loop := func(more ...string) (last screen, made int) {
			for made = range 400 {
				last = b.open(appRequest("shop", more...))
				if strings.Contains(last.text+last.header.Get("Location"), "temporarily_unavailable") {
					break
				}
			}
			return last, made
		}
		last, made := loop()
		got := last.answer(shopBack)
		if made < 240 || got.Get("error") != "temporarily_unavailable" || got.Get("state") != "s t" || got.Get("iss") != n.rig.Options.Issuer || got.Has("code") {
			t.Errorf("after %d codes: %v", made, got)
		}
		if last, made = loop("prompt", "none"); made > 200 || last.answer(shopBack).Get("state") != "s t" {
			t.Errorf("prompt=none, after %d codes more: %s", made, last.header.Get("Location"))
		}
		if last, made = loop("response_mode", "form_post"); made > 200 {
			t.Errorf("by a form, after %d codes more: %s", made, last.text)
		}
		last.has(`value="temporarily_unavailable"`, `name="state" value="s t"`).hasNot(`name="code"`)
		other := a.browser().staying()
		other.signsIn(email)
		other.exchange(other.open(appRequest("shop")).answer(shopBack).Get("code"))
	})
}
