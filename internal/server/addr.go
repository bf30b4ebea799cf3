package server

// Whose request it is, by address. Peers believed X-Forwarded-For from anyone, or its left end, and
// let callers choose their own throttle key.

import (
	"net/http"
	"net/netip"
	"strings"
)

// proxies are the networks whose X-Forwarded-For is believed.
type proxies []netip.Prefix

// clientAddr returns the peer's address or, when the peer is a trusted proxy, the right-most hop
// that is not one. A list with garbage where a hop should be proves nothing: then it is the peer.
func (p proxies) clientAddr(r *http.Request) (addr netip.Addr, viaProxy bool) {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false // a Unix socket or a test
	}
	peer := plain(at.Addr())
	if !p.trust(peer) {
		return peer, false
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	client := peer
	for i := len(hops) - 1; i >= 0 && p.trust(client); i-- {
		hop, ok := parseHop(strings.Trim(hops[i], " \t"))
		if !ok {
			return peer, true
		}
		client = hop
	}
	return client, true
}

func (p proxies) trust(a netip.Addr) bool {
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
