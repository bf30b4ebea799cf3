package listener_test

// Which HTTP is spoken where, and what net/http answers before there is a request.

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/internal/listener"
	"latchkey/internal/server"
)

// handler is the server's own.
func handler(t *testing.T) http.Handler {
	t.Helper()
	return server.New(authtest.New(t, authtest.SQLite(t)).ServerOptions())
}

// exchangeBytes sends text over a connection of its own and returns all that comes back until the server
// closes.
func exchangeBytes(t *testing.T, addr, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) { // a reset ends a connection too
		t.Fatalf("%v after %q", err, got)
	}
	return string(got)
}

// parsed reads the one answer in what came back.
func parsed(t *testing.T, raw string) (res *http.Response, body string) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(raw)), nil)
	if err != nil {
		t.Fatalf("%v: %q", err, raw)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%v: %q", err, raw)
	}
	return res, string(b)
}

// Over TLS it is HTTP/2; in the clear it is not, neither by prior knowledge nor by an upgrade.
func TestHTTP2OverTLSOnly(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	listener.WriteCertificate(t, certFile, keyFile, 1)
	addr, _ := listener.Serving(t, listener.Options{Handler: handler(t), Certificate: listener.MustCertificate(t, certFile, keyFile, slog.New(slog.DiscardHandler))})
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Get("https://" + addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.Proto != "HTTP/2.0" || res.StatusCode != 200 {
		t.Errorf("over TLS: %s %d", res.Proto, res.StatusCode)
	}

	addr, _ = listener.Serving(t, listener.Options{Handler: handler(t)})
	const settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // an empty SETTINGS frame
	for name, text := range map[string]string{
		"prior knowledge": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings,
		"upgrade":         "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
	} {
		got := exchangeBytes(t, addr, text)
		if res, _ := parsed(t, got); res.ProtoMajor != 1 || res.StatusCode == http.StatusSwitchingProtocols || strings.Contains(got, settings[3:]) {
			t.Errorf("%s in the clear: %q", name, got)
		}
	}
}

// OPTIONS * is answered like any other path that is not there.
func TestOptionsAsterisk(t *testing.T) {
	addr, _ := listener.Serving(t, listener.Options{Handler: handler(t)})
	res, body := parsed(t, exchangeBytes(t, addr, "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
	if res.StatusCode != 404 || !strings.Contains(body, `"not_found"`) || res.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, body)
	}
}

// What net/http refuses before there is a request has none of our headers (docs/asvs.md, 3.2.1). It is a plain
// sentence of its own, with nothing of what was sent, and the connection ends.
func TestOwnRefusalsEchoNothing(t *testing.T) {
	addr, _ := listener.Serving(t, listener.Options{Handler: handler(t)})
	const mark = "<script>Q2FuYXJ5</script>"
	for name, tt := range map[string]struct {
		text   string
		status int
	}{
		"no HTTP":             {mark + "\r\n\r\n", 400},
		"no such version":     {"GET /" + mark + " HTTP/9.9\r\nHost: x\r\n\r\n", 505},
		"no host":             {"GET /" + mark + " HTTP/1.1\r\n\r\n", 400},
		"host with a space":   {"GET / HTTP/1.1\r\nHost: x " + mark + "\r\n\r\n", 400},
		"name with a space":   {"GET / HTTP/1.1\r\nHost: x\r\n" + mark + " : y\r\n\r\n", 400},
		"two lengths":         {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n" + mark, 400},
		"no such coding":      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + mark + "\r\n\r\n", 501},
		"no such expectation": {"GET /" + mark + " HTTP/1.1\r\nHost: x\r\nExpect: " + mark + "\r\n\r\n", 417},
		"headers without end": {"GET / HTTP/1.1\r\nHost: x\r\nX-Large: " + strings.Repeat(mark, 1<<10) + "\r\n\r\n", 431},
	} {
		t.Run(name, func(t *testing.T) {
			raw := exchangeBytes(t, addr, tt.text) // returns: the connection has ended
			res, body := parsed(t, raw)
			if res.StatusCode != tt.status || body != "" && res.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Errorf("%d %v %q", res.StatusCode, res.Header, body)
			}
			if strings.Contains(raw, "Q2FuYXJ5") || strings.Contains(raw, "<") {
				t.Errorf("it is echoed: %q", raw)
			}
		})
	}
}

// A client that writes all it has before it reads must find the refusal, and no reset in its place.
func TestRefusalsReachWhoIsStillSending(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	listener.WriteCertificate(t, certFile, keyFile, 1)
	plainAddr, _ := listener.Serving(t, listener.Options{Handler: handler(t)})
	tlsAddr, _ := listener.Serving(t, listener.Options{Handler: handler(t), Certificate: listener.MustCertificate(t, certFile, keyFile, slog.New(slog.DiscardHandler))})
	dial := map[string]func() (net.Conn, error){
		"plain": func() (net.Conn, error) { return net.Dial("tcp", plainAddr) },
		"TLS": func() (net.Conn, error) {
			return tls.Dial("tcp", tlsAddr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		},
	}
	post := func(target string, length int) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", target, length)
	}
	for name, tt := range map[string]struct {
		head   string
		rest   int // bytes that follow
		status string
	}{
		"headers of 1 MiB":            {"GET / HTTP/1.1\r\nHost: x\r\nX-Large: ", 1 << 20, "431"},
		"headers of 6 MiB":            {"GET / HTTP/1.1\r\nHost: x\r\nX-Large: ", 6 << 20, "431"},
		"headers a little too large":  {"GET / HTTP/1.1\r\nHost: x\r\nX-Large: ", 24 << 10, "431"},
		"a request line without end":  {"GET /", 1 << 20, "431"},
		"a body of 1 MiB":             {post("/auth/signin", 1<<20), 1 << 20, "413"},
		"a body of 6 MiB":             {post("/auth/signin", 6<<20), 6 << 20, "413"},
		"a body of 17 KiB":            {post("/auth/signin", 17<<10), 17 << 10, "413"},
		"a body where there is none":  {post("/nothing", 6<<20), 6 << 20, "404"},
		"no HTTP":                     {"nonsense\r\n", 1 << 20, "400"},
		"a header without a colon":    {"POST / HTTP/1.1\r\nHost x\r\n\r\n", 6 << 20, "400"},
		"two lengths":                 {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 1 << 20, "400"},
		"a transfer coding not known": {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 1 << 20, "501"},
	} {
		for way, dial := range dial {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				c, err := dial()
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(time.Minute))
				if _, err := io.WriteString(c, tt.head); err != nil {
					t.Fatal(err)
				}
				piece := strings.Repeat("a", 16<<10)
				for sent := 0; sent < tt.rest; sent += len(piece) {
					if _, err := io.WriteString(c, piece[:min(len(piece), tt.rest-sent)]); err != nil {
						t.Fatalf("after %d bytes: %v", sent, err)
					}
				}
				answer := bufio.NewReader(c)
				line, err := answer.ReadString('\n')
				if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+tt.status+" ") {
					t.Fatalf("%q, %v, want %s", line, err, tt.status)
				}
				if _, err := io.Copy(io.Discard, answer); err != nil && tt.status != "404" {
					t.Errorf("the answer ends in %v", err)
				}
			})
		}
	}
}
