package apidocs

// Apps to begin with: what each page has a newcomer do, from an empty folder to somebody who is signed in. The files are
// those of the examples folder; rigs/sdk does what the pages say, to the letter.

import (
	"fmt"
	"html/template"
	"path"
	"strings"

	"latchkey/examples"
	"latchkey/internal/sdk"
)

// App is one of them. Its page is /docs/NAME, its files lie under that.
type App struct {
	Name, Title string
	About       string // what it is, in a sentence
	Needs       string // what has to be installed
	Files       []string
	Steps       []Step
}

// Step is something to do: in prose, and as commands where there are any.
type Step struct {
	Text template.HTML
	// Where the commands are typed: "app", the reader's own terminal, which is in Latchkey's folder before the first step;
	// or "latchkey", the one that Latchkey runs in.
	Where string
	Run   string
	Shows string // what the last command prints
	Files bool   // whether the app's files are shown after it
}

// Apps lists them, the one that needs least first.
var Apps = []App{
	{
		Name: "page", Title: "A page, without npm", Files: []string{"clients.toml", "index.html"},
		About: "One HTML file, and no build.",
		Needs: "Python, or anything else that serves a folder",
		Steps: []Step{
			fetched("page", "", "clients.toml", "index.html"),
			registered("page"),
			{Text: "Serve the page:", Where: "app", Run: "python3 -m http.server 4000 --bind 127.0.0.1"},
			signIn,
		},
	},
	{
		Name: "react", Title: "React, with Vite", Files: []string{"clients.toml", "index.html", "main.jsx"},
		About: "A provider, a hook, and a component for the way back.",
		Needs: "Node.js 20.19 or later",
		Steps: []Step{
			fetched("react", "", "clients.toml", "index.html", "main.jsx"),
			registered("react"),
			{Text: "Install, and serve it:", Where: "app", Run: "npm install react@19 react-dom@19 vite@8 " + issuer + tarball + "\nnpx vite --port 4000 --strictPort"},
			signIn,
		},
	},
	{
		Name: "hono", Title: "A back end with a page, with Hono", Files: []string{"clients.toml", "server.mjs"},
		About: "The browser has a cookie that no script can read, and never a token.",
		Needs: "Node.js 20.19 or later",
		Steps: []Step{
			fetched("hono", "\nchmod 600 clients.toml", "clients.toml", "server.mjs"),
			registered("hono"),
			{Text: "Install, and start it:", Where: "app", Run: "npm install hono@4 @hono/node-server@1 " + issuer + tarball + "\nnode server.mjs"},
			signIn,
		},
	},
	{
		Name: "express", Title: "An API, with Express", Files: []string{"server.mjs"},
		About: "It checks access tokens, and asks Latchkey nothing per request.",
		Needs: "Node.js 20.19 or later",
		Steps: []Step{
			addUser,
			fetched("express", "", "server.mjs"),
			{Text: "Install, and start it:", Where: "app", Run: "npm install express@5 " + issuer + tarball + "\nnode server.mjs &"},
			callAPI,
			{Text: "Ask the API, without the token and with it:", Where: "app", Run: `curl -s -w '\n' http://localhost:8081/hello
curl -s -w '\n' -H "Authorization: Bearer $TOKEN" http://localhost:8081/hello`, Shows: "{\"message\":\"Send an access token: Authorization: Bearer ...\"}\n{\"hello\":\"…\"}"},
		},
	},
	{
		Name: "cli-go", Title: "A command-line app, in Go", Files: []string{"clients.toml", "main.go"},
		About: "It opens the browser for the sign-in, and keeps the session in a file.",
		Needs: "Go 1.26 or later",
		Steps: []Step{
			module("cli-go", "clients.toml", "main.go"),
			registered("cli-go"),
			{Text: "Run it. A browser opens, or the address to open is printed:", Where: "app", Run: "go run .", Shows: "You are signed in as …"},
			{Text: "Run it again, and it knows who you are. <code>go run . sign-out</code> forgets it; <code>go run . hello</code> calls <a href=\"/docs/verify-go\">an API</a>."},
		},
	},
	{
		Name: "verify-go", Title: "An API, in Go", Files: []string{"main.go"},
		About: "It checks access tokens, and asks Latchkey nothing per request.",
		Needs: "Go 1.26 or later",
		Steps: []Step{
			addUser,
			module("verify-go", "main.go"),
			{Text: "Start it:", Where: "app", Run: "go build -o api . && ./api &"},
			callAPI,
			{Text: "Ask the API, without the token and with it:", Where: "app", Run: `curl -s -w '\n' http://localhost:8081/hello
curl -s -w '\n' -H "Authorization: Bearer $TOKEN" http://localhost:8081/hello`, Shows: "Send an access token: Authorization: Bearer ...\n\nhello, user …"},
		},
	},
}

