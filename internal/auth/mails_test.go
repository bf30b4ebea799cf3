package auth_test

// What an operator may do to the outbox while mails are on their way.

import (
	"context"
	"errors"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/mail"
)

// sending is a mail server of a test's own.
type sending func(m mail.Message) error

func (s sending) Send(_ context.Context, m mail.Message) (string, error) { return "", s(m) }

// A retry never has a mail sent twice: it is refused while somebody may be sending it. A mail that is
// postponed for longer is due at once.
func TestRetryMail(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		var r *authtest.Rig
		var id string
		under := false
		r = authtest.New(t, db, func(o *auth.Options) {
			o.Sender = sending(func(m mail.Message) error {
				if id = m.ID; under {
					t.Error("it is sent twice")
					return nil
				}
				under = true
				defer func() { under = false }()
				if err := r.Service.RetryMail(ctx, id); !errors.Is(err, auth.ErrMailUnderWay) {
					t.Errorf("under way: got %v, want %v", err, auth.ErrMailUnderWay)
				}
				if _, err := r.Service.DeliverNext(ctx); err != nil { // another worker
					t.Error(err)
				}
				return errors.New("421 busy")
			})
		})
		r.AddUser(t, "ada@example.com")
		if _, err := r.ForgotPassword(ctx, api.ForgotPasswordRequest{Email: "ada@example.com"}); err != nil {
			t.Fatal(err)
		}
		r.Deliver(t)
		for range 6 { // it is now postponed for more than two minutes
			r.Clock.Advance(4 * time.Minute)
			r.Deliver(t)
		}
		if more, err := r.Service.DeliverNext(ctx); more || err != nil {
			t.Fatalf("postponed, but due: %t, %v", more, err)
		}
		for range 2 { // once it is due, there is nothing to do
			if err := r.Service.RetryMail(ctx, id); err != nil {
				t.Errorf("postponed: %v", err)
			}
		}
		if more, err := r.Service.DeliverNext(ctx); !more || err != nil {
			t.Errorf("retried, but not due: %t, %v", more, err)
		}
		r.Clock.Advance(time.Hour)
		r.Deliver(t) // ends as expired
		if err := r.Service.RetryMail(ctx, id); !errors.Is(err, auth.ErrNoMail) {
			t.Errorf("ended: got %v, want %v", err, auth.ErrNoMail)
		}
	})
}
