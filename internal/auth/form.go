package auth

// The forms: what a request must hold before any rule is asked. Each check notes what is wrong and
// how to mend it, and never echoes a value.

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"latchkey/internal/password"
)

// form collects what is wrong with a request.
type form struct {
	fields []Field
}

func (f *form) add(name, code, message string) {
	f.fields = append(f.fields, Field{Name: name, Code: code, Message: message})
}

// err is CodeInvalidRequest with everything that was noted, or nil.
func (f *form) err() error {
	if len(f.fields) == 0 {
		return nil
	}
	return invalid(f.fields...)
}

// email returns the canonical form of an address.
func (f *form) email(name, value string) string {
	canonical, ok := ParseEmail(value)
	switch {
	case value == "":
		f.add(name, "required", "Enter your e-mail address.")
	case !ok:
		f.add(name, "invalid_format", "Enter an e-mail address like name@example.com.")
	}
	return canonical
}

func (f *form) required(name, value, message string) {
	if value == "" {
		f.add(name, "required", message)
	}
}

// personName checks a first or last name: 1 to 100 characters, none of them a control.
func (f *form) personName(name, value string) {
	switch {
	case value == "":
		f.add(name, "required", "Enter a name.")
	case utf8.RuneCountInString(value) > 100:
		f.add(name, "too_long", "Use at most 100 characters.")
	case hasControl(value):
		f.add(name, "invalid_format", "Use letters, digits, spaces and punctuation only.")
	}
}

func hasControl(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return true
		}
	}
	return false
}

// secret is a password ready to be evaluated. One that did not decrypt (spec 2.6) matches nothing,
// yet costs what any other costs.
type secret struct {
	text  password.Plaintext
	valid bool
}

// password takes a password as it came in: decrypted where the transport key says so, normalized,
// within the limits. Limits are checked before any hash is computed.
func (s *Service) password(f *form, name string, in Password) secret {
	value, valid := in.Value, true
	if s.o.TransportKey != "" && !in.Plain && isTransport(value) {
		if value, valid = openTransport(s.o.TransportKey, value); !valid {
			return secret{text: "x"}
		}
	}
	if value == "" {
		f.add(name, "required", "Enter a password.")
		return secret{}
	}
	text, err := password.Normalize(value)
	switch {
	case errors.Is(err, password.ErrTooLong):
		f.add(name, "too_long", "Use at most 256 characters.")
	case err != nil:
		f.add(name, "invalid_format", "Use text that every keyboard can type.")
	}
	return secret{text: text, valid: valid}
}

// client resolves the alias a request names; empty is the default client, or Latchkey itself.
func (s *Service) client(alias string) (Client, error) {
	if alias == "" {
		if c, ok := s.o.Clients.Default(); ok {
			return c, nil
		}
		return Client{Alias: ownAlias, Name: "Latchkey", URL: s.o.Issuer}, nil
	}
	c, ok := s.o.Clients.Lookup(alias)
	if !ok {
		return Client{}, refuse(CodeUnknownClient)
	}
	return c, nil
}

// ownAlias is the client named in tokens where no client is registered.
const ownAlias = "latchkey"

// policyFault turns a policy's refusal into CodePasswordNotAccepted on the named field.
func policyFault(name string, err error) error {
	if refusal, ok := errors.AsType[*password.Refusal](err); ok {
		return &Error{Code: CodePasswordNotAccepted, Fields: []Field{{name, refusal.Code, refusal.Message}}}
	}
	return fmt.Errorf("check password: %w", err)
}
