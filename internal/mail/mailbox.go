package mail

// Which values may enter a header or the SMTP dialogue. CR, LF and NUL are refused here, once, with
// every other character that could end a line or hide what a line says.

import (
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"latchkey/internal/address"
)

// ParseMailbox says whether s may be a From: an address, or a name and an address in angle brackets.
func ParseMailbox(s string) error {
	_, err := parseMailbox(s)
	return err
}

func parseMailbox(s string) (*mail.Address, error) {
	if err := checkLine(s, 512); err != nil {
		return nil, fmt.Errorf("read mailbox: %w", err)
	}
	box, err := mail.ParseAddress(s)
	// The parser also takes a group of one ("list: a@b.example;") and comments.
	if err != nil || s != box.Address && !strings.HasSuffix(s, "<"+box.Address+">") {
		return nil, fmt.Errorf("%w: a mailbox is written as Name <user@example.com>", ErrMalformed)
	}
	// Unquoted by now: \" may have hidden what was not there before.
	if err := checkLine(box.Name, 256); err != nil {
		return nil, fmt.Errorf("read mailbox name: %w", err)
	}
	box.Name = singleSpaced(box.Name)
	return box, checkAddress(box.Address)
}

// checkAddress takes the plain ASCII form alone: no quoted local part, comment, IP literal or
// white space. It is what may stand between < and > in MAIL and RCPT.
func checkAddress(s string) error {
	if !address.IsMailbox(s) {
		return fmt.Errorf("%w: an address is written as user@example.com", ErrMalformed)
	}
	return nil
}

// checkLine takes printable text on one line, as it is to be read: what is encoded already ("=?",
// RFC 2047) could hide anything, and readers would decode what was not encoded here.
func checkLine(s string, limit int) error {
	switch {
	case len(s) > limit:
		return fmt.Errorf("%w: longer than %d bytes", ErrMalformed, limit)
	case !utf8.ValidString(s):
		return fmt.Errorf("%w: not valid UTF-8", ErrMalformed)
	case strings.ContainsFunc(s, isUnprintable):
		return fmt.Errorf("%w: a control or invisible character", ErrMalformed)
	case strings.Contains(s, "=?"):
		return fmt.Errorf("%w: an encoded word", ErrMalformed)
	}
	return nil
}

// isUnprintable covers control characters, line and paragraph separators, and the invisible
// format characters (bidirectional overrides among them) that make a line read as another.
func isUnprintable(r rune) bool {
	return r != ' ' && !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r)
}

func singleSpaced(s string) string { return strings.Join(strings.Fields(s), " ") }
