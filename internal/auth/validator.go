package auth

// The validator: what a request must hold before any rule is asked. Each check notes what is wrong and
// how to fix it, and never echoes a value.

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"latchkey/internal/address"
	"latchkey/internal/locale"
	"latchkey/internal/password"
	"latchkey/internal/studio"
)

// validator collects what is wrong with a request.
type validator struct {
	fields []Field
}

func (f *validator) add(name, code, message string) {
	f.fields = append(f.fields, Field{Name: name, Code: code, Message: message})
}

// err is CodeInvalidRequest with everything that was noted, or nil.
func (f *validator) err() error {
	if len(f.fields) == 0 {
		return nil
	}
	return invalid(f.fields...)
}

// email returns the canonical form of an address.
func (f *validator) email(name, value string) string {
	canonical, ok := address.ParseEmail(value)
	switch {
	case value == "":
		f.add(name, "required", "Enter your email address.")
	case !ok:
		f.add(name, "invalid_format", "Enter an email address like name@example.com.")
	}
	return canonical
}

func (f *validator) required(name, value, message string) {
	if value == "" {
		f.add(name, "required", message)
	}
}

// personName returns a first or last name, trimmed and without what nobody sees: 1 to 100 characters, none of
// them a control. Such characters are left out and not refused: keyboards and copied text put them there, and
// their writers do not know.
func (f *validator) personName(name, value string) string {
	shown := strings.TrimSpace(locale.Visible(value))
	switch {
	case shown == "" && !hasControl(value):
		f.add(name, "required", "Enter a name.")
	case utf8.RuneCountInString(shown) > 100:
		f.add(name, "too_long", "Use at most 100 characters.")
	case hasControl(value):
		f.add(name, "invalid_format", "Use letters, digits, spaces and punctuation only.")
	}
	return shown
}

func hasControl(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return true
		}
	}
	return false
}

// plaintext is a password ready to be evaluated. One that did not decrypt matches nothing, yet costs what any
// other costs.
type plaintext struct {
	text    password.Plaintext
	valid   bool
	wrapped bool // it came encrypted for transport: nothing of it is told to a caller who has proved nothing
}

// password takes a password as it came in: decrypted where the transport key says so, normalized,
// within the limits. Limits are checked before any hash is computed.
func (s *Service) password(f *validator, name string, in Password) plaintext {
	value, valid, wrapped := in.Value, true, s.isWrapped(in)
	if s.o.TransportKey == "" && !in.Plain && studio.IsTransport(in.Value) {
		s.notes.Warn("wrapped", "a password came that looks encrypted for transport, and was taken as it is: set LATCHKEY_TRANSPORT_KEY to the key that the client encrypts with")
	}
	if wrapped {
		if value, valid = studio.OpenTransport(s.o.TransportKey, value); !valid {
			return plaintext{text: "x", wrapped: true}
		}
	}
	if value == "" {
		f.add(name, "required", "Enter a password.")
		return plaintext{}
	}
	text, err := password.Normalize(value)
	switch {
	case errors.Is(err, password.ErrTooLong):
		f.add(name, "too_long", "Use at most 256 characters.")
	case err != nil:
		f.add(name, "invalid_format", "Use text that every keyboard can type.")
	}
	return plaintext{text: text, valid: valid, wrapped: wrapped}
}

// isWrapped says whether a password is taken as encrypted for transport.
func (s *Service) isWrapped(in Password) bool {
	return s.o.TransportKey != "" && !in.Plain && studio.IsTransport(in.Value)
}

// policyError turns a policy's refusal into CodePasswordNotAccepted on the named field.
func policyError(name string, err error) error {
	if refusal, ok := errors.AsType[*password.Refusal](err); ok {
		return &Error{Code: CodePasswordNotAccepted, Fields: []Field{{name, refusal.Code, refusal.Message}}}
	}
	return fmt.Errorf("check password: %w", err)
}
