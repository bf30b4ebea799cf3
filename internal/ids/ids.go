// Package ids makes and reads the ids of users, sessions, mails and audit events: UUIDs, in lower case wherever they
// are kept or told. An id is a name and never a credential.
package ids

import (
	"github.com/google/uuid"

	"latchkey/internal/address"
)

// New makes an id whose order is the order of making (RFC 9562 §5.7).
func New() string { return uuid.Must(uuid.NewV7()).String() }

// Parse is the one reader of ids that come from outside. RFC 9562 §4 asks for ids to be read in any case,
// and some platforms write them in upper case; braces, urn:uuid: and a form without hyphens are refused.
func Parse(raw string) (id string, ok bool) {
	lower := address.LowerASCII(raw)
	parsed, err := uuid.Parse(lower)
	if err != nil || parsed.String() != lower {
		return "", false
	}
	return lower, true
}
