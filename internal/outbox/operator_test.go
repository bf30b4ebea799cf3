package outbox_test

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
	"latchkey/internal/outbox"
	"latchkey/internal/token"
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
				if err := r.Service.Outbox().Retry(ctx, id); !errors.Is(err, outbox.ErrUnderWay) {
					t.Errorf("under way: got %v, want %v", err, outbox.ErrUnderWay)
				}
				if _, err := r.Service.Outbox().DeliverNext(ctx); err != nil { // another worker
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
		if more, err := r.Service.Outbox().DeliverNext(ctx); more || err != nil {
			t.Fatalf("postponed, but due: %t, %v", more, err)
		}
		for range 2 { // once it is due, there is nothing to do
			if err := r.Service.Outbox().Retry(ctx, id); err != nil {
				t.Errorf("postponed: %v", err)
			}
		}
		if more, err := r.Service.Outbox().DeliverNext(ctx); !more || err != nil {
			t.Errorf("retried, but not due: %t, %v", more, err)
		}
		r.Clock.Advance(time.Hour)
		r.Deliver(t) // ends as expired
		if err := r.Service.Outbox().Retry(ctx, id); !errors.Is(err, outbox.ErrNoMail) {
			t.Errorf("ended: got %v, want %v", err, outbox.ErrNoMail)
		}
	})
}

// What a server refuses for good can be tried again once whatever was wrong is fixed, until it expires; then
// nothing is left of it to send.
func TestRefusedMailIsRevived(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := t.Context()
		var answer error
		var sent []mail.Message
		r := authtest.New(t, db, func(o *auth.Options) {
			o.Sender = sending(func(m mail.Message) error {
				if answer == nil {
					sent = append(sent, m)
				}
				return answer
			})
		})
		r.AddUser(t, "ada@example.com")
		answer = mail.ErrMalformed // as final as a 550 at RCPT
		if _, err := r.ForgotPassword(ctx, api.ForgotPasswordRequest{Email: "ada@example.com"}); err != nil {
			t.Fatal(err)
		}
		r.Deliver(t)
		refused := func() outbox.Mail {
			t.Helper()
			list, err := r.Service.Outbox().List(ctx, outbox.Query{Limit: 1})
			if err != nil || len(list) != 1 || list[0].Outcome != "refused" {
				t.Fatalf("%+v, %v", list, err)
			}
			return list[0]
		}
		m := refused()
		if m.To != "ada@example.com" {
			t.Errorf("a refused mail is to %q", m.To)
		}
		if err := r.Service.Outbox().Retry(ctx, m.ID); err != nil {
			t.Fatal(err)
		}
		r.Deliver(t)
		refused() // again
		answer = nil
		if err := r.Service.Outbox().Retry(ctx, m.ID); err != nil {
			t.Fatal(err)
		}
		r.Deliver(t)
		if len(sent) != 1 || sent[0].ID != m.ID || sent[0].To != m.To {
			t.Errorf("sent %+v", sent)
		}
		if err := r.Service.Outbox().Retry(ctx, m.ID); !errors.Is(err, outbox.ErrNoMail) {
			t.Errorf("sent: got %v, want %v", err, outbox.ErrNoMail)
		}

		answer = mail.ErrMalformed
		r.Clock.Advance(2 * time.Minute)
		if _, err := r.ForgotPassword(ctx, api.ForgotPasswordRequest{Email: "ada@example.com"}); err != nil {
			t.Fatal(err)
		}
		r.Deliver(t)
		m = refused()
		r.Clock.Advance(r.Options.ResetTTL)
		if err := r.Service.Outbox().Retry(ctx, m.ID); !errors.Is(err, outbox.ErrNoMail) {
			t.Errorf("expired: got %v, want %v", err, outbox.ErrNoMail)
		}
		for more := true; more; {
			var err error
			if more, err = r.Service.Upkeep().Sweep(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if m = refused(); m.To != "" {
			t.Errorf("expired, and still to %q", m.To)
		}
	})
}

// "Why did they not get their mail?": found by the address, under whichever master key it was asked for, after the
// address is gone; with what the server said last and the Message-ID in its log.
func TestMailsOfAnAddress(t *testing.T) {
	const old, young = authtest.Master, "c2Vjb25kLW1hc3Rlci1rZXktZm9yLWxhdGNoa2V5LTM="
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := t.Context()
		with := func(keys string) *authtest.Rig {
			return authtest.New(t, db, func(o *auth.Options) {
				var err error
				if o.Master, err = token.ParseMasterKeys(keys); err != nil {
					t.Fatal(err)
				}
			})
		}
		r := with(old)
		ada := r.AddUser(t, "ada@example.com")
		r.AddUser(t, "bob@example.com")
		ask := func(email string) {
			t.Helper()
			if _, err := r.ForgotPassword(ctx, api.ForgotPasswordRequest{Email: email}); err != nil {
				t.Fatal(err)
			}
		}
		ask("ada@example.com")
		ask("bob@example.com")
		ask("nobody@example.com")
		r.Deliver(t)
		r = with(young + "," + old)
		r.Clock.Advance(2 * time.Minute)
		ask("ada@example.com")

		find := func(q outbox.Query) []outbox.Mail {
			t.Helper()
			list, err := r.Service.Outbox().List(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		list := find(outbox.Query{Email: "ADA@Example.com", Limit: 10})
		if len(list) != 2 {
			t.Fatalf("%d mails to ada, want 2: %+v", len(list), list)
		}
		if m := list[0]; m.Outcome != "" || m.To != "ada@example.com" {
			t.Errorf("the newest: %+v", m)
		}
		m := list[1]
		if m.Outcome != "sent" || m.To != "" || m.UserID != ada.ID || m.Answer != "kept for /dev/inbox" || m.MessageID != "<"+m.ID+"@example.com>" {
			t.Errorf("the one that was sent: %+v", m)
		}
		if got := find(outbox.Query{Email: "ada@example.com", Waiting: true, Limit: 10}); len(got) != 1 || got[0].ID != list[0].ID {
			t.Errorf("waiting: %+v", got)
		}
		if got := find(outbox.Query{Email: "ada@example.com", Limit: 1}); len(got) != 1 || got[0].ID != list[0].ID {
			t.Errorf("at most one: %+v", got)
		}
		if got := find(outbox.Query{Email: "nobody@example.com", Limit: 10}); len(got) != 1 || got[0].Outcome != "no_account" || got[0].UserID != "" || got[0].MessageID != "" {
			t.Errorf("of nobody: %+v", got)
		}
		if got := find(outbox.Query{Email: "cyd@example.com", Limit: 10}); len(got) != 0 {
			t.Errorf("of somebody else: %+v", got)
		}
		if _, err := r.Service.Outbox().List(ctx, outbox.Query{Email: "no address", Limit: 10}); !errors.Is(err, outbox.ErrNoAddress) {
			t.Errorf("what is no address: %v", err)
		}
	})
}
