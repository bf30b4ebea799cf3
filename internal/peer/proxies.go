package peer

// Whose request it is, by address: X-Forwarded-For is believed only where a trusted proxy wrote it, or callers
// could choose their own throttle key.

import (
	"net/netip"
	"strings"
)

// Proxies are the networks whose X-Forwarded-For is believed.
type Proxies []netip.Prefix

// ClientAddr returns the address of whoever is at the other end of the connection or, when that is a trusted proxy,
// the right-most hop of X-Forwarded-For that is not one. A list with garbage where a hop should be proves nothing: then
// it is the proxy's. remote is http.Request.RemoteAddr, forwardedFor the header's lines.
func (p Proxies) ClientAddr(remote string, forwardedFor []string) (addr netip.Addr, viaProxy bool) {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}, false // a Unix socket or a test
	}
	peer := plain(at.Addr())
	if !p.Trust(peer) {
		return peer, false
	}
	hops := strings.Split(strings.Join(forwardedFor, ","), ",")
	client := peer
	for i := len(hops) - 1; i >= 0 && p.Trust(client); i-- {
		text := strings.Trim(hops[i], " \t")
		if text == "" {
			continue // RFC 9110 §5.6.1.2: an empty element of a list is none
		}
		hop, ok := parseHop(text)
		if !ok {
			return peer, true
		}
		client = hop
	}
	return client, true
}

// Trust says whether an address is a trusted proxy's.
func (p Proxies) Trust(a netip.Addr) bool {
	a = plain(a)
	for _, network := range p {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// parseHop reads an address, with or without a port.
func parseHop(s string) (netip.Addr, bool) {
	if at, err := netip.ParseAddrPort(s); err == nil {
		return plain(at.Addr()), at.Addr().Zone() == ""
	}
	if inside, ok := strings.CutPrefix(s, "["); ok {
		s, ok = strings.CutSuffix(inside, "]")
		if !ok || !strings.Contains(s, ":") {
			return netip.Addr{}, false
		}
	}
	a, err := netip.ParseAddr(s)
	return plain(a), err == nil && a.Zone() == ""
}

// plain removes what gives one host two spellings: ::ffff:192.0.2.1 is 192.0.2.1, and a zone is
// this machine's own business.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
