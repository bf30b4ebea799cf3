package peer

// Where a session was made, for its owner to recognise. It is shown and compared, never trusted: a
// client sends what User-Agent it likes.

import (
	"strconv"

	"github.com/mileusna/useragent"

	"latchkey/internal/locale"
)

const (
	maxUserAgent = 512
	maxAgentWord = 64 // browser and system names, which come from the agent too
	maxAddr      = 64
)

// Describe reads who asks once, at sign-in. Every text in the answer is bounded, valid UTF-8 and
// printable, so that a store, a terminal and a mail can take it as it is.
func (p Peer) Describe() Device {
	agent := locale.Printable(p.UserAgent, maxUserAgent)
	ua := readAgent(agent)
	d := Device{
		Browser:    locale.Printable(ua.Name, maxAgentWord),
		OS:         locale.Printable(ua.OS, maxAgentWord),
		DeviceType: deviceType(ua),
		UserAgent:  agent,
	}
	// Only the major version: the others change every week, and the session is still the same browser.
	if major := ua.VersionNo.Major; d.Browser != "" && major > 0 {
		d.BrowserVersion = strconv.Itoa(major)
	}
	if p.Addr.IsValid() {
		d.Addr = locale.Printable(p.Addr.Unmap().String(), maxAddr)
	}
	return d
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
