// Package peer is who asks: the address, the network, the device and the browser behind a request. It owns how each
// is described and how networks are cut. Nothing in it is a credential, and it never decides what a caller may do.
package peer

import (
	"net/netip"

	"latchkey/internal/clients"
)

// Peer is who is asking, as far as the transport can tell. Nothing in it is a credential.
type Peer struct {
	Addr      netip.Addr // the client's address; the zero Addr for a command
	UserAgent string     // as sent; cut before it is stored
	RequestID string
	Devices   []string     // device tokens shown; each names a counter of the throttle, nothing more
	Language  string       // the language the peer reads, a tag of internal/locale; empty: not known
	Clients   *clients.Set // the registered clients as its request found them; nil: as they are now
}

// Device is what a User-Agent header and an address say about where a session was made.
type Device struct {
	Browser        string
	BrowserVersion string
	OS             string
	DeviceType     string // desktop, mobile, tablet, bot, unknown
	UserAgent      string // at most 512 bytes
	Addr           string // at most 64 bytes
}

// Subnet names the network that counts as one visitor: an IPv4 address, or the /64 that an IPv6
// customer chooses addresses from at will. Empty for the zero Addr.
func (p Peer) Subnet() string {
	a := p.Addr.Unmap()
	switch {
	case !a.IsValid():
		return ""
	case a.Is4():
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

// NetworkPrefix is the network that a client belongs to for longer than it has an address: IPv4 /24, IPv6 /48, as one
// customer of a provider may have. Invalid for the zero Addr.
func NetworkPrefix(a netip.Addr) netip.Prefix {
	a = plain(a)
	bits := 48
	if a.Is4() {
		bits = 24
	}
	network, _ := a.Prefix(bits) // both fit
	return network
}

// Network names NetworkPrefix. Empty for the zero Addr.
func Network(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return NetworkPrefix(a).String()
}

// NetworkOf is the /24 or /48 of an address: what a provider gives one household or office. What is none, such
// as a network, stands for itself.
func NetworkOf(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return addr
	}
	return Network(a)
}
