package auth

// Where a session was made, for its owner to recognise. It is shown and compared, never trusted: a
// client sends what User-Agent it likes.

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"github.com/mileusna/useragent"
)

const (
	maxUserAgent = 512
	maxAgentWord = 64 // browser and system names, which come from the agent too
	maxAddr      = 64
)

// describeDevice reads peer once, at sign-in. Every text in the answer is bounded, valid UTF-8 and
// printable, so that a store, a terminal and a mail can take it as it is.
func describeDevice(p Peer) Device {
	agent := cleanText(p.UserAgent, maxUserAgent)
	ua := useragent.Parse(agent)
	d := Device{
		Browser:    cleanText(ua.Name, maxAgentWord),
		OS:         cleanText(ua.OS, maxAgentWord),
		DeviceType: deviceType(ua),
		UserAgent:  agent,
	}
	// Only the major version: the others change every week, and the session is still the same browser.
	if major := ua.VersionNo.Major; d.Browser != "" && major > 0 {
		d.BrowserVersion = strconv.Itoa(major)
	}
	if p.Addr.IsValid() {
		d.Addr = cleanText(p.Addr.Unmap().String(), maxAddr)
	}
	return d
}

// networkOf names the network that counts as one visitor: an IPv4 address, or the /64 that an IPv6
// customer chooses addresses from at will. Empty for the zero Addr.
func networkOf(a netip.Addr) string {
	a = a.Unmap()
	switch {
	case !a.IsValid():
		return ""
	case a.Is4():
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

func deviceType(ua useragent.UserAgent) string {
	switch {
	case ua.Bot:
		return "bot"
	case ua.Tablet:
		return "tablet"
	case ua.Mobile:
		return "mobile"
	case ua.Desktop:
		return "desktop"
	}
	return "unknown"
}

// cleanText returns at most limit bytes of s, in whole runes and printable ones only: PostgreSQL
// refuses NUL and broken UTF-8, and an escape sequence would drive the operator's terminal.
func cleanText(s string, limit int) string {
	s = strings.ToValidUTF8(s[:min(len(s), limit)], "")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}
