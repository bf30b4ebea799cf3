package server

// /dev/inbox shows the mails of a server without SMTP. Whoever reads it can take over any account,
// so it exists only between one machine and itself: every condition must hold, and where one does
// not the answer is the one for a path that does not exist. A proxy before the server can look like this
// machine (nginx with a bare proxy_pass sends Host 127.0.0.1 and no header of its own), so the mails are
// shown only to a browser that has opened the link with the data folder's key, or to a caller that sends that key.

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"latchkey/internal/address"
	"latchkey/internal/auth"
	"latchkey/internal/locale"
	"latchkey/internal/mail"
	"latchkey/internal/pages"
)

// inboxCookie holds the key in a browser, until that is closed.
const inboxCookie = "latchkey-inbox"

// InboxKey opens /dev/inbox. It is random and belongs to one data folder.
type InboxKey string

// String keeps the key out of logs.
func (InboxKey) String() string { return "[redacted]" }

// GoString keeps the key out of %#v.
func (InboxKey) GoString() string { return "[redacted]" }

// LogValue keeps the key out of slog.
func (InboxKey) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Link is the address that opens the inbox in a browser. It is for a terminal, never for a log (I14).
func (k InboxKey) Link(publicURL string) string {
	return publicURL + "/dev/inbox?" + url.Values{"key": {string(k)}}.Encode()
}

// is compares in constant time. An empty key opens nothing.
func (k InboxKey) is(shown string) bool {
	return k != "" && subtle.ConstantTimeCompare([]byte(k), []byte(shown)) == 1
}

// inboxGuard is what can be known at the start, and the mails.
type inboxGuard struct {
	mails *mail.Inbox // nil: SMTP is configured, or the server may be reached from elsewhere
	key   InboxKey
}

func newInboxGuard(o Options) inboxGuard {
	if !InboxAllowed(o.PublicURL, o.ListenAddr) {
		return inboxGuard{}
	}
	return inboxGuard{mails: o.Inbox, key: o.InboxKey}
}

// InboxAllowed says whether a server may have a /dev/inbox at all: only this machine is meant to come in.
func InboxAllowed(publicURL, listenAddr string) bool {
	public, err := url.Parse(publicURL)
	return err == nil && address.IsLoopback(public.Hostname()) && listensLoopback(listenAddr)
}

func listensLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && address.IsLoopback(host)
}

// allows says whether r comes straight from this machine. The Host check is against DNS rebinding:
// a page elsewhere whose name suddenly means 127.0.0.1.
func (g inboxGuard) allows(r *http.Request) bool {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return g.mails != nil && err == nil && at.Addr().Unmap().IsLoopback() && localHost(r.Host) && !proxied(r.Header)
}

// localHost says whether a Host header names this machine by one of three names, with or without a port.
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

// inboxPage makes a handler of one that shows mails: where there is an inbox, and to callers that have its key.
func (s *server) inboxPage(h func(x *exchange) (reply, error)) handler {
	return func(x *exchange) (reply, error) {
		if !s.inbox.allows(x.r) {
			x.speaks = inJSON
			return nil, refuse(codeNotFound)
		}
		x.Header().Add("Vary", "Accept, Cookie")
		if !s.inbox.key.is(s.cookies.get(x.r, inboxCookie)) {
			return x.inboxLocked()
		}
		return h(x)
	}
}

// openInbox takes the key of the link out of the address bar: it goes on in a cookie that no other site's
// page makes a browser send. Without a key it is the inbox itself.
func (s *server) openInbox(x *exchange) (reply, error) {
	if s.inbox.allows(x.r) && s.inbox.key.is(x.r.URL.Query().Get("key")) {
		s.cookies.set(x, inboxCookie, string(s.inbox.key), 0, http.SameSiteStrictMode)
		return seeOther("/dev/inbox"), nil
	}
	return s.inboxPage(s.devInbox)(x)
}

// inboxLocked says where the link is, and nothing of any mail.
func (x *exchange) inboxLocked() (reply, error) {
	x.code = auth.CodeForbidden
	if asksForHTML(x.r) {
		v := x.view("problem", url.Values{})
		v.Problem = &pages.Said{Key: "inbox.locked"}
		return func(x *exchange) { x.draw(http.StatusForbidden, v) }, nil
	}
	where, err := locale.For(x.language()).Text("inbox.locked")
	if err != nil {
		return nil, err
	}
	return func(x *exchange) { x.send(http.StatusForbidden, "text/plain; charset=utf-8", []byte(where+"\n")) }, nil
}

func (s *server) devInbox(x *exchange) (reply, error) {
	mails := s.inbox.mails.Messages()
	if !asksForHTML(x.r) {
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
	for _, m := range s.inbox.mails.Messages() {
		if m.ID == x.r.PathValue("id") {
			return letterHTML(m), nil
		}
	}
	x.speaks = inJSON
	return nil, refuse(codeNotFound)
}

// mailCSP lets a mail look as in a mail reader: its styles are in it, its logo comes from the web.
const mailCSP = "default-src 'none'; style-src 'unsafe-inline'; img-src *; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func letterHTML(m mail.Message) reply {
	return func(x *exchange) {
		x.Header().Set("Content-Security-Policy", mailCSP)
		x.Header().Set("Referrer-Policy", referrerPolicy(x.r.URL))
		x.send(http.StatusOK, "text/html; charset=utf-8", []byte(m.HTML))
	}
}

// plainInbox is the inbox for a terminal: curl -s -b "latchkey-inbox=$(cat data/inbox.key)" localhost:8080/dev/inbox.
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
