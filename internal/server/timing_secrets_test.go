package server_test

// Client secrets in time: how long a wrong one takes to be refused over HTTP tells neither how much of it is right, nor how
// many there are, nor whether there is such a client.

import (
	"fmt"
	"net/http"
	"os"
	"testing"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
)

func TestTimingClientSecrets(t *testing.T) {
	const one, first, second = "a secret of at least thirty-two characters", "the first of two, of thirty-two or more", "and the second one, as long as the first"
	n := 150
	if os.Getenv("LATCHKEY_RIG") != "" {
		n = 1000
	}
	node := newNode(t, authtest.SQLite(t), func(o *auth.Options) { // SQLite: the shortest answers hide the least
		set, err := clients.New([]clients.Client{
			{Alias: "single", URL: "https://single.example", Secrets: []string{one}, Scopes: []string{"read"}},
			{Alias: "double", URL: "https://double.example", Secrets: []string{first, second}, Scopes: []string{"read"}},
			{Alias: "public", URL: "https://public.example"},
		})
		if err != nil {
			t.Fatal(err)
		}
		o.Clients = set
	})
	a := node.enter(t)
	// Each try comes from an address of its own, so that none is refused for those before.
	try := func(alias, secret string) func(int) error {
		return func(int) error {
			x, err := a.ask(http.MethodPost, "/oauth/token", jobForm(), plainBasic(alias, secret), from(node.address()))
			if got := what(x.status, x.header, x.body); err == nil && got != "401 invalid_client" {
				err = fmt.Errorf("%s with %q: %s", alias, secret, got)
			}
			return err
		}
	}
	changed := func(secret string, at int) string { return secret[:at] + "#" + secret[at+1:] }
	for _, tt := range []struct {
		name  string
		calls [2]func(int) error
	}{
		{"all but its last character right", [2]func(int) error{try("single", changed(one, len(one)-1)), try("single", changed(one, 0))}},
		{"a beginning alone", [2]func(int) error{try("single", one[:len(one)-1]), try("single", "#"+one[1:len(one)-1])}},
		{"the second of two nearly right", [2]func(int) error{try("double", changed(second, len(second)-1)), try("double", changed(second, 0))}},
		{"nearly the first or nearly the second", [2]func(int) error{try("double", changed(first, len(first)-1)), try("double", changed(second, len(second)-1))}},
		{"two secrets", [2]func(int) error{try("double", "wrong"), try("single", "wrong")}},
		{"a client that is not known", [2]func(int) error{try("nobody", one), try("single", changed(one, 9))}},
		{"a public client", [2]func(int) error{try("public", one), try("nobody", one)}},
	} {
		t.Run(tt.name, func(t *testing.T) { authtest.Alike(t, n, [2]string{"this", "the other"}, tt.calls) })
	}
}
