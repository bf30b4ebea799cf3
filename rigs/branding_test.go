package rigs

// A client's look: what its operator wrote is on its pages and in its mails, as a visitor and an SMTP server
// get them, and nothing that a stranger sends changes either.

import (
	"encoding/json"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	netmail "net/mail"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"latchkey/rigs/stage"
)

const brandedClients = `
[[client]]
alias = "shop"
name = "Acme Bücher"
url = "https://shop.example.com"
logo_url = "https://shop.example.com/logo.png"
logo_file = "shop.svg"
from = "Acme <no-reply@shop.example.com>"
colour = "#0b6e4f"
support = "help@shop.example.com"
[client.texts.en]
"sign_in.title" = "Welcome back, reader"
"mail.reset.title" = "A new key to your books"
[client.texts.de]
"sign_in.title" = "Willkommen zurück"
"mail.reset.title" = "Ein neuer Schlüssel"

[[client]]
alias = "club"
name = "The Club"
url = "https://club.example.org/app"
logo_file = "club.png"
colour = "#ffd400"
support = "https://club.example.org/help"
[client.texts.en]
"sign_in.title" = "Members only"
`

// brandedNode is a server with two clients, and a theme whose stylesheet and one page are the operator's own.
func brandedNode(t *testing.T, p *stage.Post) *stage.Node {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"clients.toml":    brandedClients,
		"shop.svg":        `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"/>`,
		"club.png":        "\x89PNG\r\n\x1a\n" + strings.Repeat("\x00", 64),
		"theme/page.css":  "body { margin: 7rem }",
		"theme/done.html": `{{define "title"}}Our own{{end}}{{define "content"}}<p class="ours">{{.Brand.Name}}</p>{{end}}`,
		"theme/mail.txt":  "{{.Title}} ({{.Platform}})\n{{range .Shows}}{{if eq .Part \"button\"}}{{$.Link}}\n{{end}}{{end}}Ours, {{.Support}}\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return stage.StartNode(t, stage.Settings{
		"SMTP_URL": p.URL(), "CLIENTS_FILE": filepath.Join(dir, "clients.toml"), "THEME_DIR": filepath.Join(dir, "theme"),
	})
}

// stranger is a request that its sender chose every part of.
type stranger struct {
	t       *testing.T
	at      string
	headers http.Header
}

func (s stranger) send(method, path, contentType, body string) (status int, header http.Header, text string) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.at+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header = s.headers.Clone()
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(raw)
}

func (s stranger) see(path string) string {
	s.t.Helper()
	status, _, text := s.send("GET", path, "", "")
	if status != http.StatusOK {
		s.t.Errorf("GET %s: %d", path, status)
	}
	return text
}

// ask has a link mailed, by the form of a page.
func (s stranger) ask(page string, form url.Values) int {
	s.t.Helper()
	status, _, _ := s.send("POST", page, "application/x-www-form-urlencoded", form.Encode())
	return status
}

// arrived is a mail as a reader's program takes it apart.
type arrived struct {
	headers              []string
	from, text, document string
}

func newest(t *testing.T, p *stage.Post, address string) arrived {
	t.Helper()
	mails, ok := p.Await(address, 20*time.Second, func(l []stage.Mail) bool { return len(l) > 0 })
	if !ok {
		t.Fatalf("no mail came to %s", address)
	}
	m, err := netmail.ReadMessage(strings.NewReader(mails[len(mails)-1].Raw))
	if err != nil {
		t.Fatal(err)
	}
	a := arrived{headers: slices.Sorted(maps.Keys(m.Header)), from: m.Header.Get("From")}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, into := range []*string{&a.text, &a.document} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		*into = string(content)
	}
	return a
}

// skeleton is a document without its words: elements with the attributes that do something.
func skeleton(document string) (bones []string) {
	tokens := html.NewTokenizer(strings.NewReader(document))
	for tokens.Next() != html.ErrorToken {
		token := tokens.Token()
		if token.Type != html.StartTagToken && token.Type != html.SelfClosingTagToken {
			continue
		}
		bone := token.Data
		for _, a := range token.Attr {
			bone += " " + a.Key
			switch u, err := url.Parse(a.Val); {
			case slices.Contains([]string{"href", "src", "action"}, a.Key) && err == nil:
				bone += "=" + u.Scheme + "://" + u.Host + u.Path
			case slices.Contains([]string{"class", "style", "type", "lang", "dir"}, a.Key):
				bone += "=" + a.Val
			}
		}
		bones = append(bones, bone)
	}
	return bones
}

