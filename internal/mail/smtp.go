package mail

// One SMTP dialogue for one mail (RFC 5321), with TLS before anything worth reading (RFC 8314).

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// Timeout bounds a whole dialogue, from the look-up of the server's name to its last answer. A
// lease on an outbox row must be longer.
const Timeout = 30 * time.Second

const (
	quitTimeout = time.Second     // how long a server that has taken a mail may keep us for its answer to QUIT
	answerGrace = 5 * time.Second // and for its answer to the mail, when the caller has stopWatching meanwhile
)

// SMTP sends through one submission server. It is safe for concurrent use once it is set up.
type SMTP struct {
	RootCAs *x509.CertPool // whom to believe about the server's name; nil: the system's

	server  server
	timeout time.Duration
	silence time.Duration
	greeted *atomic.Bool // in the clear, to this process
}

// NewSMTP reads LATCHKEY_SMTP_URL (see parseServer for its forms); it opens no connection. An error
// never echoes the URL, which may hold a password.
func NewSMTP(url string) (*SMTP, error) {
	server, err := parseServer(url)
	if err != nil {
		return nil, err
	}
	return &SMTP{server: server, timeout: Timeout, silence: silence, greeted: new(atomic.Bool)}, nil
}

// String keeps the password out of logs.
func (s SMTP) String() string { return "SMTP by " + s.server.addr() }

// GoString keeps the password out of %#v.
func (s SMTP) GoString() string { return s.String() }

// LogValue keeps the password out of slog.
func (s SMTP) LogValue() slog.Value { return slog.StringValue(s.String()) }

// InClear says that mails and password cross a network without TLS, as the URL asks for.
func (s *SMTP) InClear() bool { return s.server.tls == tlsNone && !s.server.loopback() }

// Send returns no error once the server has taken the mail, and its 250 to the final dot, whatever
// happens to the connection after that: a mail is repeated only when that 250 was not seen.
func (s *SMTP) Send(ctx context.Context, m Message) (answer string, err error) {
	out, err := compose(m)
	if err != nil {
		return "", fmt.Errorf("send mail: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if answer, err = s.deliver(ctx, out); err != nil {
		if ctx.Err() != nil && !answered(err) {
			err = fmt.Errorf("%w (%v)", ctx.Err(), err)
		}
		return "", fmt.Errorf("send mail by %s: %w", s.server.addr(), err)
	}
	return answer, nil
}

func (s *SMTP) deliver(ctx context.Context, out outgoing) (answer string, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.server.addr())
	if err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close() }() // whatever was to be said has been said
	stopWatching := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer func() { stopWatching() }()
	// Whoever leaves between the final dot and its answer would have the mail sent twice (RFC 5321 §4.5.5).
	beforeDot := func() {
		if end, _ := ctx.Deadline(); stopWatching() {
			stopWatching = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(earlier(end, time.Now().Add(answerGrace))) })
		}
	}

	_, domain, _ := strings.Cut(out.from, "@")
	c, err := s.greet(ctx, conn, domain)
	if err != nil {
		// Not wrapped: nothing the server says before it was shown the mail is about the mail.
		return "", errors.New(aloud(err, out.to))
	}
	Ready(ctx)
	if answer, err = transfer(c, out, beforeDot); err != nil {
		return "", err
	}
	stopWatching()
	_ = conn.SetDeadline(time.Now().Add(quitTimeout))
	_ = c.Quit()
	return answer, nil
}

// greet brings a fresh connection to where a mail may be sent: encrypted and signed in, as far as
// the URL asks for it. helo is the sender's domain, which relays that check it expect.
func (s *SMTP) greet(ctx context.Context, conn net.Conn, helo string) (*smtp.Client, error) {
	if s.server.tls == tlsImplicit {
		secured, err := s.handshake(ctx, conn)
		if err != nil {
			return nil, fmt.Errorf("TLS: %w", err)
		}
		conn = secured
	}
	wire := speak(conn, "")
	if s.server.tls != tlsImplicit {
		if err := s.awaitWord(ctx, wire); err != nil {
			return nil, fmt.Errorf("greet: %w", err)
		}
	}
	c, err := s.hello(wire, helo)
	if err != nil {
		return nil, err
	}
	s.greeted.Store(s.server.tls != tlsImplicit)
	if s.server.tls == tlsStart || s.server.tls == tlsOffered {
		if c, err = s.startTLS(ctx, c, wire, helo); err != nil {
			return nil, err
		}
	}
	if s.server.user == "" {
		return c, nil
	}
	auth, err := s.authentication(c)
	if err != nil {
		return nil, err
	}
	if err := c.Auth(auth); err != nil {
		return nil, fmt.Errorf("AUTH: %w", err)
	}
	return c, nil
}

