package server

import (
	"net/http/httptest"
	"strings"
	"testing"

	"latchkey/internal/auth"
	"latchkey/internal/clients"
)

func someClients(t *testing.T, aliases ...string) *clients.Set {
	t.Helper()
	var list []clients.Client
	for _, alias := range aliases {
		list = append(list, clients.Client{Alias: alias, URL: "https://" + alias + ".example.org", Colour: "#0b6e4f"})
	}
	clients, err := clients.New(list)
	if err != nil {
		t.Fatal(err)
	}
	return clients
}

// A request reads the clients as they were when it came, whatever is put in their place meanwhile; the next one
// reads the new ones, everywhere.
func TestARequestReadsOneSetOfClients(t *testing.T) {
	rules := &auth.Service{}
	put := func(clients *clients.Set) {
		t.Helper()
		if err := rules.SetClients(clients); err != nil {
			t.Fatal(err)
		}
	}
	put(someClients(t, "web"))
	rm := newRoom(t, func(o *Options) { o.Service, o.CORSOrigins = rules, nil })
	s := rm.Handler.(*server)
	x := s.newExchange(httptest.NewRecorder(), httptest.NewRequest("GET", "/auth/clientAliases", nil))
	put(someClients(t, "wallet"))
	answer, err := s.clientAliases(x)
	if err != nil {
		t.Fatal(err)
	}
	answer(x)
	if body := x.ResponseWriter.(*httptest.ResponseRecorder).Body.String(); !strings.Contains(body, `"web"`) || strings.Contains(body, "wallet") {
		t.Errorf("the request under way reads %s", body)
	}
	if _, ok := x.peer.Clients.Lookup("web"); !ok || x.looks.clients != x.peer.Clients {
		t.Error("rules and pages of one request see two sets")
	}
	for alias, there := range map[string]bool{"web": false, "wallet": true} {
		origin := "https://" + alias + ".example.org"
		if got := rm.ask("GET", "/auth/clientAliases", "").Body.String(); strings.Contains(got, alias) != there {
			t.Errorf("%s registered: want %t: %s", alias, there, got)
		}
		if got := rm.ask("GET", "/healthz", "", "Origin: "+origin).Header().Get("Access-Control-Allow-Origin"); (got == origin) != there {
			t.Errorf("%s may call: want %t, got %q", alias, there, got)
		}
		if got := rm.ask("GET", "/brand/"+alias+"/style.css", "").Code; (got == 200) != there {
			t.Errorf("%s has a look: want %t, got %d", alias, there, got)
		}
		page := rm.ask("GET", "/signin?clientAlias="+alias+"&return_to="+origin+"/", "")
		if got := page.Header().Get("Content-Security-Policy"); strings.Contains(got, origin) != there {
			t.Errorf("a page leads back to %s: want %t: %s", alias, there, got)
		}
	}
	details := func(want int) {
		t.Helper()
		if got := rm.ask("POST", detailsPath, "").Code; got != want {
			t.Errorf("POST of the session's details: %d, want %d", got, want)
		}
	}
	details(404)
	studio, err := clients.New([]clients.Client{{Alias: "studio", URL: "https://studio.example.org", NextAuthSecret: strings.Repeat("s", 32)}})
	if err != nil {
		t.Fatal(err)
	}
	put(studio)
	details(405) // the one client that has something there is registered now
	put(someClients(t, "web"))
	details(404)
}
