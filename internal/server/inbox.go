package server

// /dev/inbox shows the mails of a server without SMTP. Whoever reads it can take over any account,
// so it exists only between one machine and itself: every condition must hold, and where one does
// not the answer is the one for a path that does not exist.

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"latchkey/internal/auth"
	"latchkey/internal/mail"
)

// inboxGuard is what can be known at the start, and the mails.
type inboxGuard struct {
	mails *mail.Inbox // nil: SMTP is configured, or the server may be reached from elsewhere
}

func newInboxGuard(o Options) inboxGuard {
	if !InboxAllowed(o.PublicURL, o.ListenAddr) {
		return inboxGuard{}
	}
	return inboxGuard{mails: o.Inbox}
}

// InboxAllowed says whether a server may have a /dev/inbox at all: only this machine is meant to come in.
func InboxAllowed(publicURL, listenAddr string) bool {
	public, err := url.Parse(publicURL)
	host, _, splitErr := net.SplitHostPort(listenAddr)
	return err == nil && splitErr == nil && auth.IsLoopback(public.Hostname()) && auth.IsLoopback(host)
}

// allows says whether r comes straight from this machine. The Host check is against DNS rebinding:
// a page elsewhere whose name suddenly means 127.0.0.1.
func (g inboxGuard) allows(r *http.Request) bool {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return g.mails != nil && err == nil && at.Addr().Unmap().IsLoopback() && localHost(r.Host) && !proxied(r.Header)
}

// localHost is for the Host header: the three names of spec section 3, with or without a port.
func localHost(host string) bool {
	if name, port, err := net.SplitHostPort(host); err == nil && port != "" {
		return name == "localhost" || name == "127.0.0.1" || name == "::1"
	}
	return host == "localhost" || host == "127.0.0.1" || host == "[::1]"
}

// proxied says whether the request came through something that says so.
func proxied(h http.Header) bool {
	for name := range h {
		if name == "Forwarded" || name == "Via" || strings.HasPrefix(name, "X-Forwarded-") {
			return true
		}
	}
	return false
}

func (s *server) devInbox(x *exchange) (reply, error) {
	if !s.inbox.allows(x.r) {
		x.speaks = inJSON
		return nil, refuse(codeNotFound)
	}
	x.Header().Add("Vary", "Accept")
	mails := s.inbox.mails.Messages()
	if !strings.Contains(x.r.Header.Get("Accept"), "text/html") {
		return func(x *exchange) { x.send(http.StatusOK, "text/plain; charset=utf-8", plainInbox(mails)) }, nil
	}
	shown := make([]shownMail, 0, len(mails))
	for _, m := range mails {
		shown = append(shown, shownMail{Message: m, Parts: linkParts(m.Text)})
	}
	v := x.view("inbox", url.Values{})
	v.Data = shown
	return drawn(v), nil
}

// devMail shows one mail as a mail reader would.
func (s *server) devMail(x *exchange) (reply, error) {
	if s.inbox.allows(x.r) {
		for _, m := range s.inbox.mails.Messages() {
			if m.ID == x.r.PathValue("id") {
				return letterHTML(m), nil
			}
		}
	}
	x.speaks = inJSON
	return nil, refuse(codeNotFound)
}

// letterCSP lets a mail look as in a mail reader: its styles are in it, its logo comes from the web.
const letterCSP = "default-src 'none'; style-src 'unsafe-inline'; img-src *; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func letterHTML(m mail.Message) reply {
	return func(x *exchange) {
		x.Header().Set("Content-Security-Policy", letterCSP)
		x.send(http.StatusOK, "text/html; charset=utf-8", []byte(m.HTML))
	}
}

// plainInbox is the inbox for a terminal: curl -s localhost:8080/dev/inbox.
func plainInbox(mails []mail.Message) []byte {
	var b bytes.Buffer
	for _, m := range mails {
		fmt.Fprintf(&b, "To: %s\nSubject: %s\nDate: %s\n\n%s\n\n", m.To, m.Subject, m.Date.UTC().Format(http.TimeFormat), strings.TrimSpace(m.Text))
	}
	return b.Bytes()
}

// shownMail is a mail whose text is cut where links begin and end.
type shownMail struct {
	mail.Message
	Parts []mailPart
}

// mailPart is a link or the text between two.
type mailPart struct{ Text, Link string }

var webLink = regexp.MustCompile(`https?://[^\s<>"]+`)

func linkParts(text string) []mailPart {
	var parts []mailPart
	at := 0
	for _, span := range webLink.FindAllStringIndex(text, -1) {
		parts = append(parts, mailPart{Text: text[at:span[0]]}, mailPart{Link: text[span[0]:span[1]]})
		at = span[1]
	}
	return append(parts, mailPart{Text: text[at:]})
}