func (s *SMTP) hello(wire *spoken, helo string) (*smtp.Client, error) {
	c, err := smtp.NewClient(wire, s.server.host)
	if err != nil {
		return nil, fmt.Errorf("greet: %w", err)
	}
	c.SkipSMTPUTF8(true) // addresses are ASCII; asking for it would only lose servers
	if err := c.Hello(helo); err != nil {
		return nil, fmt.Errorf("EHLO: %w", err)
	}
	return c, nil
}

// startTLS begins anew inside TLS (RFC 3207 §4.2: what was said before counts for nothing).
func (s *SMTP) startTLS(ctx context.Context, c *smtp.Client, wire *spoken, helo string) (*smtp.Client, error) {
	if ok, _ := c.Extension("STARTTLS"); !ok {
		if s.server.tls == tlsOffered {
			return c, nil
		}
		return nil, errors.New("the server offers no STARTTLS, and TLS is required: " +
			"use smtps://, or add ?tls=none if the way to it is safe without")
	}
	id, err := c.Text.Cmd("STARTTLS")
	if err == nil {
		c.Text.StartResponse(id)
		_, _, err = c.Text.ReadResponse(220)
		c.Text.EndResponse(id)
	}
	if err == nil && wire.unasked() {
		err = errors.New("the server sent more than its answer before TLS")
	}
	if err != nil {
		return nil, fmt.Errorf("STARTTLS: %w", err)
	}
	secured, err := s.handshake(ctx, wire.Conn)
	if err != nil {
		return nil, fmt.Errorf("STARTTLS: %w", err)
	}
	return s.hello(speak(secured, "220 inside TLS no greeting follows\r\n"), helo)
}

// handshake believes in no certificate but a right one, save for what a relay on this machine offers by itself:
// the same way without TLS is taken too, and its certificate is rarely for the name "localhost".
func (s *SMTP) handshake(ctx context.Context, conn net.Conn) (net.Conn, error) {
	secured := tls.Client(conn, &tls.Config{
		ServerName: s.server.name(), RootCAs: s.RootCAs, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: s.server.tls == tlsOffered,
	})
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, s.server.explain(err)
	}
	return secured, nil
}

// authentication chooses among what the server offers. By now the connection is encrypted, or the
// URL says that it need not be: PLAIN (RFC 4616) is enough, and LOGIN is for servers without it.
func (s *SMTP) authentication(c *smtp.Client) (smtp.Auth, error) {
	_, offer := c.Extension("AUTH")
	offered := strings.Fields(strings.ToUpper(offer))
	user, pass, host := s.server.user, s.server.pass, s.server.host
	switch {
	case slices.Contains(offered, "PLAIN"):
		return smtp.PlainAuth("", user, pass, host, true), nil
	case slices.Contains(offered, "LOGIN"):
		return smtp.LoginAuth(user, pass, host, true), nil
	}
	return nil, fmt.Errorf("the server offers no AUTH we speak (PLAIN, LOGIN), only %q", offer)
}

// transfer hands the mail over and returns the last answer; one that refuses it is in the error as
// *textproto.Error. beforeDot is called before the mail is whole.
func transfer(c *smtp.Client, out outgoing, beforeDot func()) (answer string, err error) {
	if err := c.Mail("<" + out.from + ">"); err != nil {
		return "", refusal("MAIL", err, out.to)
	}
	if err := c.Rcpt("<" + out.to + ">"); err != nil {
		return "", refusal("RCPT", err, out.to)
	}
	w, err := c.Data()
	if err != nil {
		return "", refusal("DATA", err, out.to)
	}
	if _, err := w.Write(out.raw); err != nil {
		return "", fmt.Errorf("write mail: %w", err) // not closed: the dot would make half a mail whole
	}
	beforeDot()
	if err := w.Close(); err != nil {
		return "", refusal("end of data", err, out.to)
	}
	if closed, ok := w.(*smtp.DataCloser); ok {
		answer = " " + aloud(errors.New(closed.ServerResponse()), out.to)
	}
	return "250" + answer, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// refusal keeps the address out of what a server said.
func refusal(step string, err error, to string) error {
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		return &refused{step, &textproto.Error{Code: answer.Code, Msg: aloud(errors.New(answer.Msg), to)}}
	}
	return fmt.Errorf("%s: %s", step, aloud(err, to)) // a malformed answer is quoted in the error
}

func answered(err error) bool {
	_, ok := errors.AsType[*refused](err)
	return ok
}
