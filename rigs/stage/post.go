package stage

// A real SMTP server that may be absent, mute, or forgetful of its manners.

import (
	"io"
	"log"
	"net"
	netmail "net/mail"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/uuid"
)

// Mood is how the post behaves.
type Mood int

const (
	Cheerful  Mood = iota // takes every mail
	Away                  // nobody listens
	Mute                  // answers RCPT never
	Silent                // accepts a connection and says nothing
	Tarpit                // answers everything, each time just before one would give up
	Slow                  // answers RCPT after a time that a person would not wait
	Busy                  // answers RCPT with 451: come again
	Strict                // answers RCPT with 550: never come again
	Averse                // answers MAIL with 553: it does not want us
	Forgetful             // takes the mail, then hangs up before it says so
)

// Post is an SMTP server on one address.
type Post struct {
	t    testing.TB
	Addr string

	mu      sync.Mutex
	mood    Mood
	toward  map[string]Mood // some addresses, whatever the mood
	server  *smtp.Server
	door    net.Listener
	served  chan struct{}
	moved   chan struct{} // closed when the mood changes
	mails   []Mail
	arrival chan struct{} // closed and replaced when a mail arrives
}

// Mail is a mail as it arrived.
type Mail struct {
	To, MessageID, Subject, Raw string
	At                          time.Time
}

func NewPost(t testing.TB) *Post {
	t.Helper()
	p := &Post{t: t, Addr: "127.0.0.1:" + freePort(t), mood: Away, toward: map[string]Mood{}, moved: make(chan struct{}), arrival: make(chan struct{})}
	p.Be(Cheerful)
	t.Cleanup(func() { p.Be(Away) })
	return p
}

// URL is for LATCHKEY_SMTP_URL.
func (p *Post) URL() string { return "smtp://" + p.Addr }

// Be changes the mood; dialogues of the old one are cut off.
func (p *Post) Be(m Mood) {
	p.t.Helper()
	p.mu.Lock()
	close(p.moved)
	p.moved, p.mood = make(chan struct{}), m
	old, door, served := p.server, p.door, p.served
	p.server = nil
	p.mu.Unlock()
	if old != nil {
		_ = old.Close()  // what it was doing is meant to fail
		_ = door.Close() // the server may not have seen it yet
		<-served
	}
	if m == Away {
		return
	}
	l, err := net.Listen("tcp", p.Addr)
	for tries := 0; err != nil && tries < 200; tries++ { // a process between fork and exec may hold the old door open
		time.Sleep(10 * time.Millisecond)
		l, err = net.Listen("tcp", p.Addr)
	}
	if err != nil {
		p.t.Fatalf("open the post: %v", err)
	}
	server, served := smtp.NewServer(p), make(chan struct{})
	server.Domain = "post.test"
	server.ErrorLog = log.New(io.Discard, "", 0)
	p.mu.Lock()
	p.server, p.door, p.served = server, l, served
	p.mu.Unlock()
	go func() {
		defer close(served)
		if m == Silent {
			holdSilently(l)
			return
		}
		_ = server.Serve(l)
	}()
}

// holdSilently keeps connections until the door closes.
func holdSilently(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
	}
}

// tarred is how long each answer of a tarpit takes.
const tarred = 9 * time.Second

// slowness is longer than a dialogue may take before its domain counts as slow, and shorter than one may take at all.
const slowness = 12 * time.Second

// Treat changes how the post is toward one address, or toward a domain ("@slow.example").
func (p *Post) Treat(address string, m Mood) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.toward[address] = m
}

// moodToward is the mood in which it meets an address, and what is closed when that changes.
func (p *Post) moodToward(address string) (Mood, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range []string{address, address[strings.LastIndexByte(address, '@'):]} {
		if m, ok := p.toward[key]; ok {
			return m, p.moved
		}
	}
	return p.mood, p.moved
}

// NewSession implements smtp.Backend.
func (p *Post) NewSession(c *smtp.Conn) (smtp.Session, error) {
	p.tarpit()
	return &dialogue{post: p, conn: c}, nil
}