// hostile are values that no request may bring into pages and mails.
var hostile = []string{
	`"><script>alert(1)</script>`, `</title></style><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `javascript:alert(1)`,
	`https://evil.example/`, `//evil.example/`, `/\evil.example`, `{{.Brand}}`, `%s%[1]s%!`, "a\r\nBcc: eve@evil.example", "\u202egnp.exe", `shop"x`, `../../shop`,
}

func TestBrandingShowsAndNothingOfARequestGetsIn(t *testing.T) {
	p := stage.NewPost(t)
	n := brandedNode(t, p)
	at := n.Settings["PUBLIC_URL"]
	visitor := func(address string, headers ...string) stranger {
		h := http.Header{"X-Forwarded-For": {address}, "Accept-Language": {"en"}}
		for i := 0; i < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return stranger{t, at, h}
	}
	member(t, n.Client(), p, "ada@example.com", "correct horse battery staple")
	t.Run("pages", func(t *testing.T) { brandedPages(t, visitor("198.51.100.1")) })
	t.Run("mails", func(t *testing.T) { brandedMails(t, p, n, visitor) })
	t.Run("nothing gets into pages", func(t *testing.T) { nothingGetsIntoPages(t, visitor) })
	t.Run("nothing gets into mails", func(t *testing.T) { nothingGetsIntoMails(t, p, visitor) })
}

func brandedPages(t *testing.T, s stranger) {
	s.t = t
	german := s
	german.headers = s.headers.Clone()
	german.headers.Set("Accept-Language", "de")
	for _, tt := range []struct {
		who   stranger
		path  string
		wants []string
	}{
		{s, "/signin?clientAlias=shop", []string{"<h1>Welcome back, reader</h1>", `alt="Acme Bücher"`, `href="https://shop.example.com"`, `src="/brand/shop/logo"`, `href="/brand/shop/style.css"`, `href="mailto:help@shop.example.com"`}},
		{german, "/signin?clientAlias=shop", []string{"<h1>Willkommen zurück</h1>"}},
		{s, "/signin?clientAlias=club", []string{"<h1>Members only</h1>", `src="/brand/club/logo"`, `href="https://club.example.org/help"`}},
		{s, "/signin", []string{"<h1>Sign in</h1>", "Latchkey"}},
		{s, "/brand/shop/style.css", []string{"--accent: #0b6e4f; --on-accent: #ffffff;"}},
		{s, "/brand/club/style.css", []string{"--accent: #ffd400; --on-accent: #000000;"}},
		{s, "/brand/shop/logo", []string{"<svg "}},
		{s, "/brand/club/logo", []string{"\x89PNG"}},
		{s, "/page.css", []string{"margin: 7rem"}},
		{s, "/signed-out?clientAlias=shop", []string{`<p class="ours">Acme Bücher</p>`}},
	} {
		text := tt.who.see(tt.path)
		for _, want := range tt.wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s has no %s:\n%.2000s", tt.path, want, text)
			}
		}
	}
}

func brandedMails(t *testing.T, p *stage.Post, n *stage.Node, visitor func(string, ...string) stranger) {
	for alias, wants := range map[string]struct{ from, text, document []string }{
		"shop": {
			[]string{"<no-reply@shop.example.com>"},
			[]string{"Ein neuer Schlüssel (Acme Bücher)", "Ours, help@shop.example.com", n.Settings["PUBLIC_URL"] + "/reset-password?"},
			[]string{`<html lang="de"`, "Ein neuer Schlüssel", `<img src="https://shop.example.com/logo.png" alt="Acme Bücher"`, "background:#0b6e4f", "color:#ffffff", `href="mailto:help@shop.example.com"`},
		},
		"club": {
			[]string{"@"},
			[]string{"(The Club)", "Ours, https://club.example.org/help"},
			[]string{"The Club", "background:#ffd400", "color:#000000", `href="https://club.example.org/help"`},
		},
	} {
		address := alias + "@example.com"
		member(t, n.Client(), p, address, "correct horse battery staple")
		before := len(p.To(address))
		s := visitor("198.51.100.2", "Accept-Language", "de")
		s.t = t
		if status := s.ask("/forgot-password", url.Values{"email": {address}, "clientAlias": {alias}}); status != http.StatusSeeOther {
			t.Fatalf("asking for a link: %d", status)
		}
		p.Await(address, 20*time.Second, func(l []stage.Mail) bool { return len(l) > before })
		got := newest(t, p, address)
		for part, found := range map[string][]string{got.from: wants.from, got.text: wants.text, got.document: wants.document} {
			for _, want := range found {
				if !strings.Contains(part, want) {
					t.Errorf("%s: a mail has no %s:\n%s", alias, want, part)
				}
			}
		}
	}
}

