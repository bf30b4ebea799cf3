package peer

import (
	"net/netip"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestDescribeDevice(t *testing.T) {
	for _, tc := range []struct {
		name, agent string
		want        Device // without UserAgent and Addr
	}{
		{"Chrome on Linux", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
			Device{Browser: "Chrome", BrowserVersion: "140", OS: "Linux", DeviceType: "desktop"}},
		{"Firefox on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
			Device{Browser: "Firefox", BrowserVersion: "143", OS: "Windows", DeviceType: "desktop"}},
		{"Edge on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
			Device{Browser: "Edge", BrowserVersion: "140", OS: "Windows", DeviceType: "desktop"}},
		{"Safari on iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
			Device{Browser: "Safari", BrowserVersion: "18", OS: "iOS", DeviceType: "mobile"}},
		{"Safari on iPad", "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1",
			Device{Browser: "Safari", BrowserVersion: "16", OS: "iOS", DeviceType: "tablet"}},
		{"Chrome on Android", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
			Device{Browser: "Chrome", BrowserVersion: "140", OS: "Android", DeviceType: "mobile"}},
		{"a crawler", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
			Device{Browser: "Googlebot", BrowserVersion: "2", DeviceType: "bot"}},
		{"a program", "curl/8.5.0", Device{Browser: "curl", BrowserVersion: "8", DeviceType: "unknown"}},
		{"nothing", "", Device{DeviceType: "unknown"}},
		{"the text undefined", "undefined", Device{Browser: "undefined", DeviceType: "unknown"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.want.UserAgent, tc.want.Addr = tc.agent, "203.0.113.7"
			got := Peer{UserAgent: tc.agent, Addr: netip.MustParseAddr("203.0.113.7")}.Describe()
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Describe (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDescribeDeviceCleans(t *testing.T) {
	for _, tc := range []struct{ name, agent, want string }{
		{"512 bytes stay", strings.Repeat("a", 512), strings.Repeat("a", 512)},
		{"cut to 512 bytes", strings.Repeat("a", 513), strings.Repeat("a", 512)},
		{"cut between runes", strings.Repeat("a", 511) + "é", strings.Repeat("a", 511)},
		{"cut between longer runes", strings.Repeat("a", 510) + "😀", strings.Repeat("a", 510)},
		{"invalid UTF-8", "a\xff\xfeb", "ab"},
		{"NUL", "a\x00b", "ab"},
		{"terminal escape", "a\x1b[31mb", "a[31mb"},
		{"newline", "a\r\nb", "ab"},
		{"right-to-left override", "a\u202eb", "ab"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := (Peer{UserAgent: tc.agent}).Describe().UserAgent; got != tc.want {
				t.Errorf("UserAgent = %q, want %q", got, tc.want)
			}
		})
	}
	long := netip.MustParseAddr("fe80::1").WithZone(strings.Repeat("z", 200))
	for addr, want := range map[netip.Addr]string{
		{}: "",
		netip.MustParseAddr("::ffff:203.0.113.7"): "203.0.113.7",
		netip.MustParseAddr("2001:db8::1"):        "2001:db8::1",
		long:                                      "fe80::1%" + strings.Repeat("z", 56),
	} {
		if got := (Peer{Addr: addr}).Describe().Addr; got != want {
			t.Errorf("Addr of %v = %q, want %q", addr, got, want)
		}
	}
}

func TestNetworkOf(t *testing.T) {
	for addr, want := range map[netip.Addr]string{
		{}:                                 "",
		netip.MustParseAddr("203.0.113.7"): "203.0.113.7",
		netip.MustParseAddr("::ffff:203.0.113.7"):        "203.0.113.7",
		netip.MustParseAddr("2001:db8:1:2:3:4:5:6"):      "2001:db8:1:2::/64",
		netip.MustParseAddr("2001:db8:1:2:ffff:ffff::1"): "2001:db8:1:2::/64",
		netip.MustParseAddr("2001:db8:1:3::1"):           "2001:db8:1:3::/64",
		netip.MustParseAddr("fe80::1%eth0"):              "fe80::/64",
		netip.MustParseAddr("::1"):                       "::/64",
	} {
		if got := (Peer{Addr: addr}).Subnet(); got != want {
			t.Errorf("Subnet of %v = %q, want %q", addr, got, want)
		}
	}
}

func FuzzDescribeDevice(f *testing.F) {
	f.Fuzz(func(t *testing.T, agent string) {
		d := Peer{UserAgent: agent}.Describe()
		for _, s := range []string{d.Browser, d.BrowserVersion, d.OS, d.UserAgent} {
			if len(s) > maxUserAgent || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("Describe(%q) says %q", agent, s)
			}
		}
		switch d.DeviceType {
		case "desktop", "mobile", "tablet", "bot", "unknown":
		default:
			t.Errorf("Describe(%q).DeviceType = %q", agent, d.DeviceType)
		}
		if again := (Peer{UserAgent: d.UserAgent}).Describe(); again != d {
			t.Errorf("Describe(%q) = %+v, which is read as %+v", agent, d, again)
		}
	})
}
