package links

// Where links of stored rows lead, those that the release before wrote among them.

import (
	"encoding/json"
	"testing"

	"latchkey/internal/clients"
	"latchkey/internal/outbox"
)

// I13: a row says which client a mail is for; where its link leads is what the clients file says now. The release
// before wrote the caller's own path, and the caller's own name for the platform.
func TestStoredMailsLeadToRegisteredURLs(t *testing.T) {
	registered, err := clients.New([]clients.Client{
		{Alias: "web", Name: "Web", URL: "https://web.example.com/app", Default: true},
		{Alias: "mobile", Name: "Mobile", URL: "https://mobile.example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	l := New(Options{Issuer: "https://id.example.com/"})
	for _, tc := range []struct{ payload, want string }{
		{`{"to":"a@example.com","client":"web","base":"https://web.example.com/app"}`, "https://web.example.com/app"},
		{`{"to":"a@example.com","client":"web","base":"https://web.example.com/nothing/here","platform":"call 1-800-555-0199"}`, "https://web.example.com/app"},
		{`{"to":"a@example.com","client":"web","base":"https://mobile.example.com/dead"}`, "https://mobile.example.com"},
		{`{"to":"a@example.com","client":"mobile","alias":"mobile","base":"https://mobile.example.com/x"}`, "https://mobile.example.com"},
		{`{"to":"a@example.com","client":"mobile","alias":"mobile","base":"https://gone.example.com/x"}`, "https://mobile.example.com"},
		{`{"to":"a@example.com","client":"gone","alias":"gone","base":"https://gone.example.com"}`, "https://id.example.com"},
		{`{"to":"a@example.com","client":"latchkey","base":"https://id.example.com/"}`, "https://id.example.com"},
		{`{"to":"a@example.com","client":"web","base":"https://id.example.com/","hosted":true}`, "https://id.example.com"},
	} {
		var r outbox.Request
		if err := json.Unmarshal([]byte(tc.payload), &r); err != nil {
			t.Fatal(err)
		}
		if got := l.leadsTo(r, registered); got != tc.want || r.To != "a@example.com" {
			t.Errorf("%s leads to %s, want %s", tc.payload, got, tc.want)
		}
		if got := registered.Platform(r.Platform); got != "" {
			t.Errorf("%s is called %q", tc.payload, got)
		}
	}
}
