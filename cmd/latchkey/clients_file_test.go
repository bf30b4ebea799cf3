package main

// In which line of the clients file a mistake is.

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLinesOfClients(t *testing.T) {
	const file = `# The applications.

[[client]]
alias = "web" # alias = "x"
url= "https://app.example.com"
redirect_uris = [
  "https://app.example.com/callback",
]
  secrets	= ["…"]
[client.texts.en]
name = "no key of the client"
[client.texts.de]

 [[ client ]]
alias = "shop"
#url = "https://shop.example"
`
	want := []map[string]int{{"": 3, "alias": 4, "url": 5, "redirect_uris": 6, "secrets": 9}, {"": 14, "alias": 15}}
	for name, text := range map[string]string{"Unix": file, "Windows": strings.ReplaceAll(file, "\n", "\r\n")} {
		if diff := cmp.Diff(want, linesOfClients([]byte(text))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if lines := linesOfClients([]byte("client = [{alias = \"web\"}]\n")); lines != nil {
		t.Errorf("%v", lines)
	}
}

// A mistake stops the start with file, line and what to write instead, wherever it is found.
func TestMistakesOfClientsSayTheirLine(t *testing.T) {
	const web = "[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\n" // three lines
	for _, test := range []struct{ name, toml, want string }{
		{"a client's own", web + "redirect_uris = [\"http://a.example/\"]\n", `clients.toml, line 4: client "web": redirect_uris[0] "http://a.example/": write https`},
		{"one of the second", web + web[:10] + "\nalias = \"shop\"\n\nurl = \"https://shop.example\"\nfeed = true\n", `clients.toml, line 8: client "shop": feed = true is for a client that has a secret`},
		{"of two clients", web + web, `clients.toml, line 5: client "web" is there twice`},
		{"a key that is missing", "\n[[client]]\nalias = \"web\"\n", `clients.toml, line 2: client "web": url is missing`},
		{"a table", web + "[client.texts.en]\n\"none\" = \"x\"\n", `clients.toml, line 1: client "web": texts.en`},
		{"a logo", web + "logo_file = \"none.png\"\n", `clients.toml, line 4: client "web": logo_file`},
		{"an alias that is an audience", web + "audiences = [\"web\"]\n", `clients.toml, line 2: client "web": its alias is among the audiences`},
		{"an alias that is ours", strings.Replace(web, "web", "api", 1), `clients.toml, line 2: client "api": its alias is LATCHKEY_AUDIENCE`},
		{"on our origin", "[[client]]\nalias = \"web\"\nurl = \"http://localhost:8080\"\nnextauth_secret = \"0123456789abcdef0123456789abcdef\"\n", `clients.toml, line 4: client "web" has a nextauth_secret and is on the origin`},
		{"a table in one line", "client = [{alias = \"web\"}]\n", `clients.toml: client "web": url is missing`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := loadConfig([]string{"LATCHKEY_AUDIENCE=api", "LATCHKEY_CLIENTS_FILE=" + writeFile(t, "clients.toml", test.toml)}, "")
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "LATCHKEY_CLIENTS_FILE") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, test.want)
			}
		})
	}
}
