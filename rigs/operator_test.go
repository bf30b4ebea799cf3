package rigs

// What an operator reads and ends of a person's browsers and apps, through the binary's commands.

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/api"
	"latchkey/rigs/stage"
)

// listed is a session as the commands print it in JSON.
type listed struct{ ID, Client, Via, Parent string }

func TestOperatorReadsBrowsers(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, databaseURL string) {
		const email, password = "ada@example.com", "correct horse battery staple"
		n := stage.NewNode(t, stage.Settings{"DATABASE_URL": databaseURL, "CLIENTS_FILE": appFile(t)})
		n.Must(password+"\n", "user", "add", "--email", email, "--first-name", "Ada", "--last-name", "Lovelace", "--password-stdin")
		if text := n.Must("", "user", "show", "--email", email); strings.Contains(text, "VIA") {
			t.Errorf("signed in nowhere:\n%s", text)
		}
		n.Start()
		signedIn := func() (page, app string) {
			cookie := inPages(t, n, email, password)
			code, err := website{n.URL, n.HTTP.Transport}.authorize(context.Background(), cookie)
			if err != nil {
				t.Fatal(err)
			}
			tokens, err := n.Client().ExchangeCode(context.Background(), api.CodeTokenRequest{ClientID: appAlias, Code: code, RedirectURI: appURI, CodeVerifier: appVerifier})
			if err != nil {
				t.Fatal(err)
			}
			page, _, _ = strings.Cut(cookie, ".")
			return page, sessionOf(tokens.AccessToken)
		}
		page, app := signedIn()
		byAPI := signIn(t, n.Client(), email, password).SessionID
		latest, last := signedIn()
		const platform = "latchkey" // the client of whoever names none
		want := []listed{
			{latest, platform, "page", ""}, {last, appAlias, "oauth", latest},
			{byAPI, platform, "auth", ""},
			{page, platform, "page", ""}, {app, appAlias, "oauth", page},
		}
		list := func() (list []listed) {
			read(t, n.Must("", "session", "list", "--email", email, "--json"), &list)
			return list
		}
		if diff := cmp.Diff(want, list()); diff != "" {
			t.Errorf("session list (-want +got):\n%s", diff)
		}
		var user struct{ Sessions []listed }
		if read(t, n.Must("", "user", "show", "--email", email, "--json"), &user); !slices.Equal(user.Sessions, want) {
			t.Errorf("user show: %+v", user.Sessions)
		}
		for _, command := range []string{"session list", "user show"} {
			text := n.Must("", append(strings.Fields(command), "--email", email)...)
			for _, line := range []string{
				`ID +STATE +CREATED +LAST-USED +EXPIRES +CLIENT +VIA +IP +DEVICE\n` + latest + ` .* page .*\n  ` + last + ` .* oauth .*\n` + byAPI + ` .* auth .*\n`,
				`\n` + page + ` +lives .* ` + platform + ` +page .*\n  ` + app + ` +lives .* ` + appAlias + ` +oauth `,
			} {
				if !regexp.MustCompile(line).MatchString(text) {
					t.Errorf("%s: want %s in\n%s", command, line, text)
				}
			}
		}
		if text := n.Must("", "session", "explain", "--id", app); !strings.Contains(text, "oauth") || !strings.Contains(text, page) {
			t.Errorf("session explain:\n%s", text)
		}

		n.Must("", "session", "end", "--id", page)
		if diff := cmp.Diff(want[:3], list()); diff != "" {
			t.Errorf("with a page session its apps are ended (-want +got):\n%s", diff)
		}
	})
}

func read(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
}
