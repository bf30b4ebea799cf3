// Package token makes and reads everything Latchkey signs, MACs or encrypts: refresh tokens, access tokens, ID tokens, the
// revocations that resource servers are told of, the one-time tokens in mailed links, the signing keys with their JWKS, and
// the ring of master keys they all hang from.
//
// It promises: what is accepted was made here under a key of the ring, for that one use, and has one spelling (what
// parses encodes to the same bytes again); a key is bound to one algorithm; nothing is fetched from anywhere; keys
// never print. It never reads a clock or a database: times and keys are passed in, and whether a session lives is for
// the caller to ask.
//
// All exported types are safe for use by several goroutines at once. Package auth calls it; cmd makes the MasterKeys.
package token

// This file holds what the others share: the errors, the strict base64url reading, and the redaction.

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

var (
	// ErrMalformed is for whatever was not made here: another spelling, form, type, algorithm or issuer, a wrong MAC or
	// signature. It never tells which, since the answer may reach whoever made it.
	ErrMalformed = errors.New("malformed token")
	// ErrUnknownMasterKey is for a well-formed id of a master key that is not in the ring. It may be a key that other
	// nodes have (a rotation under way), which says nothing about the token.
	ErrUnknownMasterKey = errors.New("unknown master key")
	// ErrUnknownKey is for a signing key that is not in the ring, or no longer. The ring may be older than the key.
	ErrUnknownKey = errors.New("unknown signing key")
	// ErrExpired is for an access token that is right in everything but its time.
	ErrExpired = errors.New("expired token")
)

// encoding is base64url without padding and without spare bits, RFC 7515 §2.
var encoding = base64.RawURLEncoding.Strict()

// decode accepts exactly what encoding writes: even a strict decoder of the standard library skips CR and LF.
func decode(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := encoding.DecodeString(s)
	return b, err == nil
}

const redaction = "[redacted]"

// redacted, embedded, keeps a type that holds keys out of logs and errors, whatever the verb.
type redacted struct{}

func (redacted) String() string               { return redaction }
func (redacted) GoString() string             { return redaction }
func (redacted) LogValue() slog.Value         { return slog.StringValue(redaction) }
func (redacted) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, redaction) }
func (redacted) MarshalText() ([]byte, error) { return []byte(redaction), nil }
