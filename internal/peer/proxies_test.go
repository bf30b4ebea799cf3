package peer

import (
	"net/netip"
	"strings"
	"testing"
)

var testProxies = Proxies{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("2001:db8:aaaa::/48"),
}

func TestClientAddr(t *testing.T) {
	for _, tt := range []struct {
		name, peer string
		forwarded  []string // one entry a header line
		want       string
	}{
		{"direct", "203.0.113.7:1", nil, "203.0.113.7"},
		{"direct, header forged", "203.0.113.7:1", []string{"198.51.100.1"}, "203.0.113.7"},
		{"proxy without header", "10.0.0.1:1", nil, "10.0.0.1"},
		{"proxy", "10.0.0.1:1", []string{"203.0.113.7"}, "203.0.113.7"},
		{"left end forged", "10.0.0.1:1", []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
		{"two proxies", "10.0.0.1:1", []string{"198.51.100.1, 203.0.113.7, 10.9.9.9"}, "203.0.113.7"},
		{"two header lines", "10.0.0.1:1", []string{"198.51.100.1, 203.0.113.7", "10.9.9.9"}, "203.0.113.7"},
		{"nobody but proxies", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"spaces and tabs", "10.0.0.1:1", []string{"\t 203.0.113.7 \t"}, "203.0.113.7"},
		{"with a port", "10.0.0.1:1", []string{"203.0.113.7:4711"}, "203.0.113.7"},
		{"IPv6", "10.0.0.1:1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in brackets", "10.0.0.1:1", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"IPv6 with a port", "10.0.0.1:1", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"IPv6 proxy", "[2001:db8:aaaa::1]:1", []string{"203.0.113.7"}, "203.0.113.7"},
		{"IPv4 in IPv6 peer", "[::ffff:10.0.0.1]:1", []string{"203.0.113.7"}, "203.0.113.7"},
		{"IPv4 in IPv6 hop", "10.0.0.1:1", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		{"IPv4 in IPv6 trusted hop", "10.0.0.1:1", []string{"203.0.113.7, ::ffff:10.0.0.9"}, "203.0.113.7"},
		{"peer with a zone", "[fe80::1%eth0]:1", nil, "fe80::1"},
		{"undefined", "10.0.0.1:1", []string{"undefined"}, "10.0.0.1"},
		{"unknown", "10.0.0.1:1", []string{"203.0.113.7, unknown"}, "10.0.0.1"},
		{"garbage behind a proxy", "10.0.0.1:1", []string{"undefined, 10.0.0.2"}, "10.0.0.1"},
		{"garbage left of the client", "10.0.0.1:1", []string{"undefined, 203.0.113.7"}, "203.0.113.7"},
		{"empty", "10.0.0.1:1", []string{""}, "10.0.0.1"},
		{"empty last element", "10.0.0.1:1", []string{"203.0.113.7,"}, "203.0.113.7"},
		{"empty elements between", "10.0.0.1:1", []string{"198.51.100.1, 203.0.113.7, ,, 10.9.9.9, "}, "203.0.113.7"},
		{"an empty header line", "10.0.0.1:1", []string{"203.0.113.7", "", "10.9.9.9"}, "203.0.113.7"},
		{"nothing but empty elements", "10.0.0.1:1", []string{", ,\t,"}, "10.0.0.1"},
		{"garbage behind empty elements", "10.0.0.1:1", []string{"203.0.113.7, undefined, ,"}, "10.0.0.1"},
		{"zone", "10.0.0.1:1", []string{"fe80::1%eth0"}, "10.0.0.1"},
		{"zone with a port", "10.0.0.1:1", []string{"[fe80::1%eth0]:80"}, "10.0.0.1"},
		{"half a bracket", "10.0.0.1:1", []string{"[2001:db8::1"}, "10.0.0.1"},
		{"IPv4 in brackets", "10.0.0.1:1", []string{"[203.0.113.7]"}, "10.0.0.1"},
		{"leading zeros", "10.0.0.1:1", []string{"203.0.113.007"}, "10.0.0.1"},
		{"obfuscated", "10.0.0.1:1", []string{"_hidden"}, "10.0.0.1"},
		{"line break", "10.0.0.1:1", []string{"203.0.113.7\n"}, "10.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, _ := testProxies.ClientAddr(tt.peer, tt.forwarded); got.String() != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestClientAddrOfNoNetwork(t *testing.T) {
	if got, via := testProxies.ClientAddr("@", []string{"203.0.113.7"}); got.IsValid() || via {
		t.Errorf("a Unix socket gives %s", got)
	}
}

// Whatever the header says: the answer is an address that was written there, or the peer's; one of
// a client that came directly is the peer's.
func FuzzClientAddr(f *testing.F) {
	f.Fuzz(func(t *testing.T, header string) {
		if got, _ := testProxies.ClientAddr("198.51.100.1:1", []string{header}); got.String() != "198.51.100.1" {
			t.Fatalf("%q from an untrusted peer gives %s", header, got)
		}
		got, _ := testProxies.ClientAddr("10.0.0.1:1", []string{header})
		if !got.IsValid() || got.Is4In6() || got.Zone() != "" {
			t.Fatalf("%q gives %s", header, got)
		}
		if got.String() == "10.0.0.1" {
			return
		}
		for hop := range strings.SplitSeq(header, ",") {
			if a, ok := parseHop(strings.Trim(hop, " \t")); ok && a == got {
				return
			}
		}
		t.Fatalf("%q gives %s, which is not in it", header, got)
	})
}