var (
	signIn = Step{Text: `Open <code>http://localhost:4000/</code> and press <em>Sign in</em>. Whoever has no account yet signs up there: the email lies in the inbox whose link <code>make run</code> has printed, and its link leads back to the app, signed in.`}

	addUser = Step{Text: `In a second terminal, in Latchkey's folder, make a user to sign in as:`, Where: "app", Run: `echo 'correct horse battery staple' | bin/latchkey user add --email ada@example.com --first-name Ada --last-name Lovelace --password-stdin`}

	callAPI = Step{Text: "Sign in, and keep the access token:", Where: "app", Run: `TOKEN=$(curl -s -H 'Content-Type: application/json' ` + issuer + `/auth/signin -d '{"email":"ada@example.com","password":"correct horse battery staple"}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')`}
)

// fetched makes a folder for the app and gets its files, as they are shown.
func fetched(name, then string, files ...string) Step {
	return Step{
		Text:  "In a second terminal, make a folder, and get the files that are shown below into it:",
		Where: "app", Run: "mkdir -p ~/latchkey-" + name + " && cd ~/latchkey-" + name + "\n" + get(name, files) + then, Files: true,
	}
}

// module does the same for a module of Go, which is told where Latchkey's source lies.
func module(name string, files ...string) Step {
	return Step{
		Text:  "In a second terminal, in Latchkey's folder, make a folder for the app that knows where Latchkey's source is, and get what is shown below into it:",
		Where: "app", Files: true,
		Run: "mkdir -p ~/latchkey-" + name + " && cd ~/latchkey-" + name + "\n" +
			"go mod init shop\n" +
			"go mod edit -require=latchkey@v0.0.0 -replace=latchkey=\"$OLDPWD\"\n" +
			get(name, files) + "\ngo mod tidy",
	}
}

func get(name string, files []string) string {
	command := "curl -fsS"
	for _, file := range files {
		command += " -O " + issuer + "/docs/" + name + "/" + file
	}
	return command
}

func registered(name string) Step {
	return Step{
		Text:  "<code>clients.toml</code> says which apps there are. Stop Latchkey in its own terminal (Ctrl-C), and start it with that file:",
		Where: "latchkey", Run: "LATCHKEY_CLIENTS_FILE=~/latchkey-" + name + "/clients.toml make run",
	}
}

const (
	issuer  = "http://localhost:8080" // in the files of examples, which name the server by it
	tarball = "/latchkey-client.tgz"
)

// here is a text of an example as it is for the server at publicURL.
func here(text, publicURL string) string {
	release := strings.TrimSuffix(sdk.Newest().Path[1:], ".js") // client-0.1.0
	return strings.NewReplacer(issuer+tarball, publicURL+"/latchkey-"+release+".tgz", issuer, publicURL).Replace(text)
}

// File is one of its files, for the server at publicURL.
func (a App) File(name, publicURL string) (string, error) {
	text, err := examples.Files.ReadFile(path.Join(a.Name, name))
	if err != nil {
		return "", fmt.Errorf("read the example: %w", err)
	}
	return here(string(text), publicURL), nil
}
