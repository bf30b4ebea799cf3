package mail

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestParseServer(t *testing.T) {
	for raw, want := range map[string]server{
		"smtp://ada:s%40crt@mail.example.com":             {"mail.example.com", "587", "ada", "s@crt", tlsStart},
		"smtp://mail.example.com:2525":                    {"mail.example.com", "2525", "", "", tlsStart},
		"smtp://mail.example.com:25/?tls=none":            {"mail.example.com", "25", "", "", tlsNone},
		"smtps://mail.example.com":                        {"mail.example.com", "465", "", "", tlsImplicit},
		"smtps://127.0.0.1:4650?tls=required":             {"127.0.0.1", "4650", "", "", tlsImplicit},
		"smtp://localhost:1025":                           {"localhost", "1025", "", "", tlsOffered},
		"smtp://LOCALHOST:1025":                           {"LOCALHOST", "1025", "", "", tlsOffered},
		"smtp://127.8.9.1:25":                             {"127.8.9.1", "25", "", "", tlsOffered},
		"smtp://[::1]:25":                                 {"::1", "25", "", "", tlsOffered},
		"smtp://[::ffff:127.0.0.1]:25":                    {"::ffff:127.0.0.1", "25", "", "", tlsOffered},
		"smtp://localhost.:25":                            {"localhost.", "25", "", "", tlsOffered},
		"smtp://localhost:25?tls=none":                    {"localhost", "25", "", "", tlsNone},
		"smtp://mail_relay":                               {"mail_relay", "587", "", "", tlsStart},
		"smtp://_mail.relay_.internal:25":                 {"_mail.relay_.internal", "25", "", "", tlsStart},
		"smtps://mail.example.com.":                       {"mail.example.com.", "465", "", "", tlsImplicit},
		"smtp://localhost?tls=required":                   {"localhost", "587", "", "", tlsStart},
		"smtp://localhost.example.com":                    {"localhost.example.com", "587", "", "", tlsStart},
		"smtp://127.0.0.1.example.com":                    {"127.0.0.1.example.com", "587", "", "", tlsStart},
		"smtp://10.0.0.1":                                 {"10.0.0.1", "587", "", "", tlsStart},
		"smtp://[2001:db8::1]":                            {"2001:db8::1", "587", "", "", tlsStart},
		"smtp://apikey:" + strings.Repeat("a", 99) + "@h": {"h", "587", "apikey", strings.Repeat("a", 99), tlsStart},
	} {
		got, err := parseServer(raw)
		if err != nil {
			t.Errorf("parseServer(%q): %v", raw, err)
		} else if got != want {
			t.Errorf("parseServer(%q) = %#v, want %#v", raw, got, want)
		}
	}
}

func TestParseServerRefuses(t *testing.T) {
	for _, raw := range []string{
		"", "mail.example.com", "mail.example.com:587", "//mail.example.com", "http://mail.example.com",
		"smtp:mail.example.com", "smtp://", "smtp://:25", "smtp://user:hunter2@", "smtp://h/path", "smtp://h#x",
		"smtp://h?tls=maybe", "smtp://h?tls=None", "smtp://h?starttls=off", "smtps://h?tls=none", "smtp://h?tls=none&x=1",
		"smtp://h:0", "smtp://h:99999", "smtp://h:abc", "smtp://user@h", "smtp://:hunter2@h",
		"smtp://user:hunter2%0D%0A@h", "smtp://user%00:hunter2@h", "smtp://user:hunter2%0a@h", "smtp://us%0der:hunter2@h",
		"smtp://user:hunter2#@h", "smtp://user:hunter2/x@h", "smtp://user:hunter2?@h", "smtp://user:hunter2%zz@h",
		"smtp://h\r\n", "smtp://ho st", "smtp://h%0d%0a", "smtp://-h", "smtp://h..h", "smtp://h..", "smtp://.",
	} {
		s, err := NewSMTP(raw)
		if err == nil {
			t.Errorf("NewSMTP(%q) = %v, want a refusal", raw, s)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("NewSMTP(%q) echoes the password: %v", raw, err)
		}
		if !strings.Contains(err.Error(), "write smtp://") {
			t.Errorf("NewSMTP(%q) does not say what to write: %v", raw, err)
		}
	}
}

func TestSMTPHidesItsPassword(t *testing.T) {
	s, err := NewSMTP("smtp://ada:hunter2@mail.example.com")
	if err != nil {
		t.Fatal(err)
	}
	var line strings.Builder
	slog.New(slog.NewJSONHandler(&line, nil)).Info("mail", "by", s)
	if strings.Contains(line.String(), "hunter2") {
		t.Errorf("slog prints the password: %s", line.String())
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, s); strings.Contains(text, "hunter2") {
			t.Errorf("%s prints the password: %s", format, text)
		}
	}
}
