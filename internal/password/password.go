// Package password decides which passwords are accepted, turns them into stored hashes and compares
// them with such hashes, and says who may do that expensive work now.
//
// It promises that a password is used whole and as typed (NFC aside), that a stored hash is never
// computed above a known cost, and that no password leaves it in a log line or an error. It starts no
// goroutine, keeps nothing and reads no clock. It does not know accounts: internal/auth calls it.
package password

// What a password is: text with two limits, checked before any work is spent on it.

import (
	"errors"
	"log/slog"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of a password. NIST SP 800-63B-4 §3.1.1.2 asks for a maximum of at least 64 characters and
// counts a Unicode code point as one.
const (
	MaxCodePoints = 256
	MaxBytes      = 1024
)

var (
	// ErrTooLong says that a password is longer than MaxCodePoints or MaxBytes.
	ErrTooLong = errors.New("password is too long")
	// ErrNotText says that a password is not valid UTF-8.
	ErrNotText = errors.New("password is not valid UTF-8")
)

// Plaintext is a normalized password: what Normalize returned. It says [redacted] wherever it is
// printed, logged or marshalled; string(p) is the only way to its characters.
type Plaintext string

const redacted = "[redacted]"

// Normalize returns raw in Unicode normalization form C, so that one password typed on two keyboards
// is one password (NIST SP 800-63B-4 §3.1.1.2; the form is OpaqueString's, RFC 8265 §4.2.2). Nothing
// else is changed: neither trimmed nor folded, and control characters count like any other.
//
// Raw input over MaxBytes is refused unread; code points are counted in the normal form, so that both
// spellings of a password are one password. It returns ErrTooLong or ErrNotText, and never hashes.
func Normalize(raw string) (Plaintext, error) {
	if len(raw) > MaxBytes {
		return "", ErrTooLong
	}
	if !utf8.ValidString(raw) {
		return "", ErrNotText
	}
	text := norm.NFC.String(raw)
	if utf8.RuneCountInString(text) > MaxCodePoints { // which is MaxBytes at most
		return "", ErrTooLong
	}
	return Plaintext(text), nil
}

// String keeps the password out of %v, %s and %q.
func (Plaintext) String() string { return redacted }

// GoString keeps the password out of %#v.
func (Plaintext) GoString() string { return redacted }

// LogValue keeps the password out of log attributes.
func (Plaintext) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the password out of JSON, which a log handler writes of a whole struct.
func (Plaintext) MarshalText() ([]byte, error) { return []byte(redacted), nil }
