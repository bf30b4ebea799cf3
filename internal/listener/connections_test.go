package listener

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"latchkey/internal/peer"
)

// dialFrom connects from one of this machine's own addresses, and says whether it is served within a while.
func dialFrom(t *testing.T, from, to string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
	c, err := d.DialContext(t.Context(), "tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// closedByServer says whether the server ends c within a while.
func closedByServer(c net.Conn, within time.Duration) bool {
	_ = c.SetReadDeadline(time.Now().Add(within))
	_, err := io.Copy(io.Discard, c)
	netErr, ok := errors.AsType[net.Error](err)
	return err == nil || !ok || !netErr.Timeout()
}

// everyAddress has a share, this machine's too: 127.0.1.1 and 127.0.2.1 are two networks.
func everyAddress(a netip.Addr) netip.Prefix {
	p, _ := a.Unmap().Prefix(24)
	return p
}

func TestIdleConnectionsShutNobodyOut(t *testing.T) {
	const most = 8
	addr, _ := serving(t, Options{MaxConnections: most, Handler: http.NotFoundHandler(), shareOf: everyAddress})
	var held []net.Conn
	for i := range most { // from networks enough to take every place
		c := dialFrom(t, fmt.Sprintf("127.0.%d.1", 1+i/2), addr)
		if i%2 == 0 && !answers(c, 10*time.Second) { // half have had an answer, half have said nothing
			t.Fatalf("connection %d is not served", i)
		}
		held = append(held, c)
	}
	// The server notes that a connection is idle a moment after its answer, so a newcomer may become the longest idle
	// before one that is held; each takes the place of one, and all that are held go before the newcomers run out.
	for i := range 8 * most {
		c := dialFrom(t, fmt.Sprintf("127.0.%d.1", 100+i), addr)
		if !answers(c, 10*time.Second) {
			t.Fatalf("newcomer %d is not served beside idle connections", i)
		}
		held = slices.DeleteFunc(held, func(c net.Conn) bool { return closedByServer(c, 10*time.Millisecond) })
		if i >= most-1 && len(held) == 0 {
			return
		}
	}
	t.Errorf("%d idle connections still take a place", len(held))
}

func TestANetworkHasAQuarterOfTheConnections(t *testing.T) {
	const most = 8
	busy := make(chan struct{})
	addr, _ := serving(t, Options{MaxConnections: most, shareOf: everyAddress, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-busy
	})})
	defer close(busy)
	slow := func(from string) (net.Conn, bool) {
		c := dialFrom(t, from, addr)
		return c, answers(c, 10*time.Second)
	}
	for i := range most / 4 {
		if _, ok := slow(fmt.Sprintf("127.0.1.%d", i+1)); !ok {
			t.Fatalf("connection %d of the network is not served", i)
		}
	}
	if c, ok := slow("127.0.1.200"); ok || !closedByServer(c, 10*time.Second) {
		t.Error("a network has more than its quarter")
	}
	for i := range most * 3 / 4 {
		if _, ok := slow(fmt.Sprintf("127.0.%d.1", 10+i)); !ok {
			t.Fatalf("another network's connection %d is not served", i)
		}
	}
}

func TestShareOf(t *testing.T) {
	trusted := peer.Proxies{netip.MustParsePrefix("192.0.2.0/28"), netip.MustParsePrefix("2001:db8:ffff::/48")}
	for client, want := range map[string]string{
		"198.51.100.7": "198.51.100.0/24", "::ffff:198.51.100.7": "198.51.100.0/24", "192.0.2.200": "192.0.2.0/24",
		"2001:db8:1:2::3": "2001:db8:1::/48", "fe80::1%eth0": "fe80::/48", "10.1.2.3": "10.1.2.0/24",
		"127.0.0.1": "invalid Prefix", "127.9.9.9": "invalid Prefix", "::1": "invalid Prefix", "::ffff:127.0.0.1": "invalid Prefix",
		"192.0.2.3": "invalid Prefix", "::ffff:192.0.2.3": "invalid Prefix", "2001:db8:ffff::9": "invalid Prefix",
	} {
		if got := shareOf(netip.MustParseAddr(client), trusted).String(); got != want {
			t.Errorf("%s: %s, want %s", client, got, want)
		}
	}
}

func TestIdleTimeout(t *testing.T) {
	for _, timeout := range []time.Duration{50 * time.Millisecond, time.Hour} {
		addr, _ := serving(t, Options{IdleTimeout: timeout, Handler: http.NotFoundHandler()})
		c := dialFrom(t, "127.0.0.1", addr)
		if !answers(c, 10*time.Second) {
			t.Fatal("not served")
		}
		_ = c.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		_, err := io.Copy(io.Discard, c)
		if closed := err == nil; closed != (timeout < time.Hour) {
			t.Errorf("idle timeout %s: closed %t (%v)", timeout, closed, err)
		}
	}
}
