package browser

// The password field helps: it shows what was typed, says how good it is, and takes what a password manager
// pastes. Without script the same field works, and what only script can do is not there.

import (
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

func TestPasswordField(t *testing.T) {
	h, p := newHouse(t, nil), newPerson(t, true)
	p.open(h.url + "/signup")
	p.fill("email", "ada@example.com")
	p.press("sign_up.button")
	link := h.mailed("ada@example.com", "/verify-email-success")
	p.open(link)
	advised := func(key string, args ...any) {
		t.Helper()
		p.await("document.getElementById('password-advice').textContent === " + quoted(p.word(key, args...)))
	}
	advised("password.advice")
	p.fill("password", "short")
	advised("field_error.too_short", 8)
	p.fill("password", "password123")
	advised("field_error.too_common")
	p.fill("password", "ada@example.com")
	advised("field_error.contains_context")
	p.fill("password", goodPassword)
	advised("password.strong")
	p.accessible("complete sign-up, advised")

	shown := func() bool { return eval[string](p, "document.getElementById('password').type") == "text" }
	for _, want := range []bool{true, false} {
		p.do(click(".show"))
		if shown() != want || eval[string](p, "document.querySelector('.show').getAttribute('aria-pressed')") != map[bool]string{true: "true", false: "false"}[want] {
			t.Errorf("after the show button the password is shown: %v, want %v", shown(), want)
		}
	}
	if got := p.value("password"); got != goodPassword {
		t.Errorf("showing changed the password to %q", got)
	}

	p.fill("firstName", "from the clipboard")
	p.edits("selectAll", "copy")
	p.do(chromedp.Focus(chromedp.ID("password")))
	p.edits("selectAll", "paste")
	if got := p.value("password"); got != "from the clipboard" {
		t.Errorf("pasting put %q into the password field", got)
	}

	plain := newPerson(t, false)
	plain.open(link)
	if eval[bool](plain, "document.querySelector('.show').checkVisibility()") {
		t.Error("without script there is a show button that does nothing")
	}
	plain.told("password.advice")
}

// What password managers go by: WHATWG HTML, autofill.
func TestAutocomplete(t *testing.T) {
	h, p := newHouse(t, nil), newPerson(t, true)
	has := func(page string, want ...string) {
		t.Helper()
		got := eval[[]string](p, "[...document.querySelectorAll('main input:not([type=hidden])')].map(i => i.autocomplete)")
		if len(got) != len(want) {
			t.Fatalf("%s: autocomplete is %q, want %q", page, got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: autocomplete is %q, want %q", page, got, want)
			}
		}
	}
	p.open(h.url + "/signup")
	has("sign up", "email")
	p.fill("email", "ada@example.com")
	p.press("sign_up.button")
	p.open(h.mailed("ada@example.com", "/verify-email-success"))
	has("complete sign-up", "username", "given-name", "family-name", "new-password")
	p.fill("firstName", "Ada")
	p.fill("lastName", "Lovelace")
	p.fill("password", goodPassword)
	p.press("complete_sign_up.button")
	p.open(h.url + "/forgot-password")
	has("forgotten password", "username")
	p.fill("email", "ada@example.com")
	p.press("forgot_password.button")
	p.open(h.mailed("ada@example.com", "/reset-password"))
	has("choose a new password", "username", "new-password")
	p.open(h.url + "/signin")
	has("sign in", "username", "current-password")
	p.signIn("ada@example.com", goodPassword)
	p.follow("account.change_password")
	has("change the password", "username", "current-password", "new-password")
}

// edits runs the browser's editing commands on what has the focus, as Ctrl and a letter do.
func (p *person) edits(commands ...string) {
	p.t.Helper()
	for _, command := range commands {
		call(p, input.DispatchKeyEvent, input.DispatchKeyEventParams{
			Type: input.DispatchKeyEventTypeRawKeyDown, Key: "v", Code: "KeyV", Modifiers: 2, Commands: []string{command},
		})
	}
}
