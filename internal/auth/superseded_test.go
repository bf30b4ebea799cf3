package auth_test

// I13: what a request row is worth is found out when it is delivered, not when it was asked for.

import (
	"context"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/authtest"
	"latchkey/internal/outbox"
)

// A link asked for before the password, the address or the account's standing changed is not mailed
// after it; one asked for later is.
func TestLinkFromBeforeAChangeIsNotMailed(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		for name, change := range map[string]func(email string) error{
			"password": func(email string) error { return r.Service.SetPassword(ctx, email, "another fine passphrase") },
			"standing": func(email string) error {
				if err := r.Service.DisableUser(ctx, email); err != nil {
					return err
				}
				return r.Service.EnableUser(ctx, email)
			},
			"disabled": func(email string) error { return r.Service.DisableUser(ctx, email) },
			"deleted":  func(email string) error { return r.Service.DeleteUser(ctx, email) },
		} {
			t.Run(name, func(t *testing.T) {
				email := name + "@example.com"
				r.AddUser(t, email)
				if _, err := r.ForgotPassword(ctx, api.ForgotPasswordRequest{Email: email}); err != nil {
					t.Fatal(err)
				}
				r.Clock.Advance(time.Second)
				if err := change(email); err != nil {
					t.Fatal(err)
				}
				r.Deliver(t)
				want := map[string]string{"disabled": "no_account", "deleted": "no_account"}[name]
				if want == "" {
					want = "superseded"
				}
				if got := outcomeOf(t, r, "reset"); got != want {
					t.Errorf("the request ended as %q, want %q", got, want)
				}
				for _, m := range r.Mailbox.Messages() {
					if m.To == email && m.Subject == "Reset your password - Latchkey" {
						t.Error("its link was mailed")
					}
				}
			})
		}
	})
}

// outcomeOf is how the newest mail of a kind ended.
func outcomeOf(t *testing.T, r *authtest.Rig, kind string) string {
	t.Helper()
	mails, err := r.Service.Outbox().List(context.Background(), outbox.Query{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mails {
		if m.Kind == kind {
			return m.Outcome
		}
	}
	t.Fatalf("no mail of kind %s", kind)
	return ""
}
