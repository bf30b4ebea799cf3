// Package mail writes Latchkey's mails and hands them to a server.
//
// It promises: nothing a caller, a platform or a visitor puts into a mail can add a header, a
// recipient, a line of the dialogue or markup; a mail tried again carries the same Message-ID; a
// password or a mail crosses a network only inside TLS, unless the operator wrote otherwise; and
// no dialogue outlives Timeout. It never decides who gets a mail, keeps none (the Inbox of a
// development server aside), retries none and fetches nothing.
package mail

// What a mail is, who can send it, and which failures are final.

import (
	"context"
	"errors"
	"time"
)

// Message is one mail to one mailbox.
type Message struct {
	ID         string    // stable over all tries: the Message-ID is made of it and From's domain
	From       string    // RFC 5322 mailbox
	To         string    // bare address
	Subject    string    // one line of plain text
	Language   string    // of the content, as RFC 3282's Content-Language; may be empty
	Text, HTML string    // the same content twice; HTML may be empty
	Date       time.Time // zero: when it is sent
}

// Sender hands a mail over and says what the other side answered. No error means that somebody took
// responsibility for it.
type Sender interface {
	Send(ctx context.Context, m Message) (answer string, err error)
}

type readyKey struct{}

// WhenReady returns a context for Send. then is called once the server is about to be shown the mail: what takes
// time before that is the same for every mail, and what takes time after it may be the recipient's doing.
func WhenReady(ctx context.Context, then func()) context.Context {
	return context.WithValue(ctx, readyKey{}, then)
}

// Ready is what a Sender says then.
func Ready(ctx context.Context) {
	if then, ok := ctx.Value(readyKey{}).(func()); ok {
		then()
	}
}

// ErrMalformed is in every refusal of a mail or of its parts that no later try can fix.
var ErrMalformed = errors.New("malformed mail")

// Permanent says that sending the same mail again cannot help: it cannot be a mail, or the server
// refused its recipient in words that speak of the recipient.
func Permanent(err error) bool {
	if errors.Is(err, ErrMalformed) {
		return true
	}
	r, ok := errors.AsType[*refused](err)
	return ok && r.final()
}
