package listener

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bareLog writes level, message and attributes, without the time.
func bareLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// Fifty connections that are no TLS: one line now, and how many there were at the end.
func TestRunLogsABurstOnce(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, certFile, keyFile, 1)
	var out bytes.Buffer
	addr, stop := serving(t, Options{Certificate: mustCertificate(t, certFile, keyFile, bareLog(&out)), Handler: http.NotFoundHandler(), Log: bareLog(&out)})
	for range 50 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		answers(c, time.Second)
		_ = c.Close()
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "TLS handshake error from 127.0.0.1") || !strings.HasSuffix(lines[1], "skipped=49") {
		t.Errorf("logged:\n%s", &out)
	}
}
