package mail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// opened is a mail as a reader's program sees it.
type opened struct {
	Header     map[string]string
	Text, HTML string
}

// open reads raw back by other code than that which wrote it; it fails on a repeated header.
func open(raw []byte) (opened, error) {
	parsed, err := netmail.ReadMessage(strings.NewReader(string(raw)))
	if err != nil {
		return opened{}, err
	}
	o := opened{Header: map[string]string{}}
	for key, values := range parsed.Header {
		if len(values) != 1 {
			return opened{}, fmt.Errorf("header %s is there %d times", key, len(values))
		}
		if o.Header[key], err = new(mime.WordDecoder).DecodeHeader(values[0]); err != nil {
			return opened{}, err
		}
	}
	kind, params, err := mime.ParseMediaType(parsed.Header.Get("Content-Type"))
	if err != nil {
		return opened{}, err
	}
	if kind == "text/plain" {
		text, err := decode(textproto.MIMEHeader(parsed.Header), parsed.Body)
		o.Text = text
		return o, err
	}
	return o, o.readParts(multipart.NewReader(parsed.Body, params["boundary"]))
}

func (o *opened) readParts(r *multipart.Reader) error {
	for _, part := range []struct {
		kind string
		to   *string
	}{{"text/plain; charset=UTF-8", &o.Text}, {"text/html; charset=UTF-8", &o.HTML}} {
		p, err := r.NextRawPart()
		if err != nil {
			return err
		}
		if got := p.Header.Get("Content-Type"); got != part.kind {
			return fmt.Errorf("part is %q, want %q", got, part.kind)
		}
		if *part.to, err = decode(p.Header, p); err != nil {
			return err
		}
	}
	if _, err := r.NextRawPart(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("more than two parts: %v", err)
	}
	return nil
}

func decode(h textproto.MIMEHeader, r io.Reader) (string, error) {
	if got := h.Get("Content-Transfer-Encoding"); got != "quoted-printable" {
		return "", fmt.Errorf("transfer encoding %q", got)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(r))
	return strings.ReplaceAll(string(text), "\r\n", "\n"), err
}

