package mail

// What LATCHKEY_SMTP_URL may say.

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"latchkey/internal/address"
)

type tlsMode int

const (
	tlsStart    tlsMode = iota // STARTTLS, required
	tlsImplicit                // from the first byte
	tlsOffered                 // STARTTLS where it is offered, by whoever answers: loopback alone
	tlsNone
)

// server is the submission server of a URL.
type server struct {
	host, port string
	user, pass string
	tls        tlsMode
}

// name is what a certificate is to be for: no name in one ends in a dot.
func (s server) name() string { return strings.TrimSuffix(s.host, ".") }

func (s server) addr() string { return net.JoinHostPort(s.host, s.port) }

const serverForms = "write smtp://user:password@host:587, smtps://user:password@host:465, or smtp://host?tls=none"

// parseServer reads smtp://[user:password@]host[:port][?tls=none|required] or smtps://…. Without
// ?tls=, STARTTLS is required, but on loopback, where a network that could be listened to has no part: there it is
// used where it is offered, for relays that take a password only so, whatever their certificate says.
func parseServer(raw string) (server, error) {
	u, err := url.Parse(raw)
	if err != nil || strings.ContainsFunc(raw, isUnprintable) {
		return server{}, errors.New("SMTP URL cannot be read (percent-encode special characters of the password): " + serverForms)
	}
	if u.Host == "" || u.Opaque != "" || strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return server{}, errors.New("SMTP URL has no host, or something after it: " + serverForms)
	}
	s := server{host: u.Hostname(), port: u.Port(), user: u.User.Username()}
	s.pass, _ = u.User.Password()
	if err := s.check(); err != nil {
		return server{}, err
	}
	if err := s.chooseTLS(u.Scheme, u.Query()); err != nil {
		return server{}, err
	}
	switch {
	case s.port != "":
	case s.tls == tlsImplicit:
		s.port = "465" // RFC 8314 §3.3
	default:
		s.port = "587" // RFC 6409 §3.1
	}
	return s, nil
}

func (s *server) check() error {
	if _, err := netip.ParseAddr(s.host); err != nil && !address.IsHostName(strings.ReplaceAll(s.name(), "_", "x")) { // container networks have names with _
		return errors.New("SMTP URL has no proper host: " + serverForms)
	}
	if port, err := strconv.ParseUint(s.port, 10, 16); s.port != "" && (err != nil || port == 0) {
		return errors.New("SMTP URL has no proper port: " + serverForms)
	}
	if (s.user == "") != (s.pass == "") {
		return errors.New("SMTP URL has a user without a password, or the reverse: " + serverForms)
	}
	// Decoded by now: %0D%0A in a password would be a line of the dialogue.
	if strings.ContainsAny(s.user+s.pass, "\r\n\x00") {
		return errors.New("SMTP URL has CR, LF or NUL in user or password: " + serverForms)
	}
	return nil
}

func (s *server) chooseTLS(scheme string, query url.Values) error {
	asked := query.Get("tls")
	if query.Del("tls"); len(query) > 0 {
		return errors.New("SMTP URL takes no parameter but tls: " + serverForms)
	}
	switch scheme + " " + asked {
	case "smtps ", "smtps required":
		s.tls = tlsImplicit
	case "smtp required":
		s.tls = tlsStart
	case "smtp none":
		s.tls = tlsNone
	case "smtp ":
		if s.loopback() {
			s.tls = tlsOffered
		}
	default:
		return fmt.Errorf("SMTP URL has scheme %q and tls=%q: %s", scheme, asked, serverForms)
	}
	return nil
}

func (s server) loopback() bool { return address.IsLoopback(strings.ToLower(s.name())) }
