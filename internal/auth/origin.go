package auth

// Web addresses that come from outside or from the configuration. They are parsed once, into one
// spelling, and from then on origins are compared (RFC 6454 §4) and links are built from what was
// parsed, never from what was sent. A spelling that browsers and Go might read differently is refused,
// not mended.

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const maxURL = 2048

// ParseOrigin returns scheme://host[:port] of an absolute http or https URL, the way a browser
// sends it in Origin: lower case, without a default port.
func ParseOrigin(raw string) (string, bool) {
	u, ok := parseWebURL(raw)
	if !ok {
		return "", false
	}
	return originOf(u), true
}

func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// parseBase is ParseOrigin for an address that a link is appended to: it keeps a plain path and
// refuses a query or fragment, which would swallow the rest of the link. A path with an escape, an
// empty segment or dots is refused: on an honest origin it may be a redirect to somewhere else.
func parseBase(raw string) (origin, base string, ok bool) {
	u, ok := parseWebURL(raw)
	if !ok || strings.ContainsAny(raw, "?#") {
		return "", "", false
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	if !isPlainPath(path) {
		return "", "", false
	}
	origin = originOf(u)
	return origin, origin + path, true
}

// parseWebURL returns raw with its scheme and host in their one spelling.
func parseWebURL(raw string) (*url.URL, bool) {
	if len(raw) > maxURL || strings.ContainsFunc(raw, notURLByte) {
		return nil, false
	}
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, false
	}
	// https:host and https:///host name a host to a browser and none to Go: parseHost refuses that one.
	host, ok := parseHost(lowerASCII(u.Host), u.Scheme)
	if !ok {
		return nil, false
	}
	u.Host = host
	return u, true
}

// notURLByte: RFC 3986 §2 has printable ASCII only. Browsers drop tabs and newlines and read a
// backslash as a slash; a host in another script must be written in its xn-- form.
func notURLByte(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }

// parseHost checks host[:port] and drops the port that the scheme implies.
func parseHost(hostPort, scheme string) (string, bool) {
	host, port := hostPort, ""
	if colon := strings.LastIndexByte(hostPort, ':'); colon > strings.LastIndexByte(hostPort, ']') {
		host, port = hostPort[:colon], hostPort[colon+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", false
		}
	}
	if !isHostName(host) && !isAddress(host) {
		return "", false
	}
	if port == "" || port == map[string]string{"http": "80", "https": "443"}[scheme] {
		return host, true
	}
	return host + ":" + port, true
}

// isHostName reports whether host is a name of letter-digit-hyphen labels (RFC 1123 §2.1), without a
// trailing dot, which would be another origin for the same machine.
func isHostName(host string) bool {
	if len(host) > 253 || endsInNumber(host) {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool { return !isASCIILetter(r) && !isASCIIDigit(r) && r != '-' }) {
			return false
		}
	}
	return true
}

// isAddress reports whether host is an IP address in the spelling browsers use.
func isAddress(host string) bool {
	inner, bracketed := strings.CutPrefix(host, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	addr, err := netip.ParseAddr(inner)
	if err != nil || bracketed != closed || addr.Is4In6() || addr.Zone() != "" {
		return false
	}
	return addr.Is6() == bracketed && addr.String() == inner
}

// IsLoopback reports whether host, a name or an address without brackets, is this machine for sure.
func IsLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// isPlainPath reports whether path is empty or /segment/... of unreserved characters (RFC 3986 §2.3).
func isPlainPath(path string) bool {
	if path == "" {
		return true
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if strings.Trim(segment, ".") == "" || strings.ContainsFunc(segment, notUnreserved) {
			return false
		}
	}
	return true
}

func notUnreserved(r rune) bool {
	return !isASCIILetter(r) && !isASCIIDigit(r) && !strings.ContainsRune("-._~", r)
}
