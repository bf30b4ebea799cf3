package auth

// A password as it comes in: decrypted, normalized, within the limits.

import (
	"errors"

	"latchkey/internal/fields"
	"latchkey/internal/password"
	"latchkey/internal/studio"
)

// plaintext is a password ready to be evaluated. One that did not decrypt matches nothing, yet costs what any
// other costs.
type plaintext struct {
	text    password.Plaintext
	valid   bool
	wrapped bool // it came encrypted for transport: nothing of it is told to a caller who has proved nothing
}

// password takes a password as it came in: decrypted where the transport key says so, normalized,
// within the limits. Limits are checked before any hash is computed.
func (s *Service) password(f *fields.Validator, name string, in Password) plaintext {
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
		f.Add(name, "required", "Enter a password.")
		return plaintext{}
	}
	text, err := password.Normalize(value)
	switch {
	case errors.Is(err, password.ErrTooLong):
		f.Add(name, "too_long", "Use at most 256 characters.")
	case err != nil:
		f.Add(name, "invalid_format", "Use text that every keyboard can type.")
	}
	return plaintext{text: text, valid: valid, wrapped: wrapped}
}

// isWrapped says whether a password is taken as encrypted for transport.
func (s *Service) isWrapped(in Password) bool {
	return s.o.TransportKey != "" && !in.Plain && studio.IsTransport(in.Value)
}
