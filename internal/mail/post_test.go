package mail

// A real SMTP server on loopback, with a certificate of its own, that does what a test tells it to.

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// post is the server's side. The fields are set before it starts.
type post struct {
	mailErr, rcptErr, dataErr error
	drop                      bool          // hang up after the final dot, unanswered
	hang                      bool          // never answer RCPT
	pause                     time.Duration // before each answer
	hold                      func()        // called after the final dot, before it is answered
	mechanisms                []string      // of AUTH; then user and pass are asked for
	user, pass                string
	starttls, implicit        bool
	authInTLS                 bool // AUTH is offered inside TLS alone

	addr  string
	roots *x509.CertPool
	stop  chan struct{}

	mu       sync.Mutex
	received []received
	closed   int // connections that have ended
}

// received is what came in over one connection.
type received struct {
	helo, from, to, data, user string
	tls                        bool
}

func (p *post) start(t *testing.T) *post {
	t.Helper()
	certificate, roots := selfMade(t)
	p.roots, p.stop = roots, make(chan struct{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = l.Addr().String()
	server := smtp.NewServer(p)
	server.Domain = "post.test"
	server.AllowInsecureAuth = !p.authInTLS
	server.ErrorLog = log.New(io.Discard, "", 0)
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	if p.starttls {
		server.TLSConfig = config
	}
	if p.implicit {
		l = tls.NewListener(l, config)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() {
		close(p.stop)
		_ = server.Close()
		_ = l.Close() // Close knows nothing of a listener that Serve has not seen yet
		<-done
	})
	return p
}

// sender makes an SMTP for the server that believes in its certificate.
func (p *post) sender(t *testing.T, scheme, query string) *SMTP {
	t.Helper()
	userinfo := ""
	if p.user != "" {
		userinfo = p.user + ":" + p.pass + "@"
	}
	s, err := NewSMTP(scheme + "://" + userinfo + p.addr + query)
	if err != nil {
		t.Fatal(err)
	}
	s.RootCAs = p.roots
	return s
}

func (p *post) NewSession(c *smtp.Conn) (smtp.Session, error) {
	s := &session{post: p, conn: c}
	time.Sleep(p.pause)
	if len(p.mechanisms) > 0 {
		return authSession{s}, nil
	}
	return s, nil
}

func (p *post) mails() []received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.received
}

func (p *post) awaitClosed(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		p.mu.Lock()
		closed := p.closed
		p.mu.Unlock()
		if closed == n {
			return
		}
	}
	t.Fatalf("the sender left a connection open")
}

type session struct {
	post *post
	conn *smtp.Conn
	got  received
}

func (s *session) Reset() {}

func (s *session) Logout() error {
	s.post.mu.Lock()
	defer s.post.mu.Unlock()
	s.post.closed++
	return nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if len(s.post.mechanisms) > 0 && s.got.user == "" {
		return smtp.ErrAuthRequired
	}
	time.Sleep(s.post.pause)
	s.got.helo, s.got.from = s.conn.Hostname(), from
	_, s.got.tls = s.conn.TLSConnectionState()
	return s.post.mailErr
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.post.hang {
		<-s.post.stop
	}
	time.Sleep(s.post.pause)
	s.got.to = to
	return s.post.rcptErr
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.post.dataErr != nil {
		return s.post.dataErr
	}
	if s.post.hold != nil {
		s.post.hold()
	}
	s.got.data = string(data)
	s.post.mu.Lock()
	s.post.received = append(s.post.received, s.got)
	s.post.mu.Unlock()
	if s.post.drop {
		_ = s.conn.Conn().Close()
	}
	return nil
}

type authSession struct{ *session }

func (s authSession) AuthMechanisms() []string { return s.post.mechanisms }

func (s authSession) Auth(mechanism string) (sasl.Server, error) {
	check := func(user, pass string) error {
		if user != s.post.user || pass != "right" {
			return smtp.ErrAuthFailed
		}
		s.got.user = user
		return nil
	}
	if mechanism == "LOGIN" {
		return &login{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, pass string) error { return check(user, pass) }), nil
}

// login is the server's side of AUTH LOGIN: two questions.
type login struct {
	check func(user, pass string) error
	heard []string
}

func (l *login) Next(response []byte) ([]byte, bool, error) {
	if response == nil {
		return []byte("Username:"), false, nil
	}
	if l.heard = append(l.heard, string(response)); len(l.heard) == 1 {
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.heard[0], l.heard[1])
}

// selfMade is a certificate for 127.0.0.1 and the pool that believes in it.
func selfMade(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "post.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// scripted is a server that no library would let us write: greeting first, then for each command
// that begins with a key of answers its answer. "hangup" ends the connection, "" says nothing.
func scripted(t *testing.T, greeting string, answers map[string]string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, greeting+"\r\n")
		lines := bufio.NewScanner(conn)
		for lines.Scan() {
			if err := answer(conn, lines.Text(), answers); err != nil {
				return
			}
		}
	}()
	return l.Addr().String()
}

var errHangUp = errors.New("hang up")

func answer(w io.Writer, command string, answers map[string]string) error {
	for prefix, reply := range answers {
		if !strings.HasPrefix(command, prefix) {
			continue
		}
		switch reply {
		case "":
			return nil
		case "hangup":
			return errHangUp
		}
		_, err := io.WriteString(w, reply+"\r\n")
		return err
	}
	return nil
}
