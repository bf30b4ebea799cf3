package address

// The one parser of email addresses. An account is its canonical address (I12), so two spellings
// either mean the same mailbox everywhere or one of them is refused: nothing is folded here but the
// case of ASCII letters and the two spellings IDNA gives a domain.

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

const (
	maxEmail     = 254 // RFC 5321 §4.5.3.1.3 less the angle brackets
	maxLocalPart = 64  // RFC 5321 §4.5.3.1.1
)

// ParseEmail returns the canonical form of an address: lower-case ASCII local part, @, ASCII domain.
// It takes the bare dot-atom form alone: no quoted part, display name, comment, address literal or
// surrounding space. A canonical form is its own canonical form.
func ParseEmail(raw string) (canonical string, ok bool) {
	if len(raw) > maxEmail {
		return "", false
	}
	local, domain, found := strings.Cut(raw, "@")
	if !found || !isDotAtom(local) {
		return "", false
	}
	domain, ok = parseMailDomain(domain)
	if !ok {
		return "", false
	}
	canonical = LowerASCII(local) + "@" + domain
	if len(canonical) > maxEmail { // a domain grows when it becomes ASCII
		return "", false
	}
	return canonical, true
}

// parseMailDomain returns the ASCII form of a public domain name. The rules are those for registration
// (RFC 5891 §4), which map nothing: what a look-up would quietly fold (U+212A, fullwidth letters, the
// ideographic full stop) is an error, and an xn-- label must be what its own decoding encodes to.
func parseMailDomain(raw string) (string, bool) {
	folded, ok := foldDomain(raw)
	if !ok {
		return "", false
	}
	domain, err := idna.Registration.ToASCII(folded)
	if err != nil || !strings.Contains(domain, ".") || strings.HasSuffix(domain, ".") || endsInNumber(domain) {
		return "", false
	}
	return domain, true
}

// foldDomain gives what people type in capitals, or with a mark typed after its letter, the one spelling that
// IDNA takes (RFC 5891 §4.1: NFC). What would become an ASCII letter by that (U+212A, U+0130) is not ok or stays
// as it is, so that it is refused.
func foldDomain(raw string) (string, bool) {
	lower := strings.Map(func(r rune) rune {
		if low := unicode.ToLower(r); r < utf8.RuneSelf || low >= utf8.RuneSelf {
			return low
		}
		return r
	}, raw)
	for _, r := range lower {
		if r >= utf8.RuneSelf && norm.NFC.String(string(r))[0] < utf8.RuneSelf {
			return "", false
		}
	}
	return norm.NFC.String(lower), true
}

// Untagged returns the address whose mailbox most servers deliver a canonical one with a + to: without the +
// and what follows it (RFC 5233 calls it the detail).
func Untagged(canonical string) (mailbox string, tagged bool) {
	local, domain, _ := strings.Cut(canonical, "@")
	name, _, tagged := strings.Cut(local, "+")
	return name + "@" + domain, tagged
}

// IsMailbox reports whether s is the plain ASCII form that may stand between < and > in MAIL and RCPT (RFC 5321
// §4.1.2): no quoted local part, comment, address literal or white space. Its host may be one label, such as
// localhost, and it need not be canonical.
func IsMailbox(s string) bool {
	local, host, found := strings.Cut(s, "@")
	return found && len(s) <= maxEmail && isDotAtom(local) && IsHostName(host)
}

// isDotAtom reports whether s is RFC 5322 §3.2.3 dot-atom-text of at most 64 bytes.
func isDotAtom(s string) bool {
	if len(s) > maxLocalPart {
		return false
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsFunc(atom, notAtext) {
			return false
		}
	}
	return true
}

func notAtext(r rune) bool {
	return !isASCIILetter(r) && !isASCIIDigit(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// endsInNumber reports whether the last label of host reads as a number, which makes the whole an
// IPv4 address to some readers (0x7f.1, 2130706433); no top-level domain is one (RFC 3696 §2).
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, found := strings.CutPrefix(last, "0x"); found {
		return !strings.ContainsFunc(hex, func(r rune) bool { return !isASCIIDigit(r) && (r < 'a' || r > 'f') })
	}
	return last != "" && !strings.ContainsFunc(last, func(r rune) bool { return !isASCIIDigit(r) })
}
