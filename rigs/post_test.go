package rigs

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
)

// mood is how the post behaves.
type mood int

const (
	cheerful  mood = iota // takes every letter
	away                  // nobody listens
	mute                  // answers RCPT never
	busy                  // answers RCPT with 451: come again
	strict                // answers RCPT with 550: never come again
	forgetful             // takes the letter, then hangs up before it says so
)

// post is an SMTP server on one address.
type post struct {
	t    testing.TB
	Addr string

	mu      sync.Mutex
	mood    mood
	toward  map[string]mood // some addresses, whatever the mood
	server  *smtp.Server
	door    net.Listener
	served  chan struct{}
	moved   chan struct{} // closed when the mood changes
	letters []envelope
	arrival chan struct{} // closed and replaced when a letter arrives
}

// envelope is a letter as it arrived.
type envelope struct {
	To, MessageID, Subject, Raw string
	At                          time.Time
}

func newPost(t testing.TB) *post {
	t.Helper()
	p := &post{t: t, Addr: "127.0.0.1:" + freePort(t), mood: away, toward: map[string]mood{}, moved: make(chan struct{}), arrival: make(chan struct{})}
	p.be(cheerful)
	t.Cleanup(func() { p.be(away) })
	return p
}

// URL is for LATCHKEY_SMTP_URL.
func (p *post) URL() string { return "smtp://" + p.Addr }

// be changes the mood; dialogues of the old one are cut off.
func (p *post) be(m mood) {
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
	if m == away {
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
		_ = server.Serve(l)
	}()
}

// treat changes how the post is toward one address.
func (p *post) treat(address string, m mood) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.toward[address] = m
}

// moodToward is the mood in which it meets an address, and what is closed when that changes.
func (p *post) moodToward(address string) (mood, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m, ok := p.toward[address]; ok {
		return m, p.moved
	}
	return p.mood, p.moved
}

// NewSession implements smtp.Backend.
func (p *post) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &dialogue{post: p, conn: c}, nil
}

type dialogue struct {
	post *post
	conn *smtp.Conn
	to   string
}

func (d *dialogue) Mail(string, *smtp.MailOptions) error { return nil }
func (d *dialogue) Reset()                               {}
func (d *dialogue) Logout() error                        { return nil }

func (d *dialogue) Rcpt(to string, _ *smtp.RcptOptions) error {
	d.to = to
	mood, moved := d.post.moodToward(to)
	switch mood {
	case mute:
		<-moved
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.NoEnhancedCode, Message: "not now"}
	case busy:
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.NoEnhancedCode, Message: "too much to do"}
	case strict:
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.NoEnhancedCode, Message: "nobody of that name"}
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
	p.letters = append(p.letters, envelope{d.to, parsed.Header.Get("Message-Id"), parsed.Header.Get("Subject"), string(raw), time.Now()})
	close(p.arrival)
	p.arrival = make(chan struct{})
	if p.mood == forgetful {
		_ = d.conn.Conn().Close()
	}
	return nil
}

// to returns the letters to an address so far, oldest first.
func (p *post) to(address string) []envelope {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []envelope
	for _, l := range p.letters {
		if l.To == address {
			found = append(found, l)
		}
	}
	return found
}

func (p *post) all() []envelope {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]envelope(nil), p.letters...)
}

// await waits until done says so of the letters to an address, and returns them.
func (p *post) await(address string, within time.Duration, done func([]envelope) bool) ([]envelope, bool) {
	deadline := time.After(within)
	for {
		p.mu.Lock()
		arrival := p.arrival
		p.mu.Unlock()
		got := p.to(address)
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

// code is the token of the link in a letter of one purpose ("reset-password" or
// "verify-email-success"); empty where there is none.
func (e envelope) code(page string) string {
	for _, m := range linkPattern.FindAllStringSubmatch(e.text(), -1) {
		if m[1] == page {
			return m[2]
		}
	}
	return ""
}

// text is the letter without its quoted-printable encoding, as far as links go.
func (e envelope) text() string {
	return strings.ReplaceAll(strings.ReplaceAll(e.Raw, "=\r\n", ""), "=3D", "=")
}

// newestCode is the token of the last letter of one purpose to an address.
func (p *post) newestCode(address, page string) string {
	letters := p.to(address)
	for i := len(letters) - 1; i >= 0; i-- {
		if code := letters[i].code(page); code != "" {
			return code
		}
	}
	return ""
}

// awaitCode waits for a link of one purpose that is not the one known already.
func (p *post) awaitCode(address, page, known string, within time.Duration) string {
	code := ""
	p.await(address, within, func([]envelope) bool {
		code = p.newestCode(address, page)
		return code != "" && code != known
	})
	if code == known {
		return ""
	}
	return code
}
