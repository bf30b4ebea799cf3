// Package fields reads the fields of a request, and collects what is wrong with each and how to fix it. It owns the stable
// codes of such problems and the sentences beside them. A problem never echoes a value, and nothing here looks anything
// up.
package fields

import (
	"strings"
	"unicode/utf8"

	"latchkey/internal/address"
	"latchkey/internal/ids"
	"latchkey/internal/locale"
)

// Problem is what is wrong with one field.
type Problem struct {
	Name    string // as in the request: "email", "newPassword"
	Code    string // stable: "required", "invalid_format", "too_long", "too_short", "too_common", ...
	Message string // one sentence for people, which says how to fix it
}

// Invalid is the error of a request with problems. The rules above read it as their code invalid_request.
type Invalid struct{ Problems []Problem }

func (*Invalid) Error() string { return "invalid_request" }

// Validator reads fields and collects their problems. The zero one is ready for use.
type Validator struct{ problems []Problem }

// Add notes a problem.
func (v *Validator) Add(name, code, message string) {
	v.problems = append(v.problems, Problem{Name: name, Code: code, Message: message})
}

// Err is an *Invalid with every problem that was noted, in their order; nil when there is none.
func (v *Validator) Err() error {
	if len(v.problems) == 0 {
		return nil
	}
	return &Invalid{v.problems}
}

// Required notes the message where a field is empty.
func (v *Validator) Required(name, value, message string) {
	if value == "" {
		v.Add(name, "required", message)
	}
}

// Email returns the canonical form of an address.
func (v *Validator) Email(name, value string) string {
	canonical, ok := address.ParseEmail(value)
	switch {
	case value == "":
		v.Add(name, "required", "Enter your email address.")
	case !ok:
		v.Add(name, "invalid_format", "Enter an email address like name@example.com.")
	}
	return canonical
}

// ID returns an id in its one spelling.
func (v *Validator) ID(name, value string) string {
	id, ok := ids.Parse(value)
	if !ok {
		v.Add(name, "invalid_format", "Send an id as it was given to you: a UUID with hyphens.")
	}
	return id
}

// PersonName returns a first or last name, trimmed and without what nobody sees: 1 to 100 characters, none of
// them a control. Such characters are left out and not refused: keyboards and copied text put them there, and
// their writers do not know.
func (v *Validator) PersonName(name, value string) string {
	shown := strings.TrimSpace(locale.Visible(value))
	switch {
	case shown == "" && !hasControl(value):
		v.Add(name, "required", "Enter a name.")
	case utf8.RuneCountInString(shown) > 100:
		v.Add(name, "too_long", "Use at most 100 characters.")
	case hasControl(value):
		v.Add(name, "invalid_format", "Use letters, digits, spaces and punctuation only.")
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
