package address

// The URIs at which apps are answered. They are compared byte for byte and never brought into another spelling
// (RFC 9700 §4.1.3), so what stands here only tells their kinds apart.

import "strings"

// IsURIText reports whether raw has only characters that a URI may have (RFC 3986 §2), at least one of them and at
// most MaxURL.
func IsURIText(raw string) bool {
	return raw != "" && len(raw) <= MaxURL && !strings.ContainsFunc(raw, func(r rune) bool {
		return NotUnreserved(r) && !strings.ContainsRune(":/?#[]@!$&'()*+,;=%", r)
	})
}

// IsAppScheme reports whether a scheme in lower case is one of pages that come with an application or an extension.
// The list is closed; ParsePageURL reads their URLs.
func IsAppScheme(scheme string) bool { return appSchemes[scheme] }

// WithoutLoopbackPort returns an http URL of 127.0.0.1 or [::1] as it would be without its port. RFC 8252 §7.3 leaves
// the port to the app there, and nowhere else: ok is false for every other URL, http://localhost among them, a name
// that may lead elsewhere (§8.3).
func WithoutLoopbackPort(uri string) (without string, ok bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		rest, found := strings.CutPrefix(uri, host)
		if !found {
			continue
		}
		if after, has := strings.CutPrefix(rest, ":"); has {
			rest = strings.TrimLeftFunc(after, isASCIIDigit)
			if !isPort(after[:len(after)-len(rest)]) {
				return "", false
			}
		}
		if rest != "" && rest[0] != '/' && rest[0] != '?' {
			return "", false
		}
		return host + rest, true
	}
	return "", false
}
