package mail

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

func testMessage() Message {
	return Message{
		ID: "0199c0de-0000-7000-8000-000000000001", From: "Åcme <no-reply@acme.example>", To: "ada@example.com",
		Subject: "Grüße - Åcme", Text: "Hello\n.dot\nhttps://acme.example/?code=abc\n", HTML: "<p>Hello</p>",
		Date: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC),
	}
}

func TestSendDelivers(t *testing.T) {
	p := (&post{}).start(t)
	s := p.sender(t, "smtp", "")
	for range 2 {
		if answer, err := s.Send(t.Context(), testMessage()); err != nil || answer != "250 2.0.0 OK: queued" {
			t.Fatalf("%q, %v", answer, err)
		}
	}
	p.awaitClosed(t, 2)
	got := p.mails()
	if len(got) != 2 {
		t.Fatalf("server has %d mails, want 2", len(got))
	}
	if got[0].from != "no-reply@acme.example" || got[0].to != "ada@example.com" || got[0].helo != "acme.example" {
		t.Errorf("envelope: %+v", got[0])
	}
	var ids []string
	for _, l := range got {
		parsed, err := netmail.ReadMessage(strings.NewReader(l.data))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, parsed.Header.Get("Message-ID"))
	}
	if want := "<0199c0de-0000-7000-8000-000000000001@acme.example>"; ids[0] != want || ids[1] != want {
		t.Errorf("Message-IDs %q, want %s in both", ids, want)
	}
}

func TestSendRefused(t *testing.T) {
	answer := func(code int) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.NoEnhancedCode, Message: "no <ADA@example.com>\r\nhere"}
	}
	tests := []struct {
		name      string
		post      *post
		step      string
		code      int
		permanent bool
	}{
		{"MAIL 451", &post{mailErr: answer(451)}, "MAIL", 451, false},
		{"MAIL 550", &post{mailErr: answer(550)}, "MAIL", 550, false},
		{"MAIL 530, credentials missing", &post{mailErr: answer(530)}, "MAIL", 530, false},
		{"RCPT 450", &post{rcptErr: answer(450)}, "RCPT", 450, false},
		{"RCPT 550", &post{rcptErr: answer(550)}, "RCPT", 550, true},
		{"mail 452", &post{dataErr: answer(452)}, "end of data", 452, false},
		{"mail 554", &post{dataErr: answer(554)}, "end of data", 554, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.post.start(t)
			_, err := p.sender(t, "smtp", "").Send(t.Context(), testMessage())
			answer, ok := errors.AsType[*textproto.Error](err)
			if !ok || answer.Code != tt.code || !strings.Contains(err.Error(), tt.step+": ") {
				t.Fatalf("error %v, want %d at %s", err, tt.code, tt.step)
			}
			if Permanent(err) != tt.permanent {
				t.Errorf("Permanent(%v) = %t", err, !tt.permanent)
			}
			if text := strings.ToLower(err.Error()); strings.Contains(text, "ada@") || strings.ContainsAny(text, "\r\n") {
				t.Errorf("error names the recipient or has several lines: %q", err)
			}
			if len(p.mails()) != 0 {
				t.Error("the mail was taken all the same")
			}
			p.awaitClosed(t, 1)
		})
	}
}

