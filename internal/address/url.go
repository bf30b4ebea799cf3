package address

// Web addresses that come from outside or from the configuration. They are parsed once, into one
// spelling, and from then on origins are compared (RFC 6454 §4) and links are built from what was
// parsed, never from what was sent. A spelling that browsers and Go might read differently is refused,
// not corrected.

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// MaxURL is how many bytes a web address may have.
const MaxURL = 2048

// ParseOrigin returns scheme://host[:port] of an absolute http or https URL, the way a browser
// sends it in Origin: lower case, without a default port.
func ParseOrigin(raw string) (string, bool) {
	u, ok := ParseWebURL(raw)
	if !ok {
		return "", false
	}
	return OriginOf(u), true
}

// appSchemes are those of pages that come with an application or an extension, and not from a web server. Their
// origins are registered and compared like others, exactly; no link of ours ever leads there from a mail.
var appSchemes = map[string]bool{"capacitor": true, "ionic": true, "tauri": true, "chrome-extension": true, "moz-extension": true}

// ParsePageOrigin is ParseOrigin for whatever may call from a browser's engine: applications and extensions too.
func ParsePageOrigin(raw string) (string, bool) {
	u, ok := ParsePageURL(raw)
	if !ok {
		return "", false
	}
	return OriginOf(u), true
}

// ParsePageURL is ParseWebURL that takes an application's own scheme, too. Its host is one name, such as
// localhost or an extension's id, and has no port.
func ParsePageURL(raw string) (*url.URL, bool) {
	u, err := url.Parse(raw)
	if err != nil || !appSchemes[u.Scheme] {
		return ParseWebURL(raw)
	}
	host := LowerASCII(u.Host)
	if len(raw) > MaxURL || strings.ContainsFunc(raw, notURLByte) || u.User != nil || !IsHostName(host) {
		return nil, false
	}
	u.Host = host
	return u, true
}

// OriginOf is the origin of a URL that this package has parsed.
func OriginOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// ParseBase is ParseOrigin for an address that a link is appended to: it keeps a plain path and
// refuses a query or fragment, which would swallow the rest of the link. A path with an escape, an
// empty segment or dots is refused: on an honest origin it may be a redirect to somewhere else. The reader of
// URLs is ParseWebURL or ParsePageURL.
func ParseBase(raw string, parse func(string) (*url.URL, bool)) (origin, base string, ok bool) {
	u, ok := parse(raw)
	if !ok || strings.ContainsAny(raw, "?#") {
		return "", "", false
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	if !isPlainPath(path) {
		return "", "", false
	}
	origin = OriginOf(u)
	return origin, origin + path, true
}

// ParseWebURL returns raw with its scheme and host in their one spelling.
func ParseWebURL(raw string) (*url.URL, bool) {
	if len(raw) > MaxURL || strings.ContainsFunc(raw, notURLByte) {
		return nil, false
	}
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, false
	}
	// https:host and https:///host name a host to a browser and none to Go: parseHost refuses that one.
	host, ok := parseHost(LowerASCII(u.Host), u.Scheme)
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
		if host, port = hostPort[:colon], hostPort[colon+1:]; !isPort(port) {
			return "", false
		}
	}
	if !IsHostName(host) && !IsIP(host) {
		return "", false
	}
	if port == "" || port == map[string]string{"http": "80", "https": "443"}[scheme] {
		return host, true
	}
	return host + ":" + port, true
}

// isPort reports whether port is a number from 1 to 65535 in its shortest spelling.
func isPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == port
}

// IsHostName reports whether host is a name of letter-digit-hyphen labels (RFC 1123 §2.1), without a
// trailing dot, which would be another origin for the same machine.
func IsHostName(host string) bool {
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

// IsIP reports whether host is an IP address in the spelling browsers use.
func IsIP(host string) bool {
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
		if strings.Trim(segment, ".") == "" || strings.ContainsFunc(segment, NotUnreserved) {
			return false
		}
	}
	return true
}

// NotUnreserved matches all but the unreserved characters of RFC 3986 §2.3.
func NotUnreserved(r rune) bool {
	return !isASCIILetter(r) && !isASCIIDigit(r) && !strings.ContainsRune("-._~", r)
}
