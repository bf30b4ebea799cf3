package burst

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
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

func TestBurstLog(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	l := New(bareLog(&out), func() time.Time { return now })
	write := func(line string) {
		if n, err := l.Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("%q: %d, %v", line, n, err)
		}
	}
	for i := range 60 {
		write(fmt.Sprintf("http: TLS handshake error from 192.0.2.%d:4711: EOF\n", i))
		write(fmt.Sprintf("http: TLS handshake error from [2001:db8::%d]:4711: EOF\n", i))
	}
	write("http: Accept error: too many open files\n") // another kind does not wait
	now = now.Add(time.Minute)
	write("http: TLS handshake error from 192.0.2.7:1: EOF\n")
	now = now.Add(time.Minute)
	write("http: TLS handshake error from 192.0.2.8:1: EOF\n")
	write("http: TLS handshake error from 192.0.2.9:1: EOF\n")
	l.End()
	want := `level=WARN msg="http: TLS handshake error from 192.0.2.0:4711: EOF"
level=WARN msg="http: Accept error: too many open files"
level=WARN msg="http: TLS handshake error from 192.0.2.7:1: EOF" skipped=119
level=WARN msg="http: TLS handshake error from 192.0.2.8:1: EOF"
level=WARN msg="http: TLS handshake error from …" skipped=1
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
}
