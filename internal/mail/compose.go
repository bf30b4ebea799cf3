package mail

// A Message as the bytes of RFC 5322: checked first, then encoded once.

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"
)

// outgoing is a Message ready for the dialogue.
type outgoing struct {
	from, to string // bare addresses for MAIL and RCPT
	raw      []byte
}

func compose(m Message) (outgoing, error) {
	from, err := parseMailbox(m.From)
	if err != nil {
		return outgoing{}, fmt.Errorf("check From: %w", err)
	}
	if err := checkAddress(m.To); err != nil {
		return outgoing{}, fmt.Errorf("check To: %w", err)
	}
	if err := checkLine(m.Subject, 512); err != nil {
		return outgoing{}, fmt.Errorf("check Subject: %w", err)
	}
	if !languageTag.MatchString(m.Language) {
		return outgoing{}, fmt.Errorf("check Content-Language: %w: not a language tag", ErrMalformed)
	}
	id, err := messageID(m.ID, from.Address)
	if err != nil {
		return outgoing{}, err
	}
	text, err := body(m.Text)
	if err != nil {
		return outgoing{}, fmt.Errorf("check text: %w", err)
	}
	html, err := body(m.HTML)
	if err != nil {
		return outgoing{}, fmt.Errorf("check HTML: %w", err)
	}
	date := m.Date
	if date.IsZero() {
		date = time.Now()
	}

	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(from)
	if err := msg.To(m.To); err != nil {
		return outgoing{}, fmt.Errorf("set To: %w", err)
	}
	msg.Subject(singleSpaced(m.Subject))
	msg.SetMessageIDWithValue(id)
	msg.SetDateWithValue(date.UTC())
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 §5: no vacation notes back
	msg.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	if m.Language != "" {
		msg.SetGenHeader("Content-Language", m.Language)
	}
	msg.SetBodyString(gomail.TypeTextPlain, text)
	if html != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, html) // RFC 2046 §5.1.4: the richest last
	}
	var raw bytes.Buffer
	if _, err := msg.WriteTo(&raw); err != nil {
		return outgoing{}, fmt.Errorf("write message: %w", err)
	}
	return outgoing{from: from.Address, to: m.To, raw: raw.Bytes()}, nil
}

// languageTag is RFC 5646's alphabet, or nothing.
var languageTag = regexp.MustCompile(`^[A-Za-z0-9-]{0,35}$`)

// MessageID is what a mail carries as its Message-ID, angle brackets included; empty where it cannot be sent.
func MessageID(m Message) string {
	from, err := parseMailbox(m.From)
	if err != nil {
		return ""
	}
	id, err := messageID(m.ID, from.Address)
	if err != nil {
		return ""
	}
	return "<" + id + ">"
}

// messageID is the same for every try of one mail, so that a mailbox that got it twice shows it once
// (RFC 5322 §3.6.4: unique because id is, at the sender's domain). An id with a domain is kept.
func messageID(id, from string) (string, error) {
	full := id
	if !strings.Contains(id, "@") {
		full = id + from[strings.LastIndexByte(from, '@'):]
	}
	if err := checkAddress(full); err != nil {
		return "", fmt.Errorf("check Message-ID: %w", err)
	}
	return full, nil
}

// body takes text of any lines, and gives every line end one spelling.
func body(s string) (string, error) {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return "", fmt.Errorf("%w: not valid UTF-8, or holds NUL", ErrMalformed)
	}
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s), nil
}
