package password

// Which passwords are accepted (NIST SP 800-63B-4 §3.1.1.2): long enough, not widely known, not the
// account's own words. No composition rules, no expiry, no hints.

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Floor is the least MinLength in code points; a Policy with less counts as having this much. NIST
// asks for 8 where another factor is used and for 15 where the password is the only one.
const Floor = 8

// Policy is what a new password must satisfy. The zero Policy asks for Floor code points and has no
// blocklist.
type Policy struct {
	MinLength int // code points
	Blocklist *Blocklist
}

// Codes of a Refusal; stable, as they reach API clients.
const (
	TooShort        = "too_short"
	TooCommon       = "too_common"
	ContainsContext = "contains_context"
)

// Refusal says why a password is not accepted and what to do instead, as NIST SP 800-63B-4 §3.1.1.2
// asks. Message is one sentence for people; neither part repeats the password.
type Refusal struct{ Code, Message string }

func (r *Refusal) Error() string { return "password refused: " + r.Code }

// Least is the least number of code points.
func (p Policy) Least() int { return max(p.MinLength, Floor) }

// Check returns nil or a *Refusal. about are words that an attacker would try first: the email
// address, names of the user, the platform's name. Of an email address the local part counts too,
// and a name of several words counts without its spaces too; empty words are ignored.
func (p Policy) Check(pw Plaintext, about []string) error {
	least := p.Least()
	if utf8.RuneCountInString(string(pw)) < least {
		return &Refusal{TooShort, fmt.Sprintf("Use at least %d characters.", least)}
	}
	if p.Blocklist != nil && p.Blocklist.Contains(pw) {
		return &Refusal{TooCommon, "This password is widely known and easy to guess. Choose a different one."}
	}
	if isAbout(fold(string(pw)), about) {
		return &Refusal{ContainsContext, "Choose a password that is not just your email address, your name or the name of this service."}
	}
	return nil
}

// A word shorter than this is ignored: too many good passwords begin or end with it.
const shortestWord = 4

// As many digits or marks around a word do not make it a secret.
const mostPadding = 4

func isAbout(folded string, about []string) bool {
	for _, word := range about {
		for _, spelling := range spellings(fold(word)) {
			if utf8.RuneCountInString(spelling) >= shortestWord && isPadded(folded, spelling) {
				return true
			}
		}
	}
	return false
}

func spellings(word string) []string {
	local, _, _ := strings.Cut(word, "@")
	parts := strings.Fields(word)
	return []string{strings.Join(parts, " "), strings.Join(parts, ""), local}
}

// isPadded reports whether s is word, alone or with digits and marks before or after it, mostPadding
// at most together. Which occurrence is cut out does not matter: the same characters remain.
func isPadded(s, word string) bool {
	before, after, found := strings.Cut(s, word)
	return found && isPadding(before+after)
}

func isPadding(s string) bool {
	return utf8.RuneCountInString(s) <= mostPadding && !strings.ContainsFunc(s, unicode.IsLetter)
}
