// Package address reads email addresses and web addresses. It owns their one spelling: two spellings of one
// mailbox or origin either become the same text here or one of them is refused, and everything else compares
// texts. It never resolves a name and never decides who may use an address.
package address

import "strings"

// LowerASCII lowers A to Z and nothing else: strings.ToLower turns U+212A into k.
func LowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

func isASCIILetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

func isASCIIDigit(r rune) bool { return r >= '0' && r <= '9' }
