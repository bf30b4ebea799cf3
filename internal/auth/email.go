package auth

// The one parser of e-mail addresses. An account is its canonical address (I12), so two spellings
// either mean the same mailbox everywhere or one of them is refused: nothing is folded here but the
// case of ASCII letters and the two spellings IDNA gives a domain.

import (
	"strings"

	"golang.org/x/net/idna"
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
	canonical = lowerASCII(local) + "@" + domain
	if len(canonical) > maxEmail { // a domain grows when it becomes ASCII
		return "", false
	}
	return canonical, true
}

// parseMailDomain returns the ASCII form of a public domain name. The rules are those for registration
// (RFC 5891 §4), which map nothing: what a look-up would quietly fold (U+212A, fullwidth letters, the
// ideographic full stop) is an error, and an xn-- label must be what its own decoding encodes to.
func parseMailDomain(raw string) (string, bool) {
	domain, err := idna.Registration.ToASCII(lowerASCII(raw))
	if err != nil || !strings.Contains(domain, ".") || strings.HasSuffix(domain, ".") || endsInNumber(domain) {
		return "", false
	}
	return domain, true
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

// lowerASCII lowers A to Z and nothing else: strings.ToLower turns U+212A into k.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

func isASCIILetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

func isASCIIDigit(r rune) bool { return r >= '0' && r <= '9' }
