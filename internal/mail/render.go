package mail

// The mails Latchkey writes: a line in kinds each, and their words in internal/locale. What a mail is
// drawn from is in view.go.

import (
	"fmt"
	"strings"
	"time"
)

// Kind says what a mail is about. The words are kept in the outbox: they never change.
type Kind string

const (
	Verify            Kind = "verify"              // the link that proves a mailbox
	Reset             Kind = "reset"               // the link that sets a new password
	AlreadyRegistered Kind = "already_registered"  // instead of Verify, where there is an account
	PasswordChanged   Kind = "password_changed"    // notice
	EmailChanged      Kind = "email_changed"       // notice, to both addresses
	NewDevice         Kind = "new_device"          // notice: a sign-in from where none came before
	SessionEndedReuse Kind = "session_ended_reuse" // notice: a refresh token was used twice
	Test              Kind = "test"                // `latchkey mail test`
)

// LinkKinds are the mails that bring a link which is good once.
var LinkKinds = [...]Kind{Reset, Verify}

// Parts of a mail that are no message.
const (
	button = "button" // the link; its label is the message mail.<kind>.button
	seen   = "seen"   // when, on what device and from where it was done
)

// kinds is every mail: its parts in order, messages by their keys below "mail.". Besides, each has a title
// and says why its reader gets it.
var kinds = [...]struct {
	kind  Kind
	link  bool // the mail is nothing without its link
	shows []string
}{
	{Verify, true, []string{"verify.text", button, "verify.until", "verify.not_you"}},
	{Reset, true, []string{"reset.text", button, "reset.until", "reset.everywhere", seen, "reset.not_you"}},
	{AlreadyRegistered, false, []string{"already_registered.text", button, "already_registered.forgotten", "already_registered.not_you"}},
	{PasswordChanged, false, []string{"password_changed.text", seen, "was_you", "password_changed.not_you", button}},
	{EmailChanged, false, []string{"email_changed.text", seen, "was_you", "email_changed.not_you", "email_changed.old_mailbox", button}},
	{NewDevice, false, []string{"new_device.text", seen, "was_you", "new_device.not_you", button}},
	{SessionEndedReuse, false, []string{"session_ended_reuse.text", seen, "session_ended_reuse.go_on", "session_ended_reuse.again", button}},
	{Test, false, []string{"test.text"}},
}

// Data is what a mail may speak of. Only To and From are always needed; a Platform without a name
// is Latchkey.
type Data struct {
	To, From, Platform string
	LogoURL, Link      string    // absolute http or https, whose origin the caller has checked
	Hosted             string    // the same link once more, to our own pages; empty: Link is all there is
	NewEmail           string    // of EmailChanged, always
	ExpiresAt, At      time.Time // of the link; of what the mail tells
	Browser, OS, Addr  string    // who did it, as far as that is known

	Language         string            // a tag of internal/locale; any other is English
	Accent, OnAccent string            // #rrggbb of the button and of the words on it: both, or neither
	Support          string            // an email address or an absolute http(s) URL; empty: none
	Texts            map[string]string // what to say instead of messages, by key; those below "mail." count here
}

// Render writes the mail of a kind. The same arguments give the same mail: id, At and Data are
// all it is made of, so that a later try repeats it.
func (t *Templates) Render(kind Kind, id string, d Data) (Message, error) {
	for _, k := range kinds {
		if k.kind != kind {
			continue
		}
		if d.Link == "" && k.link {
			return Message{}, fmt.Errorf("render %s: %w: no link", kind, ErrMalformed)
		}
		m, err := t.render(kind, k.shows, id, d)
		if err != nil {
			return Message{}, fmt.Errorf("render %s: %w", kind, err)
		}
		return m, nil
	}
	return Message{}, fmt.Errorf("render %q: %w: no such kind", kind, ErrMalformed)
}

func (t *Templates) render(kind Kind, shows []string, id string, d Data) (Message, error) {
	v, err := newView(kind, shows, d)
	if err != nil {
		return Message{}, err
	}
	var text, html strings.Builder
	if err := t.text.Execute(&text, v); err != nil {
		return Message{}, fmt.Errorf("execute text: %w", err)
	}
	if err := t.html.Execute(&html, v); err != nil {
		return Message{}, fmt.Errorf("execute HTML: %w", err)
	}
	m := Message{
		ID: id, From: d.From, To: d.To, Subject: v.Subject, Language: v.Language.Tag,
		Text: text.String(), HTML: html.String(), Date: d.At,
	}
	_, err = compose(m) // what Render gives, every Sender takes
	return m, err
}
