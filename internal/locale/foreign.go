package locale

// What strangers wrote, on its way into a mail, onto a page or onto a terminal: the one rule for it.

import (
	"strings"
	"unicode"
)

// Visible returns s without what nobody sees: controls, marks of direction, characters of no width, separators
// of lines, and what stands for private use. Two names that look alike are alike, and none turns what is
// written beside it.
func Visible(s string) string {
	return strings.Map(func(r rune) rune {
		if isUnseen(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// isUnseen: by Unicode's general categories and its Default_Ignorable_Code_Point.
func isUnseen(r rune) bool {
	return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
		r == '\u2800' // a Braille cell without dots
}

// Printable returns at most limit bytes of s, in whole runes and printable ones only: PostgreSQL
// refuses NUL and broken UTF-8, and an escape sequence would drive the operator's terminal.
func Printable(s string, limit int) string {
	s = strings.ToValidUTF8(s[:min(len(s), limit)], "")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, Visible(s))
}

const (
	maxPlain  = 48 // characters that are the name of a program or a system
	maxDigits = 6  // in one number: mail readers call longer ones
	maxDots   = 2  // in one version: three make an address
)

// Plain returns s if it is plain words, and nothing otherwise: whatever a reader could make a link of (a dot
// before a letter, "://", "@", a telephone number, an address) leaves the whole of it out, and so does what
// looks like one of these in another script. What the User-Agent says is shown so.
func Plain(s string) string {
	if len(s) > maxPlain {
		return ""
	}
	digits, dots := 0, 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			digits++
		case isASCIILetter(c):
			digits, dots = 0, 0
		case c == '.':
			dots++
			if i+1 < len(s) && (isASCIILetter(s[i+1]) || isASCIIDigit(s[i+1]) && (i == 0 || !isASCIIDigit(s[i-1]))) {
				return ""
			}
		case !strings.ContainsRune(" -_()", rune(c)):
			return ""
		}
		if digits > maxDigits || dots > maxDots {
			return ""
		}
	}
	return strings.Join(strings.Fields(s), " ")
}

// Mailbox returns a canonical address as it is named in a sentence. Whoever asks for a mail to somebody else
// chooses what stands behind a + (RFC 5233), and all before the @ where a domain takes any mail: of either an
// ellipsis is shown where a reader could make more of it than the address.
func Mailbox(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return ""
	}
	user, tag, tagged := strings.Cut(address[:at], "+")
	if strings.Trim(user, userChars) != "" || strings.HasPrefix(user, "www.") {
		user = leftOut
	}
	if tagged {
		if tag == "" || strings.Trim(tag, tagChars) != "" || Plain(tag) == "" {
			tag = leftOut
		}
		user += "+" + tag
	}
	return user + address[at:]
}

const (
	tagChars  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	userChars = tagChars + ".'"
	leftOut   = "\u2026"
)

func isASCIILetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isASCIIDigit(c byte) bool { return c >= '0' && c <= '9' }
