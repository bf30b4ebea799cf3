// Package mail writes Latchkey's letters and hands them to a server.
//
// It promises: nothing a caller, a platform or a visitor puts into a letter can add a header, a
// recipient, a line of the dialogue or markup; a letter tried again carries the same Message-ID; a
// password or a letter crosses a network only inside TLS, unless the operator wrote otherwise; and
// no dialogue outlives Timeout. It never decides who gets a letter, keeps none (the Inbox of a
// development server aside), retries none and fetches nothing. internal/auth may call it, and cmd.
package mail

// What a letter is, who can send it, and which failures are final.

import (
	"context"
	"errors"
	"net/textproto"
	"time"
)

// Message is one letter to one mailbox.
type Message struct {
	ID         string    // stable over all tries: the Message-ID is made of it and From's domain
	From       string    // RFC 5322 mailbox
	To         string    // bare address
	Subject    string    // one line of plain text
	Language   string    // of the content, as RFC 3282's Content-Language; may be empty
	Text, HTML string    // the same content twice; HTML may be empty
	Date       time.Time // zero: when it is sent
}

// Sender hands a letter over and says what the other side answered. No error means that somebody took
// responsibility for it.
type Sender interface {
	Send(ctx context.Context, m Message) (answer string, err error)
}

// ErrMalformed is in every refusal of a letter or of its parts that no later try can mend.
var ErrMalformed = errors.New("malformed mail")

// Permanent says that sending the same letter again cannot help: the server refused this letter with
// a 5xx, or it cannot be a letter. Answers about ourselves (RFC 4954 §6: wrong or missing
// credentials) and refusals before the letter was named are not: they end when the operator mends
// the configuration, and no letter should be lost to that.
func Permanent(err error) bool {
	if errors.Is(err, ErrMalformed) {
		return true
	}
	answer, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		return false
	}
	switch answer.Code {
	case 530, 534, 535, 538:
		return false
	}
	return answer.Code >= 500 && answer.Code <= 599
}
