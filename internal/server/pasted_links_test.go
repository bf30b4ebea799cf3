package server_test

import (
	"fmt"
	"strings"
	"testing"

	"latchkey/internal/authtest"
)

// An address with a plus, as clients put it back into the links that they were mailed.
var pasted = map[string]string{
	"as mailed":                  "%s%%2B1%%40example.com",
	"unescaped":                  "%s+1@example.com",
	"plus escaped":               "%s%%2B1@example.com",
	"at escaped":                 "%s+1%%40example.com",
	"space escaped":              "%s%%201@example.com",
	"plus escaped twice":         "%s%%252B1@example.com",
	"plus escaped twice, at":     "%s%%252B1%%40example.com",
	"escaped twice":              "%s%%252B1%%2540example.com",
	"escaped twice, lower case":  "%s%%252b1%%2540example.com",
	"at escaped twice":           "%s+1%%2540example.com",
	"capitals, and escaped once": "%s%%2b1%%40EXAMPLE.com",
}

// pastedInto makes an address of its own for each spelling and gives the query's email as it is pasted.
func pastedInto(t *testing.T, n *node, do func(a *app, email, query string)) {
	t.Helper()
	for name, spelling := range pasted {
		t.Run(name, func(t *testing.T) {
			a := n.enter(t)
			local, domain, _ := strings.Cut(a.email(), "@")
			do(a, local+"+1@"+domain, "email="+fmt.Sprintf(spelling, local)+"&verificationCode=")
		})
	}
}

func TestVerifyTakesPastedAddresses(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		pastedInto(t, n, func(a *app, email, query string) {
			code := a.code(email)
			a.get("/auth/verify?" + query + code).is("200")
			a.signUp(email, code, authtest.Password).is("201")
		})
	})
}

// The pages that mailed links lead to, and the forms on them, which send the address on.
func TestPagesTakePastedAddresses(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, n *node) {
		pastedInto(t, n, func(a *app, email, query string) {
			b := a.browser()
			b.open("/verify-email-success?"+query+a.code(email)).is(200, "/verify-email-success").has("+1@").
				submit("/complete-signup", "firstName", "Ada", "lastName", "Lovelace", "password", authtest.Password).is(200, "/done")
			b.open("/reset-password?"+query+a.ForgotCode(a.T, email)).is(200, "/reset-password").has("+1@").
				submit("/reset-password", "password", newPassword).is(200, "/done")
			a.signIn(email, newPassword).is("200")
		})
	})
}
