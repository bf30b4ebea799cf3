package server

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"latchkey/internal/clients"
	"latchkey/internal/mail"
	"latchkey/internal/pages"
)

// Every page of every client in every language can be looked at, without anything behind it.
func TestPreview(t *testing.T) {
	clients, err := clients.New([]clients.Client{{
		Alias: "web", Name: "Acme", URL: "https://app.example.com", Colour: "#0b6e4f", Support: "help@example.com",
		Texts: map[string]map[string]string{"de": {"sign_in.title": "Willkommen bei Acme"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	preview := NewPreview(pages.Must(pages.New(nil)), mail.Must(mail.NewTemplates(nil)), clients)
	ask := func(method, target, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		preview.ServeHTTP(w, r)
		return w
	}
	list := ask("GET", "/", "")
	links := regexp.MustCompile(`href="(/preview/[^"]+)"`).FindAllStringSubmatch(list.Body.String(), -1)
	if list.Code != 200 || len(links) < 2*9*30 {
		t.Fatalf("%d, %d links", list.Code, len(links))
	}
	all := ""
	for _, link := range links {
		page := ask("GET", link[1], "")
		if page.Code != 200 {
			t.Errorf("%s: %d", link[1], page.Code)
		}
		all += page.Body.String()
	}
	for _, want := range []string{"Willkommen bei Acme", `href="mailto:help@example.com"`, `href="/brand/web/style.css"`, `dir="rtl"`, "background:#0b6e4f", "help@example.com</a>"} {
		if !strings.Contains(all, want) {
			t.Errorf("no page has %s", want)
		}
	}
	if style := ask("GET", "/brand/web/style.css", ""); style.Code != 200 || !strings.Contains(style.Body.String(), "#0b6e4f") {
		t.Errorf("style: %d %s", style.Code, style.Body)
	}
	other := ask("POST", "/language", url.Values{"language": {"ja"}, "back": {"/preview/1/de/3"}}.Encode())
	if other.Code != http.StatusSeeOther || other.Header().Get("Location") != "/preview/1/ja/3" {
		t.Errorf("another language: %d to %s", other.Code, other.Header().Get("Location"))
	}
	for _, nothing := range []string{"/preview/9/en/0", "/preview/0/xx/0", "/preview/0/en/99", "/preview/0/en/-1", "/preview/0/en/mail/99", "/signin", "/auth/signin"} {
		if got := ask("GET", nothing, "").Code; got != 404 {
			t.Errorf("%s: %d", nothing, got)
		}
	}
}
