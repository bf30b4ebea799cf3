package mail

// Servers that spell what they say in their own way, and ports that speak something else than the URL says.

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// spelling is a relay in front of a server: it changes what the server says.
func spelling(t *testing.T, server string, change func(line string) string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); open.Wait() })
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			behind, err := net.Dial("tcp", server)
			if err != nil {
				_ = conn.Close()
				return
			}
			open.Go(func() { _, _ = io.Copy(behind, conn); _ = behind.Close() })
			open.Go(func() {
				defer func() { _ = conn.Close() }()
				in := bufio.NewReader(behind)
				for ready := 0; ready < 2; { // the greeting, and what follows STARTTLS
					line, err := in.ReadString('\n')
					if strings.HasPrefix(line, "220") {
						ready++
					}
					if strings.HasPrefix(line, "250") {
						line = change(line)
					}
					if _, werr := io.WriteString(conn, line); err != nil || werr != nil {
						return
					}
				}
				_, _ = io.Copy(conn, in)
			})
		}
	})
	return l.Addr().String()
}

// RFC 5321 §2.4: keywords are in any case.
func TestKeywordsInAnyCase(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"lower":  strings.ToLower,
		"upper":  strings.ToUpper,
		"equals": func(s string) string { return strings.Replace(s, "AUTH ", "AUTH=", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			p := (&post{starttls: true, mechanisms: []string{"PLAIN"}, user: "ada", pass: "right"}).start(t)
			p.addr = spelling(t, p.addr, change)
			s := p.sender(t, "smtp", "?tls=required")
			if _, err := s.Send(t.Context(), testMessage()); err != nil {
				t.Fatal(err)
			}
			if got := p.mails(); len(got) != 1 || !got[0].tls {
				t.Errorf("the server has %+v, want one mail inside TLS", got)
			}
		})
	}
	// Without TLS the keyword that asks for a password is spelt so too, and answers that are no keywords stay.
	p := (&post{mechanisms: []string{"LOGIN"}, user: "ada", pass: "right"}).start(t)
	p.addr = spelling(t, p.addr, strings.ToLower)
	if answer, err := p.sender(t, "smtp", "").Send(t.Context(), testMessage()); err != nil || answer != "250 2.0.0 ok: queued" {
		t.Errorf("%q, %v", answer, err)
	}
}

// A URL that names the other kind of port is told at once, and how to write it.
func TestWrongKindOfPort(t *testing.T) {
	for _, tt := range []struct {
		name, scheme, query string
		post                *post
		want                string
	}{
		{"smtp to a port inside TLS", "smtp", "", &post{implicit: true}, "smtps port"},
		{"smtp with TLS required to a port inside TLS", "smtp", "?tls=required", &post{implicit: true}, "smtps port"},
		{"smtp without TLS to a port inside TLS", "smtp", "?tls=none", &post{implicit: true}, "smtps port"},
		{"smtps to a plain port", "smtps", "", &post{}, "is this an smtp port"},
		{"smtps to a port with STARTTLS", "smtps", "", &post{starttls: true}, "is this an smtp port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := tt.post.start(t)
			began := time.Now()
			_, err := p.sender(t, tt.scheme, tt.query).Send(t.Context(), testMessage())
			if err == nil || Permanent(err) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q, not permanent", err, tt.want)
			}
			if took := time.Since(began); took > Timeout/2 {
				t.Errorf("said after %v", took)
			}
		})
	}
}