func (p *Post) tarpit() {
	if mood, moved := p.moodToward("@"); mood == Tarpit {
		select {
		case <-moved:
		case <-time.After(tarred):
		}
	}
}

type dialogue struct {
	post *Post
	conn *smtp.Conn
	to   string
}

func (d *dialogue) Reset()        {}
func (d *dialogue) Logout() error { return nil }

func (d *dialogue) Mail(string, *smtp.MailOptions) error {
	d.post.tarpit()
	if mood, _ := d.post.moodToward("@"); mood == Averse {
		return &smtp.SMTPError{Code: 553, EnhancedCode: smtp.NoEnhancedCode, Message: "your sender is not allowed here"}
	}
	return nil
}

func (d *dialogue) Rcpt(to string, _ *smtp.RcptOptions) error {
	d.to = to
	d.post.tarpit()
	mood, moved := d.post.moodToward(to)
	switch mood {
	case Mute:
		<-moved
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.NoEnhancedCode, Message: "not now"}
	case Slow:
		select {
		case <-moved:
		case <-time.After(slowness):
		}
	case Busy:
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.NoEnhancedCode, Message: "too much to do"}
	case Strict:
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.NoEnhancedCode, Message: "nobody of that name"}
	default:
	}
	return nil
}

func (d *dialogue) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	parsed, err := netmail.ReadMessage(strings.NewReader(string(raw)))
	if err != nil {
		return err
	}
	p := d.post
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mails = append(p.mails, Mail{d.to, parsed.Header.Get("Message-Id"), parsed.Header.Get("Subject"), string(raw), time.Now()})
	close(p.arrival)
	p.arrival = make(chan struct{})
	if p.mood == Forgetful {
		_ = d.conn.Conn().Close()
	}
	return nil
}

// To returns the mails To an address so far, oldest first.
func (p *Post) To(address string) []Mail {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []Mail
	for _, l := range p.mails {
		if l.To == address {
			found = append(found, l)
		}
	}
	return found
}

func (p *Post) All() []Mail {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Mail(nil), p.mails...)
}

// Await waits until done says so of the mails to an address, and returns them.
func (p *Post) Await(address string, within time.Duration, done func([]Mail) bool) ([]Mail, bool) {
	deadline := time.After(within)
	for {
		p.mu.Lock()
		arrival := p.arrival
		p.mu.Unlock()
		got := p.To(address)
		if done(got) {
			return got, true
		}
		select {
		case <-arrival:
		case <-deadline:
			return got, false
		}
	}
}

var linkPattern = regexp.MustCompile(`/(reset-password|verify-email-success)\?verificationCode=([A-Za-z0-9_-]+)`)

// Code is the token of the link in a mail of one purpose ("reset-password" or
// "verify-email-success"); empty where there is none.
func (e Mail) Code(page string) string {
	for _, m := range linkPattern.FindAllStringSubmatch(e.Text(), -1) {
		if m[1] == page {
			return m[2]
		}
	}
	return ""
}

// Text is the mail without its quoted-printable encoding, as far as links go.
func (e Mail) Text() string {
	return strings.ReplaceAll(strings.ReplaceAll(e.Raw, "=\r\n", ""), "=3D", "=")
}

// Asked is when the mail's row was made: its id, a UUIDv7, is in the Message-ID.
func (e Mail) Asked() time.Time {
	text, _, _ := strings.Cut(strings.TrimPrefix(e.MessageID, "<"), "@")
	id, err := uuid.Parse(text)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(id.Time().UnixTime())
}

// NewestCode is the token of the last mail of one purpose to an address.
func (p *Post) NewestCode(address, page string) string {
	mails := p.To(address)
	for i := len(mails) - 1; i >= 0; i-- {
		if code := mails[i].Code(page); code != "" {
			return code
		}
	}
	return ""
}

// AwaitCode waits for a link of one purpose that is not the one known already.
func (p *Post) AwaitCode(address, page, known string, within time.Duration) string {
	code := ""
	p.Await(address, within, func([]Mail) bool {
		code = p.NewestCode(address, page)
		return code != "" && code != known
	})
	if code == known {
		return ""
	}
	return code
}
