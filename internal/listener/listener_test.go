package listener

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serving runs o on a free port until the test ends and returns where. stop ends it and returns what
// Run did.
func serving(t *testing.T, o Options) (addr string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	addrs, ended := make(chan string, 1), make(chan error, 1)
	o.Addr, o.Listening = "127.0.0.1:0", func(a net.Addr) { addrs <- a.String() }
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	go func() { ended <- Run(ctx, o) }()
	stop = func() error { cancel(); return <-ended }
	select {
	case addr = <-addrs:
	case err := <-ended:
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	return addr, stop
}

func TestRunLetsRequestsFinish(t *testing.T) {
	started, finish := make(chan struct{}), make(chan struct{})
	addr, stop := serving(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(started)
		<-finish
		if r.Context().Err() != nil {
			t.Error("the request in flight was cancelled")
		}
		_, _ = io.WriteString(w, "done")
	})})
	answered := make(chan string, 1)
	go func() {
		res, err := http.Get("http://" + addr)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer func() { _ = res.Body.Close() }()
		body, _ := io.ReadAll(res.Body)
		answered <- string(body)
	}()
	<-started
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	waitRefused(t, addr)
	close(finish)
	if got := <-answered; got != "done" {
		t.Errorf("the request in flight got %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// waitRefused returns once addr takes no new connection.
func waitRefused(t *testing.T, addr string) {
	t.Helper()
	for range 1000 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		_ = c.Close()
		time.Sleep(time.Millisecond)
	}
	t.Fatal("still accepting")
}

func TestRunDoesNotWaitForEver(t *testing.T) {
	started, gone := make(chan struct{}), make(chan struct{})
	addr, stop := serving(t, Options{Grace: 20 * time.Millisecond, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
		close(gone)
	})})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-started
	if err := stop(); err == nil || !strings.Contains(err.Error(), "still running") {
		t.Errorf("got %v", err)
	}
	<-gone
}

func TestRunSaysWhyItCannotStart(t *testing.T) {
	addr, stop := serving(t, Options{Handler: http.NotFoundHandler()})
	err := Run(t.Context(), Options{Addr: addr, Handler: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("address in use: %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	_, err = NewCertificate("/no/such/cert.pem", "/no/such/key.pem", os.ReadFile, slog.New(slog.DiscardHandler), nil)
	if err == nil || !strings.Contains(err.Error(), "/no/such/cert.pem") {
		t.Errorf("no certificate: %v", err)
	}
}

func TestRunLimitsHeaders(t *testing.T) {
	addr, _ := serving(t, Options{Handler: http.NotFoundHandler()})
	for size, want := range map[int]int{8 << 10: 404, 32 << 10: 431} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Large", strings.Repeat("a", size))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%d bytes of header: %d, want %d", size, res.StatusCode, want)
		}
	}
}

func TestRunLimitsConnections(t *testing.T) {
	busy := make(chan struct{})
	addr, _ := serving(t, Options{MaxConnections: 1, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			_ = http.NewResponseController(w).Flush() // answered in part, and not idle
			<-busy
		}
	})})
	defer close(busy)
	first, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(first, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if n, _ := first.Read(make([]byte, 1)); n != 1 {
		t.Fatal("the first connection is not served")
	}
	second, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	if answers(second, 50*time.Millisecond) {
		t.Error("a second connection is served beside the first")
	}
	busy <- struct{}{}
	if !answers(second, 10*time.Second) {
		t.Error("the second connection is not served after the first has become idle")
	}
}

func answers(c net.Conn, within time.Duration) bool {
	_ = c.SetDeadline(time.Now().Add(within))
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	n, _ := c.Read(make([]byte, 1))
	return n == 1
}

func TestTLSIsReloadedAndModern(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, certFile, keyFile, 1)
	var log bytes.Buffer
	certificate := mustCertificate(t, certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)))
	addr, stop := serving(t, Options{Certificate: certificate, Handler: http.NotFoundHandler()})
	serial := func() int64 {
		t.Helper()
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if got := c.ConnectionState().NegotiatedProtocol; got != "h2" {
			t.Errorf("speaks %q", got)
		}
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Fatalf("serial %d", got)
	}
	writeCertificate(t, certFile, keyFile, 2)
	if got := serial(); got != 2 {
		t.Errorf("after renewal: serial %d", got)
	}
	if err := os.WriteFile(certFile, []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := serial(); got != 2 {
			t.Errorf("after a broken renewal: serial %d", got)
		}
	}
	for name, old := range map[string]*tls.Config{
		"TLS 1.1":            {MaxVersion: tls.VersionTLS11},
		"a CBC suite":        {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}},
		"no forward secrecy": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}},
	} {
		old.InsecureSkipVerify = true
		if c, err := tls.Dial("tcp", addr, old); err == nil {
			_ = c.Close()
			t.Errorf("%s is accepted", name)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := strings.Count(log.String(), "not reloaded"); got != 1 {
		t.Errorf("the broken renewal is logged %d times: %s", got, &log)
	}
}

// A renewal between the reading of the files and the end of NewCertificate is noticed at the next connection.
func TestCertificateRenewedWhileItIsRead(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, certFile, keyFile, 1)
	key, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(keyFile), syscall.Mkfifo(keyFile, 0o600)); err != nil {
		t.Fatal(err)
	}
	renewed := make(chan error, 1)
	go func() {
		pipe, err := os.OpenFile(keyFile, os.O_WRONLY, 0) // opens when the certificate has been read
		if err != nil {
			renewed <- err
			return
		}
		later := time.Now().Add(time.Hour)
		err = os.Chtimes(certFile, later, later)
		_, wrote := pipe.Write(key)
		renewed <- errors.Join(err, wrote, pipe.Close())
	}()
	c := mustCertificate(t, certFile, keyFile, slog.New(slog.DiscardHandler))
	if err := <-renewed; err != nil {
		t.Fatal(err)
	}
	if c.version[0] == c.onDisk()[0] {
		t.Error("the renewal is taken for what was read")
	}
}

func mustCertificate(t *testing.T, certFile, keyFile string, log *slog.Logger) *Certificate {
	t.Helper()
	c, err := NewCertificate(certFile, keyFile, os.ReadFile, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// writeCertificate writes a certificate of its own for 127.0.0.1, later than any before it.
func writeCertificate(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(serial) * time.Second)
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
}