// A server that is slow to greet is no port of another kind. It is asked that at its first mail alone.
func TestSlowGreeting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked, mails := make(chan struct{}), make(chan net.Conn)
	var open sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); open.Wait() })
	open.Go(func() {
		defer close(mails)
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if n == 1 { // whoever asks whether this is TLS
				_ = conn.Close()
				close(asked)
				continue
			}
			select {
			case mails <- conn:
			case <-t.Context().Done():
				_ = conn.Close()
			}
		}
	})
	serve := func(conn net.Conn, begin func()) {
		defer func() { _ = conn.Close() }()
		begin()
		_, _ = io.WriteString(conn, "220 post.test\r\n")
		lines := bufio.NewScanner(conn)
		for lines.Scan() {
			if err := answer(conn, lines.Text(), map[string]string{
				"EHLO": "250 post.test", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go", ".": "250 taken", "QUIT": "221 bye",
			}); err != nil {
				return
			}
		}
	}
	s, err := NewSMTP("smtp://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.silence = 50 * time.Millisecond
	m := testMessage()
	m.Text = "no dots"
	for i, begin := range []func(){func() { <-asked }, func() { time.Sleep(10 * s.silence) }} {
		open.Go(func() { serve(<-mails, begin) })
		if answer, err := s.Send(t.Context(), m); err != nil || answer != "250 taken" {
			t.Errorf("mail %d: %q, %v", i+1, answer, err)
		}
	}
	select {
	case conn := <-mails:
		_ = conn.Close()
		t.Error("it is asked again whether it speaks TLS")
	default:
	}
}

// Nobody speaks TLS first on port 25, and what has greeted in the clear does not either.
func TestWhoIsAskedForTLS(t *testing.T) {
	for url, want := range map[string]bool{"smtp://relay.example.com": true, "smtp://relay.example.com:465": true, "smtp://relay.example.com:25": false} {
		s, err := NewSMTP(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.mayWaitForTLS(); got != want {
			t.Errorf("%s: asked %t", url, got)
		}
		s.greeted.Store(true)
		if s.mayWaitForTLS() {
			t.Errorf("%s has greeted, and is asked", url)
		}
	}
}

// A relay on this machine that takes a password inside TLS alone, with a certificate that nobody knows: the way
// to it is no network. Off loopback, and where TLS is asked for, certificates are checked.
func TestLoopbackRelay(t *testing.T) {
	nobody := x509.NewCertPool()
	for _, tt := range []struct {
		name  string
		post  *post
		query string
		tls   bool
		want  string
	}{
		{"STARTTLS and AUTH", &post{starttls: true, authInTLS: true, mechanisms: []string{"PLAIN"}, user: "ada", pass: "right"}, "", true, ""},
		{"STARTTLS", &post{starttls: true}, "", true, ""},
		{"neither", &post{}, "", false, ""},
		{"AUTH alone", &post{mechanisms: []string{"PLAIN"}, user: "ada", pass: "right"}, "", false, ""},
		{"STARTTLS, and none asked for", &post{starttls: true}, "?tls=none", false, ""},
		{"STARTTLS, and TLS asked for", &post{starttls: true}, "?tls=required", false, "on loopback smtp:// without ?tls= takes any"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.post.start(t)
			p.addr = strings.Replace(p.addr, "127.0.0.1", "localhost", 1) // not the certificate's name either
			s := p.sender(t, "smtp", tt.query)
			s.RootCAs = nobody
			_, err := s.Send(t.Context(), testMessage())
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || len(p.mails()) != 0 {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			if got := p.mails(); err != nil || len(got) != 1 || got[0].tls != tt.tls {
				t.Errorf("error %v, the server has %+v", err, got)
			}
		})
	}
	elsewhere := server{host: "mail.example.com", port: "587", tls: tlsStart}
	untrusted := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	if err := elsewhere.explain(untrusted); !errors.Is(err, untrusted) || strings.Contains(err.Error(), "loopback") {
		t.Errorf("off loopback: %v", err)
	}
}

// What comes before TLS and was not asked for may be somebody's on the way (CVE-2011-0411).
func TestNothingIsTakenFromBeforeTLS(t *testing.T) {
	addr := scripted(t, "220 post.test", map[string]string{
		"EHLO": "250-post.test\r\n250 STARTTLS", "STARTTLS": "220 go\r\n250-post.test\r\n250 AUTH PLAIN",
	})
	s, err := NewSMTP("smtp://" + addr + "?tls=required")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Send(t.Context(), testMessage()); err == nil || !strings.Contains(err.Error(), "before TLS") {
		t.Errorf("error %v", err)
	}
}
