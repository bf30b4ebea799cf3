package mail

// A connection as the SMTP library is to see it, and what a port speaks when it is not what the URL says.

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// silence is how long a server may say nothing before we look whether it waits for TLS. Slow ones are waited
// for all the same (RFC 5321 §4.5.3.2.1).
const silence = 3 * time.Second

// spoken writes the keywords in an answer to EHLO in capitals: any case will do (RFC 5321 §2.4), and the
// library knows one.
type spoken struct {
	net.Conn
	in    *bufio.Reader
	ready []byte // read, and not passed on yet
	ehlo  bool   // the answer to EHLO is being read
}

func speak(conn net.Conn, before string) *spoken {
	return &spoken{Conn: conn, in: bufio.NewReader(conn), ready: []byte(before)}
}

func (s *spoken) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("EHLO ")) {
		s.ehlo = true
	}
	return s.Conn.Write(p)
}

// Read passes on a line at a time, so that nothing that follows a line has left the buffer.
func (s *spoken) Read(p []byte) (int, error) {
	if len(s.ready) == 0 {
		line, err := s.in.ReadSlice('\n')
		if len(line) == 0 {
			return 0, err
		}
		s.ready = s.plain(line)
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

// plain gives a line of an answer to EHLO its usual spelling, also where AUTH comes with an equals sign, as
// it did before RFC 4954.
func (s *spoken) plain(line []byte) []byte {
	if !s.ehlo {
		return line
	}
	if len(line) < 5 {
		s.ehlo = false // a last line without a word
		return line
	}
	s.ehlo = line[3] == '-'
	end := 4 + bytes.IndexAny(line[4:], " =\r\n")
	if end < 4 {
		return line
	}
	line = append(bytes.ToUpper(line[:end]), line[end:]...)
	if bytes.HasPrefix(line[4:], []byte("AUTH=")) {
		line[8] = ' '
	}
	return line
}

// unasked reports whether the server has sent more than was read: before TLS somebody on the way may have
// put it there.
func (s *spoken) unasked() bool { return len(s.ready) > 0 || s.in.Buffered() > 0 }

// awaitWord waits for the first byte of a greeting. A server that says nothing may wait for TLS: that is asked on a
// connection of its own, and said at once instead of after all our patience.
func (s *SMTP) awaitWord(ctx context.Context, wire *spoken) error {
	if !s.mayWaitForTLS() {
		return nil
	}
	_ = wire.SetReadDeadline(time.Now().Add(s.silence))
	_, err := wire.in.Peek(1)
	_ = wire.SetReadDeadline(time.Time{})
	if !errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
		return nil // if it is trouble, whoever reads meets it too
	}
	if s.speaksTLS(ctx) {
		return fmt.Errorf("the server says nothing until it is spoken to in TLS: is this an smtps port? Write smtps:// and %s", s.server.addr())
	}
	return nil
}

// mayWaitForTLS says whether a port that is silent is worth asking. One that has greeted in the clear is only slow,
// and on port 25 nobody speaks TLS first (RFC 3207).
func (s *SMTP) mayWaitForTLS() bool { return s.server.port != "25" && !s.greeted.Load() }

// speaksTLS says whether a port takes a TLS handshake as the first word. Nothing is sent inside, so it does not
// matter who answers.
func (s *SMTP) speaksTLS(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, s.silence)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.server.addr())
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	err = tls.Client(conn, &tls.Config{ServerName: s.server.name(), InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}).HandshakeContext(ctx)
	_, alert := errors.AsType[tls.AlertError](err)
	return err == nil || alert
}

// explain adds to a failed handshake what is usually wrong.
func (s server) explain(err error) error {
	if _, plain := errors.AsType[tls.RecordHeaderError](err); plain && s.tls == tlsImplicit {
		return fmt.Errorf("the server does not speak TLS from the first byte: is this an smtp port, with STARTTLS? Write smtp:// and %s (%w)", s.addr(), err)
	}
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted && s.loopback() {
		return fmt.Errorf("%w; on loopback smtp:// without ?tls= takes any certificate", err)
	}
	return err
}
