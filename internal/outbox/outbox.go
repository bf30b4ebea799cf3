// Package outbox owns mail between its being asked for and its end: the sealed request in a row of the database, the
// budget of a mailbox, delivery, and what an operator sees of it and may do to it.
//
// It promises: a mail goes out only for a transaction that committed; every row ends as sent, no_account, superseded,
// capped, refused or expired (I13 of internal/auth); a mail is sent twice only when the server's acceptance was not seen
// or not noted, and then with the same Message-ID; no address lies open in the database, and none stays once its mail
// has ended; and no domain, as one registers it, holds more than half of the deliverers.
//
// It never decides who gets a mail or what it says: who asks decides the first, and Options.Compose the second.
package outbox

// What an outbox is made of, how its mails end, and who is told that there is mail.

import (
	"context"
	"log/slog"
	"time"

	"latchkey/internal/mail"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// Outbox keeps and delivers mail. Any number of goroutines may use it.
type Outbox struct {
	o     Options
	woken chan struct{} // holds a token when mail was put into the outbox here
	lanes lanes
}

// Options are what an Outbox works with. Every field must be set.
type Options struct {
	Store  *store.Store
	Master *token.MasterKeys
	Sender mail.Sender

	// Compose writes the mail of a row, or says how the row ends unsent. An error that wraps store.ErrUnavailable
	// postpones the mail; after any other no later try can do better, and the mail is refused.
	Compose func(ctx context.Context, row store.Mail, r Request) (Composed, error)

	Now    func() time.Time // the time of the database, which every node goes by
	Log    *slog.Logger
	OnMail func(outcome string) // called once per try to deliver with one of Outcomes
}

// Composed is what a request has come to mean by the time it is delivered.
type Composed struct {
	Message mail.Message
	UserID  string // whose account it is about, as far as that was found out, also beside an error
	Outcome string // how the row ends unsent: NoAccount, Superseded or Capped; empty: Message is sent
}

// How an outbox row ends. The words are kept in the database: they never change.
const (
	Sent       = "sent"
	NoAccount  = "no_account"
	Superseded = "superseded" // asked for before the account's last change
	Capped     = "capped"     // its mailbox has had its share under names with a +
	Refused    = "refused"
	Expired    = "expired"
)

// postponed is what becomes of a try that is repeated.
const postponed = "postponed"

// Outcomes are what OnMail is told: how a mail ended, or that a try is repeated.
func Outcomes() []string {
	return []string{Sent, postponed, NoAccount, Superseded, Refused, Expired, Capped}
}

// New makes an outbox.
func New(o Options) *Outbox {
	return &Outbox{o: o, woken: make(chan struct{}, 1)}
}

// Wake tells a deliverer of this process that there is mail; those of others poll.
func (b *Outbox) Wake() {
	select {
	case b.woken <- struct{}{}:
	default:
	}
}

// Woken receives after Wake.
func (b *Outbox) Woken() <-chan struct{} { return b.woken }

// Waiting says how many mails wait, and for how long the oldest has.
func (b *Outbox) Waiting(ctx context.Context) (mails int64, oldest time.Duration, err error) {
	err = b.o.Store.Read(ctx, func(tx *store.Tx) error {
		depth, since, err := tx.WaitingMail()
		if mails, oldest = depth, 0; !since.IsZero() {
			oldest = max(0, b.o.Now().Sub(since))
		}
		return err
	})
	return mails, oldest, err
}
