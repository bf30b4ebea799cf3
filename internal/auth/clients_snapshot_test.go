package auth

import (
	"log/slog"
	"testing"
	"time"

	"latchkey/internal/burst"
	"latchkey/internal/clients"
	"latchkey/internal/peer"
	"latchkey/internal/throttle"
)

// The rules of a request go by the clients that it came with, whatever is put in their place meanwhile.
func TestRulesReadTheClientsOfTheRequest(t *testing.T) {
	s := &Service{o: Options{Issuer: "https://id.example.com"}, notes: burst.New(slog.New(slog.DiscardHandler), time.Now), throttle: throttle.New(throttle.Options{})}
	before := registered(t, clients.Client{Alias: "web", URL: "https://web.example.com", Secret: "0123456789abcdef0123456789abcdef"})
	if err := s.SetClients(registered(t, clients.Client{Alias: "wallet", URL: "https://wallet.example.com"})); err != nil {
		t.Fatal(err)
	}
	for alias, peer := range map[string]peer.Peer{"web": {Clients: before}, "wallet": {}} {
		if c, err := s.client(peer, alias); err != nil || c.Alias != alias {
			t.Errorf("%s: %q, %v", alias, c.Alias, err)
		}
	}
	if _, err := s.client(peer.Peer{Clients: before}, "wallet"); CodeOf(err) != CodeUnknownClient {
		t.Errorf("a request from before reads the set of later: %v", err)
	}
	if _, err := s.AuthenticateClient(t.Context(), ClientCredentials{Alias: "web", Secret: "0123456789abcdef0123456789abcdef"}, false, peer.Peer{Clients: before}); err != nil {
		t.Errorf("the secret of a client that was there when the request came: %v", err)
	}
	// What may not be served beside our own pages changes nothing.
	near := registered(t, clients.Client{Alias: "near", URL: "https://id.example.com/app", NextAuthSecret: "0123456789abcdef0123456789abcdef"})
	if err := s.SetClients(near); err == nil {
		t.Error("an application that takes cookies is put on the origin of our own pages")
	}
	if _, ok := s.ClientsNow().Lookup("wallet"); !ok {
		t.Error("the set before did not stay")
	}
}

// registered is the set of clients that the operator's file would make.
func registered(t testing.TB, list ...clients.Client) *clients.Set {
	t.Helper()
	set, err := clients.New(list)
	if err != nil {
		t.Fatal(err)
	}
	return set
}
