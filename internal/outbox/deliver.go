package outbox

// Delivering: claim a row, have its mail composed, send it, note the end.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"latchkey/internal/mail"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

const (
	lease       = 2 * time.Minute // longer than a whole SMTP dialogue may take
	sendTimeout = 45 * time.Second

	firstBackoff = 5 * time.Second
	maxBackoff   = 15 * time.Minute

	// LongestWait is the longest that a mail is put off.
	LongestWait = maxBackoff * 5 / 4
)

// DeliverNext claims the mail that has been due longest, of those that may be sent now (lanes.go), and
// delivers it; false when there is none. An error is the store's; an SMTP server's trouble postpones the row.
func (b *Outbox) DeliverNext(ctx context.Context) (bool, error) { return b.deliverOne(ctx, false) }

// DeliverFirst is DeliverNext for first tries to domains that have nothing under way: whatever else waits,
// mail that gives no trouble has a deliverer of its own.
func (b *Outbox) DeliverFirst(ctx context.Context) (bool, error) { return b.deliverOne(ctx, true) }

func (b *Outbox) deliverOne(ctx context.Context, first bool) (bool, error) {
	row, f, err := b.claim(ctx, first)
	if err != nil || f == nil {
		return false, err
	}
	defer b.lanes.end(f)
	return true, b.deliver(ctx, row, f)
}

func (b *Outbox) deliver(ctx context.Context, row store.Mail, f *flight) error {
	if !b.o.Now().Before(row.ExpiresAt) {
		b.o.Log.Warn("a mail ran out before it could be delivered", "mail", row.ID, "kind", row.Kind, "tries", row.Tries-1, "cause", row.LastError)
		return b.end(ctx, row, Expired, row.LastError)
	}
	c, err := b.compose(ctx, &row)
	switch {
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, token.ErrUnknownMasterKey):
		return b.postpone(ctx, row, err)
	case err != nil: // no later try can do better
		b.o.Log.Error("a mail cannot be written", "mail", row.ID, "kind", row.Kind, "cause", err)
		return b.refuse(ctx, row, err)
	case c.Outcome != "":
		return b.end(ctx, row, c.Outcome, "")
	}
	row.MessageID = mail.MessageID(c.Message)
	answer, err := b.send(ctx, c.Message, f)
	row.Answer = cmp.Or(answer, mail.Answer(err), row.Answer)
	switch {
	case err == nil:
		return b.end(ctx, row, Sent, "")
	case mail.Permanent(err):
		b.o.Log.Warn("a mail was refused: no such recipient; after fixing what was wrong, `latchkey mail retry` tries it again", "mail", row.ID, "kind", row.Kind, "cause", err)
		return b.refuse(ctx, row, err)
	}
	return b.postpone(ctx, row, err)
}

// compose has the mail of a row written. It notes on the row whose account it is about.
func (b *Outbox) compose(ctx context.Context, row *store.Mail) (Composed, error) {
	r, err := b.unseal(*row)
	if err != nil {
		return Composed{}, err
	}
	c, err := b.o.Compose(ctx, *row, r)
	row.UserID = cmp.Or(c.UserID, row.UserID)
	return c, err
}

// errMadeRoom is why a dialogue was cut off that nothing was wrong with but its slowness.
var errMadeRoom = errors.New("the mail server is slow for this domain, and other mail had to wait")

// send has one dialogue. One that takes long, once the server is ready for the mail, makes its domain slow, and is
// cut off where slow domains would hold too many deliverers; the mail then waits for its turn among theirs.
func (b *Outbox) send(ctx context.Context, message mail.Message, f *flight) (answer string, err error) {
	sendCtx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	sendCtx, cut := context.WithCancelCause(sendCtx)
	defer cut(nil)
	stop := func() bool { return true }
	defer func() { stop() }()
	answer, err = b.o.Sender.Send(mail.WhenReady(sendCtx, func() {
		stop = time.AfterFunc(slowAfter, func() {
			if b.lanes.tooSlow(f, b.o.Now()) {
				cut(errMadeRoom)
			}
		}).Stop
	}), message)
	if err != nil && errors.Is(context.Cause(sendCtx), errMadeRoom) {
		err = fmt.Errorf("%w: %w", errMadeRoom, err)
	}
	return answer, err
}

// end notes the end, unless the lease was lost: then the row is another worker's.
func (b *Outbox) end(ctx context.Context, row store.Mail, outcome, lastError string) error {
	return b.noteTry(outcome, b.o.Store.EndMail(ctx, row, outcome, lastError, b.o.Now()))
}

// refuse notes that no later try can help by itself. An operator may know better: the sealed request
// stays until it expires.
func (b *Outbox) refuse(ctx context.Context, row store.Mail, cause error) error {
	return b.noteTry(Refused, b.o.Store.RefuseMail(ctx, row, Refused, cause.Error(), b.o.Now()))
}

// postpone gives the row back: at once when the process is stopping, else after a while that grows.
func (b *Outbox) postpone(ctx context.Context, row store.Mail, cause error) error {
	wait := backoff(row.Tries)
	if ctx.Err() != nil {
		wait = 0
	}
	b.o.Log.Warn("a mail could not be delivered and will be tried again", "mail", row.ID, "kind", row.Kind, "in", wait.String(), "cause", cause)
	return b.noteTry(postponed, b.o.Store.PostponeMail(ctx, row, b.o.Now().Add(wait), cause.Error()))
}

// noteTry counts what became of a try once that was written; nothing is where the lease was lost meanwhile.
func (b *Outbox) noteTry(outcome string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		b.o.OnMail(outcome)
	}
	return err
}

// backoff doubles from 5 s to 15 min, and varies by a quarter so that mails do not return in step.
func backoff(tries int64) time.Duration {
	wait := maxBackoff
	if tries < 10 {
		wait = min(maxBackoff, firstBackoff<<max(0, tries-1))
	}
	return wait*3/4 + rand.N(wait/2)
}