// Only what speaks of the recipient is final: all else ends when somebody fixes something, and no mail is
// to be lost to it.
func TestOnlyBadRecipientsAreFinal(t *testing.T) {
	for _, tt := range []struct {
		step, answer string
		want         bool
	}{
		{"RCPT", "550 no such user", true},
		{"RCPT", "551 user not local; please try elsewhere", true},
		{"RCPT", "553 mailbox name not allowed", true},
		{"RCPT", "550 5.1.1 <(recipient)>: Recipient address rejected: User unknown in local recipient table", true},
		{"RCPT", "550 5.1.2 bad destination system", true},
		{"RCPT", "553 5.1.3 bad destination mailbox syntax", true},
		{"RCPT", "550 5.1.10 recipient has null MX", true},
		{"RCPT", "554 5.1.1 unknown", true},
		{"RCPT", "501 5.1.3 bad recipient address syntax", true},
		{"RCPT", "550 5.1.1", true},

		{"RCPT", "550 5.1.8 sender's domain does not exist", false},
		{"RCPT", "553 5.1.7 bad sender's mailbox syntax", false},
		{"RCPT", "550 5.7.1 relaying denied", false},
		{"RCPT", "554 5.7.1 <(recipient)>: Relay access denied", false},
		{"RCPT", "550 relay not permitted", false},
		{"RCPT", "550 Sender verify failed", false},
		{"RCPT", "550 authentication required", false},
		{"RCPT", "550 blocked, see https://postmaster.example", false},
		{"RCPT", "554 relay denied", false},
		{"RCPT", "503 bad sequence of commands", false},
		{"RCPT", "504 command parameter not implemented", false},
		{"RCPT", "501 syntax error", false},
		{"RCPT", "502 not implemented", false},
		{"RCPT", "552 mailbox full", false},
		{"RCPT", "552 5.2.2 mailbox full", false},
		{"RCPT", "550 5.2.2 over quota", false},
		{"RCPT", "550 5.2.1 mailbox disabled", false},
		{"RCPT", "550 5.4.1 recipient address rejected: access denied", false},
		{"RCPT", "530 5.7.0 authentication required", false},
		{"RCPT", "550 4.1.1 contradicts itself", false},
		{"RCPT", "450 4.1.1 unknown for now", false},
		{"RCPT", "250 OK", false},
		{"MAIL", "553 sorry, your envelope sender is not allowed", false},
		{"MAIL", "553 5.1.1 whatever", false},
		{"MAIL", "550 no", false},
		{"DATA", "554 no valid recipients", false},
		{"DATA", "550 5.1.1 whatever", false},
		{"end of data", "550 5.1.1 whatever", false},
		{"end of data", "554 5.7.1 message content rejected", false},
		{"end of data", "552 message size exceeds fixed limit", false},
	} {
		code, text, _ := strings.Cut(tt.answer, " ")
		n, err := strconv.Atoi(code)
		if err != nil {
			t.Fatal(err)
		}
		err = fmt.Errorf("send: %w", refusal(tt.step, &textproto.Error{Code: n, Msg: text}, "ada@example.com"))
		if got := Permanent(err); got != tt.want {
			t.Errorf("%s: %s is final: %t", tt.step, tt.answer, got)
		}
		if got := Answer(err); got != tt.answer && got != tt.answer+" " {
			t.Errorf("Answer(%v) = %q, want %q", err, got, tt.answer)
		}
	}
	if Permanent(errors.New("RCPT: 550 5.1.1 not an answer")) || !Permanent(fmt.Errorf("check To: %w", ErrMalformed)) {
		t.Error("an error that is no answer")
	}
}

// What a server says of the recipient is kept in the outbox and in logs for longer than the address.
func TestAnswersNameNoRecipient(t *testing.T) {
	for _, tt := range []struct{ to, said, want string }{
		{"ada@example.com", "5.1.1 <ada@example.com>: unknown", "5.1.1 <(recipient)>: unknown"},
		{"ada@example.com", "5.1.1 <Ada@EXAMPLE.COM> and ada@example.com: unknown", "5.1.1 <(recipient)> and (recipient): unknown"},
		{"ada@example.com", "no ada@mx7.internal.example here", "no (recipient) here"},
		{"ada@example.com", "user ada unknown", "user (recipient) unknown"},
		{"ada@example.com", "prvs=ada=40example.com rejected", "prvs=(recipient) rejected"},
		{"ada@example.com", "see https://x.example/?to=ada%40example.com", "see https://x.example/?to=(recipient)"},
		{"ada@example.com", "SRS0=ada=example.com@relay.example", "SRS0=(recipient)@relay.example"},
		{"ada+news@example.com", "no ada+news@example.com", "no (recipient)"},
		{"a@example.com", "a mailbox a@example.com is a problem", "a mailbox (recipient) is a problem"},
		{"a.b*c@example.com", "a.b*c@example.com", "(recipient)"},
		{"*x@example.com", "no *x@example.com", "no (recipient)"},
		{"queued@example.com", "2.0.0 OK: queued as 4XyZ", "2.0.0 OK: (recipient) as 4XyZ"},
		{"ada@example.com", "2.0.0 OK: queued as 4AdaXyZ", "2.0.0 OK: queued as 4AdaXyZ"},
		{"ada@example.com", "one\r\ntwo\x00\u202ethree", "one two three"},
		{"ada@example.com", strings.Repeat("x", 400), strings.Repeat("x", 300) + "..."},
	} {
		if got := aloud(errors.New(tt.said), tt.to); got != tt.want {
			t.Errorf("of %s: %q is told as %q, want %q", tt.to, tt.said, got, tt.want)
		}
	}
}

func TestSendIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name    string
		timeout time.Duration // of the dialogue
		give    func(context.Context) (context.Context, context.CancelFunc)
		want    error
	}{
		{"by its own time", 50 * time.Millisecond, context.WithCancel, context.DeadlineExceeded},
		{"by the caller", Timeout, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 50*time.Millisecond)
		}, context.DeadlineExceeded},
		{"by the caller, who left before", Timeout, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := (&post{hang: true}).start(t)
			s := p.sender(t, "smtp", "")
			s.timeout = tt.timeout
			ctx, cancel := tt.give(t.Context())
			defer cancel()
			began := time.Now()
			_, err := s.Send(ctx, testMessage())
			if !errors.Is(err, tt.want) || Permanent(err) {
				t.Errorf("error %v, want %v, not permanent", err, tt.want)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// A server that answers each command just in time does not keep us for longer than the whole may take.
func TestSendTarpit(t *testing.T) {
	p := (&post{pause: 400 * time.Millisecond}).start(t)
	s := p.sender(t, "smtp", "")
	s.timeout = 600 * time.Millisecond
	began := time.Now()
	if _, err := s.Send(t.Context(), testMessage()); !errors.Is(err, context.DeadlineExceeded) || Permanent(err) {
		t.Errorf("error %v, want a deadline", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestSendSilentServer(t *testing.T) {
	for step, answers := range map[string]map[string]string{
		"greeting": nil,
		"EHLO":     {"EHLO": ""},
	} {
		greeting := "220 post.test"
		if step == "greeting" {
			greeting = "220-post.test" // a line that promises another
		}
		s, err := NewSMTP("smtp://" + scripted(t, greeting, answers))
		if err != nil {
			t.Fatal(err)
		}
		s.timeout = 50 * time.Millisecond
		if _, err := s.Send(t.Context(), testMessage()); !errors.Is(err, context.DeadlineExceeded) || Permanent(err) {
			t.Errorf("%s: error %v, want a deadline", step, err)
		}
	}
}

// A mail is repeated only when the server's 250 was not seen, and then with the same Message-ID.
func TestSendDroppedAfterTheDot(t *testing.T) {
	p := (&post{drop: true}).start(t)
	_, err := p.sender(t, "smtp", "").Send(t.Context(), testMessage())
	if err == nil || Permanent(err) {
		t.Errorf("error %v, want one that is worth another try", err)
	}
}

// A caller who leaves when the mail is whole would have it sent twice: the answer is waited for, but not long.
func TestSendWaitsForTheLastWord(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds until something is given up")
	}
	ctx, leave := context.WithCancel(t.Context())
	p := (&post{hold: leave}).start(t)
	if answer, err := p.sender(t, "smtp", "").Send(ctx, testMessage()); err != nil || answer != "250 2.0.0 OK: queued" {
		t.Errorf("left after the dot: %q, %v", answer, err)
	}

	ctx, leave = context.WithCancel(t.Context())
	mute := &post{}
	mute.hold = func() { leave(); <-mute.stop }
	mute.start(t)
	began := time.Now()
	if _, err := mute.sender(t, "smtp", "").Send(ctx, testMessage()); err == nil || Permanent(err) {
		t.Errorf("no answer to the dot: %v", err)
	}
	if took := time.Since(began); took < answerGrace || took > 2*answerGrace {
		t.Errorf("waited %v for the answer to the dot, want %v", took, answerGrace)
	}
}

func TestSendTakenWhateverComesAfter(t *testing.T) {
	for name, quit := range map[string]string{"refuses QUIT": "500 what?", "ignores QUIT": "", "hangs up at QUIT": "hangup"} {
		t.Run(name, func(t *testing.T) {
			s, err := NewSMTP("smtp://" + scripted(t, "220 post.test", map[string]string{
				"EHLO": "250 post.test", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go", ".": "250 taken", "QUIT": quit,
			}))
			if err != nil {
				t.Fatal(err)
			}
			m := testMessage()
			m.Text = "no dots"
			if _, err := s.Send(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
	}
}

// What a server says before it was shown a mail is about us: every mail would be lost to it.
func TestSendRefusedBeforeTheMail(t *testing.T) {
	for name, server := range map[string][2]string{
		"greeting 554": {"554 go away", ""},
		"EHLO 550":     {"220 post.test", "550 go away"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := scripted(t, server[0], map[string]string{"EHLO": server[1], "HELO": server[1]})
			s, err := NewSMTP("smtp://" + addr)
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Send(t.Context(), testMessage())
			if err == nil || Permanent(err) || !strings.Contains(err.Error(), "go away") {
				t.Errorf("error %v, want the server's words, not permanent", err)
			}
		})
	}
}

func TestSendNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	s, err := NewSMTP("smtp://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Send(t.Context(), testMessage()); err == nil || Permanent(err) {
		t.Errorf("error %v, want one that is worth another try", err)
	}
}

// TLS is required off loopback. On loopback the tests ask for it.
func TestSendTLS(t *testing.T) {
	nobody := x509.NewCertPool()
	for _, tt := range []struct {
		name          string
		post          *post
		scheme, query string
		roots         *x509.CertPool // nil: the server's own
		refused       string
	}{
		{"STARTTLS", &post{starttls: true}, "smtp", "?tls=required", nil, ""},
		{"STARTTLS missing", &post{}, "smtp", "?tls=required", nil, "no STARTTLS"},
		{"STARTTLS, certificate of a stranger", &post{starttls: true}, "smtp", "?tls=required", nobody, "certificate"},
		{"implicit", &post{implicit: true}, "smtps", "", nil, ""},
		{"implicit, certificate of a stranger", &post{implicit: true}, "smtps", "", nobody, "certificate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.post.mechanisms, tt.post.user, tt.post.pass = []string{"PLAIN"}, "ada", "right"
			p := tt.post.start(t)
			s := p.sender(t, tt.scheme, tt.query)
			if tt.roots != nil {
				s.RootCAs = tt.roots
			}
			_, err := s.Send(t.Context(), testMessage())
			if tt.refused == "" {
				if got := p.mails(); err != nil || len(got) != 1 || !got[0].tls || got[0].user != "ada" {
					t.Errorf("error %v, server has %+v; want one mail inside TLS", err, got)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.refused) || Permanent(err) {
				t.Errorf("error %v, want one about %q, not permanent", err, tt.refused)
			}
			if len(p.mails()) != 0 {
				t.Error("the mail went out without TLS")
			}
		})
	}
}

func TestSendTLSOtherName(t *testing.T) {
	p := (&post{implicit: true}).start(t)
	p.addr = strings.Replace(p.addr, "127.0.0.1", "localhost", 1) // the certificate names the address only
	if _, err := p.sender(t, "smtps", "").Send(t.Context(), testMessage()); err == nil || len(p.mails()) != 0 {
		t.Errorf("error %v, want a refusal of a certificate for another name", err)
	}
}

func TestSendAuth(t *testing.T) {
	for _, tt := range []struct {
		mechanism, pass string
		refused         string
	}{
		{"PLAIN", "right", ""},
		{"LOGIN", "right", ""},
		{"PLAIN", "wrong-pass", "AUTH: 535"},
		{"LOGIN", "wrong-pass", "AUTH: 535"},
		{"GSSAPI", "right", "offers no AUTH we speak"},
	} {
		t.Run(tt.mechanism+" "+tt.pass, func(t *testing.T) {
			p := (&post{mechanisms: []string{tt.mechanism}, user: "ada", pass: tt.pass}).start(t)
			_, err := p.sender(t, "smtp", "").Send(t.Context(), testMessage())
			if tt.refused == "" {
				if got := p.mails(); err != nil || len(got) != 1 || got[0].user != "ada" {
					t.Errorf("error %v, server has %+v", err, got)
				}
				return
			}
			// An expired password of ours must not cost anybody's mail.
			if err == nil || Permanent(err) || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("error %v, want %q, not permanent", err, tt.refused)
			}
			if strings.Contains(fmt.Sprint(err), tt.pass) {
				t.Errorf("error holds the password: %v", err)
			}
		})
	}
}

func TestSendRefusesMalformed(t *testing.T) {
	p := (&post{}).start(t)
	m := testMessage()
	m.To = "ada@example.com>\r\nRCPT TO:<eve@example.com"
	if _, err := p.sender(t, "smtp", "").Send(t.Context(), m); !Permanent(err) || !errors.Is(err, ErrMalformed) {
		t.Errorf("error %v, want ErrMalformed", err)
	}
	if len(p.mails()) != 0 {
		t.Error("something was sent")
	}
}
