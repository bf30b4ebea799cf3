package outbox_test

// One mailbox, many names with a +.

import (
	"fmt"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/outbox"
	"latchkey/internal/peer"
)

// Whoever asks for mails to many spellings of one mailbox brings it five an hour, and closes nothing else: not the
// plain address, not a reset, not another mailbox.
func TestTaggedAddressesAreCapped(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ask := func(email string) {
			t.Helper()
			if err := r.Service.RequestVerification(t.Context(), auth.VerificationMail{Email: email}, peer.Peer{}); err != nil {
				t.Fatal(err)
			}
			r.Deliver(t)
		}
		mailsTo := func(to ...string) (n int) {
			for _, m := range r.Mailbox.Messages() {
				for _, address := range to {
					if m.To == address {
						n++
					}
				}
			}
			return n
		}
		var tagged []string
		for i := range 12 {
			tagged = append(tagged, []string{fmt.Sprintf("ada+%d@example.com", i), fmt.Sprintf("ada++%d@example.com", i), fmt.Sprintf("ada+a+%d@example.com", i)}[i%3])
		}
		r.AddUser(t, tagged[0]) // who has an account there is told so, and that is a mail, too
		r.Clock.Advance(time.Second)
		for _, email := range tagged {
			ask(email)
		}
		if n := mailsTo(tagged...); n != 5 {
			t.Errorf("%d mails to spellings of one mailbox, want 5", n)
		}
		if list, err := r.Service.Outbox().List(t.Context(), outbox.Query{Limit: 1}); err != nil || len(list) != 1 || list[0].Outcome != outbox.Capped {
			t.Errorf("the last: %+v, %v", list, err)
		}
		for _, other := range []string{"ada@example.com", "ad+a@example.com", "ada+1@example.org", "bob+1@example.com"} {
			ask(other)
			if mailsTo(other) != 1 {
				t.Errorf("no mail to %s", other)
			}
		}
		r.ForgotCode(t, tagged[0])
		r.Clock.Advance(time.Hour + time.Second)
		again := "ada+again@example.com"
		ask(again)
		if mailsTo(again) != 1 {
			t.Error("no mail an hour later")
		}
	})
}