func TestCompose(t *testing.T) {
	m := testMessage()
	m.Text = "Zürich\r\n.\r\nFrom here\rhttps://acme.example/?a=b&c=" + strings.Repeat("x", 1200)
	m.HTML = "<p>Zürich</p>\n--boundary"
	m.Language = "pt-BR"
	l, err := compose(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := open(l.raw)
	if err != nil {
		t.Fatal(err)
	}
	delete(got.Header, "Content-Type") // holds a random boundary; open has read it
	want := opened{
		Header: map[string]string{
			"From": "Åcme <no-reply@acme.example>", "To": "<ada@example.com>", "Subject": "Grüße - Åcme",
			"Message-Id": "<0199c0de-0000-7000-8000-000000000001@acme.example>", "Date": "Mon, 23 Nov 2026 08:00:00 +0000",
			"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All", "Mime-Version": "1.0",
			"Content-Language": "pt-BR",
		},
		Text: "Zürich\n.\nFrom here\nhttps://acme.example/?a=b&c=" + strings.Repeat("x", 1200),
		HTML: "<p>Zürich</p>\n--boundary",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
	for line := range strings.SplitSeq(string(l.raw), "\r\n") {
		if len(line) > 100 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("line is too long or ends oddly: %q", line)
		}
	}
}

func TestComposeWithoutHTML(t *testing.T) {
	m := testMessage()
	m.HTML = ""
	l, err := compose(m)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := open(l.raw); err != nil || got.Text != m.Text || got.HTML != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// CR, LF and NUL are refused in every value.
func TestComposeRefuses(t *testing.T) {
	evil := []string{
		"%s\r\nBcc: eve@example.com", "%s\nBcc: eve@example.com", "%s\rBcc: eve@example.com", "%s\x00",
		"%s\r\n\r\n<script>", "\r\n%s", "%s\u2028Bcc: eve@example.com", "%s\u0085Bcc: eve@example.com", "%s\v", "%s\x7f",
		"%s\xff", "%s\u202e", "%s\u200b", "=?utf-8?q?%s=0D=0ABcc:_eve@example.com?=",
	}
	for name, field := range map[string]func(*Message) *string{
		"From": func(m *Message) *string { return &m.From }, "To": func(m *Message) *string { return &m.To },
		"Subject": func(m *Message) *string { return &m.Subject }, "ID": func(m *Message) *string { return &m.ID },
		"Language": func(m *Message) *string { return &m.Language },
	} {
		for _, pattern := range evil {
			m := testMessage()
			f := field(&m)
			*f = strings.ReplaceAll(pattern, "%s", *f)
			if _, err := compose(m); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s %q: error %v, want ErrMalformed", name, *f, err)
			}
		}
	}
	for name, spoil := range map[string]func(*Message){
		"no From":          func(m *Message) { m.From = "" },
		"no To":            func(m *Message) { m.To = "" },
		"To with a name":   func(m *Message) { m.To = "Ada <ada@example.com>" },
		"two To":           func(m *Message) { m.To = "ada@example.com, eve@example.com" },
		"ESMTP parameter":  func(m *Message) { m.To = "ada@example.com> NOTIFY=NEVER" },
		"quoted To":        func(m *Message) { m.To = `"a b"@example.com` },
		"To an IP literal": func(m *Message) { m.To = "ada@[127.0.0.1]" },
		"two From":         func(m *Message) { m.From = "a@b.example, c@d.example" },
		"hidden From name": func(m *Message) { m.From = `"=\?utf-8?q?=0D=0ABcc:_eve@b.example?=" <a@b.example>` },
		"no ID":            func(m *Message) { m.ID = "" },
		"ID in brackets":   func(m *Message) { m.ID = "<a@b.example>" },
		"long Subject":     func(m *Message) { m.Subject = strings.Repeat("a", 513) },
		"NUL in text":      func(m *Message) { m.Text = "a\x00" },
		"not UTF-8 HTML":   func(m *Message) { m.HTML = "\xff" },
	} {
		m := testMessage()
		spoil(&m)
		if _, err := compose(m); !errors.Is(err, ErrMalformed) || !Permanent(err) {
			t.Errorf("%s: error %v, want ErrMalformed", name, err)
		}
	}
}

func TestMessageID(t *testing.T) {
	for id, want := range map[string]string{"row-1": "<row-1@acme.example>", "row-1@other.example": "<row-1@other.example>"} {
		m := testMessage()
		m.ID = id
		l, err := compose(m)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := open(l.raw); err != nil || got.Header["Message-Id"] != want {
			t.Errorf("Message-ID %q, %v; want %s", got.Header["Message-Id"], err, want)
		}
	}
}

func TestParseMailbox(t *testing.T) {
	for _, s := range []string{
		"no-reply@localhost", "Latchkey <no-reply@localhost>", "<a@b.example>", `"Acme, Inc." <a@b.example>`, "Åcme GmbH <a@b.example>",
		"o'neil+tag@b-c.example", strings.Repeat("a", 64) + "@b.example",
	} {
		if err := ParseMailbox(s); err != nil {
			t.Errorf("ParseMailbox(%q): %v", s, err)
		}
	}
	for _, s := range []string{
		"", "Latchkey", "a@", "@b.example", "a@b@c.example", "a b@c.example", "a@b .example", "a@-b.example", "a@b..example", "a@b.example.",
		"A <a@b.example", "A a@b.example>", "A <a@b.example>, B <b@b.example>", "list: a@b.example;", `"a b"@c.example`, "a@[::1]", "ä@b.example",
		"a@ä.example", strings.Repeat("a", 65) + "@b.example", "a@" + strings.Repeat("b.", 130) + "example", "A\r\nBcc: x <a@b.example>",
		"=?utf-8?q?A?= <a@b.example>", ".a@b.example", "a..b@c.example", strings.Repeat("A", 300) + " <a@b.example>",
	} {
		if err := ParseMailbox(s); !errors.Is(err, ErrMalformed) {
			t.Errorf("ParseMailbox(%q) = %v, want ErrMalformed", s, err)
		}
	}
}

func TestPermanent(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{io.EOF, false},
		{context.DeadlineExceeded, false},
		{ErrMalformed, true},
		{&textproto.Error{Code: 421}, false},
		{&textproto.Error{Code: 499}, false},
		{&textproto.Error{Code: 500}, false},
		{&textproto.Error{Code: 599}, false},
		{&textproto.Error{Code: 600}, false},
		{&textproto.Error{Code: 250}, false},
		{&textproto.Error{Code: 535}, false},
		{fmt.Errorf("send: %w", refusal("RCPT", &textproto.Error{Code: 550}, "ada@example.com")), true},
	} {
		if got := Permanent(tt.err); got != tt.want {
			t.Errorf("Permanent(%v) = %t", tt.err, got)
		}
	}
}

// FuzzCompose: whatever goes in, what comes out has our headers alone, each once, and reads back as
// what went in.
func FuzzCompose(f *testing.F) {
	names := []string{"Auto-Submitted", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To", "X-Auto-Response-Suppress"}
	f.Fuzz(func(t *testing.T, id, from, to, subject, text, html string) {
		l, err := compose(Message{ID: id, From: from, To: to, Subject: subject, Text: text, HTML: html, Date: time.Unix(1, 0)})
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v, want ErrMalformed", err)
			}
			return
		}
		got, err := open(l.raw)
		if err != nil {
			t.Fatalf("%v in:\n%s", err, l.raw)
		}
		for name := range got.Header {
			if name != "Content-Transfer-Encoding" && !slices.Contains(names, name) {
				t.Errorf("header %s is not ours, in:\n%s", name, l.raw)
			}
		}
		if got.Header["To"] != "<"+to+">" || got.Header["Subject"] != singleSpaced(subject) {
			t.Errorf("To %q, Subject %q; want %q, %q", got.Header["To"], got.Header["Subject"], to, singleSpaced(subject))
		}
		plain := func(s string) string { return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s) }
		if got.Text != plain(text) || got.HTML != plain(html) {
			t.Errorf("text %q, HTML %q; want %q, %q", got.Text, got.HTML, plain(text), plain(html))
		}
		box, err := netmail.ParseAddress(from)
		if err != nil {
			t.Fatal(err)
		}
		again, err := netmail.ParseAddress(strings.TrimSpace(rawHeader(t, l.raw, "From")))
		if err != nil || again.Address != box.Address || again.Name != singleSpaced(box.Name) {
			t.Errorf("From %v (%v), want %v", again, err, box)
		}
	})
}

func rawHeader(t *testing.T, raw []byte, name string) string {
	t.Helper()
	parsed, err := netmail.ReadMessage(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Header.Get(name)
}