// nothingGetsIntoPages: whatever stands in a page's address and headers, its elements are those of the same
// page asked for plainly, and it sends nobody elsewhere.
func nothingGetsIntoPages(t *testing.T, visitor func(string, ...string) stranger) {
	for _, page := range []string{"/signin", "/signup", "/forgot-password", "/check-mail", "/done", "/end-session", "/signed-out"} {
		plain := visitor("198.51.100.3")
		plain.t = t
		query := func(value string) string {
			q := url.Values{"for": {"sign_up"}, "what": {"reset"}}
			for _, name := range []string{"clientAlias", "return_to", "email", "token", "verificationCode", "note", "ended", "firstName"} {
				q.Set(name, value)
			}
			return page + "?" + q.Encode()
		}
		want := skeleton(plain.see(query("x")))
		for _, evil := range hostile {
			s := plain
			s.headers = plain.headers.Clone()
			if !strings.ContainsAny(evil, "\r\n\u202e") {
				for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "Referer", "User-Agent", "Origin"} {
					s.headers.Set(name, evil)
				}
				s.headers.Set("Accept-Language", evil+", en")
				s.headers.Set("Cookie", "latchkey-language="+url.QueryEscape(evil))
			}
			status, header, text := s.send("GET", query(evil), "", "")
			if got := skeleton(text); status != http.StatusOK || !slices.Equal(got, want) {
				t.Errorf("%s with %q: %d, %q\nwant %q", page, evil, status, got, want)
			}
			if csp := header.Get("Content-Security-Policy"); strings.Contains(csp, "evil") || header.Get("Location") != "" || header.Get("Bcc") != "" {
				t.Errorf("%s with %q: headers %v", page, evil, header)
			}
		}
	}
}

// nothingGetsIntoMails: a mail that a stranger asks for somebody else has the headers and elements of one that
// was asked for plainly, and leads nowhere else.
func nothingGetsIntoMails(t *testing.T, p *stage.Post, visitor func(string, ...string) stranger) {
	plain := visitor("198.51.100.4")
	plain.t = t
	plain.ask("/signup", url.Values{"email": {"plain@example.com"}, "clientAlias": {"shop"}})
	want := newest(t, p, "plain@example.com")
	bones := skeleton(want.document)
	for i, evil := range hostile {
		s := visitor("198.51.101." + string(rune('1'+i%9)))
		s.t = t
		if !strings.ContainsAny(evil, "\r\n\u202e") {
			for _, name := range []string{"X-Forwarded-Host", "Referer", "User-Agent"} {
				s.headers.Set(name, evil)
			}
			s.headers.Set("Accept-Language", evil+", en")
		}
		address := string(rune('a'+i)) + "@example.com"
		s.ask("/signup", url.Values{"email": {address}, "clientAlias": {"shop"}, "return_to": {evil}, "platformName": {evil}, "brandLogoUrl": {evil}, "firstName": {evil}})
		got := newest(t, p, address)
		if !slices.Equal(got.headers, want.headers) || got.from != want.from || !slices.Equal(skeleton(got.document), bones) || strings.Contains(got.text+got.document, "evil") {
			t.Errorf("a mail asked for with %q:\n%q\n%s", evil, got.headers, got.document)
		}
		for _, field := range []string{"platformName", "brandLogoUrl", "clientAlias"} {
			nobody := strings.Repeat(string(rune('a'+i)), 9) + "@example.com"
			body, err := json.Marshal(map[string]string{"email": nobody, field: evil})
			if err != nil {
				t.Fatal(err)
			}
			status, _, text := s.send("POST", "/auth/verification-mail", "application/json", string(body))
			switch {
			case status == http.StatusCreated: // a picture of a host that no client has: left out
				got := newest(t, p, nobody)
				if strings.Contains(got.text+got.document, "evil") {
					t.Errorf("%s %q got into a mail:\n%s", field, evil, got.document)
				}
			case status != http.StatusBadRequest:
				t.Errorf("%s %q: %d %s", field, evil, status, text)
			}
		}
	}
}
